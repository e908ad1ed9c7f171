"""Weights and optimizer states that outlive a trial, as ``.npz`` in a run's store; nothing is ever pickled."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from hptune_bench.core.protocols import State
from hptune_bench.store.layout import BEST, state_name
from hptune_bench.store.runstore import RunStore


def save(store: RunStore, trial: int, state: State) -> None:
    """Keep a trial's state, before its line is logged."""
    store.put(state_name(trial), _packed(dict(state)))


def load(store: RunStore, trial: int) -> State | None:
    """A trial's state; None where the trial left none."""
    return _unpacked(store.get(state_name(trial)))


def save_weights(store: RunStore, weights: Sequence[np.ndarray]) -> None:
    """Keep the incumbent's weights, in the order of ``get_weights``."""
    store.put(BEST, _packed({f"{i:04d}": array for i, array in enumerate(weights)}))


def load_weights(store: RunStore) -> list[np.ndarray] | None:
    """The incumbent's weights; None where they were not kept."""
    arrays = _unpacked(store.get(BEST))
    return None if arrays is None else [arrays[name] for name in sorted(arrays)]


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpacked(content: bytes | None) -> dict[str, np.ndarray] | None:
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
