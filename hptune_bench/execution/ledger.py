"""The only place that counts: every tuner is cut by the same ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hptune_bench.benchmark import Budget

FREE_PROPOSALS = 100
"""So many proposals in a row that cost nothing end a run as ``exhausted``: no search goes on for ever for free."""


@dataclass(frozen=True)
class Limits:
    """A budget in the ledger's units; at least one is given, the first to end ends the run.

    Attributes:
        epochs: trained epochs.
        trials: evaluations that train something.
        seconds: search clock (training and tuner, compiling excluded).
    """

    epochs: int | None = None
    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        given = [limit for limit in (self.epochs, self.trials, self.seconds) if limit is not None]
        if not given or min(given) <= 0:
            raise ValueError("a budget needs at least one limit, and every limit must be positive")

    @classmethod
    def of(cls, budget: Budget, full_epochs: int) -> Limits:
        """A benchmark's budget on a workload whose full training has so many epochs."""
        return cls(epochs=budget.epoch_limit(full_epochs), trials=budget.trials, seconds=budget.seconds)


class Ledger:
    """Counts epochs, trials and seconds of one run against its limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.epochs = 0
        self.trials = 0
        self.seconds = 0.0
        self._free = 0

    def grant(self, wanted: int) -> int:
        """How many of the wanted epochs the budget still pays for (0 if it is spent)."""
        if self.ended_by is not None:
            return 0
        return wanted if self.limits.epochs is None else min(wanted, self.limits.epochs - self.epochs)

    @property
    def seconds_left(self) -> float | None:
        """Seconds of training that the budget still pays for; None without a seconds budget."""
        return None if self.limits.seconds is None else max(0.0, self.limits.seconds - self.seconds)

    def wait(self, seconds: float) -> None:
        """Charge the tuner's own time."""
        self.seconds += seconds

    def charge(self, epochs: int, seconds: float) -> None:
        """Charge one trial."""
        self.epochs += epochs
        self.trials += 1
        self.seconds += seconds
        self._free = 0

    def free(self) -> None:
        """Note a proposal that costs nothing."""
        self._free += 1

    @property
    def unspent(self) -> int:
        """Epochs of the budget that are left; 0 where epochs are not limited."""
        return 0 if self.limits.epochs is None else self.limits.epochs - self.epochs

    @property
    def ended_by(self) -> str | None:
        """The limit that is spent: ``epochs``, ``trials``, ``seconds`` or ``exhausted``; None while budget is left."""
        if self.limits.epochs is not None and self.epochs >= self.limits.epochs:
            return "epochs"
        if self.limits.trials is not None and self.trials >= self.limits.trials:
            return "trials"
        if self.limits.seconds is not None and self.seconds >= self.limits.seconds:
            return "seconds"
        return "exhausted" if self._free >= FREE_PROPOSALS else None
