"""Reviews as training, validation and test rows, simulated or from a file: what all review workloads load.

Differences from the notebook behind the post, each of which was a mistake there: one sample for all trainings of a
seed, a vocabulary fitted on the training rows alone, and a test split of other rows that no tuner sees.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Data, Split
from hptune_bench.core.seeds import derive
from hptune_bench.workloads import splits
from hptune_bench.workloads.reviews import files as review_files
from hptune_bench.workloads.reviews import generator as review_generator
from hptune_bench.workloads.reviews.text import Texts, encode, number, ranks

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
    cut by ``text.cut``; ``y`` is float32 (rows, classes), one-hot: three classes, or those that a file names.

    Args:
        data: a file, or a folder with train.csv and test.csv (each may end in .gz); of a file, all splits are drawn; of
            a folder, the test split comes from test.csv and the others from train.csv. None: simulated reviews.
        reviews: training and validation rows together; fewer where a file is too small for them and as many test rows.
        longest: words of a review that are kept.

    Raises:
        UserError: see ``review_files.sample``.
    """
    drawn = draw(data, reviews, "sample", seed, test=reviews)
    train, tuned, y = training_rows(drawn.tuned), drawn.tuned, drawn.y
    training = drawn.texts.rows(0, train)
    x = encode(drawn.texts, ranks(training, drawn.words), longest)
    return Data(
        train=Split(x[:train], y[:train]),
        validation=Split(x[train:tuned], y[train:tuned]),
        test=Split(x[tuned:], y[tuned:]),
        facts={
            "words_per_review": float(np.mean(training.lengths)),
            "distinct_words": float(len(np.unique(training.words))),
            **drawn.facts,
        },
    )


@dataclass(frozen=True)
class Drawn:
    """Texts for tuning, then others for the test.

    Attributes:
        words: size of the numbering of their words.
        y: float32 (texts, classes), one-hot.
        tuned: texts for tuning.
        facts: numbers about the file.
    """

    texts: Texts
    words: int
    y: np.ndarray
    tuned: int
    facts: Mapping[str, float]


def draw(data: str | None, reviews: int, purpose: str, seed: int, test: int = 0) -> Drawn:
    """``reviews`` texts for tuning and ``test`` others; fewer, in this proportion, where a file has not so many.

    Without ``test`` rows there must be as many as asked for. ``purpose`` names the draw of simulated reviews: draws of
    different names are independent.

    Raises:
        UserError: see ``review_files.sample``.
    """
    if data is not None:
        return _from_files(data, reviews, seed, test)
    texts, stars = review_generator.generate(derive("reviews", purpose, seed), reviews)
    if test:
        # Drawn apart, so that the sample does not depend on the size of the test split.
        fresh, fresh_stars = review_generator.generate(derive("reviews", "test", seed), test)
        texts, stars = texts.join(fresh), np.concatenate([stars, fresh_stars])
    return Drawn(texts, review_generator.WORDS, _of_stars(stars), reviews, {})


def training_rows(reviews: int) -> int:
    return round(reviews * TRAINING_SHARE)


def _of_stars(stars: np.ndarray) -> np.ndarray:
    """Classes of stars: float32 (rows, 3)."""
    return splits.one_hot(CLASS_OF_STARS[stars - 1], review_files.SCORE_CLASSES)


def _from_files(data: str, reviews: int, seed: int, test: int) -> Drawn:
    path, test_path = _files(data)
    sizes = {path: reviews + test} if path == test_path or not test else {path: reviews, test_path: test}
    least = {file: FEWEST_REVIEWS * size // reviews if test else size for file, size in sizes.items()}
    drawn = [
        review_files.sample(file, size, derive("reviews", "file", seed), least[file]) for file, size in sizes.items()
    ]
    classes = drawn[0].classes
    labels = np.concatenate([_numbered(each, classes, data) for each in drawn])
    malformed = sum(each.malformed for each in drawn)
    if malformed:
        warnings.warn(f"{data}: {malformed} malformed rows were left out", stacklevel=2)
    first = len(drawn[0].texts)
    tuned = first if len(drawn) > 1 else first * reviews // (reviews + test)
    if tuned < reviews:
        warnings.warn(f"{data}: has rows for {tuned} reviews and as many for the test, not for {reviews}", stacklevel=2)
    texts, words = number(text for each in drawn for text in each.texts)
    y = splits.one_hot(labels, len(classes)) if classes else _of_stars(labels)
    facts = {"usable_rows": float(sum(each.rows for each in drawn)), "malformed_rows": float(malformed)}
    return Drawn(texts, len(words), y, tuned, facts)


def _numbered(sample: review_files.Sample, classes: tuple[str, ...], data: str) -> np.ndarray:
    """The labels of a sample as numbers of ``classes``, of which a test file may lack some."""
    if sample.classes == classes:
        return sample.labels
    if not classes and review_files.SCORES.issuperset(sample.classes):  # so few scores that they look like classes
        return np.array([int(name) for name in sample.classes], np.int64)[sample.labels]
    new = ", ".join(repr(name[:40]) for name in sample.classes if name not in classes)
    if new or not sample.classes:
        raise UserError(
            f"{data}: training and test file have different labels ({new or 'scores in the test file alone'}); give "
            "files with the same"
        )
    return np.array([classes.index(name) for name in sample.classes], np.int64)[sample.labels]


def _files(data: str) -> tuple[Path, Path]:
    """The files that the sample and the test split are drawn from; the same one unless a folder is given."""
    path = Path(data).expanduser()
    return review_files.find(path, "train"), review_files.find(path, "test")
