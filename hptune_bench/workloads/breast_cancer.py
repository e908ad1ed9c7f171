"""Benign or malignant, from 30 measurements of 569 tumours, as scikit-learn ships them.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from hptune_bench.core.protocols import Data
from hptune_bench.core.space import Space
from hptune_bench.workloads import networks
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.splits import one_hot, resplit, standardised


@dataclass(frozen=True)
class BreastCancer(networks.Network):
    """Two classes, eight hyperparameters, two conditional; implements ``core.protocols.Workload``."""

    name = "breast_cancer"
    title = "breast cancer"
    teaches = (
        "An easy table: nearly every trained network is right about 97 of 100 tumours, and the loss hangs on the few "
        "others, which are different ones in each split. It shows how much of a tuner's lead is the luck of 114 "
        "validation rows. Momentum exists only for SGD. Each seed splits the same tumours anew."
    )
    family = "breast_cancer"
    data_label = "resplit"
    classes = 2
    space = Space(
        (
            *networks.widths(4, 64, layers=2),
            networks.ACTIVATION,
            networks.DROPOUT,
            networks.optimizer("adam", "sgd"),
            networks.MOMENTUM,
            networks.LEARNING_RATE,
        )
    )

    def load(self, seed: int) -> Data:
        """x float32 (rows, 30), standardised by the training rows; y float32 (rows, 2), one-hot."""
        from sklearn.datasets import load_breast_cancer

        x, labels = load_breast_cancer(return_X_y=True)
        return standardised(resplit(self.family, seed, x, one_hot(labels, self.classes)))


workload = partial(configured, BreastCancer)
