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
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistic import Statistic
from hptune_bench.analysis.statistics import MIN_SEEDS, Interval, median

FRACTIONS = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Targets lie at these parts of the way from the untuned score to the best known one: fixed before any result."""


@dataclass(frozen=True)
class ExpectedTime:
    """Expected running time to a target: total time of all runs / number of successes (Auger and Hansen 2005).

    Attributes:
        time: inf if no run succeeded.
        interval: its 95 % interval (``time_interval``); None below MIN_SEEDS runs.
        hits: k. runs: n: always shown beside the time, because it rests on k successes and assumes restarts.
    """

    time: float
    interval: Interval | None
    hits: int
    runs: int


@dataclass(frozen=True)
class Targets:
    """Time to fixed targets on one workload.

    Attributes:
        axis: unit of time. score: which score has to reach the target: ``test`` or ``validation``.
        best_is: where the best known score comes from, in words.
        targets: columns target (score), label, ascending difficulty: see ``FRACTIONS``.
        table: columns tuner, target, label, hits, runs, ert, ert_low, ert_high (95 %, NaN where runs share their data,
            see ``data_draws``), speedup_random, speedup_manual
            (ERT of the reference / ERT of this tuner, > 1 = faster; NaN where neither reached it, inf or 0 where one
            did not).
        ecdf: runtime ECDF over (run, target) pairs, columns tuner, x, fraction; right-continuous steps from (0, 0).
        matches: speed-up at equal quality: columns tuner, reference, quality (the reference's median at its end),
            time (when the tuner's median curve reaches it, inf if never), reference_time (when the reference's own
            median did), speedup (reference_time / time).
    """

    axis: Axis
    score: str
    best_is: str
    targets: pd.DataFrame
    table: pd.DataFrame
    ecdf: pd.DataFrame
    matches: pd.DataFrame


def expected_time(times: np.ndarray, hit: np.ndarray, budget: float) -> ExpectedTime:
    """times (n,): first hitting time of a success, budget spent of a failure; hit (n,): bool; n >= 1.

    Args:
        budget: what a run that fails would cost, for the interval, where none failed.
    """
    times, hit = np.asarray(times, dtype=float), np.asarray(hit, dtype=bool)
    budget = budget if hit.all() else float(times[~hit].mean())
    interval = time_interval(times[hit], len(times), budget) if len(times) >= MIN_SEEDS else None
    return ExpectedTime(float(ratio(times.sum(), hit.sum())), interval, int(hit.sum()), len(times))


def time_interval(successes: np.ndarray, runs: int, budget: float) -> Interval:
    """95 % interval of an expected running time: the mean time of a success plus the failures before it.

    ERT = m + budget (1 - p) / p. A t interval of m and Wilson's interval of p are joined by the method of variance
    estimates recovery (Zou and Donner 2008); a bootstrap cannot see failures that did not happen. That of m is a 90 %
    interval: times end at the budget, and with 95 % the whole covered more than 97 % where most runs arrive (found on
    other draws than those of ``make calibrate``). The upper end is infinite without a success.

    Args:
        successes: shape (k,), times of the k successes among the runs.
    """
    from scipy.stats import t

    k = len(successes)
    least, most = wilson(k, runs)
    failures_low = budget * (1 / most - 1)
    if k == 0:
        return Interval(failures_low, math.inf)
    mean, failures = float(np.mean(successes)), budget * (runs / k - 1)
    low, high = 0.0, budget
    if k > 1:
        half = float(t.ppf(0.95, k - 1) * np.std(successes, ddof=1) / math.sqrt(k))
        low, high = max(low, mean - half), max(mean, min(high, mean + half))
    found = mean + failures
    return Interval(
        found - math.hypot(mean - low, failures - failures_low),
        found + math.hypot(high - mean, budget * (1 / least - 1) - failures),
    )


def wilson(successes: int, runs: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a probability (Wilson 1927)."""
    share, extra = successes / runs, z * z / runs
    center, half = share + extra / 2, z * math.sqrt(share * (1 - share) / runs + extra / (4 * runs))
    return max(0.0, (center - half) / (1 + extra)), min(1.0, (center + half) / (1 + extra))


def ratio(total: Any, successes: Any) -> np.ndarray:
    """total / successes; inf where there is no success."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(successes) > 0, np.asarray(total) / np.asarray(successes), np.inf)


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
    tuners = [t for t in records.tuners if t not in records.trained_once]
    if curve is None or not set(tuners) & set(curve.steps["tuner"]):
        return None
    tuners = [t for t in tuners if (curve.steps["tuner"] == t).any()]
    levels, best_is = _levels(records, tuners, best_known)
    if levels.empty:
        return None
    reached = {
        (tuner, i): hitting_times(curve, tuner, level) for tuner in tuners for i, level in enumerate(levels["target"])
    }
    ends = curve.steps.groupby(["tuner", "seed"])["x"].last().groupby("tuner").mean()
    return Targets(
        axis=axis,
        score=records.judged_by,
        best_is=best_is,
        targets=levels,
        table=_table(tuners, levels, reached, ends, records),
        ecdf=pd.concat([_ecdf(t, [reached[t, i] for i in range(len(levels))]) for t in tuners], ignore_index=True),
        matches=_matches(curve, tuners, records.baselines),
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
    copied = records.with_role("copied")
    untuned = records.finals(copied) if copied else pd.Series(dtype=float)
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
    ends: pd.Series,
    records: Records,
) -> pd.DataFrame:
    expected = {(tuner, i): expected_time(*value, ends[tuner]) for (tuner, i), value in reached.items()}
    rows = []
    for tuner in tuners:
        for i, (target, label) in enumerate(zip(levels["target"], levels["label"], strict=True)):
            e = expected[tuner, i]
            interval = e.interval if records.draws is None else None  # it takes the runs to be independent
            references = {"speedup_random": records.with_role("random") or "", "speedup_manual": records.against}
            rows.append(
                {
                    "tuner": tuner,
                    "target": target,
                    "label": label,
                    "hits": e.hits,
                    "runs": e.runs,
                    "ert": e.time,
                    "ert_low": math.nan if interval is None else interval.low,
                    "ert_high": math.nan if interval is None else interval.high,
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


STATISTICS = (
    Statistic(
        "targets",
        lambda given: targets(given.records, given.best_known.get("test_score")),
        "no finished search, or no room between the untuned and the best score to set targets in",
    ),
)
