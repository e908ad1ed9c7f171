"""Paired comparison of two tuners on one workload.

Pairs are runs with the same seed number: the same data. Scores are smaller = better and may be +inf (failed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

MIN_SEEDS = 6
"""With n pairs the smallest two-sided Wilcoxon p is 2 / 2**n: 0.0625 with five."""
ALPHA = 0.05

Outcome = Literal["better", "worse", "equivalent", "undecided"]


@dataclass(frozen=True)
class Interval:
    """low and high end, 95 % unless said otherwise."""

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
        p_lower, p_higher are not kept: the direction is the sign of the median difference.
        p_equivalent: the larger p of two one-sided tests against -margin and +margin (TOST); None without a margin or
            below MIN_SEEDS pairs.
        margin: half-width of what counts as the same; None: unknown.
        probability: P(A better) + P(tie) / 2 over the pairs, the effect size.
        probability_interval: 95 % bootstrap interval of it; None below two pairs.
        rank_biserial: (W- - W+) / (W- + W+): 1 if A always wins, -1 if it always loses; 0 if all differences are zero.
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


def signed_rank_p(differences: np.ndarray, alternative: Literal["two-sided", "less", "greater"] = "two-sided") -> float:
    """Exact Wilcoxon signed-rank p; zeros are ranked and then dropped (Pratt 1959), ties get mid-ranks.

    The null distribution (each non-zero difference flips its sign with probability 1/2) is enumerated by convolution, so
    that it is exact for any n, with ties, zeros and +-inf. ``less``: differences tend to be negative. 1.0 if all are zero.
    """
    raise NotImplementedError


def holm(p_values: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p-values (Holm 1979), shape (m,), in the given order."""
    raise NotImplementedError


def bootstrap_indices(n: int, resamples: int = 5000) -> np.ndarray:
    """Indices of bootstrap samples, shape (resamples, n); seeded, so that a report is the same on every rerun."""
    raise NotImplementedError


def median(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Median that allows +-inf: the mean of the two middle values; NaN where those are -inf and +inf."""
    raise NotImplementedError


def bootstrap_median(values: np.ndarray, level: float = 0.95) -> Interval | None:
    """Percentile bootstrap interval of the median of whole runs, values (n,), +inf allowed; None below two values."""
    raise NotImplementedError


def paired(a: np.ndarray, b: np.ndarray, margin: float | None = None) -> Paired:
    """Compare A with B, shapes (n,), the same seed at the same place; +inf against +inf is a tie."""
    raise NotImplementedError


def outcome(p: float | None, p_equivalent: float | None, median_difference: float, alpha: float = ALPHA) -> Outcome:
    """The rule: equivalent (TOST passes: even a steady difference is smaller than the margin), else better or worse (the
    signed-rank test passes), else undecided. "Not significant" is never called a tie. p-values are Holm-adjusted."""
    raise NotImplementedError
