"""The only place that counts: every tuner is cut by the same ledger."""

from __future__ import annotations

from hptune_bench.core.budget import Limits

FREE_PROPOSALS = 100
"""So many proposals in a row that cost nothing end a run as ``exhausted``: no search goes on for ever for free."""


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
