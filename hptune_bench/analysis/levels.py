"""Configurations that were tried, and the levels into which the values of a hyperparameter fall."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from hptune_bench.analysis.frames import Records

MAX_LEVELS = 20


def parsed(text: object) -> dict[str, Any]:
    """A configuration from its column; empty where it is none."""
    try:
        value = json.loads(str(text))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def full_trainings(records: Records) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials that searched and were trained to their end, and their configurations (columns by name, same index).

    Left out are trials cut by the budget, the tuners that train in instalments (a score after two epochs says little
    about a value), and what is no search.
    """
    trials = records.trials
    instalments = trials["resumed_from"].notna() | trials["restarted_from"].notna()
    partial = set(trials.loc[instalments, "tuner"]) | {t for t in records.tuners if records.infos[t].halving}
    trials = trials[trials["tuner"].isin(set(records.searches) - partial) & (trials["status"] != "truncated")]
    texts = trials["configuration"].unique()
    known = pd.DataFrame([parsed(text) for text in texts], index=texts, dtype=object)
    values = known.loc[trials["configuration"]].set_axis(trials.index) if len(texts) else known
    return trials, values


def label_of(value: object) -> str:
    """A value as text: True, adam, 0.001, 32."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def levels_of(column: pd.Series, spec: Mapping[str, Any], untuned: object) -> tuple[pd.DataFrame, pd.Series]:
    """Levels of a hyperparameter (columns level, low, high, untuned, edge) and the level of each value.

    Every value of a Boolean, a Choice or a short range is a level. A long range is binned: a log range of two decades
    or more around each power of ten that it holds, any other into five equal parts.
    """
    numeric = len(column) > 0 and all(is_number(v) for v in column)
    if not numeric or (spec.get("kind") in ("Boolean", "Choice") and not spec.get("ordered")):
        found = spec.get("values") or sorted(column.unique(), key=str)
        ends = [(math.nan, math.nan)] * len(found)
        names = [label_of(v) for v in found]
        same = [v == untuned and isinstance(v, bool) == isinstance(untuned, bool) for v in found]
        table = pd.DataFrame({"level": names, "low": 0.0, "high": 0.0, "untuned": same, "edge": False})
        table[["low", "high"]] = ends
        return table, column.map(label_of)
    numbers = column.astype(float).to_numpy()
    distinct = np.unique(numbers)
    low, high = (
        float(distinct[i] if (end := spec.get(name)) is None else end) for i, name in ((0, "low"), (-1, "high"))
    )
    if len(distinct) <= MAX_LEVELS:
        names = [label_of(int(v) if float(v).is_integer() else float(v)) for v in distinct]
        lows = highs = distinct
        place = np.searchsorted(distinct, numbers)
        marks = np.isclose(distinct, _number(untuned))
    else:
        edges, names = _bins(low, high, bool(spec.get("log")))
        lows, highs = edges[:-1], edges[1:]
        place = np.clip(np.searchsorted(lows, numbers, side="right") - 1, 0, len(names) - 1)
        copied = _number(untuned)
        marks = (lows <= copied) & ((copied < highs) | ((copied == high) & (highs == high)))
    edge = (np.asarray(lows) <= low + 1e-9 * abs(low)) | (np.asarray(highs) >= high - 1e-9 * abs(high))
    table = pd.DataFrame({"level": names, "low": lows, "high": highs, "untuned": marks, "edge": edge})
    return table, pd.Series(np.array(names, dtype=object)[place], index=column.index)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


def _bins(low: float, high: float, log: bool) -> tuple[np.ndarray, list[str]]:
    if log and low > 0 and high / low >= 100 * (1 - 1e-9):
        powers = np.arange(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        inner = 10.0 ** (powers[:-1] + 0.5)
        return np.array([low, *inner, high]), [f"about {10.0**p:g}" for p in powers]
    edges = np.geomspace(low, high, 6) if log and low > 0 else np.linspace(low, high, 6)
    return edges, [f"{a:.3g} to {b:.3g}" for a, b in pairwise(edges)]
