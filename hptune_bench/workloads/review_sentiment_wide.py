"""The post's first problem with nine hyperparameters: more than any loop over all values can cover.

The same reviews as ``review_sentiment`` for the same seed. Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from hptune_bench.core.protocols import Data, Fit
from hptune_bench.core.space import Choice, Condition, Configuration, Float, Int, Space, Value, hand_picked
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.review_sentiment import VOCAB_COUNT, WORD_COUNT, ReviewSentiment

MOST_LAYERS = 2


@dataclass(frozen=True)
class ReviewSentimentWide(ReviewSentiment):
    """``review_sentiment`` where model and training are tuned too; implements ``core.protocols.Workload``."""

    name = "review_sentiment_wide"
    teaches = (
        "The post's first problem as a tuner would be given it: nine hyperparameters, two of them conditional. In five "
        "epochs the learning rate decides whether anything is learned, so there is something to find, and one setting "
        "at a time misses what only helps together."
    )
    sweep_order = None

    space = Space(
        (
            WORD_COUNT,
            VOCAB_COUNT,
            Int("embedding", 4, 64, step=4),
            Float("dropout", 0.0, 0.5, step=0.1),
            Int("layers", 0, MOST_LAYERS),
            Int("units_1", 16, 128, step=16, conditions=(Condition("layers", (1, 2)),)),
            Int("units_2", 16, 128, step=16, conditions=(Condition("layers", (2,)),)),
            Float("learning_rate", 1e-4, 1e-1, log=True),
            Choice("batch_size", (16, 32, 64, 128), ordered=True),
        )
    )
    # The notebook's model, and the numbers of its example file. Nobody published a winner in this space.
    untuned: ClassVar[Configuration] = {
        **ReviewSentiment.untuned,
        "embedding": 16,
        "dropout": 0.2,
        "layers": 2,
        "units_1": 64,
        "units_2": 32,
        "learning_rate": 0.001,
        "batch_size": 32,
    }
    published = None
    hand_picked: ClassVar[Mapping[str, tuple[Value, ...]]] = hand_picked(space, untuned)

    def build(self, configuration: Configuration, data: Data) -> Any:
        """As in ``review_sentiment``, with width, depth, dropout and learning rate of the configuration."""
        import keras

        model = keras.Sequential(
            [
                keras.Input(shape=(None,), dtype="int32"),
                keras.layers.Embedding(configuration["vocab_count"], configuration["embedding"]),
                keras.layers.Dropout(configuration["dropout"]),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dropout(configuration["dropout"]),
            ]
        )
        for layer in range(1, int(configuration["layers"]) + 1):
            model.add(keras.layers.Dense(configuration[f"units_{layer}"], activation="relu"))
        model.add(keras.layers.Dense(data.train.y.shape[1], activation="softmax"))
        optimizer = keras.optimizers.Adam(learning_rate=float(configuration["learning_rate"]))
        model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, configuration: Configuration) -> Fit:
        return Fit(batch_size=int(configuration["batch_size"]), patience=None)


workload = partial(configured, ReviewSentimentWide)
