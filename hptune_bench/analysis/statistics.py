"""Paired comparison of two tuners on one workload.

Pairs are runs with the same seed number: the same data. Scores are smaller = better and may be +inf (failed).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

MIN_SEEDS = 6
"""With n pairs the smallest two-sided Wilcoxon p is 2 / 2**n: 0.0625 with five."""
ALPHA = 0.05

Outcome = Literal["better", "worse", "equivalent", "undecided"]
Alternative = Literal["two-sided", "less", "greater"]


@dataclass(frozen=True)
class Interval:
    """Low and high end, 95 % unless said otherwise."""

    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """A against B on n pairs; differences are A - B, so negative = A better.

    Attributes:
        n: pairs. wins, ties, losses: of A.
        median_difference: median of the paired differences; may be infinite where runs failed, NaN if undefined.
        interval: 95 % bootstrap percentile interval of it, resampling whole runs; None below two pairs.
        p: two-sided exact Wilcoxon signed-rank (zeros after Pratt 1959); None below MIN_SEEDS pairs.
        p_equivalent: the larger p of two one-sided tests against -margin and +margin (TOST, Schuirmann 1987, with
            signed-rank tests); None without a margin or below MIN_SEEDS pairs.
        margin: half-width of what counts as the same; None: unknown.
        probability: P(A better) + P(tie) / 2 over the pairs, the effect size.
        probability_interval: 95 % bootstrap interval of it; None below two pairs.
        rank_biserial: (W- - W+) / (W- + W+): 1 if A always wins, -1 if it always loses; 0 if all differences are zero
            (Kerby 2014).
    """

    n: int
    wins: int
    ties: int
    losses: int
    median_difference: float
    interval: Interval | None
    p: float | None
    p_equivalent: float | None
    margin: float | None
    probability: float
    probability_interval: Interval | None
    rank_biserial: float


def signed_rank_p(differences: np.ndarray, alternative: Alternative = "two-sided") -> float:
    """Exact Wilcoxon signed-rank p; zeros are ranked and then dropped (Pratt 1959), ties get mid-ranks.

    The null distribution (each non-zero difference flips its sign with probability 1/2) is enumerated by convolution,
    so that it is exact for any n, with ties, zeros and +-inf. 1.0 if all differences are zero.

    Args:
        differences: shape (n,), no NaN.
        alternative: ``less``: differences tend to be negative.
    """
    d = np.asarray(differences, dtype=float)
    doubled = np.rint(2 * _midranks(np.abs(d))).astype(int)  # mid-ranks are halves, so twice a rank is whole
    doubled, positive = doubled[d != 0], d[d != 0] > 0
    if len(doubled) == 0:
        return 1.0
    null = np.ones(1)
    for rank in doubled:
        longer = np.zeros(len(null) + rank)
        longer[: len(null)] += null / 2
        longer[rank:] += null / 2
        null = longer
    observed = int(doubled[positive].sum())
    low, high = float(null[: observed + 1].sum()), float(null[observed:].sum())
    if alternative == "less":
        return min(1.0, low)
    if alternative == "greater":
        return min(1.0, high)
    return min(1.0, 2 * min(low, high))


def _midranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p-values (Holm 1979), shape (m,), in the given order."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


@lru_cache(maxsize=64)
def bootstrap_indices(n: int, resamples: int = 5000) -> np.ndarray:
    """Indices of bootstrap samples, shape (resamples, n); seeded, so that a report is the same on every rerun."""
    indices = np.random.default_rng(n).integers(n, size=(resamples, n))
    indices.setflags(write=False)
    return indices


def median(values: np.ndarray) -> np.ndarray:
    """Median over the last axis that allows +-inf: the mean of the two middle values; NaN for -inf beside +inf."""
    ordered = np.sort(np.asarray(values, dtype=float), axis=-1)
    n = ordered.shape[-1]
    low, high = ordered[..., (n - 1) // 2], ordered[..., n // 2]
    with np.errstate(invalid="ignore"):
        return np.where(low == high, low, (low + high) / 2)


def interval_of(resampled: np.ndarray, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrap values (resamples,); ``inverted_cdf``, because values may be infinite."""
    values = np.where(np.isnan(resampled), np.inf, resampled)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return Interval(float(low), float(high))


def bootstrap_median(values: np.ndarray, level: float = 0.95) -> Interval | None:
    """Percentile bootstrap interval of the median of whole runs, values (n,), +inf allowed; None below two values."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return None
    return interval_of(median(values[bootstrap_indices(len(values))]), level)


def subtract(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b, where two runs that both failed (+inf) are a tie."""
    with np.errstate(invalid="ignore"):
        return np.where((a == b) & np.isinf(a), 0.0, np.asarray(a, dtype=float) - b)


def paired(a: np.ndarray, b: np.ndarray, margin: float | None = None) -> Paired:
    """Compare A with B: shapes (n,), n >= 1, no NaN, the same seed at the same place; +inf against +inf is a tie."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    d = subtract(a, b)
    n = len(d)
    points = (d < 0) + 0.5 * (d == 0)
    ranks = _midranks(np.abs(d))
    positive, negative = float(ranks[d > 0].sum()), float(ranks[d < 0].sum())
    tested = n >= MIN_SEEDS
    equivalent = None
    if tested and margin is not None:
        equivalent = max(signed_rank_p(d - margin, "less"), signed_rank_p(d + margin, "greater"))
    return Paired(
        n=n,
        wins=int((d < 0).sum()),
        ties=int((d == 0).sum()),
        losses=int((d > 0).sum()),
        median_difference=float(median(d)),
        interval=bootstrap_median(d),
        p=signed_rank_p(d) if tested else None,
        p_equivalent=equivalent,
        margin=margin,
        probability=float(points.mean()),
        probability_interval=interval_of(points[bootstrap_indices(n)].mean(axis=1)) if n > 1 else None,
        rank_biserial=(negative - positive) / (negative + positive) if positive + negative else 0.0,
    )


def outcome(p: float | None, p_equivalent: float | None, median_difference: float, alpha: float = ALPHA) -> Outcome:
    """The rule, on Holm-adjusted p-values.

    equivalent where TOST passes (even a steady difference is then smaller than the margin), else better or worse where
    the signed-rank test passes, else undecided: "not significant" is never called a tie.
    """
    if p_equivalent is not None and p_equivalent < alpha:
        return "equivalent"
    if p is not None and p < alpha and median_difference != 0 and not np.isnan(median_difference):
        return "better" if median_difference < 0 else "worse"
    return "undecided"
