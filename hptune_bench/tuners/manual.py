"""What a person does: copy a configuration, write a loop, write nested loops. No library, no TensorFlow.

Loops over hand-picked values come to an end before a large budget does. What is left is spent as a person would: on
finer values around the best configuration seen, training no configuration twice.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Evaluate, Problem
from hptune_bench.core.space import Boolean, Choice, Configuration, Float, Int, Value, default_of
from hptune_bench.core.tuner_info import TunerInfo

RESOLUTION = 0.01
"""The smallest gap in a continuous range that is worth halving: 1 % of the value on a log scale, of the range else."""

Values = Mapping[str, Sequence[Value]]
"""The values to try of each hyperparameter."""
Key = tuple[tuple[str, Value], ...]
"""A configuration that can be looked up."""


@dataclass(frozen=True)
class Untuned:
    """The configuration as copied, trained once."""

    continues: bool = False

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        evaluate(problem.untuned)


@dataclass(frozen=True)
class UntunedRestarts:
    """The configuration as copied, retrained with fresh seeds until the budget ends: the null hypothesis of tuning."""

    continues: bool = False

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        while True:
            evaluate(problem.untuned)


@dataclass(frozen=True)
class PostWinner:
    """The configuration that the post prints as its winner, trained once."""

    continues: bool = False

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        """See ``core.protocols.Tuner``.

        Raises:
            UserError: the workload has no published winner.
        """
        if problem.published is None:
            raise UserError("tuner post_winner: this workload has no published winner; leave this tuner out for it")
        evaluate(problem.published)


@dataclass(frozen=True)
class ManualSweep:
    """The post's loop: one ``for`` per hyperparameter, the others held, the best value kept.

    The first pass is literal: every hand-picked value is trained, even where that repeats a configuration. Its order is
    the post's, or drawn from the seed; a conditional hyperparameter waits until it is active. Further passes start
    from the best configuration seen and try finer values of each hyperparameter; when these are used up, every value
    known; then the same from the next best configuration; when nothing is new, the search ends.
    """

    continues: bool = False

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        notes = Notes(problem, evaluate)
        order = problem.sweep_order or _shuffled(problem.space.names, seed)
        held = notes.complete(problem.untuned)
        for name in _active_names(problem, order, held):
            scores = [notes.train({**held, name: value}) for value in problem.hand_picked[name]]
            if min(scores) < math.inf:
                held[name] = problem.hand_picked[name][scores.index(min(scores))]
        while any(self._pass(problem, notes, order, start, wide) for start in notes.ranked() for wide in (False, True)):
            pass

    @staticmethod
    def _pass(problem: Problem, notes: Notes, order: Sequence[str], start: Configuration, wide: bool) -> bool:
        """One more pass from ``start``, moving on to whatever beats everything before; whether it trained anything."""
        trained = False
        held = notes.complete(start)
        for name in _active_names(problem, order, held):
            before = notes.best_score
            for value in notes.known(name) if wide else notes.finer(name, held[name]):
                if notes.is_new({**held, name: value}):
                    notes.train({**held, name: value})
                    trained = True
            if notes.best_score < before:
                held.update(notes.best)
        return trained


@dataclass(frozen=True)
class ManualGrid:
    """Nested ``for``s over the hand-picked values, in a nesting order drawn from the seed.

    The values are thinned until the grid fits the budget (``thinned``), where it is counted in trainings. What is left
    goes to a finer grid around the best configuration seen, Booleans and choices held; when that is used up, to what
    is untried of the full grid over every value known; then to finer grids around the next best configurations; when
    nothing is new, the search ends.
    """

    continues: bool = False

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        notes = Notes(problem, evaluate)
        order = _shuffled(problem.space.names, seed)

        def train_new(grid: Values, until_better: bool = False) -> bool:
            """Whether the grid held anything new."""
            trained, score = False, notes.best_score
            for configuration in _nested(order, grid):
                if notes.is_new(configuration):
                    notes.train(configuration)
                    trained = True
                    if until_better and notes.best_score < score:
                        break
            return trained

        def finer(start: Configuration) -> Values:
            centre = notes.complete(start)
            return thinned({name: notes.around(name, centre[name]) for name in order}, centre, problem.trainings)

        train_new(thinned(problem.hand_picked, problem.untuned, problem.trainings))
        while (
            train_new(finer(notes.best))
            or train_new({name: notes.known(name) for name in order}, until_better=True)
            or any(train_new(finer(start)) for start in notes.ranked())
        ):
            pass


class Notes:
    """What a person writes down: every training with its score, and the best configuration so far.

    Configurations may be given with values for inactive hyperparameters; these are dropped.
    """

    def __init__(self, problem: Problem, evaluate: Evaluate) -> None:
        self._problem = problem
        self._evaluate = evaluate
        self._scores: dict[Key, float] = {}
        self._tried: dict[str, set[Value]] = {name: set() for name in problem.space.names}
        self.best: Configuration = problem.untuned
        self.best_score = math.inf

    def complete(self, configuration: Configuration) -> dict[str, Value]:
        """The configuration with a value for every hyperparameter: the untuned one, else the default."""
        return {hp.name: default_of(hp) for hp in self._problem.space} | {**self._problem.untuned, **configuration}

    def is_new(self, configuration: Configuration) -> bool:
        return tuple(self._problem.space.active(configuration).items()) not in self._scores

    def train(self, configuration: Configuration) -> float:
        """Train and note; the score (+inf for a failure)."""
        active = self._problem.space.active(configuration)
        score = self._evaluate(active).score
        key = tuple(active.items())
        self._scores[key] = min(score, self._scores.get(key, math.inf))
        for name, value in active.items():
            self._tried[name].add(value)
        if score < self.best_score:
            self.best, self.best_score = active, score
        return score

    def ranked(self) -> list[Configuration]:
        """Every configuration trained, best first, the earlier one of equals."""
        return [dict(key) for key in sorted(self._scores, key=lambda key: self._scores[key])]

    def known(self, name: str) -> list[Value]:
        """Every value tried or hand-picked, in the order of trying: hand-picked ones first."""
        picked = self._problem.hand_picked[name]
        return [*picked, *sorted(self._tried[name] - set(picked))]

    def finer(self, name: str, best: Value) -> tuple[Value, ...]:
        """Values of this hyperparameter worth trying next to the best: all of a Boolean or Choice, else ``between``."""
        hp = self._problem.space[name]
        if isinstance(hp, Boolean | Choice):
            return hp.grid
        return between(hp, cast(set[float], self._tried[name]), cast(float, best))

    def around(self, name: str, best: Value) -> tuple[Value, ...]:
        """The best value of a range among the finer ones, in ascending order; of a Boolean or Choice, only the best."""
        if isinstance(self._problem.space[name], Boolean | Choice):
            return (best,)
        return tuple(sorted((best, *self.finer(name, best))))


def between(hp: Int | Float, tried: Iterable[float], best: float) -> tuple[float, ...]:
    """The middles between the best value of a range and its tried neighbours; the end of the range on an untried side.

    Middles are geometric on a log scale, one of the range's own values where it is stepped, and rounded as a person
    would write them where it is not. A side with no room (see ``RESOLUTION``) gives nothing.
    """
    tried = set(tried)
    below = max((value for value in tried if value < best), default=None)
    above = min((value for value in tried if value > best), default=None)
    grid = _grid(hp)
    low, high = (hp.low, hp.high) if grid is None else (grid[0], grid[-1])
    found = (
        (low if low < best else None) if below is None else _middle(hp, below, best),
        (high if high > best else None) if above is None else _middle(hp, best, above),
    )
    return tuple(value for value in found if value is not None)


def _middle(hp: Int | Float, low: float, high: float) -> float | None:
    middle = math.sqrt(low * high) if hp.log else (low + high) / 2
    grid = _grid(hp)
    if grid is not None:
        return min((value for value in grid if low < value < high), key=lambda value: abs(value - middle), default=None)
    unit = low if hp.log else hp.high - hp.low
    if high - low < RESOLUTION * unit:
        return None
    # To a tenth of the smallest gap that is still halved.
    rounded = round(middle, 1 - math.floor(math.log10(RESOLUTION * unit)))
    return rounded if low < rounded < high else None


def _grid(hp: Int | Float) -> tuple[float, ...] | None:
    return cast(tuple[float, ...] | None, hp.grid)


def thinned(values: Values, kept: Configuration, most: float | None) -> dict[str, tuple[Value, ...]]:
    """The values of a grid of at most ``most`` configurations (None: all), at least one of each hyperparameter.

    The longest list loses a value (the first of equally long ones) until the grid fits. Of a list, the value in
    ``kept`` stays, else the middle one, then those farthest in rank from the ones that stay.
    """
    counts = {name: len(entries) for name, entries in values.items()}
    while most is not None and math.prod(counts.values()) > most and max(counts.values()) > 1:
        counts[max(counts, key=lambda name: counts[name])] -= 1
    return {name: _spread(entries, kept.get(name), counts[name]) for name, entries in values.items()}


def _spread(values: Sequence[Value], kept: Value | None, count: int) -> tuple[Value, ...]:
    chosen = [values.index(kept) if kept in values else (len(values) - 1) // 2]
    while len(chosen) < count:
        rest = [index for index in range(len(values)) if index not in chosen]
        chosen.append(max(rest, key=lambda index: min(abs(index - other) for other in chosen)))
    return tuple(values[index] for index in sorted(chosen))


def _nested(order: Sequence[str], grid: Values) -> Iterator[Configuration]:
    """Nested loops, the first name outermost."""
    for values in itertools.product(*(grid[name] for name in order)):
        yield dict(zip(order, values, strict=True))


def _active_names(problem: Problem, order: Iterable[str], held: Configuration) -> Iterator[str]:
    """The hyperparameters that are active in ``held``, which the caller changes between two of them."""
    pending = list(order)
    while (name := next((name for name in pending if name in problem.space.active(held)), None)) is not None:
        pending.remove(name)
        yield name


def _shuffled(names: Sequence[str], seed: int) -> tuple[str, ...]:
    return tuple(names[index] for index in np.random.default_rng(seed).permutation(len(names)))


TUNERS = {
    "manual_sweep": TunerInfo(
        label="hand-written loop",
        description="the post's loop: one for per hyperparameter, the others held, the best value kept",
        role="loop",
        usual=True,
        order=0,
        style="ink",
        make=ManualSweep,
    ),
    "manual_grid": TunerInfo(
        label="hand-written nested loops",
        description=(
            "nested loops over the hand-picked values, thinned to the budget, then a finer grid around the best"
        ),
        role="grid loop",
        order=7,
        style="slate",
        make=ManualGrid,
    ),
    "untuned_restarts": TunerInfo(
        label="untuned, only retrained",
        description="the configuration as copied, retrained with fresh seeds until the budget ends",
        role="restarts",
        usual=True,
        order=8,
        style="brown",
        make=UntunedRestarts,
    ),
    "untuned": TunerInfo(
        label="untuned (as copied)",
        description="the configuration as copied, trained once",
        role="copied",
        trains_once=True,
        usual=True,
        order=9,
        style="grey",
        make=Untuned,
    ),
    "post_winner": TunerInfo(
        label="the post's winner",
        description="the configuration that the post prints as its winner, trained once",
        role="winner",
        trains_once=True,
        order=10,
        style="olive",
        make=PostWinner,
    ),
}
