"""A search space as a grid: which values a complete table trains, and which grid point is nearest to a proposal."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Workload
from hptune_bench.core.space import Boolean, Choice, Configuration, Float, Hyperparameter, Int, Space, Value

LOG_POINTS = 30
"""A log range has at least so many points."""
LOG_DIGITS = 4
"""Significant digits of the points of a log range."""
MAX_CONFIGURATIONS = 100_000


def levels_of(workload: Workload, counts: Mapping[str, int]) -> dict[str, tuple[Value, ...]]:
    """The values of each hyperparameter that a complete table trains.

    Boolean, Choice, Int and stepped Float: all; log Float: ``10 ** (i / n)`` with the smallest n from 10 on that gives
    at least ``LOG_POINTS`` points; both ends. Values that the workload names itself (hand-picked, untuned, published)
    take the place of the points nearest to them, so that a replay does not have to round what a person would try.

    Args:
        counts: other numbers of points for some ranges, evenly spaced on the range's own scale, both ends included.

    Raises:
        UserError: the space is conditional, infinite or too large, or a count is for something that is no range.
    """
    space = workload.space
    where = f"workload {workload.name}"
    for hp in space:
        if hp.conditions:
            raise UserError(
                f"{where}: {hp.name!r} exists only for some values of {hp.conditions[0].parent!r}, and a table holds "
                "the full product of all values: give a search space without conditions"
            )
    for name, count in counts.items():
        if name not in space.names:
            raise UserError(f"--levels {name}: {where} has no such hyperparameter; it has {', '.join(space.names)}")
        if isinstance(space[name], Boolean | Choice):
            raise UserError(f"--levels {name}: it has no range, so that all its values are in the table")
        if count < 1:
            raise UserError(f"--levels {name}={count}: give at least one level")
    levels = {hp.name: _anchored(_values(hp, counts.get(hp.name), where), hp, workload, counts) for hp in space}
    size = math.prod(len(values) for values in levels.values())
    if size > MAX_CONFIGURATIONS:
        largest = max(levels, key=lambda name: len(levels[name]))
        raise UserError(
            f"{where}: the full product has {size:,} configurations, and a table at most {MAX_CONFIGURATIONS:,}: give "
            f"fewer levels, e.g. --levels {largest}=5"
        )
    return levels


def _values(hp: Hyperparameter, count: int | None, where: str) -> tuple[Value, ...]:
    if isinstance(hp, Boolean | Choice):
        return hp.grid
    if (grid := hp.grid) is not None:
        return grid if count is None else _thinned(grid, count)
    if count is not None:
        spaced = np.geomspace if hp.log else np.linspace
        inner = [_rounded(float(value)) for value in spaced(hp.low, hp.high, count)[1:-1]]
        return tuple(dict.fromkeys([float(hp.low), *inner, float(hp.high)][:count]))
    if not hp.log:
        raise UserError(
            f"{where}: {hp.name!r} takes any number from {hp.low:g} to {hp.high:g}, which no table can hold: say how "
            f"many, e.g. --levels {hp.name}=11"
        )
    return _log_grid(float(hp.low), float(hp.high))


def _log_grid(low: float, high: float) -> tuple[Value, ...]:
    decades = math.log10(high / low)
    per_decade = max(10, math.ceil((LOG_POINTS - 1) / decades)) if decades > 0 else 10
    first, last = math.ceil(per_decade * math.log10(low)), math.floor(per_decade * math.log10(high))
    half_step = 10 ** (0.5 / per_decade)
    points = [_rounded(10 ** (i / per_decade)) for i in range(first, last + 1)]
    # A point close to an end would be a second look at nearly the same value.
    inner = [point for point in points if low * half_step < point < high / half_step]
    return tuple(dict.fromkeys([low, *inner, high]))


def _thinned(grid: Sequence[Value], count: int) -> tuple[Value, ...]:
    places = np.linspace(0, len(grid) - 1, min(count, len(grid))).round().astype(int)
    return tuple(grid[place] for place in places)


def _rounded(value: float) -> float:
    return float(f"{value:.{LOG_DIGITS}g}")


def _anchored(
    values: tuple[Value, ...], hp: Hyperparameter, workload: Workload, counts: Mapping[str, int]
) -> tuple[Value, ...]:
    """The values with the nearest of them replaced by those that the workload names; the ends stay.

    A grid that was asked to be coarse stays as it is: there, the nearest point may be far.
    """
    if not isinstance(hp, Float) or hp.grid is not None or hp.name in counts:
        return values
    named = [*workload.hand_picked.get(hp.name, ()), workload.untuned.get(hp.name)]
    named.append((workload.published or {}).get(hp.name))
    points = list(values)
    for value in dict.fromkeys(value for value in named if value is not None):
        place = nearest_point(points, value, log=hp.log)
        if 0 < place < len(points) - 1:
            points[place] = float(value)
    return tuple(points)


def nearest_point(points: Sequence[Value], value: Value, log: bool) -> int:
    """Index of the point of an ascending range nearest to a value; the lower of two equally near."""

    def scale(number: Value) -> float:
        return math.log(float(number)) if log else float(number)

    after = bisect.bisect_left(points, value)
    if after == 0 or after == len(points):
        return min(after, len(points) - 1)
    low, high = (abs(scale(points[place]) - scale(value)) for place in (after - 1, after))
    return after if high < low else after - 1


def log_scales(space: Space) -> dict[str, bool]:
    """Which hyperparameters are on a log scale."""
    return {hp.name: isinstance(hp, Int | Float) and hp.log for hp in space}


class Snapper:
    """Finds the nearest grid point of a proposal.

    Attributes:
        levels: the grid.
    """

    def __init__(self, levels: Mapping[str, Sequence[Value]], logs: Mapping[str, bool]) -> None:
        self.levels = levels
        self._logs = logs
        self._exact = {name: {value: place for place, value in enumerate(values)} for name, values in levels.items()}

    def index(self, configuration: Configuration) -> int:
        """Number of the nearest configuration in the full product, the first hyperparameter changing slowest."""
        index = 0
        for name, values in self.levels.items():
            value = configuration[name]
            place = self._exact[name].get(value)
            index = index * len(values) + (
                nearest_point(values, value, self._logs.get(name, False)) if place is None else place
            )
        return index
