"""How much each hyperparameter matters: an ESTIMATE from sampled trials.

Method: a random forest is fitted to the ranks of the validation scores (ranks inside each seed, because diverged trials
are +inf and losses span decades) of the full trainings of one workload. On a fixed uniform sample over the values that
were tried, its predictions are decomposed by functional ANOVA (Hutter, Hoos and Leyton-Brown 2014): the variance of the
partial dependence on one hyperparameter, or on two minus both main effects, as a share of the variance of all
predictions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.levels import full_trainings, is_number, label_of
from hptune_bench.analysis.statistic import Statistic

MIN_TRIALS = 30
MOST_ROWS = 1500
STRONGEST = 6
"""Hyperparameters whose pairs are looked at."""
SAMPLE = 128
GRID = 10


@dataclass(frozen=True)
class Importance:
    """An estimate of what matters.

    Attributes:
        main: columns hyperparameter, share (of the variance of the predictions, 0..1), descending. Without an
            interval: what a forest estimates depends on where the tuners looked, so that there is no truth to cover.
        pairs: columns a, b, share (interaction beyond the main effects), descending; among the six strongest.
        heat: the strongest pair's mean predicted rank: columns a, b, level_a, level_b, score (0 best .. 1 worst);
            levels in their natural order. Empty below two hyperparameters.
        explained: out-of-bag R2 of the forest on the ranks: how far to trust it.
        trials: rows it was fitted to. method: one sentence that labels it as an estimate.
    """

    main: pd.DataFrame
    pairs: pd.DataFrame
    heat: pd.DataFrame
    explained: float
    trials: int
    method: str


@dataclass(frozen=True)
class Axis:
    """One hyperparameter as numbers: code of each trial (-1: inactive), and the values at which effects are taken."""

    name: str
    codes: np.ndarray
    grid: np.ndarray
    labels: tuple[str, ...]


def importance(records: Records) -> Importance | None:
    """None below 30 full trainings, where no hyperparameter varies, or where all scores are equal."""
    trials, values = full_trainings(records)
    if len(trials) < MIN_TRIALS:
        return None
    if len(trials) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(len(trials), MOST_ROWS, replace=False))
        trials, values = trials.iloc[chosen], values.iloc[chosen]
    ranks = trials.groupby("seed")["validation"].rank(pct=True).to_numpy()
    specs = {str(hp["name"]): hp for hp in records.about.get("space") or ()}
    varying = [n for n in records.hyperparameters if n in values and values[n].dropna().astype(str).nunique() > 1]
    if not varying or np.ptp(ranks) == 0:
        return None
    axes = [_axis(name, values[name], specs.get(name, {})) for name in varying]
    x = np.column_stack([axis.codes for axis in axes])
    base = _uniform(axes)
    forest = _forest(x, ranks, trees=60)
    effects = [_main_effect(forest, base, axes, i) for i in range(len(axes))]
    total = float(np.var(forest.predict(base)))
    share = np.array([float(np.var(e)) for e in effects]) / total if total > 0 else np.zeros(len(axes))
    strongest = sorted(range(len(axes)), key=lambda i: -share[i])[:STRONGEST]
    joint = {(a, b): _joint_effect(forest, base, axes, a, b) for a, b in itertools.combinations(sorted(strongest), 2)}
    pairs = sorted(((a, b, _interaction(joint[a, b], total)) for a, b in joint), key=lambda row: -row[2])
    main = pd.DataFrame({"hyperparameter": varying, "share": share})
    explained = float(forest.oob_score_)
    return Importance(
        main=main.sort_values("share", ascending=False, kind="stable", ignore_index=True),
        pairs=pd.DataFrame([(varying[a], varying[b], s) for a, b, s in pairs], columns=["a", "b", "share"]),
        heat=_heat(joint[pairs[0][:2]], axes[pairs[0][0]], axes[pairs[0][1]]) if pairs else pd.DataFrame(),
        explained=explained,
        trials=len(trials),
        method=(
            f"estimate: functional ANOVA of a random forest fitted to the ranks of {len(trials)} sampled trials "
            f"(out-of-bag R2 {explained:.2f}); it depends on where the tuners looked"
        ),
    )


def _axis(name: str, column: pd.Series, spec: Mapping[str, Any]) -> Axis:
    known = column.dropna()
    if not all(is_number(v) for v in known):
        found = sorted(known.unique(), key=str)
        places = column.map({v: float(i) for i, v in enumerate(found)}).fillna(-1.0)
        return Axis(name, places.to_numpy(dtype=float), np.arange(len(found), dtype=float), tuple(map(label_of, found)))
    log = bool(spec.get("log")) and float(known.min()) > 0
    numbers = column.astype(float)
    distinct = np.unique(known.astype(float))
    if len(distinct) > GRID:
        ends = distinct[0], distinct[-1]
        distinct = np.geomspace(*ends, GRID) if log else np.linspace(*ends, GRID)
    # -1 stands for inactive; a forest only sees the order, so numbers are shifted to start above it
    lowest = float(distinct[0])
    tried = numbers.to_numpy(dtype=float)
    codes, grid = (np.log(v / lowest) if log else v - lowest for v in (tried, distinct))
    labels = tuple(label_of(int(v) if float(v).is_integer() else float(v)) for v in distinct)
    return Axis(name, np.nan_to_num(codes, nan=-1.0), grid, labels)


def _uniform(axes: list[Axis]) -> np.ndarray:
    """(SAMPLE, axes): independent uniform draws from each grid; seeded."""
    rng = np.random.default_rng(0)
    return np.column_stack([rng.choice(axis.grid, SAMPLE) for axis in axes])


def _forest(x: np.ndarray, y: np.ndarray, trees: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        n_estimators=trees, min_samples_leaf=3, max_features=1.0, oob_score=True, random_state=0, n_jobs=1
    )
    return forest.fit(x, y)


def _main_effect(forest: Any, base: np.ndarray, axes: list[Axis], i: int) -> np.ndarray:
    """Mean prediction with hyperparameter i set to each of its grid values, (grid,)."""
    grid = axes[i].grid
    rows = np.tile(base, (len(grid), 1))
    rows[:, i] = np.repeat(grid, len(base))
    return forest.predict(rows).reshape(len(grid), -1).mean(axis=1)


def _joint_effect(forest: Any, base: np.ndarray, axes: list[Axis], a: int, b: int) -> np.ndarray:
    """Mean prediction with a and b set, (grid a, grid b)."""
    one, two = (m.ravel() for m in np.meshgrid(axes[a].grid, axes[b].grid, indexing="ij"))
    rows = np.tile(base, (len(one), 1))
    rows[:, a], rows[:, b] = np.repeat(one, len(base)), np.repeat(two, len(base))
    return forest.predict(rows).reshape(len(axes[a].grid), len(axes[b].grid), -1).mean(axis=2)


def _interaction(joint: np.ndarray, total: float) -> float:
    rest = joint - joint.mean(axis=1, keepdims=True) - joint.mean(axis=0, keepdims=True) + joint.mean()
    return float(np.var(rest) / total) if total > 0 else 0.0


def _heat(joint: np.ndarray, a: Axis, b: Axis) -> pd.DataFrame:
    rows = [
        (a.name, b.name, level_a, level_b, float(joint[i, j]))
        for i, level_a in enumerate(a.labels)
        for j, level_b in enumerate(b.labels)
    ]
    return pd.DataFrame(rows, columns=["a", "b", "level_a", "level_b", "score"])


STATISTICS = (
    Statistic(
        "importance",
        lambda given: importance(given.records),
        f"an estimate needs {MIN_TRIALS} full trainings that differ in value and score",
        folded=True,
    ),
)
