"""Models that hold what an executor may wait for: (function that builds one, function that loads its data)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, optimizers

from hptune_bench.core.protocols import Data, Split
from support.training_models import VOCABULARY, WORDS, numbers, texts


class Function(layers.Layer):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


class Counting(layers.Layer):
    """Changes its input in the first five steps only."""

    def build(self, shape: Any) -> None:
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        def early() -> Any:
            self.count.assign_add(1.0)
            return x * 1.01

        return tf.cond(self.count < 5, early, lambda: x)


class OneSided(keras.losses.Loss):
    def call(self, y: Any, predicted: Any) -> Any:
        return tf.cond(tf.reduce_mean(predicted) > 0, lambda: tf.abs(y - predicted), lambda: (y - predicted) ** 2)


class Halving(optimizers.SGD):
    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        halved = tf.cond(tf.reduce_sum(gradient) > 0, lambda: gradient, lambda: gradient * 0.5)
        super().update_step(halved, variable, learning_rate)


def model_of(*inner: Callable[[], Any], optimizer: Callable[[], Any] | None = None, loss: Any = "mse") -> Any:
    """A function that builds a model on numbers: normalized columns, then ``inner``, then one number."""

    def build(configuration: Any, data: Data) -> Any:
        normalization = layers.Normalization()
        normalization.adapt(data.train.x)
        model = keras.Sequential(
            [keras.Input((3,)), normalization, *(make() for make in inner), layers.Dense(4, "tanh"), layers.Dense(1)]
        )
        model.compile(optimizer=optimizer() if optimizer else optimizers.Adam(0.02), loss=loss, metrics=["mae"])
        return model

    return build


def mixed(configuration: Any, data: Data) -> Any:
    """As under a global policy: each layer computes in float16, and Keras scales the loss."""
    with_policy = layers.Dense(8, "relu", dtype="mixed_float16")
    model = keras.Sequential([keras.Input((3,)), with_policy, layers.Dense(1, dtype="float32")])
    model.compile(optimizer=optimizers.LossScaleOptimizer(optimizers.Adam(0.01)), loss="mse", metrics=["mae"])
    return model


def function_of(function: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: Function(function)


def python(x: Any) -> Any:
    """Twice the input, by Python and by NumPy."""
    for wrap in (tf.py_function, tf.numpy_function):
        y = wrap(lambda a: a * 2, [x], x.dtype)
        y.set_shape(x.shape)
        x = y * 0.5
    return x


def looped(x: Any) -> Any:
    _, fixed = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * 0.9), (0, x))
    _, shrunk = tf.while_loop(lambda i, a: tf.reduce_max(a) > 1, lambda i, a: (i + 1, a * 0.5), (0, fixed))
    return shrunk


def asserted(x: Any) -> Any:
    with tf.control_dependencies([tf.Assert(tf.reduce_all(tf.abs(x) < 1e9), [x])]):
        return tf.identity(x)


@tf.function
def shrunk_thrice(x: Any) -> Any:
    for _ in tf.range(3):
        x = x * 0.9
    return x


def mapped(x: Any) -> Any:
    x = tf.vectorized_map(lambda row: row * 2, tf.map_fn(lambda row: row * 0.5, x))
    return tf.scan(lambda before, row: before * 0.5 + row, x)


def words(seed: int) -> Data:
    rng = np.random.default_rng(seed)
    x = np.array(list("abcd"), dtype=object)[rng.integers(0, 4, (260, 1))]
    y = rng.normal(size=(260, 1))
    return Data(Split(x[:150], y[:150]), Split(x[150:220], y[150:220]), Split(x[220:], y[220:]))


def looking_up_words(configuration: Any, data: Data) -> Any:
    found = layers.StringLookup(vocabulary=list("abc"))
    vectors = layers.TextVectorization(output_sequence_length=3, vocabulary=list("abcd"))
    inputs = keras.Input((1,), dtype="string")
    embedded = [layers.Flatten()(layers.Embedding(8, 3)(layer(inputs))) for layer in (found, vectors)]
    model = keras.Model(inputs, layers.Dense(1)(layers.concatenate(embedded)))
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    return model


def text_model_of(*inner: Callable[[], Any]) -> Any:
    def build(configuration: Any, data: Data) -> Any:
        stack = [make() for make in inner]
        model = keras.Sequential([keras.Input((WORDS,)), *stack, layers.Dense(2, activation="softmax")])
        model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
        return model

    return build


def embedding(mask: bool, size: int = VOCABULARY) -> Callable[[], Any]:
    return lambda: layers.Embedding(size, 4, mask_zero=mask)


def accumulating() -> Any:
    return optimizers.Adam(0.02, gradient_accumulation_steps=3)


def overwriting() -> Any:
    return optimizers.Adam(0.02, use_ema=True, ema_overwrite_frequency=3)


def warming_up() -> Any:
    return optimizers.Adam(optimizers.schedules.CosineDecay(0.01, 30, warmup_steps=5, warmup_target=0.03))


KINDS: dict[str, tuple[Any, Any]] = {
    "condition in a layer": (
        model_of(function_of(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: x * 0.5))),
        numbers,
    ),
    "condition that changes a variable": (model_of(Counting), numbers),
    "case in a layer": (
        model_of(
            function_of(
                lambda x: tf.switch_case(
                    tf.cast(tf.reduce_sum(x) > 0, tf.int32), [lambda: x, lambda: 2 * x, lambda: -x]
                )
            )
        ),
        numbers,
    ),
    "condition in a loss": (model_of(loss=OneSided()), numbers),
    "condition in an optimizer": (model_of(optimizer=lambda: Halving(0.001)), numbers),
    "gradient accumulation": (model_of(optimizer=accumulating), numbers),
    "averaged weights that overwrite": (model_of(optimizer=overwriting), numbers),
    "schedule that warms up": (model_of(optimizer=warming_up), numbers),
    "mixed_float16": (mixed, numbers),
    "assertion": (model_of(function_of(asserted)), numbers),
    "function of its own": (model_of(function_of(tf.function(tf.tanh))), numbers),
    "loop of a function of its own": (model_of(function_of(shrunk_thrice)), numbers),
    "loops": (model_of(function_of(looped)), numbers),
    "Python and NumPy functions": (model_of(function_of(python)), numbers),
    "maps and scans": (model_of(function_of(mapped)), numbers),
    "lookup of words": (looking_up_words, words),
    "lookup of numbers": (
        text_model_of(
            lambda: layers.IntegerLookup(vocabulary=list(range(VOCABULARY))),
            embedding(mask=False, size=VOCABULARY + 2),
            layers.Flatten,
        ),
        texts,
    ),
    "recurrent with a mask": (
        text_model_of(embedding(mask=True), lambda: layers.GRU(4, return_sequences=True), lambda: layers.LSTM(4)),
        texts,
    ),
}
