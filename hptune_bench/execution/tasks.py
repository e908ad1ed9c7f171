"""The kinds of task: a run, the noise floor, a fingerprint, the check, the stock clock, a model, a part of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from hptune_bench.core.names import SOURCE
from hptune_bench.core.protocols import Workload
from hptune_bench.core.space import described
from hptune_bench.execution.executors.base import Task
from hptune_bench.store.layout import RunId, noise_path


@dataclass(frozen=True, kw_only=True)
class WorkloadTask(Task):
    """Something to do with a workload.

    Attributes:
        options: of the workload.
        space: of a user's object, so that no worker builds models to find it again; None where none is needed.
        table: the Parquet file that the trainer ``table`` replays.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    space: list[dict[str, Any]] | None = None
    trainer: str = ""
    table: str | None = None

    def plain(self) -> WorkloadTask:
        return replace(self, trainer="stock") if self.trainer == "compiled" else self


@dataclass(frozen=True, kw_only=True)
class RunTask(WorkloadTask):
    """One run, from wherever its journal stands."""

    kind: ClassVar[str] = "run"
    tuner_options: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any]
    header: Mapping[str, Any]

    @property
    def run(self) -> RunId:
        return RunId(self.workload, self.tuner, self.seed)

    @property
    def journal(self) -> str:
        return self.run.path


@dataclass(frozen=True, kw_only=True)
class NoiseTask(RunTask):
    """The untuned configuration trained so often in all, each time with a fresh seed."""

    kind: ClassVar[str] = "noise"
    repeats: int

    @property
    def journal(self) -> str:
        return noise_path(self.workload)


@dataclass(frozen=True, kw_only=True)
class FingerprintTask(WorkloadTask):
    """What the workload does.

    Attributes:
        known: the record of what it did before, which it must still do; None: there is none.
    """

    kind: ClassVar[str] = "fingerprint"
    known: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class CheckTask(WorkloadTask):
    """What can be found wrong with a workload without training."""

    kind: ClassVar[str] = "check"


@dataclass(frozen=True, kw_only=True)
class StockClockTask(WorkloadTask):
    """What stock Keras takes."""

    kind: ClassVar[str] = "stock_clock"


@dataclass(frozen=True, kw_only=True)
class ModelTask(WorkloadTask):
    """The best model of a workload, from the weights that its run kept, as a ``.keras`` file."""

    kind: ClassVar[str] = "model"
    configuration: Mapping[str, Any]

    @property
    def journal(self) -> str:
        return RunId(self.workload, self.tuner, self.seed).path


@dataclass(frozen=True, kw_only=True)
class CellsTask(WorkloadTask):
    """A shard of a complete table, see ``shards.train_shard``; it becomes the file ``file``."""

    kind: ClassVar[str] = "cells"
    configurations: Sequence[Mapping[str, Any]]
    replicate: int
    trainings: int
    key: str
    file: str


KINDS = {
    kind.kind: kind for kind in (RunTask, NoiseTask, FingerprintTask, CheckTask, StockClockTask, ModelTask, CellsTask)
}


def task_of(message: Mapping[str, Any]) -> WorkloadTask:
    """The task of a message, see ``Task.message``."""
    return KINDS[message["kind"]](**{key: value for key, value in message.items() if key != "kind"})


def found_space(workload: Workload, options: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What ``WorkloadTask.space`` is for a workload."""
    return described(workload.space) if SOURCE in options else None
