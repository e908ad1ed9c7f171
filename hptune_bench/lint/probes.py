"""What a few short trainings show."""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hptune_bench.core import seeds
from hptune_bench.core.errors import Failure, attempt, users_line
from hptune_bench.core.protocols import Job, Outcome, Trainer, Workload
from hptune_bench.core.space import Configuration, Float, Int, Value
from hptune_bench.lint.finding import Finding

PROBES, PROBE_EPOCHS, NOISE_PROBES = 12, 5, 4


EXPLODED = 10.0
"""Multiples of the score of a model that has learned nothing from which a probe counts as diverged."""


@dataclass(frozen=True)
class Probe:
    """One short training: the score is inf where it diverged or failed."""

    configuration: Configuration
    score: float
    curve: tuple[float, ...]


def probe(
    workload: Workload, trainer: Trainer, probes: int = PROBES, epochs: int = PROBE_EPOCHS, seed: int = 1
) -> Iterator[Finding]:
    """What ``probes`` random configurations and a few retrainings of the untuned one show after ``epochs`` epochs."""
    data_seed = seeds.data_seed(workload.family, seed)
    data = trainer.data(data_seed)
    cap = data.facts["cap"] if "cap" in data.facts else workload.cap(data)
    epochs = min(epochs, workload.full_epochs)
    rng = np.random.default_rng(seeds.derive("check", "probes"))
    found: list[Probe] = []
    failed: list[tuple[Configuration, Exception]] = []
    for number in range(probes):
        configuration = workload.space.sample(rng)
        tried = attempt(functools.partial(_probe, workload, trainer, configuration, epochs, data_seed, number, cap))
        if isinstance(tried, Failure):
            failed.append((configuration, tried.error))
            tried = Probe(configuration, math.inf, ())
        found.append(tried)
    if failed:
        where, raised = failed[0]
        place = users_line(raised)
        first = str(raised).strip().partition("\n")[0][:200]
        yield Finding(
            "fails",
            f"{workload.name}: {len(failed)} of {probes} random configurations fail, the first with "
            f"{type(raised).__name__}: {first}{f' ({place})' if place else ''} at {_words(where)}",
            "mend the model, or take these values out of the search space",
        )
    if trainer.note:
        yield Finding("trainer", f"the compiled trainer: {trainer.note}", "expect slower trainings")
    yield from _never_moves(workload, found, epochs)
    yield from _diverging(workload, found)
    finite = [each for each in found if math.isfinite(each.score)]
    if len(finite) < 6:
        return
    numbers = itertools.count(probes)

    def train(configuration: Configuration) -> float:
        tried = attempt(lambda: _probe(workload, trainer, configuration, epochs, data_seed, next(numbers), cap))
        return math.inf if isinstance(tried, Failure) else tried.score  # failures are told above, where common

    again = [score for _ in range(NOISE_PROBES) if math.isfinite(score := train(workload.untuned))]
    if len(again) >= 3:
        noise = statistics.stdev(again)
        yield from _narrow(workload, finite, noise, epochs)
        yield from _edges(workload, min(finite, key=lambda each: each.score), noise, epochs, train)


def _probe(
    workload: Workload,
    trainer: Trainer,
    configuration: Configuration,
    epochs: int,
    data_seed: int,
    number: int,
    cap: float,
) -> Probe:
    seed = seeds.derive("check", seeds.training_seed(data_seed, configuration, number))
    outcome: Outcome = trainer.train(Job(configuration, epochs, data_seed, seed))
    curve = outcome.objective
    exploded = cap > 0 and outcome.best is not None and curve[outcome.best] > EXPLODED * cap
    lost = outcome.best is None or not math.isfinite(curve[-1]) or exploded
    return Probe(configuration, math.inf if lost or outcome.best is None else curve[outcome.best], curve)


def _never_moves(workload: Workload, probes: list[Probe], epochs: int) -> Iterator[Finding]:
    curves = [each.curve for each in probes if len(each.curve) > 1 and math.isfinite(each.score)]
    still = sum(max(curve) - min(curve) <= 1e-9 * max(1.0, abs(curve[0])) for curve in curves)
    if curves and still > len(curves) / 2:
        yield Finding(
            "still",
            f"{workload.name}: in {still} of {len(curves)} probes {workload.objective} is the same after each of "
            f"{epochs} epochs",
            "look whether the model learns at all, and whether this objective can show it",
        )


def _diverging(workload: Workload, probes: list[Probe]) -> Iterator[Finding]:
    """Thirds of a range in which most probes are lost."""
    for hp in workload.space:
        if not isinstance(hp, Int | Float):
            continue
        placed = [(_place(hp, p.configuration[hp.name]), p) for p in probes if hp.name in p.configuration]
        whole = sum(math.isinf(p.score) for _, p in placed)
        for third in range(3):
            mine = [p for place, p in placed if min(2, int(3 * place)) == third]
            lost = sum(math.isinf(p.score) for p in mine)
            elsewhere = whole - lost
            rest = len(placed) - len(mine)
            # Only where it is this range's doing: lost twice as often as in the rest of it.
            if len(mine) >= 3 and lost > len(mine) / 2 and (not rest or lost / len(mine) >= 2 * elsewhere / rest):
                values = [float(p.configuration[hp.name]) for p in mine]
                yield Finding(
                    "diverging",
                    f"{workload.name}: {lost} of {len(mine)} probes with {hp.name} from {min(values):.3g} to "
                    f"{max(values):.3g} diverge or fail",
                    f"narrow the range ({hp.low:g} to {hp.high:g}), unless failing there is what you want to see",
                )


def _edges(
    workload: Workload, best: Probe, noise: float, epochs: int, train: Callable[[Configuration], float]
) -> Iterator[Finding]:
    """Ends of ranges that beat the best probe, and a value a little inside too, by more than twice the noise."""
    for hp in workload.space:
        if not isinstance(hp, Int | Float) or hp.name not in best.configuration or hp.low == hp.high:
            continue
        for end, place, inside in (("lower", 0.0, 0.2), ("upper", 1.0, 0.8)):
            at_end = train({**best.configuration, hp.name: _at(hp, place)})
            if best.score - at_end <= 2 * noise:
                continue
            if train({**best.configuration, hp.name: _at(hp, inside)}) - at_end > 2 * noise:
                yield Finding(
                    "edge",
                    f"{workload.name}: after {epochs} epochs the best configuration found gets better when {hp.name} "
                    f"goes to the {end} end of {hp.low:g} to {hp.high:g}",
                    "widen the range on that side: the best value may lie outside",
                )


def _narrow(workload: Workload, probes: list[Probe], noise: float, epochs: int) -> Iterator[Finding]:
    low, _, high = statistics.quantiles([each.score for each in probes], n=4)
    if high - low <= 2 * noise:
        yield Finding(
            "narrow",
            f"{workload.name}: after {epochs} epochs the middle half of {len(probes)} random configurations spans "
            f"{high - low:.3g}, and retraining one configuration has a standard deviation of {noise:.3g}",
            "tuners can hardly differ here; widen the ranges, tune something else, or give more data",
        )


def _at(hp: Int | Float, place: float) -> Value:
    """The value at a place of the range, see ``_place``."""
    if hp.grid is not None:
        return hp.grid[round(place * (len(hp.grid) - 1))]
    low, high = float(hp.low), float(hp.high)
    if hp.log:
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    else:
        value = low + place * (high - low)
    return min(max(value, low), high)


def _place(hp: Int | Float, value: Any) -> float:
    """Where a value lies in its range, from 0 to 1, on the range's own scale."""
    low, high, at = float(hp.low), float(hp.high), float(value)
    if hp.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return 0.5 if high == low else (at - low) / (high - low)


def _words(configuration: Configuration) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in configuration.items())
