"""Paired comparison of two tuners on one workload.

Pairs are runs with the same seed number: the same data. Scores are smaller = better and may be +inf (failed).
What is tested and what the intervals are for is the median of the paired differences. How often these functions err is
measured on known truth (``docs/calibration.md``); what failed there is not here any more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

MIN_SEEDS = 6
"""With n pairs the smallest two-sided p is 2 / 2**n: 0.0625 with five; nor is there a 95 % interval of a median."""
ALPHA = 0.05
MANY, CLEAR = 20, 4.0
"""See ``signed_rank_below``."""

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
        interval: its 95 % interval (``median_interval``); None below MIN_SEEDS pairs.
        p: two-sided ``median_p``; None below MIN_SEEDS pairs.
        p_equivalent: the larger ``median_p`` of two one-sided tests against -margin and +margin (TOST, Schuirmann
            1987); None without a margin or below MIN_SEEDS pairs.
        margin: half-width of what counts as the same; None: unknown.
        probability: P(A better) + P(tie) / 2 over the pairs, the effect size.
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
    rank_biserial: float


def signed_rank_p(differences: np.ndarray, alternative: Alternative = "two-sided") -> float:
    """Exact Wilcoxon signed-rank p; zeros are ranked and then dropped (Pratt 1959), ties get mid-ranks.

    The null distribution (each non-zero difference flips its sign with probability 1/2) is enumerated by convolution,
    so that it is exact for any n, with ties, zeros and +-inf. 1.0 if all differences are zero.

    Args:
        differences: shape (n,), no NaN.
        alternative: ``less``: differences tend to be negative.
    """
    doubled, positive = _doubled_ranks(differences)
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


def signed_rank_below(differences: np.ndarray, alternative: Literal["less", "greater"], level: float) -> bool:
    """``signed_rank_p(differences, alternative) < level``, which is decided without the exact distribution where a
    normal one lies more than a factor of ``CLEAR`` away from the level, from ``MANY`` differences on."""
    if len(differences) >= MANY:
        from scipy.special import ndtr

        doubled, positive = _doubled_ranks(differences)
        spread = math.sqrt(float((doubled.astype(float) ** 2).sum())) / 2
        if spread > 0:
            z = (float(doubled[positive].sum()) - float(doubled.sum()) / 2) / spread
            about = float(ndtr(z if alternative == "less" else -z))
            if about > CLEAR * level or about < level / CLEAR:
                return about < level
    return signed_rank_p(differences, alternative) < level


def _doubled_ranks(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twice the mid-ranks (whole numbers) of the differences that are not 0, and which of these are positive."""
    d = np.asarray(differences, dtype=float)
    doubled = np.rint(2 * _midranks(np.abs(d))).astype(int)
    return doubled[d != 0], d[d != 0] > 0


def _midranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


@lru_cache(maxsize=4096)
def binomial_tail(k: int, n: int) -> float:
    """P(B <= k) of a fair coin thrown n times; 0 for k < 0."""
    return sum(math.comb(n, i) for i in range(min(k, n) + 1)) / 2**n


def sign_p(differences: np.ndarray, alternative: Alternative = "two-sided") -> float:
    """Sign test of "the median is 0", interpolated between its steps.

    With k differences against the alternative the exact sign test gives P(B <= k). Where the last of them lies close to
    0 on the way to the next one, the evidence is nearly that of k - 1: the interpolation of Hettmansperger and Sheather
    (1986) between P(B <= k - 1) and P(B <= k), the inversion of their interval of a median. Ties with 0 count against,
    and a failed run (infinite) fully so.
    Shapes and alternatives as in ``signed_rank_p``.
    """
    d = np.sort(np.asarray(differences, dtype=float))
    if alternative == "two-sided":
        return min(1.0, 2 * min(sign_p(d, "less"), sign_p(d, "greater")))
    if alternative == "less":
        d = -d[::-1]  # now the alternative says that differences tend to be positive
    n, k = len(d), int((d <= 0).sum())
    above, below = binomial_tail(k, n), binomial_tail(k - 1, n)
    if k == 0 or 2 * k >= n or d[k - 1] == 0 or not np.isfinite(d[k - 1 : k + 1]).all():
        return above
    part = -d[k - 1] / (d[k] - d[k - 1])
    weight = part * k / ((n - k) - part * (n - 2 * k))
    return below + weight * (above - below)


def median_p(differences: np.ndarray, alternative: Alternative = "two-sided") -> float:
    """p of "the median of the differences is 0": the larger of ``signed_rank_p`` and ``sign_p`` in one direction.

    The signed-rank test alone takes a skewed distribution with median 0 for a difference, and the interpolated sign
    test alone one in two clumps; both must agree (an intersection-union test, Berger 1982).
    """
    if alternative == "two-sided":
        return min(1.0, 2 * min(median_p(differences, "less"), median_p(differences, "greater")))
    return max(signed_rank_p(differences, alternative), sign_p(differences, alternative))


def equivalent_p(differences: np.ndarray, margin: float) -> float:
    """p of "the median of the differences is at least the margin away from 0": the larger of two one-sided ones."""
    d = np.asarray(differences, dtype=float)
    return max(median_p(d - margin, "less"), median_p(d + margin, "greater"))


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


def quartiles(values: np.ndarray) -> Interval:
    """Lower and upper quartile of whole runs (n,): what half of them lie between, no claim about others."""
    low, high = np.quantile(np.asarray(values, dtype=float), [0.25, 0.75], method="inverted_cdf")
    return Interval(float(low), float(high))


def interval_of(resampled: np.ndarray, level: float = 0.95) -> Interval:
    """Percentile interval of bootstrap values (resamples,); ``inverted_cdf``, because values may be infinite."""
    values = np.where(np.isnan(resampled), np.inf, resampled)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    return Interval(float(low), float(high))


def median_interval(values: np.ndarray) -> Interval | None:
    """95 % interval of the median of whole runs, values (n,), +-inf allowed: from the lower to the upper end of two.

    A percentile bootstrap covers too little where n is odd (its median is always one of the runs), interpolated order
    statistics (``order_statistics``) where differences lie in two clumps. Both must leave a value out, as both tests of
    ``median_p`` must agree.

    Returns:
        None below MIN_SEEDS values: even from the smallest to the largest, five values cover only 94 %.
    """
    values = np.asarray(values, dtype=float)
    ordered = order_statistics(values) if len(values) >= MIN_SEEDS else None
    if ordered is None:
        return None
    resampled = interval_of(median(values[bootstrap_indices(len(values))]))
    return Interval(min(ordered.low, resampled.low), max(ordered.high, resampled.high))


def order_statistics(values: np.ndarray, level: float = 0.95) -> Interval | None:
    """Interval of the median of whole runs: order statistics, interpolated to the wanted level.

    The k-th smallest and k-th largest value enclose the median with probability g(k) = 1 - 2 P(B <= k - 1), whatever
    the distribution; between the two k on either side of the level it is interpolated as by Hettmansperger and
    Sheather (1986, equation 2.2), which holds the level for smooth distributions.

    Args:
        values: shape (n,), +-inf allowed.

    Returns:
        None where even the extremes do not reach the level (below MIN_SEEDS values at 95 %).
    """
    x = np.sort(np.asarray(values, dtype=float))
    n = len(x)
    inside = [1 - 2 * binomial_tail(k - 1, n) for k in range(n // 2 + 2)]
    reached = [k for k in range(1, n // 2 + 1) if inside[k] >= level]
    if not reached:
        return None
    k = reached[-1]
    share = (inside[k] - level) / (inside[k] - inside[k + 1])
    part = (n - k) * share / (k + (n - 2 * k) * share)
    return Interval(_between(x[k - 1], x[k], part), _between(x[n - k], x[n - k - 1], part))


def _between(outer: float, inner: float, part: float) -> float:
    """The point that lies ``part`` of the way from the outer to the inner value; the outer one if it is infinite."""
    return float(outer if np.isinf(outer) or outer == inner else (1 - part) * outer + part * inner)


def mean_interval(samples: Sequence[np.ndarray], level: float) -> Interval:
    """t interval of the mean of the means of independent samples, each (n_i,) with n_i >= 2.

    Degrees of freedom after Welch and Satterthwaite; a percentile bootstrap of ten values is too narrow.
    """
    from scipy.stats import t

    sizes = np.array([len(sample) for sample in samples])
    parts = np.array([np.var(sample, ddof=1) for sample in samples]) / sizes / len(samples) ** 2
    center = float(np.mean([np.mean(sample) for sample in samples]))
    variance = float(parts.sum())
    if variance == 0:
        return Interval(center, center)
    freedom = variance**2 / float((parts**2 / (sizes - 1)).sum())
    half = float(t.ppf((1 + level) / 2, freedom)) * math.sqrt(variance)
    return Interval(center - half, center + half)


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
    return Paired(
        n=n,
        wins=int((d < 0).sum()),
        ties=int((d == 0).sum()),
        losses=int((d > 0).sum()),
        median_difference=float(median(d)),
        interval=median_interval(d),
        p=median_p(d) if tested else None,
        p_equivalent=equivalent_p(d, margin) if tested and margin is not None else None,
        margin=margin,
        probability=float(points.mean()),
        rank_biserial=(negative - positive) / (negative + positive) if positive + negative else 0.0,
    )


def outcome(p: float | None, p_equivalent: float | None, median_difference: float, alpha: float = ALPHA) -> Outcome:
    """The rule, on Holm-adjusted p-values.

    equivalent where TOST passes (even a steady difference is then smaller than the margin), else better or worse where
    the test of the median passes, else undecided: "not significant" is never called a tie.
    """
    if p_equivalent is not None and p_equivalent < alpha:
        return "equivalent"
    if p is not None and p < alpha and median_difference != 0 and not np.isnan(median_difference):
        return "better" if median_difference < 0 else "worse"
    return "undecided"
