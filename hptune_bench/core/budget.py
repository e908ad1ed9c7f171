"""How much a tuner may spend: as people say it (``Budget``), and in the ledger's units (``Limits``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hptune_bench.core.errors import UserError, complaint


class Budget(BaseModel):
    """How much every tuner may spend; several limits together: the first to end ends the run.

    Attributes:
        trainings: multiples of the workload's full epochs, so that one number fits workloads of 5 and of 50 epochs.
        epochs: trained epochs.
        trials: evaluations.
        seconds: search clock: training and tuner, compiling excluded.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    trainings: Annotated[float, Field(gt=0, le=1e6, strict=False)] | None = None
    epochs: Annotated[int, Field(gt=0, le=10**9)] | None = None
    trials: Annotated[int, Field(gt=0, le=10**7)] | None = None
    seconds: Annotated[float, Field(gt=0, le=1e8, strict=False)] | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Budget:
        if not self.model_fields_set or all(getattr(self, name) is None for name in Budget.model_fields):
            raise ValueError("a budget needs one of trainings, epochs, trials, seconds")
        return self

    def epoch_limit(self, full_epochs: int) -> int | None:
        """The limit in epochs, from ``trainings`` and ``epochs``; None where neither is given."""
        limits = [] if self.trainings is None else [max(1, round(self.trainings * full_epochs))]
        return min([*limits, *([] if self.epochs is None else [self.epochs])], default=None)

    @classmethod
    def parse(cls, text: str) -> Budget:
        """A budget as the command line takes it: ``20trainings``, ``500epochs``, ``20trials`` or ``60s``.

        Raises:
            UserError: anything else.
        """
        match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,12})?)\s*(trainings?|epochs?|trials?|s|seconds?)", text.strip())
        hint = "write a number and its unit: 20trainings, 500epochs, 20trials or 60s"
        if not match:
            raise UserError(f"--budget {text!r} is no budget: {hint}")
        number = float(match[1])
        unit = "seconds" if match[2].startswith("s") else match[2].rstrip("s") + "s"
        if number <= 0 or (unit in ("epochs", "trials") and number != int(number)):
            raise UserError(f"--budget {text!r} must be positive, and whole for epochs and trials: {hint}")
        try:
            return cls.model_validate({unit: int(number) if unit in ("epochs", "trials") else number})
        except ValidationError as error:
            raise UserError(f"--budget {text!r}: {complaint(error)}") from None


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
