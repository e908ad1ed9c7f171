"""Problems with closed-form learning curves, and an ``evaluate`` that counts: what the tuners' tests search on."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from hptune_bench.core.protocols import BudgetExhausted, Problem, Result, Tuner
from hptune_bench.core.space import Boolean, Choice, Condition, Configuration, Float, Int, Space, canonical, hand_picked
from hptune_bench.core.stock_rule import reported
from hptune_bench.tuners import built_in

CAP = 870.0
Curve = Callable[[Configuration, int, int], tuple[float, ...]]


def problem(space: Space, untuned: Configuration, full_epochs: int = 50, trainings: float | None = None) -> Problem:
    return Problem(space, untuned, hand_picked(space, untuned), full_epochs, CAP, trainings=trainings)


POST = problem(
    Space(
        (
            Boolean("normalize"),
            Int("neurons", 4, 32, 4),
            Float("learning_rate", 1e-4, 2e-1, log=True),
            Choice("optimizer", ("adam", "sgd")),
        )
    ),
    {"normalize": True, "neurons": 32, "learning_rate": 1e-3, "optimizer": "adam"},
)
SMALL = problem(
    Space((Float("learning_rate", 1e-4, 2e-1, log=True), Choice("optimizer", ("adam", "sgd")))),
    {"learning_rate": 1e-3, "optimizer": "adam"},
)
"""Two dimensions: six initial points, and proposals of the Gaussian process that take a fraction of a second."""
CONDITIONAL = problem(
    Space(
        (
            Choice("optimizer", ("adam", "sgd")),
            Float("momentum", 0.0, 0.9, conditions=(Condition("optimizer", ("sgd",)),)),
            Float("learning_rate", 1e-4, 2e-1, log=True),
        )
    ),
    {"optimizer": "adam", "learning_rate": 1e-3},
)


def curve(configuration: Configuration, first: int, last: int) -> tuple[float, ...]:
    """Objective after the epochs first + 1 to last: a bowl with its minimum at 33, and regions of every failure.

    SGD with a large rate gives only NaN, with a very large one only inf; a large rate with Adam explodes at epoch 9.
    """
    rate = math.log10(float(configuration["learning_rate"]))
    sgd = configuration.get("optimizer") == "sgd"
    if sgd and rate > -1.7:
        return (math.inf if rate > -0.9 else math.nan,) * (last - first)
    floor = 33 + 8 * (rate + 2) ** 2 + 0.02 * (float(configuration.get("neurons", 20)) - 20) ** 2
    floor += 3 * (not configuration.get("normalize", True)) + 5 * float(configuration.get("momentum", 0.3)) ** 2
    return tuple(
        math.nan if not sgd and rate > -0.9 and epoch >= 9 else floor + 400 * math.exp(-epoch * 10 ** (rate + 2))
        for epoch in range(first + 1, last + 1)
    )


@dataclass(frozen=True)
class Call:
    configuration: Configuration
    epochs: int | None
    resume: int | None
    restart: int | None
    first: int
    last: int
    result: Result


@dataclass
class Counting:
    """``evaluate`` on closed-form curves: trains, counts epochs and trials, cuts the last trial at the budget."""

    problem: Problem
    epochs: int = 10**9
    trials: int = 10**9
    curve: Curve = curve
    calls: list[Call] = field(default_factory=list)

    @property
    def spent(self) -> int:
        return sum(call.last - call.first for call in self.calls)

    @property
    def configurations(self) -> list[str]:
        return [canonical(call.configuration) for call in self.calls]

    def __call__(
        self,
        configuration: Configuration,
        epochs: int | None = None,
        resume: int | None = None,
        restart: int | None = None,
    ) -> Result:
        assert self.problem.space.check(configuration, "test") == configuration, "inactive values were given"
        assert all(type(value) in (bool, int, float, str) for value in configuration.values())
        parent = resume or restart
        first = self.calls[parent - 1].last if parent else 0
        target = self.problem.full_epochs if epochs is None else epochs
        last = min(target, first + self.epochs - self.spent)
        values = self.curve(configuration, first, last)
        finite = [value for value in values if math.isfinite(value)]
        status = "truncated" if last < target else "completed" if math.isfinite(values[-1]) else "diverged"
        result = Result(
            trial=len(self.calls) + 1,
            status=status,
            score=min(finite, default=math.inf),
            reported=reported(values),
            best_epoch=first + values.index(min(finite)) + 1 if finite else None,
            epochs=last - first,
            curve=values,
        )
        self.calls.append(Call(configuration, epochs, resume, restart, first, last, result))
        if self.spent >= self.epochs or len(self.calls) >= self.trials:
            raise BudgetExhausted
        return result


def make(name: str) -> Tuner:
    return built_in()[name].make()


def searched(tuner: Tuner, of: Problem, seed: int = 20221010, **limits: object) -> Counting:
    """A search until its budget or its proposals end."""
    evaluate = Counting(of, **limits)  # type: ignore[arg-type]
    with contextlib.suppress(BudgetExhausted):
        tuner.search(of, evaluate, seed)
    return evaluate


def check_contract(name: str, of: Problem, epochs: int, varies: bool) -> None:
    """What every tuner owes: see the assertions. The curves of every problem here hold NaN and inf."""
    before = random.getstate(), str(np.random.get_state())
    first, again = (searched(make(name), of, epochs=epochs) for _ in range(2))
    others = (searched(make(name), of, seed=seed, epochs=epochs) for seed in (4_000_000_007, 3, 5, 7))
    assert first.spent == epochs, "a tuner with something left to propose spends its budget to the epoch"
    assert first.configurations == again.configurations
    assert any(first.configurations != other.configurations for other in others) is varies
    assert (random.getstate(), str(np.random.get_state())) == before, "a tuner leaves the global random states alone"


def with_trainings(of: Problem, trainings: float) -> Problem:
    return replace(of, trainings=trainings)
