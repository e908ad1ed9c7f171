"""What a user's file says in capital letters besides the model; see ``workload``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Direction, Engine
from hptune_bench.core.space import Configuration

_SMALLER = ("loss", "error", "mse", "mae", "rmse", "mape", "crossentropy", "log")


_FORMS: tuple[tuple[str, Any, str], ...] = (
    ("monitor", str, "a name of the training log, such as 'val_loss'"),
    ("objective", str, "a name of the training log, such as 'val_loss'"),
    ("title", str, "a few words"),
    ("metrics", Mapping, "names with their directions, such as {'val_mae': 'min'}"),
    ("untuned", Mapping, "values by name, such as {'units': 8}"),
    ("hand_picked", Mapping, "lists of values by name, such as {'units': [8, 16]}"),
    ("cap", int | float, "a number"),
)
"""Settings with the form that they must have, where they are given."""


_LARGER = ("acc", "auc", "precision", "recall", "f1", "iou", "dice", "r2", "similarity")


@dataclass(frozen=True)
class Settings:
    """What a file says in capital letters; see the module."""

    epochs: int = 50
    batch_size: int | str = 32
    patience: int | None = None
    monitor: str = "val_loss"
    objective: str = "val_loss"
    direction: Direction | None = None
    metrics: Mapping[str, Direction] = field(default_factory=dict)
    untuned: Configuration | None = None
    hand_picked: Mapping[str, Any] = field(default_factory=dict)
    cap: float | None = None
    engine: Engine = "loop"
    title: str = ""

    def check(self, where: str) -> Settings:
        """These settings with the direction filled in.

        Raises:
            UserError: a value that cannot be used.
        """
        for name, kind, form in _FORMS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise UserError(f"{where}: {name.upper()} = {value!r}; give {form}")
        for name, said in self.metrics.items():
            if said not in ("min", "max"):
                raise UserError(f"{where}: METRICS[{name!r}] = {said!r}; choose min or max")
        for name, values in self.hand_picked.items():
            if not isinstance(values, tuple | list):
                raise UserError(f"{where}: HAND_PICKED[{name!r}] = {values!r}; give a list of values")
        positive = {"EPOCHS": self.epochs, "BATCH_SIZE": self.batch_size, "PATIENCE": self.patience}
        for name, value in positive.items():
            absent = (name == "PATIENCE" and value is None) or (name == "BATCH_SIZE" and isinstance(value, str))
            if not absent and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise UserError(f"{where}: {name} = {value!r}; give a whole number of at least 1")
        if self.engine not in ("loop", "xla", "stock"):
            raise UserError(f"{where}: ENGINE = {self.engine!r}; choose loop, xla or stock")
        if self.direction not in (None, "min", "max"):
            raise UserError(f"{where}: DIRECTION = {self.direction!r}; choose min or max")
        direction = self.direction or direction_of_name(self.objective)
        if direction is None:
            raise UserError(f"{where}: whether {self.objective!r} should be small or large is unknown; give DIRECTION")
        metrics = {name: way for name, way in self.metrics.items() if name != self.objective}
        if self.patience is not None and self.monitor not in (self.objective, "val_loss", "loss", *metrics):
            way = direction_of_name(self.monitor)
            if way is None:
                raise UserError(
                    f"{where}: add {self.monitor!r} to METRICS, with its direction, because MONITOR names it"
                )
            metrics[self.monitor] = way
        return replace(self, direction=direction, metrics=metrics)


def direction_of_name(name: str) -> Direction | None:
    plain = name.removeprefix("val_").lower()
    if any(word in plain for word in _LARGER):
        return "max"
    return "min" if any(word in plain for word in _SMALLER) else None
