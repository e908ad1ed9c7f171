"""Splits of tables that are small enough to shuffle, and what a constant predictor gets on them."""

from __future__ import annotations

import numpy as np

from hptune_bench.core.protocols import Data, Split
from hptune_bench.core.seeds import derive

TRAINING_SHARE, VALIDATION_SHARE = 0.6, 0.2
"""Of all rows; the rest is the test split."""


def resplit(name: str, seed: int, x: np.ndarray, y: np.ndarray) -> Data:
    """All rows of one data set, shuffled by ``name`` and seed and cut into three splits."""
    order = np.random.default_rng(derive(name, "rows", seed)).permutation(len(x))
    first, second = round(len(x) * TRAINING_SHARE), round(len(x) * (TRAINING_SHARE + VALIDATION_SHARE))
    train, validation, test = (Split(x[rows], y[rows]) for rows in np.split(order, [first, second]))
    return Data(train, validation, test)


def standardised(data: Data, targets: bool = False) -> Data:
    """Each column with mean 0 and standard deviation 1 on the training rows, the only ones that are looked at.

    Args:
        targets: the targets, too; a mean squared error then counts in training variances.
    """
    centre, scale = _moments(data.train.x)
    y_centre, y_scale = _moments(data.train.y) if targets else (0.0, 1.0)

    def of(split: Split | None) -> Split | None:
        if split is None:
            return None
        return Split(
            ((split.x - centre) / scale).astype(np.float32), ((split.y - y_centre) / y_scale).astype(np.float32)
        )

    train, validation = of(data.train), of(data.validation)
    assert train is not None
    assert validation is not None
    return Data(train, validation, of(data.test), data.facts)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels from 0 as float32 (..., classes)."""
    return np.eye(classes, dtype=np.float32)[labels]


def guessing(data: Data) -> float:
    """Validation cross-entropy, in nats, of predicting the class shares of the training rows.

    Targets are one-hot in their last axis; axes between rows and classes count as rows. Where a class has no training
    row, one more row of each class is counted, as if seen: a share of zero would make the loss infinite.
    """
    axes = tuple(range(data.train.y.ndim - 1))
    shares = data.train.y.mean(axis=axes, dtype=np.float64)
    if not shares.all():
        counts = data.train.y.sum(axis=axes, dtype=np.float64) + 1
        shares = counts / counts.sum()
    return float(-np.log(data.validation.y @ shares).mean())


def predicting_the_mean(data: Data) -> float:
    """Validation mean squared error of predicting the mean of the training targets."""
    return float(np.mean((data.validation.y - np.mean(data.train.y, dtype=np.float64)) ** 2))


def _moments(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return table.mean(axis=0), table.std(axis=0)
