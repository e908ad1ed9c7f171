"""The same digits and a small convolutional network.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from hptune_bench.core.space import Choice, Configuration, Space
from hptune_bench.workloads import networks
from hptune_bench.workloads.digits import Digits
from hptune_bench.workloads.options import configured

SIDE = 8


@dataclass(frozen=True)
class DigitsCnn(Digits):
    """``digits`` with convolutions, nine hyperparameters; implements ``core.protocols.Workload``."""

    name = "digits_cnn"
    title = "handwritten digits, convolutions"
    teaches = (
        "The digits again, with a network that sees neighbouring pixels, and only ten epochs to learn in: what learns "
        "slowly is not learned at all. Each seed splits the same images anew, as in digits."
    )
    full_epochs = 10
    patience = None
    space = Space(
        (
            *networks.widths(4, 16, layers=2),
            Choice("kernel_size", (2, 3, 4), ordered=True),
            networks.ACTIVATION,
            networks.DROPOUT,
            networks.optimizer("adam", "sgd"),
            networks.LEARNING_RATE,
            networks.BATCH_SIZE,
        )
    )

    @cached_property
    def untuned(self) -> Configuration:
        return {**super().untuned, "units_1": 8, "kernel_size": 3}

    def hidden(self, configuration: Configuration) -> list[Any]:
        """Convolutions of ``units_<i>`` filters, each halving the side, then one dropout."""
        import keras

        layers: list[Any] = [keras.layers.Reshape((SIDE, SIDE, 1))]
        for filters in self.units(configuration):
            size, activation = int(configuration["kernel_size"]), configuration["activation"]
            layers.append(keras.layers.Conv2D(filters, size, padding="same", activation=activation))
            layers.append(keras.layers.MaxPooling2D())
        return [*layers, keras.layers.Flatten(), *self.dropout(configuration)]


workload = partial(configured, DigitsCnn)
