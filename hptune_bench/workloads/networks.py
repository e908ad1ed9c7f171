"""What the small networks share: their hyperparameters, and a workload that reads them.

A workload's space is put together from the functions below; ``Network.build`` reads whatever the space has, under the
same names everywhere. Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from hptune_bench.core.protocols import Data, Direction, Fit
from hptune_bench.core.space import Choice, Condition, Configuration, Float, Int
from hptune_bench.workloads.defaults import Defaults
from hptune_bench.workloads.splits import guessing, predicting_the_mean

ACTIVATION = Choice("activation", ("relu", "tanh", "elu"))
DROPOUT = Float("dropout", 0.0, 0.5, step=0.1)
WEIGHT_DECAY = Float("weight_decay", 1e-4, 1.0, log=True)
LEARNING_RATE = Float("learning_rate", 1e-4, 1e-1, log=True)
BATCH_SIZE = Choice("batch_size", (16, 32, 64, 128), ordered=True)
MOMENTUM = Choice("momentum", (0.0, 0.5, 0.9, 0.99), ordered=True, conditions=(Condition("optimizer", ("sgd",)),))

USUAL: Configuration = {
    "layers": 1,
    "units_1": 32,
    "activation": "relu",
    "dropout": 0.2,
    "weight_decay": 0.01,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "batch_size": 32,
}
"""What tutorials write and Keras has as defaults."""


def optimizer(*names: str) -> Choice:
    return Choice("optimizer", names)


def widths(low: int, high: int, layers: int) -> tuple[Int, ...]:
    """``layers``, and one width per layer in doublings; a width exists only where its layer does."""
    first = Int("units_1", low, high, step=2, log=True)
    deeper = (
        Int(
            f"units_{layer}",
            low,
            high,
            step=2,
            log=True,
            conditions=(Condition("layers", tuple(range(layer, layers + 1))),),
        )
        for layer in range(2, layers + 1)
    )
    return (Int("layers", 1, layers), first, *deeper) if layers > 1 else (first,)


@dataclass(frozen=True)
class Network(Defaults):
    """A small network on arrays; implements ``core.protocols.Workload`` but for names, ``space``, ``load``.

    Attributes:
        classes: of the targets, which then are one-hot; None: one number is predicted.
        patience: epochs without improvement before early stopping; None: off.
    """

    family: ClassVar[str]
    data_label: ClassVar[str] = ""
    classes: ClassVar[int | None] = None
    patience: ClassVar[int | None] = 10

    @cached_property
    def untuned(self) -> Configuration:
        """Of ``USUAL`` what the space has."""
        return self.space.active(USUAL)

    @cached_property
    def metrics(self) -> Mapping[str, Direction]:
        return {"val_mae": "min"} if self.classes is None else {"val_accuracy": "max"}

    def build(self, configuration: Configuration, data: Data) -> Any:
        """``hidden`` layers and an output, softmax where there are classes.

        Weight decay is the optimizer's, decoupled from the loss: as a penalty it would stand in ``val_loss``, and
        configurations could not be compared by it. Biases do not decay.
        """
        import keras

        layers = [keras.Input(shape=data.train.x.shape[1:]), *self.hidden(configuration)]
        if self.classes is None:
            layers.append(keras.layers.Dense(1))
            loss, metric = "mean_squared_error", "mae"
        else:
            layers.append(keras.layers.Dense(self.classes, activation="softmax"))
            loss, metric = "categorical_crossentropy", "accuracy"
        model = keras.Sequential(layers)
        model.compile(optimizer=_optimizer(configuration), loss=loss, metrics=[metric])
        return model

    def hidden(self, configuration: Configuration) -> list[Any]:
        """The layers between input and output: dense ones, each with its dropout."""
        import keras

        activation = configuration.get("activation", "relu")
        return [
            part
            for units in self.units(configuration)
            for part in (keras.layers.Dense(units, activation=activation), *self.dropout(configuration))
        ]

    def units(self, configuration: Configuration) -> list[int]:
        """Width of each hidden layer."""
        return [int(configuration[f"units_{layer}"]) for layer in range(1, int(configuration.get("layers", 1)) + 1)]

    def dropout(self, configuration: Configuration) -> list[Any]:
        """A dropout layer; none at a rate of 0."""
        import keras

        rate = float(configuration.get("dropout", 0.0))
        return [keras.layers.Dropout(rate)] if rate else []

    def fit(self, configuration: Configuration) -> Fit:
        return Fit(batch_size=int(configuration.get("batch_size", 32)), patience=self.patience)

    def cap(self, data: Data) -> float:
        return predicting_the_mean(data) if self.classes is None else guessing(data)


def _optimizer(configuration: Configuration) -> Any:
    import keras

    kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop, "sgd": keras.optimizers.SGD}
    arguments = {"learning_rate": float(configuration["learning_rate"])}
    if "momentum" in configuration:
        arguments["momentum"] = float(configuration["momentum"])
    if "weight_decay" in configuration:
        arguments["weight_decay"] = float(configuration["weight_decay"])
    made = kinds[str(configuration.get("optimizer", "adam"))](**arguments)
    if "weight_decay" in configuration:
        made.exclude_from_weight_decay(var_names=["bias"])
    return made
