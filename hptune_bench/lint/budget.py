"""What tuners cannot do within a budget: arithmetic only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from hptune_bench.core.budget import Limits
from hptune_bench.core.protocols import Workload
from hptune_bench.core.tuner_info import TunerInfo
from hptune_bench.lint.finding import Finding


def budget(workload: Workload, limits: Limits, tuners: Mapping[str, TunerInfo]) -> Iterator[Finding]:
    """What these tuners cannot do within this budget."""
    trials = math.inf if limits.epochs is None else limits.epochs / workload.full_epochs
    trials = min(trials, math.inf if limits.trials is None else limits.trials)
    points = {name: info.first_random_points(len(workload.space)) for name, info in tuners.items()}
    for initial in dict.fromkeys(count for count in points.values() if trials <= count):
        names = [name for name, count in points.items() if count == initial]
        start, they_are, them = ("starts", "it is", "it") if len(names) == 1 else ("start", "they are", "them")
        yield Finding(
            "random_points",
            f"{workload.name}: {' and '.join(names)} {start} with {initial} random points, and the budget is "
            f"{trials:g} full training{'' if trials == 1 else 's'}",
            f"{they_are} random search here; raise the budget or leave {them} out",
        )
    for factor in dict.fromkeys(info.halving for info in tuners.values() if info.halving):
        names = [name for name, info in tuners.items() if info.halving == factor]
        yield from _short_iteration(workload, limits, factor, names)


def _short_iteration(workload: Workload, limits: Limits, factor: int, names: list[str]) -> Iterator[Finding]:
    """Whether the budget ends before one iteration of successive halving does."""
    most, epochs = hyperband_iteration(workload.full_epochs, factor)
    wanted = (
        (limits.trials, most, "trials", f"{most} trials"),
        (limits.epochs, epochs, "epochs", f"{math.ceil(epochs / workload.full_epochs)} trainings"),
    )
    short = [
        (f"{limit} {unit}", enough) for limit, needed, unit, enough in wanted if limit is not None and limit < needed
    ]
    if short:
        ends, enough = " or ".join(end for end, _ in short), " and ".join(what for _, what in short)
        yield Finding(
            "hyperband",
            f"{workload.name}: an iteration of {' and '.join(names)} at {workload.full_epochs} epochs takes "
            f"{most} trials and {epochs} epochs, and the budget ends after {ends}",
            f"raise the budget to {enough}, or read its result as that of its first brackets",
        )


def hyperband_iteration(full_epochs: int, factor: int) -> tuple[int, int]:
    """Trials and newly trained epochs of one iteration of KerasTuner 1.4.8's Hyperband over all its brackets."""
    brackets = 1
    while full_epochs / factor**brackets >= 1:
        brackets += 1
    ends = math.ceil(1 + math.log(full_epochs, factor))
    trials = epochs = 0
    for bracket in range(brackets):
        reached = 0
        for round_ in range(bracket + 1):
            size = math.ceil(ends / (bracket + 1) * factor ** (bracket - round_))
            target = math.ceil(full_epochs / factor ** (bracket - round_))
            trials += size
            epochs += size * (target - reached)
            reached = target
    return trials, epochs
