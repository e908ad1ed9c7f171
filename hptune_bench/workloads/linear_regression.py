"""The post's second problem: a line with uniform noise, learned by one small hidden layer.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Data, Direction, Fit, Split
from hptune_bench.core.seeds import derive
from hptune_bench.core.space import Boolean, Choice, Configuration, Float, Int, Space
from hptune_bench.workloads import options
from hptune_bench.workloads.defaults import Defaults
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.splits import predicting_the_mean

LAWS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    # Two and a half waves over the range: one hidden layer of few units cannot follow it without being tuned.
    "sine": lambda x: 50 + 40 * np.sin(x * (2 * math.pi / 40)),
}
LOW, HIGH = 0.0, 100.0
VALIDATION_SHARE = 0.2
GRID = 10_001


@dataclass(frozen=True)
class LinearRegression(Defaults):
    """y = law(x) + uniform(-noise, noise), x evenly spaced from 0 to 100; implements ``core.protocols.Workload``.

    Attributes:
        points: training and validation rows together, split 80 / 20 after shuffling; the test split has as many rows as
            the validation split, at places of its own.
        noise: half-width of the noise.
        law: ``linear`` (the post's) or ``sine``.
    """

    points: int = 10_000
    noise: float = 10.0
    law: str = "linear"

    name = "linear_regression"
    title = "linear regression"
    teaches = (
        "The post's second problem. Noise alone gives a validation loss of about 33.3, and half of all configurations "
        "come within 0.1 of it: a plateau with a cliff, where the winner among the good ones is luck. It shows how "
        "fast a method leaves the cliff and how often it meets divergence; only excess loss can show fine tuning."
    )
    data_label = ""
    family = "linear_regression"
    engine = "xla"
    test_metric = "excess_loss"
    metrics: ClassVar[Mapping[str, Direction]] = {"val_mae": "min"}
    space = Space(
        (
            Boolean("normalize"),
            Int("neurons", 4, 32, step=4),
            Float("learning_rate", 1e-4, 2e-1, log=True),
            Choice("optimizer", ("adam", "sgd")),
        )
    )
    untuned: ClassVar[Configuration] = {"normalize": True, "neurons": 32, "learning_rate": 0.001, "optimizer": "adam"}
    # What the post prints as its winner (it prints a rate of 0.04053025640180924).
    published: ClassVar[Configuration | None] = {
        "normalize": False,
        "neurons": 16,
        "learning_rate": 0.0405,
        "optimizer": "adam",
    }

    def __post_init__(self) -> None:
        options.require_whole(self, "points", least=10)
        options.require_amount(self, "noise")
        if self.law not in LAWS:
            raise UserError(f"workload {self.name}: law = {self.law!r}; choose one of {', '.join(LAWS)}")

    def load(self, seed: int) -> Data:
        """The splits of one data seed; x and y are float64 with shape (rows, 1)."""
        rng = np.random.default_rng(derive("linear_regression", "points", seed))
        x = np.linspace(LOW, HIGH, self.points)[rng.permutation(self.points)]
        delta = rng.uniform(-self.noise, self.noise, self.points)
        validation = max(1, round(self.points * VALIDATION_SHARE))
        fresh = np.random.default_rng(derive("linear_regression", "test", seed))
        test_x, test_delta = fresh.uniform(LOW, HIGH, validation), fresh.uniform(-self.noise, self.noise, validation)
        rows = {
            "train": (x[validation:], delta[validation:]),
            "validation": (x[:validation], delta[:validation]),
            "test": (test_x, test_delta),
        }
        return Data(
            **{name: self._split(*columns) for name, columns in rows.items()},
            facts={f"{name}_noise": float(np.mean(noise**2)) for name, (_, noise) in rows.items()},
        )

    def _split(self, x: np.ndarray, delta: np.ndarray) -> Split:
        return Split(x[:, None], (LAWS[self.law](x) + delta)[:, None])

    def build(self, configuration: Configuration, data: Data) -> Any:
        """The post's model; Normalization is adapted on the training rows."""
        import keras

        model = keras.Sequential()
        model.add(keras.Input(shape=(1,), name="x", dtype="float64"))
        if configuration["normalize"]:
            normalizer = keras.layers.Normalization()
            normalizer.adapt(data.train.x)
            model.add(normalizer)
        model.add(keras.layers.Dense(configuration["neurons"], activation="relu"))
        model.add(keras.layers.Dense(1))
        rate = float(configuration["learning_rate"])
        if configuration["optimizer"] == "adam":
            optimizer = keras.optimizers.Adam(learning_rate=rate)
        else:
            optimizer = keras.optimizers.SGD(learning_rate=rate * 10)
        model.compile(optimizer=optimizer, loss=keras.losses.MeanSquaredError(), metrics=["mae"])
        return model

    def fit(self, configuration: Configuration) -> Fit:
        return Fit(batch_size=32, patience=10, monitor="val_loss")

    def cap(self, data: Data) -> float:
        return predicting_the_mean(data)

    def truth(self, model: Any, data: Data) -> Mapping[str, float]:
        """``excess_loss``: mean((f(x) - law(x))^2) on a dense even grid, free of noise."""
        grid = np.linspace(LOW, HIGH, GRID)
        predicted = np.asarray(model(grid[:, None], training=False), dtype=np.float64)[:, 0]
        return {"excess_loss": float(np.mean((predicted - LAWS[self.law](grid)) ** 2))}


workload = partial(configured, LinearRegression)
