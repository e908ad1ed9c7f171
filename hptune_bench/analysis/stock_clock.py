"""What the same search costs a reader with plain Keras, in seconds.

The trainer of a campaign is faster than ``model.fit`` by orders of magnitude, so its seconds say nothing about a
reader's. The stock clock is a linear model of them, fitted on complete stock searches elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.levels import parsed
from hptune_bench.core.tuner_info import Clock

CONSTANTS = ["overhead_s", "epoch_s", "checkpoint_s", "aging_s"]
"""Seconds per trial, per epoch, per epoch that improves, and per trial for each trial before it."""
EPOCH = CONSTANTS.index("epoch_s")
SHORTEST_S = 1e-9


def stock_seconds(trials: pd.DataFrame, stock_clock: pd.DataFrame, clocks: Mapping[str, Clock]) -> pd.Series:
    """Stock clock at the end of each trial, seconds since the start of its run.

    Sum over the run's trials so far of: tuner_s + fixed_s + epochs x epoch_s (see ``trial_costs``).

    Args:
        trials: rows of ``trials.csv`` of one workload, ordered by trial inside each run; ``configuration`` is JSON.
        stock_clock: columns method, structure (JSON), overhead_s, epoch_s, of that workload, and checkpoint_s and
            aging_s if known.
        clocks: how each tuner is charged, ``TunerInfo.clock``.

    Returns:
        float seconds, index of ``trials``; all NaN where ``stock_clock`` is empty.
    """
    costs = trial_costs(trials, stock_clock, clocks)
    seconds = trials["tuner_s"].astype(float) + costs["fixed_s"] + trials["epochs"].astype(float) * costs["epoch_s"]
    return seconds.groupby([trials["tuner"], trials["seed"]]).cumsum()


def trial_costs(trials: pd.DataFrame, stock_clock: pd.DataFrame, clocks: Mapping[str, Clock]) -> pd.DataFrame:
    """Per trial the stock clock's ``CONSTANTS``; index of ``trials``, NaN where unknown.

    And fixed_s, what a trial costs besides its epochs: overhead_s + aging_s x the trials before it + checkpoint_s x its
    epochs that improved.

    They come from the rows whose method is the one that the tuner declares (the other one where it
    is missing); see ``_costs``. Arguments as in ``stock_seconds``.
    """
    empty = pd.DataFrame(dict.fromkeys([*CONSTANTS, "fixed_s"], np.nan), index=trials.index, dtype=float)
    if stock_clock.empty or trials.empty:
        return empty
    methods = set(stock_clock["method"])
    wanted = trials["tuner"].map(clocks)
    parts = []
    for method in ("plain", "keras_tuner"):
        chosen = trials.loc[wanted == method, "configuration"]
        if chosen.empty:
            continue
        rows = stock_clock[stock_clock["method"] == method] if method in methods else stock_clock
        structures = [parsed(text) for text in rows["structure"]]
        keys = sorted({key for structure in structures for key in structure})
        configurations = {text: parsed(text) for text in chosen.unique()}
        timed = rows.reindex(columns=CONSTANTS, fill_value=0.0).to_numpy(dtype=float)
        # many configurations share a structure, whose costs are computed once
        seen: dict[tuple[Any, ...], np.ndarray] = {}
        values = {}
        for text, configuration in configurations.items():
            structure = tuple(configuration.get(key) for key in keys)
            if structure not in seen:
                seen[structure] = _costs(structures, timed, configuration)
            values[text] = seen[structure]
        parts.append(pd.DataFrame([values[text] for text in chosen], columns=CONSTANTS, index=chosen.index))
    costs = pd.concat(parts).reindex(trials.index)
    improved = trials["improved"].astype(float).fillna(0.0) if "improved" in trials else 0.0
    before = trials["trial"].astype(float) - 1
    fixed = costs["overhead_s"] + before * costs["aging_s"] + improved * costs["checkpoint_s"]
    return costs.assign(fixed_s=fixed)


def _costs(structures: Sequence[Mapping[str, Any]], timed: np.ndarray, configuration: Mapping[str, Any]) -> np.ndarray:
    """``CONSTANTS`` of a configuration.

    The first structure is the base; the others differ from it in one hyperparameter each. What each changes adds up for
    the overhead and multiplies for an epoch (a batch half as large doubles it, whatever the model). Between positive
    numbers that were timed it is interpolated over their logarithm; beyond them the nearest one counts. A structure
    that was timed itself costs what it did.
    """
    for structure, costs in zip(structures, timed, strict=True):
        if all(configuration.get(key) == value for key, value in structure.items()):
            return costs
    base = structures[0]
    logs = timed.copy()
    logs[:, EPOCH] = np.log(np.maximum(timed[:, EPOCH], SHORTEST_S))
    found = logs[0].copy()
    for key, usual in base.items():
        points = [(usual, logs[0])]
        for structure, costs in zip(structures[1:], logs[1:], strict=True):
            if [name for name in base if structure.get(name) != base[name]] == [key]:
                points.append((structure.get(key), costs))
        found += _between(points, configuration.get(key, usual)) - logs[0]
    found[EPOCH] = math.exp(found[EPOCH])
    return np.maximum(found, 0.0)


def _between(points: Sequence[tuple[Any, np.ndarray]], value: Any) -> np.ndarray:
    """The costs at a value, from those at the values that were timed, the usual one first."""
    for at, costs in points:
        if at == value:
            return costs
    timed = sorted((point for point in points if _positive(point[0])), key=lambda point: point[0])
    if not timed or not _positive(value):
        return points[0][1]
    places, known = np.log([at for at, _ in timed]), np.stack([costs for _, costs in timed])
    return np.array([np.interp(math.log(value), places, column) for column in known.T])


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
