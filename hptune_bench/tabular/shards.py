"""Parts of a complete table on disk: the trainings of some configurations on one data replicate, written whole.

A shard is the unit of work and of what a kill can cost. It is an ``.npz`` without pickles, renamed into place.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hptune_bench.core import seeds
from hptune_bench.core.protocols import Job, Trainer, Workload
from hptune_bench.core.space import Configuration
from hptune_bench.tabular.table import TEST

_HEADER, _SECONDS = "header", "seconds"


@dataclass(frozen=True)
class Shard:
    """Trainings of n configurations x T training replicates x E epochs on one data replicate.

    Attributes:
        key: the definition of the table that it is a part of.
        curves: float32 (n, T, E) by metric, names as in ``table.CurveTable``.
        seconds: float32 (n, T): seconds per epoch, compiling excluded.
        facts: of the data replicate, with ``cap``; rows: of its splits, by name.
        note: what the trainer did otherwise than asked; else None.
    """

    key: str
    curves: Mapping[str, np.ndarray]
    seconds: np.ndarray
    facts: Mapping[str, float]
    rows: Mapping[str, int]
    note: str | None


def train_shard(
    workload: Workload,
    trainer: Trainer,
    configurations: Sequence[Configuration],
    replicate: int,
    trainings: int,
    key: str,
    before: Callable[[], None],
) -> Shard:
    """Train every configuration ``trainings`` times on data replicate ``replicate`` (from 1), all epochs.

    Args:
        before: called before each training; may raise to stop.

    Raises:
        ValueError: a training ended before its last epoch.
    """
    data_seed = seeds.data_seed(workload.family, replicate)
    data = trainer.data(data_seed)
    cap = data.facts["cap"] if "cap" in data.facts else workload.cap(data)
    curves: dict[str, np.ndarray] = {}
    seconds = np.zeros((len(configurations), trainings), np.float32)
    for i, configuration in enumerate(configurations):
        for k in range(trainings):
            before()
            seed = seeds.training_seed(data_seed, configuration, k)
            outcome = trainer.train(Job(configuration, workload.full_epochs, data_seed, seed, record=True))
            if len(outcome.history) != workload.full_epochs or len(outcome.tests) != workload.full_epochs:
                raise ValueError(
                    f"a training ended after {len(outcome.history)} of {workload.full_epochs} epochs; a table needs all"
                )
            seconds[i, k] = outcome.train_s / workload.full_epochs
            for epoch, (log, test) in enumerate(zip(outcome.history, outcome.tests, strict=True)):
                for name, value in {**log, **{TEST + metric: score for metric, score in test.items()}}.items():
                    if name not in curves:
                        curves[name] = np.full((*seconds.shape, workload.full_epochs), np.nan, np.float32)
                    with np.errstate(over="ignore"):  # a double too large for 32 bits is infinite, as a loss would be
                        curves[name][i, k, epoch] = value
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    rows = {name: len(split) for name, split in splits.items() if split is not None}
    return Shard(key, curves, seconds, {**data.facts, "cap": cap}, rows, trainer.note)


def packed(shard: Shard) -> bytes:
    """The file of a shard."""
    header = {"key": shard.key, "facts": dict(shard.facts), "rows": dict(shard.rows), "note": shard.note}
    arrays = {f"curve/{name}": curve for name, curve in shard.curves.items()}
    buffer = io.BytesIO()
    arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez_compressed(buffer, **arrays, **{_SECONDS: shard.seconds})  # type: ignore[arg-type]
    return buffer.getvalue()


def read(path: Path, key: str, shape: tuple[int, int, int]) -> Shard | None:
    """A finished shard; None where there is none, or one that is damaged or of another definition.

    Args:
        shape: (configurations, training replicates, epochs) that it must have.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        header: dict[str, Any] = json.loads(arrays.pop(_HEADER).tobytes())
        seconds = arrays.pop(_SECONDS)
        curves = {name.removeprefix("curve/"): array for name, array in arrays.items()}
        shard = Shard(header["key"], curves, seconds, header["facts"], header["rows"], header["note"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    whole = all(curve.shape == shape for curve in curves.values()) and seconds.shape == shape[:2]
    return shard if whole and shard.key == key else None
