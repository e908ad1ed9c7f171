"""Reviews as training, validation and test rows, simulated or from a file: what all review workloads load.

Differences from the notebook behind the post, each of which was a mistake there: one sample for all trainings of a
seed, a vocabulary fitted on the training rows alone, and a test split of other rows that no tuner sees.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from hptune_bench.errors import UserError
from hptune_bench.execution.seeds import derive
from hptune_bench.interfaces import Data, Split
from hptune_bench.workloads import review_files, review_generator
from hptune_bench.workloads.text import Texts, encode, number, ranks

CLASSES = 3
CLASS_OF_STARS = np.array([0, 0, 1, 2, 2])
"""1 and 2 stars are negative, 3 neutral, 4 and 5 positive: class shares of 0.4, 0.2, 0.4 where stars are balanced."""

TRAINING_SHARE = 0.7
"""Of the sample, by position, as in the notebook; the test split is as large as the whole sample."""

FEWEST_REVIEWS = 100


def check_options(workload: str, data: Any, reviews: Any) -> None:
    """Refuse a sample size or a file that cannot be used.

    Raises:
        UserError: says which and why.
    """
    if not isinstance(reviews, int) or isinstance(reviews, bool) or reviews < FEWEST_REVIEWS:
        raise UserError(f"workload {workload}: reviews = {reviews!r}; give a whole number of at least {FEWEST_REVIEWS}")
    if data is None:
        return
    if not isinstance(data, str) or not data:
        raise UserError(f"workload {workload}: data = {data!r}; give the path of a review file, or leave it out")
    for path in dict.fromkeys(_files(data)):
        review_files.check(path)


def load(data: str | None, reviews: int, longest: int, seed: int) -> Data:
    """The splits of one data seed.

    Of each split, ``x`` is int32 (rows, longest), the first words of each review as ``text.encode`` numbers them, to be
    cut by ``text.cut``; ``y`` is float32 (rows, 3), one-hot.

    Args:
        data: a file, or a folder with train.csv and test.csv (each may end in .gz); of a file, all splits are drawn; of
            a folder, the test split comes from test.csv and the others from train.csv. None: simulated reviews.
        reviews: training and validation rows together.
        longest: words of a review that are kept.

    Raises:
        UserError: see ``review_files.sample``.
    """
    if data is None:
        texts, stars, test_texts, test_stars, facts = _simulated(reviews, seed)
        words = review_generator.WORDS
    else:
        texts, stars, test_texts, test_stars, words, facts = _from_files(data, reviews, seed)
    train_rows = round(reviews * TRAINING_SHARE)
    training = texts.rows(0, train_rows)
    vocabulary = ranks(training, words)
    x, test_x = encode(texts, vocabulary, longest), encode(test_texts, vocabulary, longest)
    y, test_y = _one_hot(stars), _one_hot(test_stars)
    return Data(
        train=Split(x[:train_rows], y[:train_rows]),
        validation=Split(x[train_rows:], y[train_rows:]),
        test=Split(test_x, test_y),
        facts={
            "words_per_review": float(np.mean(training.lengths)),
            "distinct_words": float(len(np.unique(training.words))),
            **facts,
        },
    )


def guessing(data: Data) -> float:
    """Validation cross-entropy of predicting the class shares of the training rows, in nats."""
    shares = data.train.y.mean(axis=0, dtype=np.float64)
    return float(-np.log(data.validation.y @ shares).mean())


def _simulated(reviews: int, seed: int) -> tuple[Texts, np.ndarray, Texts, np.ndarray, dict[str, float]]:
    sample = review_generator.generate(derive("reviews", "sample", seed), reviews)
    fresh = review_generator.generate(derive("reviews", "test", seed), reviews)
    return *sample, *fresh, {}


def _from_files(
    data: str, reviews: int, seed: int
) -> tuple[Texts, np.ndarray, Texts, np.ndarray, int, dict[str, float]]:
    path, test_path = _files(data)
    draw = derive("reviews", "file", seed)
    if path == test_path:
        drawn = [review_files.sample(path, 2 * reviews, draw)]
    else:
        drawn = [review_files.sample(path, reviews, draw), review_files.sample(test_path, reviews, draw)]
    malformed = sum(each.malformed for each in drawn)
    if malformed:
        warnings.warn(f"{data}: {malformed} malformed rows were left out", stacklevel=2)
    texts, words = number(text for each in drawn for text in each.texts)
    stars = np.concatenate([each.stars for each in drawn])
    facts = {"usable_rows": float(sum(each.rows for each in drawn)), "malformed_rows": float(malformed)}
    return (
        texts.rows(0, reviews),
        stars[:reviews],
        texts.rows(reviews, 2 * reviews),
        stars[reviews:],
        len(words),
        facts,
    )


def _files(data: str) -> tuple[Path, Path]:
    """The files that the sample and the test split are drawn from; the same one unless a folder is given."""
    path = Path(data).expanduser()
    return review_files.find(path, "train"), review_files.find(path, "test")


def _one_hot(stars: np.ndarray) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[CLASS_OF_STARS[stars - 1]]
