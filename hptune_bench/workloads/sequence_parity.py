"""Running parity of a row of bits, learned by a recurrent network.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hptune_bench.core.protocols import Data
from hptune_bench.core.seeds import derive
from hptune_bench.core.space import Choice, Configuration, Space
from hptune_bench.workloads import networks, options
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.splits import one_hot, resplit

SHORTEST, LONGEST = 8, 20
BATCH_SIZE = Choice("batch_size", (32, 64, 128), ordered=True)
"""A step through time is dear: smaller batches would take seconds per training."""


@dataclass(frozen=True)
class SequenceParity(networks.Network):
    """Even or odd so far, asked after each bit; six hyperparameters; implements ``core.protocols.Workload``.

    Attributes:
        rows: of all splits together, split 60 / 20 / 20; no two are equal.
        length: bits in a row.
    """

    rows: int = 500
    length: int = 10

    name = "sequence_parity"
    title = "running parity"
    teaches = (
        "A recurrent network has to learn to keep one bit in mind. For many epochs it learns nothing, then everything "
        "within a few, if the learning rate lets it: short trainings say little about long ones, which is what "
        "Hyperband relies on. There is no noise, and each seed draws rows of its own."
    )
    family = "sequence_parity"
    patience = None
    classes = 2
    space = Space(
        (
            *networks.widths(4, 32, layers=1),
            networks.DROPOUT,
            networks.optimizer("adam", "rmsprop", "sgd"),
            networks.MOMENTUM,
            networks.LEARNING_RATE,
            BATCH_SIZE,
        )
    )

    def __post_init__(self) -> None:
        options.require_whole(self, "length", SHORTEST, LONGEST)
        options.require_whole(self, "rows", 10, 2**self.length)

    def load(self, seed: int) -> Data:
        """x float32 (rows, length, 1), bits; y float32 (rows, length, 2), one-hot parity of the bits so far."""
        rng = np.random.default_rng(derive("sequence_parity", "numbers", seed))
        # Drawn without repeats, so that no row of one split is in another.
        numbers = rng.choice(2**self.length, self.rows, replace=False)
        bits = numbers[:, None] >> np.arange(self.length) & 1
        x, y = bits[:, :, None].astype(np.float32), one_hot(np.cumsum(bits, axis=1) % 2, 2)
        return resplit(self.family, seed, x, y)

    def hidden(self, configuration: Configuration) -> list[Any]:
        """A GRU that answers after every bit, and its dropout."""
        import keras

        gru = keras.layers.GRU(int(configuration["units_1"]), return_sequences=True)
        return [gru, *self.dropout(configuration)]


workload = partial(configured, SequenceParity)
