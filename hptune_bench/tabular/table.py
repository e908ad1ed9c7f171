"""A complete table: every configuration of a discretised space really trained, several times, epoch by epoch.

Two files: ``<workload>.parquet`` with one row per configuration, data replicate, training replicate and epoch, and
``<workload>.json``, the manifest that says what the rows mean and what made them. Whoever has a table has the truth
about a small world: the best score there is, the noise, and as many replayed searches as wanted.

Nothing here imports TensorFlow, and nothing that is read is evaluated or unpickled.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from hptune_bench.core.protocols import Direction, minimised
from hptune_bench.core.space import Configuration, Value

TEST = "test:"
"""Prefix of the names of metrics on the test split."""


@dataclass(frozen=True)
class CurveTable:
    """Learning curves of C configurations x D data replicates x T training replicates x E epochs.

    Replicate (d, k), both counted from 1, has the data seed of live run d and the training seed of the k-th training
    of the configuration in that run: see ``core.seeds``. Nothing was stopped early.

    Attributes:
        workload: its name; options: what differs from the plain workload.
        levels: the values of each hyperparameter, in order; the configurations are their product.
        configurations: all of them, the first hyperparameter changing slowest (``itertools.product``).
        metrics: the names in ``curves``: those of the training log, and ``test:<metric>`` on the test split.
        curves: float32 (C, D, T, E) by metric, as they came: NaN and infinity included.
        seconds: float32 (C, D, T): seconds per epoch, compiling excluded.
        facts: ``Data.facts`` of each data replicate, with ``cap`` (see ``core.protocols.Problem``).
        objective, direction, test_metric, full_epochs: as the workload says them.
        patience, monitor, monitor_direction: the workload's early stopping; patience None: it has none.
        definition: fingerprint of the workload, versions, trainer, machine, command, rows of each split.
        sha256: of the Parquet file; empty where the table was never written.
    """

    workload: str
    options: Mapping[str, Any]
    levels: Mapping[str, tuple[Value, ...]]
    configurations: tuple[Configuration, ...]
    metrics: tuple[str, ...]
    curves: Mapping[str, np.ndarray]
    seconds: np.ndarray
    facts: tuple[Mapping[str, float], ...]
    objective: str
    direction: Direction
    test_metric: str
    full_epochs: int
    patience: int | None
    monitor: str
    definition: Mapping[str, Any]
    monitor_direction: Direction = "min"
    sha256: str = ""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, D, T, E)."""
        configurations, data, training, epochs = self.curves[self.objective].shape
        return configurations, data, training, epochs

    @cached_property
    def stops(self) -> np.ndarray:
        """Epochs (C, D, T) that the workload's early stopping lets pass."""
        return stop_epochs(self.curves[self.monitor], self.patience, self.monitor_direction)


def digest(table: CurveTable) -> str:
    """SHA-256 (hex) of all that a replay depends on: the numbers and what they mean."""
    meaning = [
        *(table.sha256, table.workload, dict(table.options), {name: list(each) for name, each in table.levels.items()}),
        *(table.objective, table.direction, table.test_metric, table.full_epochs, table.patience, table.monitor),
        *(table.monitor_direction, [dict(facts) for facts in table.facts], table.definition.get("fingerprint")),
    ]
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()


def configurations_of(levels: Mapping[str, tuple[Value, ...]]) -> tuple[Configuration, ...]:
    """The full factorial, the first hyperparameter changing slowest."""
    return tuple(dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values()))


# --- what a search would have seen ---------------------------------------------------------------------------------


class Selected(NamedTuple):
    """Every training of a table as a search sees it: arrays (C, D, T), of which smaller scores are better.

    Attributes:
        score: objective at the best finite epoch before early stopping ends the training; +inf if none was finite.
        test_score: test metric at that epoch; NaN if there is none.
        best_epoch: that epoch, from 1; 0 if there is none.
        epochs: epochs trained until the stop.
    """

    score: np.ndarray
    test_score: np.ndarray
    best_epoch: np.ndarray
    epochs: np.ndarray


def selected(table: CurveTable) -> Selected:
    """Early stopping as the workload has it, applied to every recorded curve, and the best epoch before it."""
    reached = np.arange(table.shape[3]) < table.stops[..., None]
    values = minimised(table.curves[table.objective].astype(np.float64), table.direction)
    values = np.where(np.isfinite(values) & reached, values, math.inf)
    best = values.argmin(axis=-1)
    score = np.take_along_axis(values, best[..., None], axis=-1)[..., 0]
    found = np.isfinite(score)
    test_score = np.full(score.shape, math.nan)
    tested = table.curves.get(TEST + table.test_metric)
    if tested is not None:
        at_best = np.take_along_axis(tested, best[..., None], axis=-1)[..., 0].astype(np.float64)
        test_score = np.where(found, minimised(at_best, table.direction), math.nan)
    return Selected(score, test_score, np.where(found, best + 1, 0), table.stops)


def stop_epochs(monitored: np.ndarray, patience: int | None, direction: Direction) -> np.ndarray:
    """Epochs trained under Keras' ``EarlyStopping(min_delta=0)``: int (...) for curves (..., E).

    As in Keras 3 (and ``training.common.early_stopping``), the first value becomes the best even if it is NaN, and
    nothing improves on that; values are compared in single precision.
    """
    epochs = monitored.shape[-1]
    stops = np.full(monitored.shape[:-1], epochs)
    if patience is None:
        return stops
    curves = monitored.astype(np.float32)
    best, wait = curves[..., 0].copy(), np.zeros(stops.shape, dtype=int)
    for epoch in range(1, epochs):
        current = curves[..., epoch]
        better = current < best if direction == "min" else current > best
        best = np.where(better, current, best)
        wait = np.where(better, 0, wait + 1)
        stops = np.where((stops == epochs) & ~better & (wait >= patience), epoch + 1, stops)
    return stops


# --- files ---------------------------------------------------------------------------------------------------------
