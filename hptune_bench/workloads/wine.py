"""Which of three growers made a wine, from 13 measurements of 178 wines, as scikit-learn ships them.

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
class Wine(networks.Network):
    """Three classes, one hidden layer, six hyperparameters; implements ``core.protocols.Workload``."""

    name = "wine"
    title = "wines of three growers"
    teaches = (
        "The smallest table: 107 wines to learn from, 35 to choose by, 36 to test. A network that has learned long "
        "enough is right about nearly all, so the loss tells mostly how sure it is. It is the cheapest search there "
        "is, and asks whether 35 rows are enough to choose by. Each seed splits the same wines anew."
    )
    family = "wine"
    data_label = "resplit"
    classes = 3
    space = Space(
        (
            *networks.widths(4, 64, layers=1),
            networks.ACTIVATION,
            networks.WEIGHT_DECAY,
            networks.optimizer("adam", "sgd"),
            networks.MOMENTUM,
            networks.LEARNING_RATE,
        )
    )

    def load(self, seed: int) -> Data:
        """x float32 (rows, 13), standardised by the training rows; y float32 (rows, 3), one-hot."""
        from sklearn.datasets import load_wine

        x, labels = load_wine(return_X_y=True)
        return standardised(resplit(self.family, seed, x, one_hot(labels, self.classes)))


workload = partial(configured, Wine)
