"""Friedman's first problem: a nonlinear law of five variables among ten, with known noise.

The law is that of J. Friedman, "Multivariate adaptive regression splines", The Annals of Statistics 19 (1991), 1-67.
Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from hptune_bench.core.protocols import Data, Split
from hptune_bench.core.seeds import derive
from hptune_bench.core.space import Space
from hptune_bench.workloads import networks, options
from hptune_bench.workloads.options import configured

VARIABLES = 10
VALIDATION_SHARE = 0.2
TRUTH_POINTS = 10_000


def law(x: np.ndarray) -> np.ndarray:
    """Friedman's function of x (rows, 10) in the unit cube: (rows,)."""
    curve = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    return curve + 10 * x[:, 3] + 5 * x[:, 4]


@dataclass(frozen=True)
class Friedman1(networks.Network):
    """y = law(x) + normal(0, noise^2), eight hyperparameters, two conditional; implements ``core.protocols.Workload``.

    Attributes:
        points: training and validation rows together, split 80 / 20; the test split has as many rows as the
            validation split.
        noise: standard deviation of the noise.
    """

    points: int = 1_000
    noise: float = 1.0

    name = "friedman1"
    title = "Friedman's curve"
    teaches = (
        "A curved law of five variables, hidden among five that mean nothing. Its noise is known, so what a model "
        "really misses can be told from what nobody could predict, and each seed draws rows of its own: of these "
        "workloads it is the one whose seeds are independent and whose differences can be as large as a tuner can "
        "make them."
    )
    family = "friedman1"
    test_metric = "excess_loss"
    space = Space(
        (
            *networks.widths(8, 64, layers=3),
            networks.ACTIVATION,
            networks.WEIGHT_DECAY,
            networks.LEARNING_RATE,
            networks.BATCH_SIZE,
        )
    )

    def __post_init__(self) -> None:
        options.require_whole(self, "points", least=10)
        options.require_amount(self, "noise")

    def load(self, seed: int) -> Data:
        """x float32 (rows, 10), even in the unit cube; y float32 (rows, 1)."""
        validation = round(self.points * VALIDATION_SHARE)
        sizes = {"train": self.points - validation, "validation": validation, "test": validation}
        splits, facts = {}, {}
        for name, rows in sizes.items():
            rng = np.random.default_rng(derive("friedman1", name, seed))
            x, delta = rng.random((rows, VARIABLES)), rng.normal(0, self.noise, rows)
            splits[name] = Split(x.astype(np.float32), (law(x) + delta)[:, None].astype(np.float32))
            facts[f"{name}_noise"] = float(np.mean(delta**2))
        return Data(**splits, facts=facts)

    def truth(self, model: Any, data: Data) -> Mapping[str, float]:
        """``excess_loss``: mean((f(x) - law(x))^2) on 10,000 rows of its own, the same always, free of noise."""
        x = _truth_points()
        predicted = np.asarray(model(x, training=False), dtype=np.float64)[:, 0]
        return {"excess_loss": float(np.mean((predicted - law(x.astype(np.float64))) ** 2))}


@cache
def _truth_points() -> np.ndarray:
    return np.random.default_rng(derive("friedman1", "truth")).random((TRUTH_POINTS, VARIABLES)).astype(np.float32)


workload = partial(configured, Friedman1)
