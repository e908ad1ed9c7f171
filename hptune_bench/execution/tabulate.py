"""Making a complete table: which trainings are still to do, on worker processes, shard by shard."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hptune_bench import registry
from hptune_bench.core.environment import TRAINING_PACKAGES, environment, versions
from hptune_bench.core.errors import UserError
from hptune_bench.core.files import write_atomic
from hptune_bench.core.fingerprint import declared, differ
from hptune_bench.core.protocols import Workload
from hptune_bench.core.space import Float
from hptune_bench.execution.executors.base import Died, Done, Executor, Made, Said, Stopping, Task, Workplace
from hptune_bench.execution.executors.local import LocalExecutor
from hptune_bench.execution.interrupts import Interrupts
from hptune_bench.execution.tasks import CellsTask, FingerprintTask, found_space
from hptune_bench.store.layout import LOGS, fingerprint_path
from hptune_bench.store.lock import locked
from hptune_bench.tabular import shards
from hptune_bench.tabular.grid import levels_of
from hptune_bench.tabular.parquet import read_table, write_table
from hptune_bench.tabular.table import CurveTable, configurations_of
from hptune_bench.training.common import direction_of

MAX_EPOCHS = 10**8
"""Epochs of the largest table that is begun: some days of training."""
SHARD = 32
"""Configurations of a shard at most."""
SHARDS = 20
"""Shards of each data replicate at least, where it has so many configurations: what a kill can cost."""
MAX_DEATHS = 3
"""Deaths of workers in one shard after which the table is given up."""
REMEDY = "mend that and give the same command to go on"


class Progress(Protocol):
    """Whoever shows how far a table is."""

    def planned(self, trainings: int, done: int) -> None: ...

    def trained(self) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class Part:
    """One shard to be made: numbers of its configurations, on one data replicate (from 1)."""

    replicate: int
    number: int
    indices: tuple[int, ...]

    @property
    def file(self) -> str:
        return f"d{self.replicate}-{self.number:04d}.npz"


@dataclass
class Tabulation:
    """The making of one table.

    Attributes:
        workload: its name; options: what differs from the plain workload.
        folder: where the table is written; unfinished parts lie in ``<folder>/<workload>.parts``.
        counts: numbers of levels, see ``levels.levels_of``.
        data_replicates, training_replicates: how often each configuration is trained, on new data and on the same.
        command: recorded in the manifest.
    """

    workload: str
    options: Mapping[str, Any]
    folder: Path
    workers: int
    counts: Mapping[str, int]
    data_replicates: int
    training_replicates: int
    trainer: str
    command: str
    progress: Progress
    executor: Callable[[Workplace], Executor] = LocalExecutor

    def __post_init__(self) -> None:
        self._made: Workload = registry.make_workload(self.workload, self.options, "table")
        self.levels = levels_of(self._made, self.counts)
        self.configurations = configurations_of(self.levels)
        epochs = len(self.configurations) * self.data_replicates * self.training_replicates * self._made.full_epochs
        if epochs > MAX_EPOCHS:
            raise UserError(
                f"table: {self.workload} would train {epochs:,} epochs, more than {MAX_EPOCHS:,}: give fewer levels "
                "(--levels NAME=N) or fewer seeds"
            )
        fits = {(fit.patience, fit.monitor) for fit in map(self._made.fit, self.configurations)}
        if len(fits) > 1:
            raise UserError(
                f"table: the early stopping of {self.workload} depends on its hyperparameters; a table holds one for "
                "all: give it the same patience and monitor for every configuration"
            )
        ((self._patience, self._monitor),) = fits
        self._monitor_direction = "min" if self._patience is None else direction_of(self._made, self._monitor)
        self._path = self.folder / f"{self.workload}.parquet"
        self._parts = self.folder / f"{self.workload}.parts"
        self._deaths: Counter[str] = Counter()
        self._began = time.perf_counter()

    def run(self, *, fresh: bool = False) -> bool:
        """Train what is still to train and write the table; False where it was interrupted before the end.

        Raises:
            UserError: the folder holds another table, cannot be written, or a configuration cannot be trained.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self._parts):
            if fresh:
                self._discard()
            fingerprint = self._fingerprint()
            if fingerprint is None:
                return False
            definition = self._definition(fingerprint)
            exact = {**definition, "fingerprint": {**fingerprint, "losses": []}}  # which processors round differently
            key = hashlib.sha256(json.dumps(exact, sort_keys=True, default=str).encode()).hexdigest()
            if self._finished(definition, key):
                self.progress.note(f"{self._path} is there already, made by the same definition")
            elif not self._make(definition, key):
                return False
        shutil.rmtree(self._parts)
        return True

    def _make(self, definition: Mapping[str, Any], key: str) -> bool:
        write_atomic(self._parts / "definition.json", json.dumps({"key": key, **definition}, default=str) + "\n")
        parts = list(self._plan())
        todo = [part for part in parts if self._read(part, key) is None]
        total, left = (self.training_replicates * sum(len(part.indices) for part in some) for some in (parts, todo))
        self.progress.planned(total, total - left)
        if not self._train(todo, key):
            return False
        write_table(self._path, self._assemble(parts, key, definition))
        return True

    # --- what there is -----------------------------------------------------------------------------------------------

    def _fingerprint(self) -> dict[str, Any] | None:
        """What the workload does, found by a worker where anything is trained; None where that was interrupted."""
        if self.trainer == "fake":
            return declared(self._made).record()
        path = self._parts / Path(fingerprint_path(self.workload)).name
        path.unlink(missing_ok=True)
        space = found_space(self._made, self.options)
        self._work([FingerprintTask(workload=self.workload, options=dict(self.options), space=space)])
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _definition(self, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
        """What every number of the table depends on: parts of equal definitions belong together."""
        trains = self.trainer != "fake"
        return {
            "trainer": self.trainer,
            "options": dict(self.options),
            "levels": {name: list(values) for name, values in self.levels.items()},
            "data_replicates": self.data_replicates,
            "training_replicates": self.training_replicates,
            "fingerprint": fingerprint,
            "versions": versions(TRAINING_PACKAGES) if trains else {},
        }

    def _finished(self, definition: Mapping[str, Any], key: str) -> bool:
        """Whether the table is there.

        Raises:
            UserError: one of another definition is there, or parts of one.
        """
        remedy = "--fresh discards it, --out chooses another folder"
        if self._path.exists():
            held = read_table(self._path).definition
            for name, value in definition.items():
                differs = held.get(name) != json.loads(json.dumps(value, default=str))
                if differ(held.get(name), value) is not None if name == "fingerprint" else differs:
                    raise UserError(f"{self._path}: is a table of another definition ({name} differs); {remedy}")
            return True
        begun = self._parts / "definition.json"
        if begun.exists():
            try:
                same = json.loads(begun.read_text(encoding="utf-8"))["key"] == key
            except (ValueError, KeyError, TypeError):
                same = False
            if not same:
                raise UserError(f"{self._parts}: holds parts of a table of another definition; {remedy}")
        return False

    def _discard(self) -> None:
        for path in (self._path, self._path.with_suffix(".json")):
            path.unlink(missing_ok=True)
        for path in self._parts.iterdir():
            if path.name.endswith((".npz", ".json")):
                path.unlink()

    def _plan(self) -> Iterator[Part]:
        """All shards, a data replicate after the other.

        Inside a replicate, configurations that differ in continuous values only follow each other: they share a
        compiled program.
        """
        space = self._made.space
        slow = [name for name in self.levels if not isinstance(space[name], Float)]
        fast = [name for name in self.levels if isinstance(space[name], Float)]
        places = {name: {value: place for place, value in enumerate(values)} for name, values in self.levels.items()}

        def structure(index: int) -> list[int]:
            return [places[name][self.configurations[index][name]] for name in (*slow, *fast)]

        order = sorted(range(len(self.configurations)), key=structure)
        size = min(SHARD, max(1, len(order) // SHARDS))
        for replicate in range(1, self.data_replicates + 1):
            for number, first in enumerate(range(0, len(order), size)):
                yield Part(replicate, number, tuple(order[first : first + size]))

    def _read(self, part: Part, key: str) -> shards.Shard | None:
        shape = (len(part.indices), self.training_replicates, self._made.full_epochs)
        return shards.read(self._parts / part.file, key, shape)

    # --- the work ----------------------------------------------------------------------------------------------------

    def _train(self, todo: Sequence[Part], key: str) -> bool:
        calm = self._work([self._task(part, key) for part in todo])
        return calm or all(self._read(part, key) for part in todo)

    def _work(self, tasks: Sequence[Task]) -> bool:
        """Have tasks done; whether no interrupt came."""
        executor = self.executor(Workplace(self._parts, self.workers))
        with Interrupts(executor.stop) as interrupts, contextlib.closing(executor.run(tasks)) as events:
            for event in events:
                if isinstance(event, Stopping):
                    self.progress.note("stopping")
                elif isinstance(event, Said) and event.what["event"] == "cell":
                    self.progress.trained()
                elif isinstance(event, Made):
                    self._keep(event)
                elif isinstance(event, Done) and event.status in ("error", "refused"):
                    raise UserError(f"table: {event.reason}; {REMEDY}")
                elif isinstance(event, Died):
                    self._died(event.task)
                    executor.again(event.task)
        return not interrupts.count

    def _task(self, part: Part, key: str) -> Task:
        return CellsTask(
            workload=self.workload,
            seed=part.replicate,
            options=dict(self.options),
            space=found_space(self._made, self.options),
            trainer=self.trainer,
            configurations=[dict(self.configurations[index]) for index in part.indices],
            replicate=part.replicate,
            trainings=self.training_replicates,
            key=key,
            file=part.file,
        )

    def _keep(self, made: Made) -> None:
        path = self._parts / Path(made.name).name
        try:
            write_atomic(path, made.content)
        except OSError as error:
            raise UserError(f"table: {path}: cannot be written ({error.strerror}); {REMEDY}") from None

    def _died(self, task: Task) -> None:
        part = task.file if isinstance(task, CellsTask) else task.kind
        self._deaths[part] += 1
        if self._deaths[part] >= MAX_DEATHS:
            logs = self._parts / LOGS
            raise UserError(f"table: workers died {MAX_DEATHS} times in one part (see {logs}); {REMEDY}")
        self.progress.note("a worker died; its part is begun again")

    def _assemble(self, parts: Sequence[Part], key: str, definition: Mapping[str, Any]) -> CurveTable:
        made = self._made
        shape = (len(self.configurations), self.data_replicates, self.training_replicates)
        curves: dict[str, np.ndarray] = {}
        seconds = np.zeros(shape, np.float32)
        facts: list[Mapping[str, float]] = [{}] * self.data_replicates
        rows: Mapping[str, int] = {}
        notes: set[str] = set()
        for part in parts:
            shard = self._read(part, key)
            if shard is None:
                raise UserError(
                    f"{self._parts / part.file}: cannot be read; give the same command to have it done again"
                )
            where = (np.array(part.indices), part.replicate - 1)
            for name, curve in shard.curves.items():
                if name not in curves:
                    curves[name] = np.full((*shape, made.full_epochs), np.nan, np.float32)
                curves[name][where] = curve
            seconds[where] = shard.seconds
            facts[part.replicate - 1] = shard.facts
            rows = shard.rows
            notes |= {shard.note} if shard.note else set()
        return CurveTable(
            workload=self.workload,
            options=dict(made.options),
            levels=self.levels,
            configurations=self.configurations,
            metrics=tuple(sorted(curves)),
            curves=curves,
            seconds=seconds,
            facts=tuple(facts),
            objective=made.objective,
            direction=made.direction,
            test_metric=made.test_metric,
            full_epochs=made.full_epochs,
            patience=self._patience,
            monitor=self._monitor if self._patience is not None else made.objective,
            monitor_direction=self._monitor_direction if self._patience is not None else made.direction,
            definition={
                **definition,
                "rows": dict(rows),
                "trainer_note": "; ".join(sorted(notes)) or None,
                "command": self.command,
                "environment": environment(),
                "workers": self.workers,
                "wall_s_of_last_command": time.perf_counter() - self._began,
            },
        )
