"""The post's first problem: how many words of a review to read, and how many different words to know.

Without a file the reviews are simulated, with a law fitted to the curve that the notebook behind the post published
(``review_published``, ``review_generator``). Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

from hptune_bench.core.protocols import Data, Direction, Fit, Split
from hptune_bench.core.space import Configuration, Int, Space, Value
from hptune_bench.workloads.defaults import Defaults
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.reviews import splits as review_splits
from hptune_bench.workloads.reviews.text import cut
from hptune_bench.workloads.splits import guessing

WORD_COUNT = Int("word_count", 10, 100, step=5)
VOCAB_COUNT = Int("vocab_count", 500, 1500, step=100)


@dataclass(frozen=True)
class ReviewSentiment(Defaults):
    """Classes of reviews, two hyperparameters of the preprocessing; implements ``core.protocols.Workload``.

    Attributes:
        data: path of a file as in ``review_files`` (.csv or .csv.gz), or of a folder with train.csv and test.csv; None:
            simulated reviews. Three classes, or as many as the labels of the file name.
        reviews: training and validation rows together, split 70 / 30; the test split has as many rows again.
    """

    data: str | None = None
    reviews: int = 5_000

    name = "review_sentiment"
    teaches = (
        "The post's first problem, with its own loop as the manual method. Both hyperparameters are numbers of the "
        "preprocessing. Reading more words helps up to a plateau at about 45; knowing more words helps little. On the "
        "plateau the choice is luck: it shows what a loop over every value costs, it cannot rank good tuners."
    )
    family = "reviews"
    full_epochs = 5
    sweep_order: ClassVar[tuple[str, ...] | None] = ("word_count", "vocab_count")
    space = Space((WORD_COUNT, VOCAB_COUNT))
    # The numbers of the notebook's example file, and those of its final model.
    untuned: ClassVar[Configuration] = {"word_count": 50, "vocab_count": 700}
    published: ClassVar[Configuration | None] = {"word_count": 80, "vocab_count": 800}
    # The notebook names its values: every one of both ranges.
    hand_picked: ClassVar[Mapping[str, tuple[Value, ...]]] = {hp.name: hp.grid for hp in (WORD_COUNT, VOCAB_COUNT)}
    metrics: ClassVar[Mapping[str, Direction]] = {"val_accuracy": "max"}

    def __post_init__(self) -> None:
        review_splits.check_options(self.name, self.data, self.reviews)

    @cached_property
    def title(self) -> str:
        """Names the file, if there is one."""
        plain = self.name.replace("_", " ")
        return plain if self.data is None else f"{plain} ({Path(self.data).name})"

    @cached_property
    def data_label(self) -> str:
        return "simulated" if self.data is None else ""

    def load(self, seed: int) -> Data:
        """The splits of one data seed, not yet cut: see ``review_splits.load``."""
        return review_splits.load(self.data, self.reviews, WORD_COUNT.high, seed)

    def prepare(self, configuration: Configuration, data: Data) -> Data:
        """The first ``word_count`` words with a vocabulary of ``vocab_count``: x int32 (rows, word_count)."""
        words, vocabulary = int(configuration["word_count"]), int(configuration["vocab_count"])

        def prepared(split: Split) -> Split:
            return Split(cut(split.x, words, vocabulary), split.y)

        test = None if data.test is None else prepared(data.test)
        return replace(data, train=prepared(data.train), validation=prepared(data.validation), test=test)

    def build(self, configuration: Configuration, data: Data) -> Any:
        """The notebook's model. As there, the average is taken over all places, padding included: no mask."""
        import keras

        model = keras.Sequential(
            [
                keras.Input(shape=(None,), dtype="int32"),  # any word_count: the weights do not depend on it
                keras.layers.Embedding(configuration["vocab_count"], 16),
                keras.layers.Dropout(0.2),
                keras.layers.GlobalAveragePooling1D(),
                keras.layers.Dropout(0.2),
                keras.layers.Dense(64, activation="relu"),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(data.train.y.shape[1], activation="softmax"),
            ]
        )
        model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, configuration: Configuration) -> Fit:
        return Fit(batch_size=32, patience=None)

    def cap(self, data: Data) -> float:
        return guessing(data)


workload = partial(configured, ReviewSentiment)
