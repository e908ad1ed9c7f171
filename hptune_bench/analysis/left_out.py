"""How much a figure about a table hangs on one of its data draws: the same figure without each of them.

A table holds too few data draws for an interval over new data (``data_draws``). What can be seen is how far a figure
moves when one draw is left out: a range over what is there, without a claim of coverage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import numpy as np

from hptune_bench.analysis.statistics import Interval

Name = TypeVar("Name", bound=Hashable)

LEAST_DRAWS = 3
"""Without one of them two are left, the fewest that tell data draws from everything else."""


def ranges(
    whole: Mapping[Name, float], without: Callable[[np.ndarray], Mapping[Name, float]], draws: int
) -> dict[Name, Interval]:
    """Smallest and largest value of each figure over all data draws and without each of them.

    Args:
        whole: the figures over all draws, by name.
        without: numbers of the draws that are kept, shape (draws - 1,), to the same figures.

    Returns:
        Empty below ``LEAST_DRAWS``; a figure that is NaN (not to be had) for some choice of draws has no range.
    """
    if draws < LEAST_DRAWS:
        return {}
    found = [whole, *(without(np.delete(np.arange(draws), left)) for left in range(draws))]
    spans = {}
    for name in whole:
        values = [each[name] for each in found]
        if not any(math.isnan(value) for value in values):
            spans[name] = Interval(float(min(values)), float(max(values)))
    return spans
