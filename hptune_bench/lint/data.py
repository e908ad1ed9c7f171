"""What is wrong with the data: rows that differ between two loads, stand in two splits, or were looked at too early."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from hptune_bench.core.fingerprint import digest_of
from hptune_bench.core.protocols import Data, Workload
from hptune_bench.lint.finding import Finding
from hptune_bench.lint.portraits import Portraits, complete
from hptune_bench.lint.rows import columns_of, data_digest, row_digests

SHARED = 0.01
"""Share of a split's rows that may stand in another by chance."""


HEAD = 30
"""Numbers of a vocabulary that are too frequent for their neighbours to be alike."""


MOST_WORDS = 1_000_000
"""Whole numbers from this one on are no words of a vocabulary."""


def unsteady_loader(workload: Workload, data: Data, data_seed: int) -> Iterator[Finding]:
    again = [workload.load(data_seed)]
    if (reloaded := getattr(workload, "reloaded", None)) is not None:
        again.append(reloaded(data_seed))
    if any(data_digest(each) != data_digest(data) for each in again):
        yield Finding(
            "loader",
            f"{workload.name}: loading the data of one seed twice gives other rows, or another order",
            "seed every random draw: tuners would be compared on different data",
        )


def shared_rows(workload: Workload, data: Data) -> Iterator[Finding]:
    rows = {name: set(row_digests(split)) for name, split in data.splits.items()}
    for small, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        if small in rows and other in rows:
            common = len(rows[small] & rows[other])
            if common > SHARED * len(rows[small]):
                yield Finding(
                    "shared_rows",
                    f"{workload.name}: {common} of {len(rows[small])} different {small} rows are {other} rows too",
                    "part the rows anew: a model is rewarded for what it has seen",
                )


def leaks(workload: Workload, data: Data, portraits: Portraits) -> Iterator[Finding]:
    """Preprocessing that depends on validation rows.

    They are exchanged, and neither the model nor the prepared training rows must change. What was fitted before this
    workload got its rows shows in them: a mean of all rows, or words numbered by their frequency in all rows.
    """
    count = min(len(data.validation), len(data.train))
    other = Data(data.train, data.train.take(slice(count)), None, data.facts, data.extra)
    before, after = portraits.of(workload.untuned), portraits.of(workload.untuned, other)
    leaking = any(before[part] != after[part] for part in ("constants", "weights"))
    rows = [digest_of(workload.prepare(workload.untuned, each).train) for each in (data, data, other)]
    leaking |= rows[0] == rows[1] != rows[2]
    if leaking or _fitted_on_all(portraits.model, data) or _numbered_by_all(workload, data):
        yield Finding(
            "preprocessing",
            f"{workload.name}: preprocessing is fitted on validation rows, too",
            "adapt it on the training rows alone (build_model(hp, train) gets those of the seed)",
        )


def _fitted_on_all(model: Any, data: Data) -> bool:
    """Whether a Normalization layer holds the mean of more rows than the training rows."""
    from hptune_bench.training import structure

    layers = structure.layers(model)
    means = [np.ravel(layer.mean) for layer in layers if type(layer).__name__ == "Normalization"]
    columns = {name: [columns_of(split).get(name) for split in data.splits.values()] for name in columns_of(data.train)}
    for parts in columns.values():
        held = [np.asarray(part, dtype=np.float64) for part in parts if part is not None and part.dtype.kind in "fiu"]
        for mean in means:
            held = [part.reshape(len(part), -1) for part in held]
            if not held or held[0].shape[1] != mean.size:
                continue
            own = held[0].mean(0)
            for count in range(2, len(held) + 1):
                every = np.concatenate(held[:count]).mean(0)
                apart = np.abs(own - every).max()
                if apart > 1e-5 * (np.abs(own).max() + 1e-12) and np.abs(mean - every).max() < 0.05 * apart:
                    return True
    return False


def _numbered_by_all(workload: Workload, data: Data) -> bool:
    """Whether whole-number inputs are numbered by frequency in training and validation rows together.

    A tokeniser numbers words by their frequency in the rows that it is fitted on. Neighbours in the numbering are then
    about equally frequent in those rows, and if validation rows are among them, a word that is rarer in the training
    rows than its neighbour must be more frequent in the validation rows: the two differences go against each other.
    Fitted on the training rows alone, they know nothing of each other.
    """
    ends = [{**workload.untuned, hp.name: workload.hand_picked[hp.name][-1]} for hp in workload.space]
    for configuration in (workload.untuned, *ends):
        prepared = workload.prepare(complete(workload.space, configuration), data)
        others = columns_of(prepared.validation)
        for name, column in columns_of(prepared.train).items():
            if column.ndim < 2 or column.dtype.kind not in "iu" or column.min() < 0 or column.max() >= MOST_WORDS:
                continue
            if _against_each_other(column, others[name]):
                return True
        if prepared is data:
            break
    return False


def _against_each_other(train: np.ndarray, validation: np.ndarray) -> bool:
    """Whether differences between the counts of neighbouring numbers are correlated negatively in two splits.

    The first numbers are left out: there are padding and unknown words among them, and true differences are large.
    """
    size = int(max(train.max(), validation.max())) + 1
    counts = np.array([np.bincount(split.ravel(), minlength=size) for split in (train, validation)], dtype=float)
    counts = counts[:, HEAD:]
    total = counts.sum(axis=0)
    weight = np.sqrt(total[1:] + total[:-1])  # the standard deviation of a difference of two counts
    known = weight > 0
    half = len(total) // 2
    if known.sum() < 100 or total[:half].sum() < 2 * total[half:].sum():
        return False  # too few, or not numbered by frequency
    one, two = np.diff(counts)[:, known] / weight[known]
    if not one.any() or not two.any():
        return False
    correlation = float(np.corrcoef(one, two)[0, 1])
    return correlation < -max(0.2, 5 / math.sqrt(known.sum()))
