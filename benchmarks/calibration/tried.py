"""Intervals that were tried, some of them in the report once, and that failed their calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hptune_bench.analysis.statistics import Interval, bootstrap_indices, interval_of, median
from hptune_bench.analysis.targets import ratio


def bootstrap_median(values: np.ndarray) -> Interval:
    """Of a median: percentiles over 5,000 resamples."""
    return interval_of(median(values[bootstrap_indices(len(values))]))


def bootstrap_mean(samples: Sequence[np.ndarray]) -> Interval:
    """Of the mean of the means of samples of equal size: percentiles over 5,000 resamples."""
    index = bootstrap_indices(len(samples[0]))
    return interval_of(np.mean([sample[index].mean(axis=1) for sample in samples], axis=0))


def bootstrap_time(times: np.ndarray, hit: np.ndarray) -> Interval:
    """Of an expected running time: percentiles over 5,000 resamples."""
    index = bootstrap_indices(len(times))
    return interval_of(ratio(times[index].sum(axis=1), hit[index].sum(axis=1)))


def clopper_pearson(successes: int, runs: int) -> tuple[float, float]:
    """Of a probability: covers at least 95 % whatever it is (Clopper and Pearson 1934)."""
    from scipy.stats import beta

    low = 0.0 if successes == 0 else float(beta.ppf(0.025, successes, runs - successes + 1))
    high = 1.0 if successes == runs else float(beta.ppf(0.975, successes + 1, runs - successes))
    return low, high
