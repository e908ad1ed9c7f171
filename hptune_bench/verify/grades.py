"""How like two trainings of one trial are: identical, equivalent, diverged or different.

Another processor rounds otherwise. A training repeats every difference and lets it grow, and now and then one decides a
comparison: early stopping ends an epoch sooner, a tuner proposes something else. That is no defect. The limits here are
ten times what other kernels did to the post's trainings (`results/published/speed/rounding.csv`: 1.9e-6 of a loss at
most), and three times what a second machine did to the rows that an accuracy counts (0.0017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hptune_bench.core.protocols import Workload
from hptune_bench.store.trial import Trial
from hptune_bench.training.common import Patience, direction_of, early_stopping
from hptune_bench.verify.check import Grade

FIRST, GROWTH, MOST = 2e-5, 1.25, 1e-3
"""Relative difference of a loss that rounding may make in one epoch, by how much it may grow with each, and at most."""
ROWS = 0.005
"""Share of rows that a metric which counts rows may move by where the losses agree: those that lie on the border."""
COUNTING = ("acc", "precision", "recall", "auc")
"""Parts of names of metrics that count rows."""


@dataclass(frozen=True)
class Likeness:
    """How like, how far apart at most (relative), and where: the first place beyond the limits, or the furthest."""

    grade: Grade
    size: float = 0.0
    where: str = ""


def tolerance(epoch: int) -> float:
    """Relative difference of a loss in an epoch (from 1) up to which two trainings are equivalent."""
    return float(min(MOST, FIRST * GROWTH ** (epoch - 1)))


def likeness(old: Trial, new: Trial, workload: Workload) -> Likeness:
    """How like two trainings of one configuration with the same seeds are."""
    furthest = Likeness(Grade.IDENTICAL)
    for index in range(min(old.epochs, new.epochs)):
        for metric, values in old.history.items():
            found = _values(values[index], new.history[metric][index], old.first_epoch + index + 1, metric)
            if (found.grade, found.size) > (furthest.grade, furthest.size):
                furthest = replace(found, where=f"trial {old.trial}, {found.where}")
            if found.grade == Grade.DIFFERENT:
                return furthest
    if (old.status, old.epochs) == (new.status, new.epochs):
        return furthest
    was, now = f"{old.status} after {old.epochs}", f"{new.status} after {new.epochs} epochs"
    parted = f"trial {old.trial} was {was}, now {now}"
    if (close := _close_call(old, new, workload)) is None:
        return Likeness(Grade.DIFFERENT, math.inf, parted)
    return Likeness(Grade.DIVERGED, furthest.size, f"{parted}: {close}")


def _values(then: float, now: float, epoch: int, metric: str) -> Likeness:
    """Two values of one metric in one epoch."""
    if then == now or (math.isnan(then) and math.isnan(now)):
        return Likeness(Grade.IDENTICAL)
    counts = any(part in metric for part in COUNTING)
    apart = abs(then - now) if counts else abs(then - now) / max(abs(then), 1e-12)
    limit = ROWS if counts else tolerance(epoch)
    where = f"epoch {epoch}, {metric}: {then!r}, now {now!r} ({apart:.1e} apart)"
    if not apart <= limit:  # NaN is not
        return Likeness(Grade.DIFFERENT, math.inf, where)
    return Likeness(Grade.EQUIVALENT, apart, where)


def _close_call(old: Trial, new: Trial, workload: Workload) -> str | None:
    """Where rounding decided whether an epoch was better than all before it; None where it decided nothing.

    Early stopping counts epochs without improvement: two equivalent curves end apart only if in one of them an epoch
    improved and in the other it did not.
    """
    fit = workload.fit(old.request.configuration)
    if fit.patience is None:
        return None
    direction = direction_of(workload, fit.monitor)
    states = [Patience(), Patience()]
    for index, pair in enumerate(zip(*(trial.history[fit.monitor] for trial in (old, new)), strict=False)):
        bests = [state.best for state in states]
        states = [
            early_stopping(state, value, index, fit.patience, direction)[0]
            for state, value in zip(states, pair, strict=True)
        ]
        if (states[0].wait == 0) != (states[1].wait == 0):
            apart = [
                abs(value - best) / max(abs(best), 1e-12)
                for value, best in zip(pair, bests, strict=True)
                if best is not None
            ]
            near = max(apart, default=math.inf) <= 2 * tolerance(old.first_epoch + index + 1)
            return f"epoch {index + 1} improved {fit.monitor} by a rounding error in one of them" if near else None
    return None
