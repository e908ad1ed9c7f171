"""Where the report's statistics can fail: differences whose median is known, and one row for each rate.

The cases come from models of fresh data draws (see ``model.py``), fitted to the complete tables, and from shapes that
no model needs. Seeds, cases and limits were fixed beforehand.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.calibration import model as fresh
from benchmarks.calibration.model import Model
from hptune_bench.analysis.statistics import Interval, median, subtract

SEEDS = (10, 30)
MOST_FALSE = 0.06
COVERAGE = (0.93, 0.97)
TRUTH_FROM = 200_000
"""Draws from which a case's true value is found where there is no closed form."""
PART = 20_000
"""So many of them at a time: a draw may be a search of a hundred trials."""
TRIALS = 20
CHECKPOINT = 10


@dataclass(frozen=True)
class Case:
    """Differences with a known median.

    Attributes:
        world: where it comes from: a table's name, ``made up`` or ``shape``.
        draw: (campaigns, n, rng) -> differences (campaigns, n).
        hostile: built so that a rule must fail if it can: far from anything that a table showed.
        known: the median where it is known exactly; None: found from many draws.
        seeds: after so many the data sets repeat, where they are given: the median is that over all of them.
    """

    world: str
    name: str
    draw: Callable[[int, int, np.random.Generator], np.ndarray]
    hostile: bool = False
    known: float | None = None
    seeds: int = 1

    @property
    def key(self) -> str:
        return f"{self.world}: {self.name}"

    def rng(self, purpose: str, n: int) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(f"{self.key}/{purpose}".encode()), n])

    def truth(self) -> float:
        """The median of the differences."""
        if self.known is not None:
            return self.known
        rng = self.rng("truth", self.seeds)
        parts = [self.draw(PART // self.seeds, self.seeds, rng) for _ in range(TRUTH_FROM // PART)]
        return float(median(np.concatenate(parts).ravel()))


# --- differences whose median is known -----------------------------------------------------------------------------


def search_against_search(
    one: int, other: int, model: Model, count: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    z = fresh.draws(model, (count, n), rng)
    a, b = (fresh.selected(fresh.search(model, trials, z, rng)[1]) for trials in (one, other))
    return subtract(a, b)


def _search_against_choice(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Random search against one good configuration trained once: a wide and skewed score against a narrow one."""
    z = fresh.draws(model, (count, n), rng)
    a = fresh.selected(fresh.search(model, 5, z, rng)[1])
    chosen = np.full((count, n, 1), good(model))
    return subtract(a, fresh.train(model, chosen, z, rng)[1][..., 0])


def _retraining(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """The winner's curse: retrained minus selected validation score of what random search chose."""
    z = fresh.draws(model, (count, n), rng)
    chosen, scores = fresh.search(model, TRIALS, z, rng)
    best = scores[0].argmin(axis=-1)[..., None]
    again = fresh.train(model, np.take_along_axis(chosen, best, axis=-1), z, rng)[0][..., 0]
    return subtract(again, np.take_along_axis(scores[0], best, axis=-1)[..., 0])


def _level_gap(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """The gap of a question: best score in one half of the configurations minus best in the other half."""
    z = fresh.draws(model, (count, n), rng)
    chosen, scores = fresh.search(model, TRIALS, z, rng)
    half = chosen < model.configurations // 2
    one, other = (np.where(side, scores[0], np.inf).min(axis=-1) for side in (half, ~half))
    return subtract(one, other)


def good(model: Model) -> int:
    return int(np.where(model.fails > 0, np.inf, model.mean[1]).argmin())


def shape(
    sample: Callable[[np.random.Generator, tuple[int, int]], np.ndarray], count: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    return sample(rng, (count, n))


def normal(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.normal(size=size)


def _exponential(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.exponential(size=size)


def _lognormal(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.lognormal(0, 2, size=size)


def _cauchy(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.standard_cauchy(size=size)


def _failing(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.1, np.inf, rng.normal(size=size))


def _far_mixture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.2, 5 + rng.normal(size=size), 0.5 * rng.normal(size=size))


def _clumps(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.5, -1.0, 1.0) + 0.1 * rng.normal(size=size)


def _uneven_clumps(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.5, -1.0, 0.1) + 0.02 * rng.normal(size=size)


SHAPES = (
    Case("shape", "normal", partial(shape, normal), known=0.0),
    Case("shape", "exponential", partial(shape, _exponential), known=math.log(2)),
    Case("shape", "log-normal, sigma 2", partial(shape, _lognormal), known=1.0),
    Case("shape", "Cauchy", partial(shape, _cauchy), known=0.0),
    Case("shape", "normal, a tenth fails", partial(shape, _failing)),
    Case("shape", "a fifth lies far off", partial(shape, _far_mixture)),
    Case("shape", "two clumps", partial(shape, _clumps), hostile=True, known=0.0),
    Case("shape", "two uneven clumps", partial(shape, _uneven_clumps), hostile=True, known=0.0),
)


def cases_of(world: str, model: Model) -> tuple[Case, ...]:
    return (
        Case(world, "random search against itself", partial(search_against_search, TRIALS, TRIALS, model), known=0.0),
        Case(world, "unequal shapes", partial(_search_against_choice, model)),
        Case(world, "winner's curse", partial(_retraining, model)),
        Case(world, "gap between two halves", partial(_level_gap, model)),
    )


def covers(interval: Interval | None, value: float) -> bool:
    """Whether there is an interval and it holds the value."""
    return interval is not None and interval.low <= value <= interval.high


def rate_row(
    what: str, rule: str, used: bool, case: Case, n: int, count: int, rate: float, low: float, high: float
) -> dict[str, object]:
    return {
        "what": what,
        "rule": rule,
        "in_report": used,
        "world": case.world,
        "case": case.name,
        "hostile": case.hostile,
        "seeds": n,
        "comparisons": count,
        "rate": rate,
        "at_least": low,
        "at_most": high,
        "passes": bool(low <= rate <= high),
    }
