"""Handwritten digits, 8 by 8 pixels, and a small dense network.

The data are the 1,797 images that scikit-learn ships. Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from hptune_bench.core.protocols import Data
from hptune_bench.core.space import Space
from hptune_bench.workloads import networks
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.splits import one_hot, resplit

BRIGHTEST = 16


@dataclass(frozen=True)
class Digits(networks.Network):
    """Ten classes, nine hyperparameters, one conditional; implements ``core.protocols.Workload``."""

    name = "digits"
    title = "handwritten digits"
    teaches = (
        "A dense network on real data, with the nine settings that a reader would think of. Optimizer and learning "
        "rate decide whether 50 epochs are enough to learn at all, and half of the space is far worse than a copied "
        "configuration: the question is how soon a method beats that one. Each seed splits the same images anew."
    )
    family = "digits"
    data_label = "resplit"
    classes = 10
    space = Space(
        (
            *networks.widths(16, 128, layers=2),
            networks.ACTIVATION,
            networks.DROPOUT,
            networks.WEIGHT_DECAY,
            networks.optimizer("adam", "rmsprop", "sgd"),
            networks.LEARNING_RATE,
            networks.BATCH_SIZE,
        )
    )

    def load(self, seed: int) -> Data:
        """x float32 (rows, 64), brightness from 0 to 1; y float32 (rows, 10), one-hot."""
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        return resplit(self.family, seed, (images / BRIGHTEST).astype(np.float32), one_hot(labels, self.classes))


workload = partial(configured, Digits)
