"""Best score so far as a right-continuous step function, and its bands over seeds.

A result is known when its trial ends; before the first one the curve is +inf; nothing is interpolated and nothing is
known early. After the last trial of a run the curve stays where it is, except that a *failed* run counts as worst
(+inf) from its end on. Quantiles are of the type ``inverted_cdf``, the only one that is right with +inf; the median
band is then the 50 % surface of the empirical attainment function (Lopez-Ibanez et al., IEEE TEVC 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistic import Given, Statistic

Axis = Literal["stock_s", "spent_epochs", "elapsed_s", "trials"]
Score = Literal["validation", "test"]
AXES: dict[Axis, str] = {
    "stock_s": "time with plain Keras (s)",
    "spent_epochs": "trained epochs",
    "elapsed_s": "search clock (s)",
    "trials": "trials",
}
"""Axes in order of importance, each with a label that names its unit."""


@dataclass(frozen=True)
class Curves:
    """Curves of all tuners of one workload on one axis.

    Attributes:
        axis, score: what is drawn over what.
        excess: validation scores are excess losses (the split's own noise is subtracted).
        steps: one row per change of a run's incumbent and one for its end: columns tuner, seed, x, y; draw as
            ``steps-post``. y is +inf from the end of a failed run on.
        bands: at each x where some run of the tuner changes: columns tuner, x, lower (25 %), median, upper (75 %), runs
            (all runs), reached (runs with a finite value), ended (runs whose record ended before x).
    """

    axis: Axis
    score: Score
    excess: bool
    steps: pd.DataFrame
    bands: pd.DataFrame


def step_values(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The right-continuous step function with ``values[i]`` from ``times[i]`` on, +inf before ``times[0]``.

    Args:
        times: ascending, shape (n,); of equal times the last counts.
        values: shape (n,), NaN counts as +inf.
        at: any order, shape (m,).

    Returns:
        shape (m,).
    """
    padded = np.concatenate([[np.inf], np.where(np.isnan(values), np.inf, values)])
    return padded[np.searchsorted(times, at, side="right")]


def best_so_far(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """``min(values[times <= t])`` for each t in ``at``; +inf where nothing was known. Shapes as in ``step_values``."""
    return step_values(times, np.minimum.accumulate(np.where(np.isnan(values), np.inf, values)), at)


def quantile_band(matrix: np.ndarray, levels: tuple[float, ...] = (0.25, 0.5, 0.75)) -> np.ndarray:
    """Quantiles over runs, ``inverted_cdf``: matrix (runs, m), +inf allowed, to (levels, m)."""
    return np.quantile(matrix, levels, axis=0, method="inverted_cdf")


def run_steps(records: Records, axis: Axis, score: Score) -> pd.DataFrame | None:
    """``Curves.steps``; None where the axis or the score was not recorded."""
    trials = records.trials
    x = trials["trial"] if axis == "trials" else trials[axis]
    if score == "validation":
        known, y = trials["score"] < np.inf, trials["validation"]
    else:
        known, y = trials["incumbent"] & (trials["score"] < np.inf), trials["test_score"]
    if trials.empty or x.isna().all() or (score == "test" and y.isna().all()):
        return None
    key = ["tuner", "seed"]
    frame = pd.DataFrame({"tuner": trials["tuner"], "seed": trials["seed"], "x": x.astype(float), "y": y.astype(float)})
    steps = frame[known.to_numpy()]
    if score == "validation":  # keep only improvements
        lowest = steps.groupby(key)["y"].cummin()
        before = lowest.groupby([steps["tuner"], steps["seed"]]).shift(fill_value=np.inf)
        steps = steps[steps["y"] < before]
    last = steps.groupby(key)["y"].last()
    ends = frame.groupby(key, sort=False)["x"].last().reset_index()
    failed = records.runs.set_index(key)["failed_run"]
    index = pd.MultiIndex.from_frame(ends[key])
    final = last.reindex(index).fillna(np.inf).to_numpy()
    ends["y"] = np.where(failed.reindex(index).fillna(False).to_numpy(dtype=bool), np.inf, final)
    order = {tuner: i for i, tuner in enumerate(records.tuners)}
    both = pd.concat([steps, ends], ignore_index=True)
    rank = both["tuner"].map(order)
    both = both.assign(rank=rank).sort_values(["rank", "seed", "x"], kind="stable").drop(columns="rank")
    # the end row follows an improvement in the very last trial: the later of the two counts
    return both.drop_duplicates([*key, "x"], keep="last").reset_index(drop=True)


def curves(records: Records, axis: Axis, score: Score) -> Curves | None:
    """All tuners' curves; None where the axis or the score was not recorded."""
    steps = run_steps(records, axis, score)
    if steps is None:
        return None
    bands = []
    for tuner, rows in steps.groupby("tuner", sort=False):
        grid = np.unique(rows["x"].to_numpy())
        runs = [(run["x"].to_numpy(), run["y"].to_numpy()) for _, run in rows.groupby("seed")]
        matrix = np.stack([step_values(x, y, grid) for x, y in runs])
        lower, middle, upper = quantile_band(matrix)
        band = {"tuner": tuner, "x": grid, "lower": lower, "median": middle, "upper": upper, "runs": len(runs)}
        ended = np.sum([grid > x[-1] for x, _ in runs], axis=0)
        bands.append(pd.DataFrame({**band, "reached": np.isfinite(matrix).sum(axis=0), "ended": ended}))
    excess = records.excess and score == "validation"
    return Curves(axis=axis, score=score, excess=excess, steps=steps, bands=pd.concat(bands, ignore_index=True))


def value_at_trials(records: Records, trials: int, score: Score = "test") -> pd.DataFrame:
    """Score of the incumbent after that many trials.

    Runs that ended before keep their last incumbent if they are done and count as +inf if they failed; unfinished
    shorter runs give NaN. NaN, too, for runs that did not fail where no test split exists.

    Returns:
        columns tuner, seed, value, epochs (spent by then), had (trials had by then).
    """
    key = ["tuner", "seed"]
    index = pd.MultiIndex.from_frame(records.runs[key])
    mine = records.trials[records.trials["trial"] <= trials].groupby(key)
    had = mine.size().reindex(index, fill_value=0).to_numpy()
    value = np.where(records.runs["failed_run"], np.inf, np.nan)
    steps = run_steps(records, "trials", score)
    if steps is not None:
        known = steps[steps["x"] <= trials].groupby(key)["y"].agg(lambda y: y.iloc[-1])
        value = known.reindex(index).fillna(np.inf).to_numpy(dtype=float)
        value = np.where((had >= trials) | records.runs["finished"].to_numpy(dtype=bool), value, np.nan)
    epochs = mine["spent_epochs"].last().reindex(index).fillna(0).to_numpy(dtype=float)
    return records.runs[key].assign(value=value, epochs=epochs, had=had).reset_index(drop=True)


def _of_workload(given: Given) -> dict[tuple[Axis, Score], Curves]:
    axes: tuple[Axis, ...] = ("stock_s", "spent_epochs") if given.quick else tuple(AXES)
    scores: tuple[Score, ...] = ("validation", "test")
    drawn = {(axis, score): curves(given.records, axis, score) for axis in axes for score in scores}
    return {key: curve for key, curve in drawn.items() if curve is not None}


STATISTICS = (
    Statistic(
        "curves",
        _of_workload,
        "the stock clock was not measured, so there are no seconds of plain Keras",
        part="stock_clock",
        missing=lambda drawn: not any(axis == "stock_s" for axis, _ in drawn),
    ),
)
