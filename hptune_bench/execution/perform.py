"""Doing a task: what a worker does, in whatever process and on whatever machine it is."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hptune_bench import registry
from hptune_bench.core import seeds
from hptune_bench.core.budget import Limits
from hptune_bench.core.errors import Failure, UserError, attempt
from hptune_bench.core.fingerprint import differ
from hptune_bench.core.protocols import Trainer, Tuner, Workload
from hptune_bench.core.space import restored
from hptune_bench.execution import tasks
from hptune_bench.execution.executors.base import Task, file_message
from hptune_bench.execution.retrain import retrain
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import CannotWrite, Interrupted, JournalMismatch, RunSetup, first_line, remembering
from hptune_bench.store import findings, layout
from hptune_bench.store import weights as states
from hptune_bench.store.runstore import FileStore, RunStore, StreamStore
from hptune_bench.tabular import shards

Ended = dict[str, Any]


class Kept:
    """What a worker keeps from task to task: what one trainer has compiled serves the next task."""

    def __init__(self, here: Mapping[str, Workload] | None = None) -> None:
        """``here``: workloads that only this process has, by name."""
        self._here = here or {}
        self._workloads: dict[str, Workload] = {}
        self._trainers: dict[str, Trainer] = {}

    def workload(self, task: tasks.WorkloadTask) -> Workload:
        if task.workload in self._here:
            return self._here[task.workload]
        key = json.dumps([task.workload, task.options, task.space], sort_keys=True)
        if key not in self._workloads:
            space = None if task.space is None else restored(task.space)
            self._workloads[key] = registry.make_workload(task.workload, task.options, space=space)
        return self._workloads[key]

    def trainer(self, task: tasks.WorkloadTask) -> Trainer:
        from hptune_bench.training import make_trainer

        key = json.dumps([task.trainer, task.workload, task.options, task.table], sort_keys=True)
        if key not in self._trainers:
            table = None if task.table is None else Path(task.table)
            self._trainers[key] = make_trainer(task.trainer, self.workload(task), table)
        return self._trainers[key]

    @property
    def structures(self) -> int:
        """Structures compiled so far."""
        return sum(getattr(trainer, "structures", 0) for trainer in self._trainers.values())


@dataclass(frozen=True)
class Desk:
    """Where a worker does a task.

    Attributes:
        folder: where journals and states lie: the results folder, or one of the worker's own.
        send: tells the executor, see ``base.event_of``.
        streams: what is written to ``folder`` is sent, too.
        alone: no other process can build the models.
    """

    kept: Kept
    folder: Path
    send: Callable[[Mapping[str, Any]], None]
    stopping: Callable[[], bool]
    streams: bool = False
    alone: bool = False

    def store(self, journal: str) -> RunStore:
        return StreamStore(self.folder, journal, self.send) if self.streams else FileStore(self.folder / journal)

    def keep(self, name: str, content: bytes) -> None:
        """Have a file written to the results folder."""
        self.send(file_message(name, content))


def perform(task: Task, desk: Desk) -> Ended:
    """Do one task and say how it ended: ``{"status": ..., "reason": ...}``.

    ``done``, ``failed``, ``interrupted``; ``error``: it could not be done, and nothing was decided; ``unwritable``: the
    disk refuses to remember it; ``changed``: the workload is not what it was; ``refused``: it can do nothing at all.
    """
    assert isinstance(task, tasks.WorkloadTask)
    try:
        with registry.importing(task.workload, task.options):
            done = attempt(functools.partial(_KINDS[task.kind], task, desk))
    except Interrupted:
        return {"status": "interrupted"}
    except JournalMismatch as mismatch:
        return {"status": "error", "reason": str(mismatch)}
    except CannotWrite as failure:
        return {"status": "unwritable", "reason": str(failure)}
    if isinstance(done, Failure):  # a task that cannot be done must not take the worker with it
        traceback.print_exception(done.error)
        return {"status": "error", "reason": first_line(done.error)}
    return done or {"status": "done"}


def _setup(task: tasks.RunTask, tuner: Tuner | None, desk: Desk) -> RunSetup:
    return RunSetup(
        run=task.run,
        workload=desk.kept.workload(task),
        tuner=tuner,
        trainer=desk.kept.trainer(task),
        limits=Limits(**task.limits),
        header=task.header,
        store=desk.store(task.journal),
        progress=desk.send,
        stopping=desk.stopping,
    )


def _run(task: tasks.RunTask, desk: Desk) -> Ended:
    end = conduct(_setup(task, registry.make_tuner(task.tuner, task.tuner_options), desk))
    return {"status": end["status"], "reason": end["reason"]}


def _noise(task: tasks.NoiseTask, desk: Desk) -> None:
    """Retrain the untuned configuration with fresh seeds: how far apart two trainings of one configuration lie."""
    setup = _setup(task, None, desk)
    data_seed = seeds.data_seed(setup.workload.family, task.seed)
    with remembering(setup.store):
        log = setup.store.log()
    with log:
        done = len(log.contents.of_kind("retraining"))
        if not log.contents.entries:
            with remembering(setup.store):
                log.append({**setup.header, "kind": "run", "facts": {}})
        for repeat in range(done + 1, task.repeats + 1):
            if desk.stopping():
                raise Interrupted
            entry = retrain(setup, setup.workload.untuned, data_seed, repeat, salt="noise")
            with remembering(setup.store):
                log.append(entry)


def _stock_clock(task: tasks.StockClockTask, desk: Desk) -> Ended | None:
    """Have stock Keras measured by a process of its own, as a reader's search is: what this one keeps slows it down."""
    if task.as_installed or desk.alone:
        from hptune_bench.training.stock_clock import measure

        rows = [dict(row) for row in measure(desk.kept.workload(task))]
        desk.keep(layout.stock_clock_path(task.workload), (json.dumps(rows, indent=1) + "\n").encode())
        return None
    command = [sys.executable, "-m", "hptune_bench.execution.executors.worker"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    events: list[dict[str, Any]] = []
    # A broken pipe: it died before it was asked anything.
    with contextlib.suppress(BrokenPipeError), subprocess.Popen(command, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        message = dataclasses.replace(task, as_installed=True).message()
        process.stdin.write(json.dumps({"task": message, "folder": str(desk.folder)}) + "\n{}\n")
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
    ends = [event for event in events if event["event"] == "done"]
    if not ends:
        return {"status": "error", "reason": "the process that measures stock Keras died; the worker's log may say why"}
    for event in events:
        if event["event"] == "file":
            desk.send(event)
    return {key: ends[0][key] for key in ("status", "reason") if key in ends[0]}


def _fingerprint(task: tasks.FingerprintTask, desk: Desk) -> Ended | None:
    from hptune_bench.core.behaviour import behaviour

    try:
        now = behaviour(desk.kept.workload(task)).record()
    except UserError as error:
        return {"status": "refused", "reason": str(error)}
    difference = differ(task.known, now)
    if difference is not None:
        return {"status": "changed", "reason": f"{difference.part} {difference.was}, now {difference.now}"}
    if task.known is None:
        desk.keep(layout.fingerprint_path(task.workload), (json.dumps(now, indent=1) + "\n").encode())
    return None


def _check(task: tasks.CheckTask, desk: Desk) -> None:
    from hptune_bench.lint.check import before_training

    found = [finding.text for finding in before_training(desk.kept.workload(task))]
    desk.keep(layout.check_path(task.workload), findings.written(found))


def _model(task: tasks.ModelTask, desk: Desk) -> Ended | None:
    workload, trainer = desk.kept.workload(task), desk.kept.trainer(task)
    weights = states.load_weights(desk.store(task.journal))
    if weights is None:
        return {"status": "error", "reason": "its weights are gone"}
    data = trainer.data(seeds.data_seed(workload.family, task.seed))
    model = workload.build(dict(task.configuration), workload.prepare(dict(task.configuration), data))
    model.set_weights(weights)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        desk.keep(layout.model_path(task.workload), path.read_bytes())
    return None


def _cells(task: tasks.CellsTask, desk: Desk) -> None:
    trained = 0

    def before() -> None:
        nonlocal trained
        if desk.stopping():
            raise Interrupted
        if trained:
            desk.send({"event": "cell"})
        trained += 1

    shard = shards.train_shard(
        desk.kept.workload(task),
        desk.kept.trainer(task),
        task.configurations,
        task.replicate,
        task.trainings,
        task.key,
        before,
    )
    desk.keep(task.file, shards.packed(shard))
    desk.send({"event": "cell"})


_KINDS: Mapping[str, Callable[[Any, Desk], Ended | None]] = {
    "run": _run,
    "noise": _noise,
    "stock_clock": _stock_clock,
    "model": _model,
    "fingerprint": _fingerprint,
    "check": _check,
    "cells": _cells,
}
