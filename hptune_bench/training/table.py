"""The trainer that trains nothing: a search runs against the recorded learning curves of a complete table.

A proposal is looked up at the nearest grid point; the tuner keeps its own value. Early stopping is applied to the
recorded curve, the clock is simulated from the recorded seconds, and an exact continuation is the rest of the curve.
TensorFlow is not imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Data, Job, Outcome, Split, Workload
from hptune_bench.core.seeds import data_seed, derive
from hptune_bench.core.space import canonical
from hptune_bench.tabular.grid import Snapper, log_scales
from hptune_bench.tabular.parquet import find_table, read_table
from hptune_bench.tabular.table import TEST, CurveTable, stop_epochs
from hptune_bench.training.common import best_index, minimised

MAX_SEEDS = 1_000_000
"""Run seeds that are tried to find the one behind a data seed."""


def trainer(workload: Workload, path: Path | None = None) -> TableTrainer:
    """The trainer on a table's Parquet file; None: where tables are looked for.

    Raises:
        UserError: there is no such table, or it is not of this workload.
    """
    where = find_table(workload.name) if path is None else path
    return TableTrainer(workload, fitting(read_table(where), workload, str(where)))


def fitting(table: CurveTable, workload: Workload, where: str) -> CurveTable:
    """The table, after making sure that a search on this workload can be replayed on it.

    Raises:
        UserError: it is of another workload, of other options, or of another search space.
    """
    wanted = {
        "workload": workload.name,
        "options": dict(workload.options),
        "full_epochs": workload.full_epochs,
        "objective": workload.objective,
        "direction": workload.direction,
        "test_metric": workload.test_metric,
        "hyperparameters": workload.space.names,
    }
    held = {**{name: getattr(table, name) for name in list(wanted)[:-1]}, "hyperparameters": tuple(table.levels)}
    for name, value in wanted.items():
        if held[name] != value:
            raise UserError(
                f"{where}: is a table with {name} = {held[name]!r}, but the search has {value!r}; make one that fits "
                f"with hptune-bench table {workload.name}, or change the search"
            )
    for name, values in table.levels.items():
        outside = [value for value in values if not workload.space[name].contains(value)]
        if outside:
            raise UserError(
                f"{where}: {name} = {outside[0]!r} lies outside the search space; make the table again with "
                f"hptune-bench table {workload.name} --fresh"
            )
    return table


class TableTrainer:
    """Implements ``core.protocols.Trainer`` by looking up.

    Run d of the D data replicates (seeds count on from D cyclically) is looked up in data replicate d. There, the k-th
    training of a grid point is training replicate k, as in a live run. Where that leaves a choice (seeds beyond D, and
    proposals off the grid, which a live run would train each with noise of its own) the replicate is drawn by a hash.
    """

    name = "table"
    note: str | None = None
    replays = True

    def __init__(self, workload: Workload, table: CurveTable) -> None:
        self.table = table
        self._snapper = Snapper(table.levels, log_scales(workload.space))
        monitored = table.curves[table.monitor]
        # One epoch more, which is no improvement, tells a stop in the last epoch from none.
        longer = np.concatenate([monitored, np.full((*monitored.shape[:3], 1), math.nan, np.float32)], axis=3)
        self._stops = stop_epochs(longer, table.patience, table.monitor_direction)
        self._logs = {name: table.curves[name] for name in table.metrics if not name.startswith(TEST)}
        self._tests = {name.removeprefix(TEST): table.curves[name] for name in table.metrics if name.startswith(TEST)}
        self._workload = workload
        self._seeds: dict[int, int] = {}
        self._known = 0

    def data(self, data_seed: int) -> Data:
        """No rows, as many as there were; facts and cap as recorded."""
        rows = self.table.definition.get("rows", {})
        splits = {name: _rows(rows.get(name, 0)) for name in ("train", "validation", "test")}
        replicate = (self._seed(data_seed) - 1) % self.table.shape[1]
        return Data(**splits, facts=self.table.facts[replicate])

    def train(self, job: Job) -> Outcome:
        """Look a training up.

        Raises:
            ValueError: it restarts from the best epoch with a fresh optimizer: that was not recorded.
        """
        if job.restart:
            raise ValueError("a table cannot restart a training from its best epoch: that was not recorded")
        place = self._place(job)
        stop, seconds = int(self._stops[place]), float(self.table.seconds[place])
        first, last = job.first_epoch, min(job.epochs, stop)
        if job.time_limit_s is not None and seconds > 0:
            last = min(last, first + 1 + math.floor(job.time_limit_s / seconds))
        columns = [curve[place][first:last].tolist() for curve in self._logs.values()]
        history = tuple(dict(zip(self._logs, values, strict=True)) for values in zip(*columns, strict=True))
        objective = tuple(minimised(self._workload, log) for log in history)
        best = best_index(objective)
        tested = (*place, max(first, last - 1) if best is None else first + best)

        def test() -> Mapping[str, float]:
            return {name: float(curve[tested]) for name, curve in self._tests.items()}

        return Outcome(
            history=history,
            objective=objective,
            ended=last == stop,
            cut=last < min(job.epochs, stop),
            best=best,
            train_s=seconds * (last - first),
            compile_s=0.0,
            cpu_s=0.0,
            state=None,
            test=test,
            weights=list,
        )

    def _place(self, job: Job) -> tuple[int, int, int]:
        """Number of the configuration, of the data replicate and of the training replicate, all from 0."""
        _, data, trainings, _ = self.table.shape
        seed = self._seed(job.data_seed)
        index = self._snapper.index(job.configuration)
        start = 0
        if seed > data or self.table.configurations[index] != job.configuration:
            start = derive("replicate", job.data_seed, canonical(job.configuration))
        return index, (seed - 1) % data, (start + job.repeat) % trainings

    def _seed(self, wanted: int) -> int:
        """The run's seed behind a data seed: seeds are hashed, and runs count them from 1."""
        while wanted not in self._seeds:
            if self._known == MAX_SEEDS:
                raise ValueError(f"data seed {wanted} is none of a run's")
            self._known += 1
            self._seeds.setdefault(data_seed(self._workload.family, self._known), self._known)
        return self._seeds[wanted]


def _rows(count: int) -> Split:
    return Split(np.empty((count, 0)), np.empty((count, 0)))
