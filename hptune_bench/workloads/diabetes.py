"""Progression of diabetes after a year, from ten measurements of 442 patients, as scikit-learn ships them.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from hptune_bench.core.protocols import Data
from hptune_bench.core.space import Space
from hptune_bench.workloads import networks
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.splits import resplit, standardised


@dataclass(frozen=True)
class Diabetes(networks.Network):
    """Regression on few, noisy rows, seven hyperparameters; implements ``core.protocols.Workload``."""

    name = "diabetes"
    title = "progression of diabetes"
    teaches = (
        "Little data and much noise: about half of the variance cannot be predicted, 89 validation rows decide, and a "
        "network soon fits its training rows too well. Tuning can win little on the test split, and can lose there by "
        "choosing what fits the validation rows: it asks for overtuning. Each seed splits the same patients anew."
    )
    family = "diabetes"
    data_label = "resplit"
    space = Space(
        (
            *networks.widths(4, 64, layers=2),
            networks.DROPOUT,
            networks.WEIGHT_DECAY,
            networks.LEARNING_RATE,
            networks.BATCH_SIZE,
        )
    )

    def load(self, seed: int) -> Data:
        """x float32 (rows, 10), y float32 (rows, 1), both standardised by the training rows."""
        from sklearn.datasets import load_diabetes

        x, y = load_diabetes(return_X_y=True)
        return standardised(resplit(self.family, seed, x, y[:, None]), targets=True)


workload = partial(configured, Diabetes)
