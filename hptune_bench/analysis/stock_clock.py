"""What the same search costs a reader with plain Keras, in seconds.

The trainer of a campaign is faster than ``model.fit`` by orders of magnitude, so its seconds say nothing about a
reader's. The stock clock is a linear model of them, fitted on complete stock searches elsewhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

BY_HAND = ("manual_sweep", "manual_grid", "untuned", "untuned_restarts", "post_winner")
"""Methods that need no tuning library: a reader runs them with plain ``model.fit``."""


CONSTANTS = ["overhead_s", "epoch_s", "checkpoint_s"]
"""Seconds per trial, per epoch, and per epoch that improves."""


def stock_seconds(trials: pd.DataFrame, stock_clock: pd.DataFrame) -> pd.Series:
    """Stock clock at the end of each trial, seconds since the start of its run.

    Sum over the run's trials so far of: tuner_s + fixed_s + epochs x epoch_s (see ``trial_costs``).

    Args:
        trials: rows of ``trials.csv`` of one workload, ordered by trial inside each run; ``configuration`` is JSON.
        stock_clock: columns method, structure (JSON), overhead_s, epoch_s, of that workload, and checkpoint_s if known.

    Returns:
        float seconds, index of ``trials``; all NaN where ``stock_clock`` is empty.
    """
    costs = trial_costs(trials, stock_clock)
    seconds = trials["tuner_s"].astype(float) + costs["fixed_s"] + trials["epochs"].astype(float) * costs["epoch_s"]
    return seconds.groupby([trials["tuner"], trials["seed"]]).cumsum()


def trial_costs(trials: pd.DataFrame, stock_clock: pd.DataFrame) -> pd.DataFrame:
    """Per trial the stock clock's overhead_s, epoch_s, checkpoint_s; index of ``trials``, NaN where unknown.

    And fixed_s, what a trial costs besides its epochs: overhead_s + checkpoint_s x the epochs that improved.

    They come from the row whose structure is nearest to the trial's configuration (equal values first, numbers by their
    ratio) and whose method is ``plain`` for methods by hand and ``keras_tuner`` otherwise (the other one where it is
    missing). Arguments as in ``stock_seconds``.
    """
    empty = pd.DataFrame(dict.fromkeys([*CONSTANTS, "fixed_s"], np.nan), index=trials.index, dtype=float)
    if stock_clock.empty or trials.empty:
        return empty
    methods = set(stock_clock["method"])
    wanted = np.where(trials["tuner"].isin(BY_HAND), "plain", "keras_tuner")
    parts = []
    for method in ("plain", "keras_tuner"):
        chosen = trials.loc[wanted == method, "configuration"]
        if chosen.empty:
            continue
        rows = stock_clock[stock_clock["method"] == method] if method in methods else stock_clock
        structures = [_parse(text) for text in rows["structure"]]
        keys = sorted({key for structure in structures for key in structure})
        configurations = {text: _parse(text) for text in chosen.unique()}
        # many configurations share a structure, so distances are computed once for each
        seen: dict[tuple[Any, ...], int] = {}
        nearest: dict[str, int] = {}
        for text, configuration in configurations.items():
            structure = tuple(configuration.get(key) for key in keys)
            if structure not in seen:
                seen[structure] = int(np.argmin([_distance(s, configuration) for s in structures]))
            nearest[text] = seen[structure]
        positions = chosen.map(nearest).to_numpy()
        values = rows.reindex(columns=CONSTANTS, fill_value=0.0).to_numpy(dtype=float)[positions]
        parts.append(pd.DataFrame(values, columns=CONSTANTS, index=chosen.index))
    costs = pd.concat(parts).reindex(trials.index)
    improved = trials["improved"].astype(float).fillna(0.0) if "improved" in trials else 0.0
    return costs.assign(fixed_s=costs["overhead_s"] + improved * costs["checkpoint_s"])


def _parse(text: object) -> Mapping[str, Any]:
    try:
        value = json.loads(str(text))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _distance(structure: Mapping[str, Any], configuration: Mapping[str, Any]) -> float:
    """0 for equal values; |ln ratio| / (1 + |ln ratio|), below 1, for positive numbers; 1 for anything else."""
    total = 0.0
    for key, value in structure.items():
        other = configuration.get(key)
        if other == value:
            continue
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in (value, other))
        gap = abs(math.log(value / other)) if numbers and other is not None else math.inf
        total += gap / (1 + gap) if math.isfinite(gap) else 1.0
    return total
