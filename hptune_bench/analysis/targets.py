"""How long until a given quality: expected running time, runtime ECDF, speed-up.

Unit of time: the stock clock where it was measured, else trained epochs (``Targets.axis``). Only finished runs count,
and only searches: what trains once has another budget, and running times are comparable at equal budgets only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import Axis, Curves, curves
from hptune_bench.analysis.frames import TRAINED_ONCE, Records
from hptune_bench.analysis.statistics import median

FRACTIONS = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Targets lie at these parts of the way from the untuned score to the best known one: fixed before any result."""
RANDOM = "random_search"


@dataclass(frozen=True)
class ExpectedTime:
    """Expected running time to a target: total time of all runs / number of successes (Auger and Hansen 2005).

    Attributes:
        time: inf if no run succeeded.
        hits: k. runs: n: always shown beside the time, because it rests on k successes and assumes restarts.
    """

    time: float
    hits: int
    runs: int


@dataclass(frozen=True)
class Targets:
    """Time to fixed targets on one workload.

    Attributes:
        axis: unit of time. score: which score has to reach the target: ``test`` or ``validation``.
        best_is: where the best known score comes from, in words.
        targets: columns target (score), label, ascending difficulty: see ``FRACTIONS``.
        table: columns tuner, target, label, hits, runs, ert, speedup_random, speedup_manual (ERT of the
            reference / ERT of this tuner, > 1 = faster; NaN where neither reached it, inf or 0 where one did not).
        ecdf: runtime ECDF over (run, target) pairs, columns tuner, x, fraction; right-continuous steps from (0, 0).
        matches: speed-up at equal quality: columns tuner, reference, quality (the reference's median at its end),
            time (when the tuner's median curve reaches it, inf if never), reference_time (when the reference's own
            median did), speedup (reference_time / time).
        exact: where every configuration of a finite space was trained by someone: columns draws, expected_best: the
            exact expectation of the best validation score of so many random draws without replacement, from the mean
            score of each configuration. None where the space is not complete.
    """

    axis: Axis
    score: str
    best_is: str
    targets: pd.DataFrame
    table: pd.DataFrame
    ecdf: pd.DataFrame
    matches: pd.DataFrame
    exact: pd.DataFrame | None


def expected_time(times: np.ndarray, hit: np.ndarray) -> ExpectedTime:
    """times (n,): first hitting time of a success, budget spent of a failure; hit (n,): bool; n >= 1."""
    times, hit = np.asarray(times, dtype=float), np.asarray(hit, dtype=bool)
    return ExpectedTime(float(ratio(times.sum(), hit.sum())), int(hit.sum()), len(times))


def ratio(total: Any, successes: Any) -> np.ndarray:
    """total / successes; inf where there is no success."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(successes) > 0, np.asarray(total) / np.asarray(successes), np.inf)


def expected_best_of(values: np.ndarray, draws: int) -> float:
    """Exact expectation of the best of ``draws`` values drawn without replacement from all of ``values`` (N,).

    Random search on a complete grid: E = sum_i v_(i) C(N-i, n-1) / C(N, n) (Tang et al. 2020). 1 <= draws <= N; +inf
    only if N - draws + 1 values or fewer are finite in the sense that an infinite one can be the best.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    total = len(ordered)
    weights = np.zeros(total)
    weights[0] = draws / total
    for i in range(1, total - draws + 1):  # ratio of neighbouring binomials, so that nothing overflows
        weights[i] = weights[i - 1] * (total - i - draws + 1) / (total - i)
    used = weights > 0
    return float((ordered[used] * weights[used]).sum())


def expected_draws_to(values: np.ndarray, target: float) -> float:
    """Expected number of draws without replacement until a value <= target: (N+1)/(m+1) with m such values of N; inf if
    there is none."""
    values = np.asarray(values, dtype=float)
    hits = int((values <= target).sum())
    return (len(values) + 1) / (hits + 1) if hits else math.inf


def hitting_times(curve: Curves, tuner: str, target: float) -> tuple[np.ndarray, np.ndarray]:
    """(times, hit), each (runs,), ordered by seed: first x with a score <= target, or the end of the run."""
    times, hits = [], []
    for _, run in curve.steps[curve.steps["tuner"] == tuner].groupby("seed"):
        x, reached = run["x"].to_numpy(), run["y"].to_numpy() <= target
        hits.append(bool(reached.any()))
        times.append(x[reached.argmax()] if hits[-1] else x[-1])
    return np.array(times), np.array(hits, dtype=bool)


def targets(records: Records, best_known: float | None = None) -> Targets | None:
    """None where no finished search or no level that sets targets was recorded.

    Args:
        best_known: the best seed-mean score known for this workload (kept in the manifest); None: the best median here.
    """
    axis: Axis = "stock_s" if records.trials["stock_s"].notna().any() else "spent_epochs"
    curve = _of_finished(records, curves(records, axis, records.judged_by))
    tuners = [t for t in records.tuners if t not in TRAINED_ONCE]
    if curve is None or not set(tuners) & set(curve.steps["tuner"]):
        return None
    tuners = [t for t in tuners if (curve.steps["tuner"] == t).any()]
    levels, best_is = _levels(records, tuners, best_known)
    if levels.empty:
        return None
    reached = {
        (tuner, i): hitting_times(curve, tuner, level) for tuner in tuners for i, level in enumerate(levels["target"])
    }
    return Targets(
        axis=axis,
        score=records.judged_by,
        best_is=best_is,
        targets=levels,
        table=_table(tuners, levels, reached, records.against),
        ecdf=pd.concat([_ecdf(t, [reached[t, i] for i in range(len(levels))]) for t in tuners], ignore_index=True),
        matches=_matches(curve, tuners, (records.against, RANDOM)),
        exact=_exact(records),
    )


def _of_finished(records: Records, curve: Curves | None) -> Curves | None:
    if curve is None:
        return None
    finished = records.runs.loc[records.runs["finished"], ["tuner", "seed"]]
    steps = curve.steps.merge(finished, on=["tuner", "seed"])
    tuners = set(steps["tuner"])
    return Curves(curve.axis, curve.score, curve.excess, steps, curve.bands[curve.bands["tuner"].isin(tuners)])


def _levels(records: Records, tuners: list[str], best_known: float | None) -> tuple[pd.DataFrame, str]:
    """Targets, and where the best known score comes from."""
    untuned = records.finals("untuned") if "untuned" in records.tuners else pd.Series(dtype=float)
    start = float(median(untuned.dropna().to_numpy())) if len(untuned.dropna()) else math.inf
    finals = [records.finals(t).dropna().to_numpy() for t in tuners]
    medians = [m for m in (float(median(f)) for f in finals if len(f)) if math.isfinite(m)]
    if best_known is not None and records.judged_by == "test":
        best, best_is = best_known, "the best mean over seeds known for this workload"
    else:
        best, best_is = min(medians, default=math.inf), "the best median of these runs"
    if not math.isfinite(start):  # without the untuned score the easiest target is what the worst search reaches
        start = max(medians, default=math.inf)
    if not (math.isfinite(start) and math.isfinite(best)) or start <= best:
        return pd.DataFrame({"target": [], "label": []}), best_is
    labels = ["as good as untuned", *(f"{f:.0%} of the way to the best known" for f in FRACTIONS[1:])]
    if not len(untuned.dropna()):
        labels[0] = "as good as the worst search"
    return pd.DataFrame({"target": [start - f * (start - best) for f in FRACTIONS], "label": labels}), best_is


def _table(
    tuners: list[str],
    levels: pd.DataFrame,
    reached: Mapping[tuple[str, int], tuple[np.ndarray, np.ndarray]],
    against: str,
) -> pd.DataFrame:
    expected = {key: expected_time(*value) for key, value in reached.items()}
    rows = []
    for tuner in tuners:
        for i, (target, label) in enumerate(zip(levels["target"], levels["label"], strict=True)):
            e = expected[tuner, i]
            references = {"speedup_random": RANDOM, "speedup_manual": against}
            rows.append(
                {
                    "tuner": tuner,
                    "target": target,
                    "label": label,
                    "hits": e.hits,
                    "runs": e.runs,
                    "ert": e.time,
                    **{
                        name: speedup(expected[other, i].time, e.time) if (other, i) in expected else math.nan
                        for name, other in references.items()
                    },
                }
            )
    return pd.DataFrame(rows)


def speedup(reference: float, subject: float) -> float:
    """reference / subject: > 1 where the subject is faster; NaN where neither arrives (both inf)."""
    if math.isinf(reference) and math.isinf(subject):
        return math.nan
    return math.inf if subject == 0 else reference / subject


def _ecdf(tuner: str, reached: list[tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    pairs = sum(len(hit) for _, hit in reached)
    x, counts = np.unique(np.concatenate([times[hit] for times, hit in reached]), return_counts=True)
    end = max(float(times.max()) for times, _ in reached)
    fraction = np.cumsum(counts) / pairs
    last = fraction[-1] if len(fraction) else 0.0
    return pd.DataFrame({"tuner": tuner, "x": [0.0, *x, end], "fraction": [0.0, *fraction, last]})


def _matches(curve: Curves, tuners: list[str], references: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for reference in references:
        own = curve.bands[curve.bands["tuner"] == reference]
        if own.empty or reference not in tuners or not math.isfinite(quality := float(own["median"].iloc[-1])):
            continue
        reference_time = _first(own, quality)
        for tuner in tuners:
            if tuner != reference:
                time = _first(curve.bands[curve.bands["tuner"] == tuner], quality)
                rows.append((tuner, reference, quality, time, reference_time, speedup(reference_time, time)))
    return pd.DataFrame(rows, columns=["tuner", "reference", "quality", "time", "reference_time", "speedup"])


def _first(band: pd.DataFrame, quality: float) -> float:
    reached = band.loc[band["median"] <= quality, "x"]
    return float(reached.iloc[0]) if len(reached) else math.inf


def _exact(records: Records) -> pd.DataFrame | None:
    size = grid_size(records.about.get("space") or ())
    if size is None or size < 2:
        return None
    trials = records.trials[records.trials["status"] == "completed"]
    means = trials.groupby("configuration")["validation"].mean().to_numpy()
    if len(means) != size:
        return None
    draws = range(1, min(size, 100) + 1)
    return pd.DataFrame({"draws": list(draws), "expected_best": [expected_best_of(means, n) for n in draws]})


def grid_size(space: Any) -> int | None:
    """Number of configurations of a finite space without conditions; None otherwise. ``space`` as in the manifest."""
    size = 1
    for hp in space:
        if hp.get("conditions"):
            return None
        if hp["kind"] == "Boolean":
            size *= 2
        elif hp["kind"] == "Choice":
            size *= len(hp["values"])
        elif hp.get("log") or not hp.get("step"):
            return None
        else:
            size *= int((hp["high"] - hp["low"]) / hp["step"] + 1e-9) + 1
    return size if space else None
