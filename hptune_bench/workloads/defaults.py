"""What a workload is unless it says otherwise.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from hptune_bench.core.protocols import Data, Direction, Engine
from hptune_bench.core.space import Configuration, Space, Value, hand_picked
from hptune_bench.workloads import options


@dataclass(frozen=True)
class Defaults:
    """The parts of ``protocols.Workload`` that most workloads have in common."""

    name: ClassVar[str]
    space: ClassVar[Space]

    full_epochs: ClassVar[int] = 50
    engine: ClassVar[Engine] = "loop"
    objective: ClassVar[str] = "val_loss"
    direction: ClassVar[Direction] = "min"
    test_metric: ClassVar[str] = "loss"
    sweep_order: ClassVar[tuple[str, ...] | None] = None
    published: ClassVar[Configuration | None] = None

    @property
    def untuned(self) -> Configuration:
        """The configuration as a reader would copy it; every workload says its own."""
        raise NotImplementedError

    @cached_property
    def hand_picked(self) -> Mapping[str, tuple[Value, ...]]:
        """By the one rule, see ``space.hand_picked``."""
        return hand_picked(self.space, self.untuned)

    @cached_property
    def options(self) -> Mapping[str, Any]:
        """What differs from the plain workload."""
        return options.changed(self)

    def prepare(self, configuration: Configuration, data: Data) -> Data:
        return data

    def truth(self, model: Any, data: Data) -> Mapping[str, float]:
        return {}
