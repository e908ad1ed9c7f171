"""Weights and optimizer states that outlive a trial, as ``.npz`` beside the journal; nothing is ever pickled."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hptune_bench.core.files import write_atomic
from hptune_bench.core.protocols import State
from hptune_bench.store.layout import best_weights_path, states_folder


def save(journal: Path, trial: int, state: State) -> None:
    """Keep a trial's state, whole or not at all, before its journal line is written."""
    write_atomic(states_folder(journal) / f"{trial}.npz", _packed(dict(state)))


def load(journal: Path, trial: int) -> State | None:
    """A trial's state; None where the trial left none."""
    return _unpacked(states_folder(journal) / f"{trial}.npz")


def save_weights(journal: Path, weights: Sequence[np.ndarray]) -> None:
    """Keep the incumbent's weights, in the order of ``get_weights``."""
    write_atomic(best_weights_path(journal), _packed({f"{i:04d}": array for i, array in enumerate(weights)}))


def load_weights(journal: Path) -> list[np.ndarray] | None:
    """The incumbent's weights; None where they were not kept."""
    arrays = _unpacked(best_weights_path(journal))
    return None if arrays is None else [arrays[name] for name in sorted(arrays)]


def discard(journal: Path) -> None:
    """Delete the states of a run that has ended."""
    shutil.rmtree(states_folder(journal), ignore_errors=True)


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpacked(path: Path) -> dict[str, np.ndarray] | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
