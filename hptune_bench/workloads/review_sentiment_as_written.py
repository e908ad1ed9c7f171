"""The post's first problem with the mistakes of the notebook behind it, to show what they do to the conclusion.

Four differences from ``review_sentiment``:

- ``vocab_count`` is read nowhere: the vocabulary is always 500;
- each configuration is trained on a fresh sample, drawn from one pool of reviews (a repeated configuration meets its
  sample again, so that a trial is a function of its configuration and seeds);
- the vocabulary is fitted on training and validation rows together;
- there is no test split.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hptune_bench.core.protocols import Data, Split
from hptune_bench.core.seeds import derive
from hptune_bench.core.space import Configuration, canonical
from hptune_bench.workloads.options import configured
from hptune_bench.workloads.review_sentiment import WORD_COUNT, ReviewSentiment
from hptune_bench.workloads.reviews import splits as review_splits
from hptune_bench.workloads.reviews.text import Texts, cut, encode, ranks

VOCAB_COUNT = 500
"""What the notebook's tokeniser overwrote every vocabulary by, see ``casestudy.review_published``."""
POOL = 10
"""Samples that the pool could be cut into."""


@dataclass(frozen=True)
class Pool:
    """What the notebook draws its samples from: texts, their targets, and the data seed that names the draws."""

    texts: Texts
    words: int
    y: np.ndarray
    seed: int


@dataclass(frozen=True)
class ReviewSentimentAsWritten(ReviewSentiment):
    """``review_sentiment`` as the notebook did it; implements ``core.protocols.Workload``."""

    name = "review_sentiment_as_written"
    teaches = (
        "The notebook's loop with its mistakes: a hyperparameter that nothing reads, a fresh sample for each training, "
        "a vocabulary fitted on validation rows too, no test split. Whatever a method finds in vocab_count is noise, "
        "and the best score is partly the luck of a sample. It shows how that looks; it ranks nothing."
    )

    def load(self, seed: int) -> Data:
        """The pool in ``extra``, and its first sample as splits (``prepare`` draws the others)."""
        drawn = review_splits.draw(self.data, POOL * self.reviews, "pool", seed)
        pool = Pool(drawn.texts, drawn.words, drawn.y, seed)
        first = self._sample(pool, np.arange(self.reviews), WORD_COUNT.high)
        return Data(first[0], first[1], test=None, facts=drawn.facts, extra=pool)

    def prepare(self, configuration: Configuration, data: Data) -> Data:
        """A fresh sample for this configuration, its first ``word_count`` words, a vocabulary of 500."""
        pool: Pool = data.extra
        rng = np.random.default_rng(derive("reviews", "as written", pool.seed, canonical(configuration)))
        rows = rng.choice(len(pool.texts), self.reviews, replace=False)
        train, validation = self._sample(pool, rows, int(configuration["word_count"]))
        return Data(train, validation, test=None, facts=data.facts, extra=pool)

    def build(self, configuration: Configuration, data: Data) -> Any:
        return super().build({**configuration, "vocab_count": VOCAB_COUNT}, data)

    def _sample(self, pool: Pool, rows: np.ndarray, words: int) -> tuple[Split, Split]:
        texts, y = pool.texts.take(rows), pool.y[rows]
        x = cut(encode(texts, ranks(texts, pool.words), words), words, VOCAB_COUNT)
        train = review_splits.training_rows(self.reviews)
        return Split(x[:train], y[:train]), Split(x[train:], y[train:])


workload = partial(configured, ReviewSentimentAsWritten)
