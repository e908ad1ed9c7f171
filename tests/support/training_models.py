"""Small workloads and helpers for the tests of the trainers."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hptune_bench.core.protocols import Data, Fit, Job, Outcome, Split, Trainer
from hptune_bench.core.space import Configuration, Space

WORDS, VOCABULARY = 12, 40


class Small:
    """A workload around a function that builds a model; everything else is an argument."""

    name, title, teaches, data_label, family = "small", "", "", "", "small"
    space, hand_picked, sweep_order, published = Space(()), {}, None, None
    untuned = types.MappingProxyType({})
    objective, direction, test_metric = "val_loss", "min", "loss"
    metrics = options = types.MappingProxyType({})

    def __init__(
        self,
        build: Callable[[Configuration, Data], Any],
        load: Callable[[int], Data],
        prepare: Callable[[Configuration, Data], Data] = lambda configuration, data: data,
        engine: Any = "loop",
        full_epochs: int = 5,
        fit: Fit = Fit(batch_size=32),  # noqa: B008 - frozen
        jit_compile: bool = False,
    ) -> None:
        self._build, self.load, self.prepare, self._fit = build, load, prepare, fit
        self.engine, self.full_epochs, self.jit_compile = engine, full_epochs, jit_compile

    def build(self, configuration: Configuration, data: Data) -> Any:
        model = self._build(configuration, data)
        model.jit_compile = self.jit_compile
        return model

    def fit(self, configuration: Configuration) -> Fit:
        return self._fit

    def cap(self, data: Data) -> float:
        return 1.0

    def truth(self, model: Any, data: Data) -> Mapping[str, float]:
        return {}


def texts(seed: int) -> Data:
    """150 training and 70 validation rows of word numbers; the label is whether small numbers prevail."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, VOCABULARY, (260, WORDS)).astype(np.int32)
    y = np.eye(2, dtype=np.float32)[(x.mean(axis=1) < VOCABULARY / 2).astype(int)]
    return Data(Split(x[:150], y[:150]), Split(x[150:220], y[150:220]), Split(x[220:], y[220:]))


def cut_words(configuration: Configuration, data: Data) -> Data:
    words = int(configuration["words"])
    splits = [Split(np.ascontiguousarray(split.x[:, :words]), split.y) for split in (data.train, data.validation)]
    return Data(*splits, test=Split(data.test.x[:, :words], data.test.y))  # type: ignore[union-attr]


def text_model(configuration: Configuration, data: Data) -> Any:
    """The notebook's model, smaller: embedding, two dropouts, average pooling."""
    import keras

    model = keras.Sequential(
        [
            keras.Input((data.train.x.shape[1],)),
            keras.layers.Embedding(VOCABULARY, 4),
            keras.layers.Dropout(0.2),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(8, activation="relu"),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def numbers(seed: int) -> Data:
    """150 training and 70 validation rows of three columns whose place and scale depend on the seed."""
    rng = np.random.default_rng(seed)
    x = rng.normal(10 * seed, 1 + seed, (260, 3))
    y = (x @ [[1.0], [-2.0], [0.5]]) / (1 + seed) + rng.normal(0, 0.1, (260, 1))
    return Data(Split(x[:150], y[:150]), Split(x[150:220], y[150:220]), Split(x[220:], y[220:]))


def normalized_model(configuration: Configuration, data: Data) -> Any:
    import keras

    normalization = keras.layers.Normalization()
    normalization.adapt(data.train.x)
    model = keras.Sequential([keras.Input((3,)), normalization, keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse", metrics=["mae"])
    return model


def job(configuration: Configuration | None = None, epochs: int = 3, data_seed: int = 1, **more: Any) -> Job:
    return Job(configuration or {}, epochs, data_seed, more.pop("training_seed", 5), **more)


def train(trainer: Trainer, *arguments: Any, **more: Any) -> Outcome:
    return trainer.train(job(*arguments, **more))


def assert_identical(one: Outcome, other: Outcome, state: bool = True) -> None:
    """Equal to the bit: logs, stop, best epoch, its weights, and the state where both kept it."""
    assert [list(row) for row in one.history] == [list(row) for row in other.history]
    np.testing.assert_array_equal(*[[list(row.values()) for row in each.history] for each in (one, other)])
    np.testing.assert_array_equal(one.objective, other.objective)
    assert (one.ended, one.cut, one.best) == (other.ended, other.cut, other.best)
    for a, b in zip(one.weights(), other.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    if state and one.state is not None and other.state is not None:
        assert one.state.keys() == other.state.keys()
        for name in one.state:
            np.testing.assert_array_equal(one.state[name], other.state[name], err_msg=name)
