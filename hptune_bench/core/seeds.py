"""Every random choice has a name, and its seed is the hash of that name.

Three kinds are kept apart: data seeds (the same for every tuner, so that comparisons are paired by them), tuner seeds
(their own for each tuner) and training seeds (initial weights and dropout). Consecutive integers are never used:
KerasTuner would turn them into shifted copies of one stream.
"""

from __future__ import annotations

import hashlib

import numpy as np

from hptune_bench.core.space import Configuration, canonical


def derive(*names: object) -> int:
    """The seed of a name: first 32 bits of the SHA-256 of its parts; 0 becomes 1.

    KerasTuner takes a seed of 0 for "draw one", and raises for seeds above 32 bits.
    """
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") or 1


def data_seed(family: str, seed: int) -> int:
    """Seed of the splits: shared by every tuner, and by the workloads of one data family."""
    return derive("data", family, seed)


def tuner_seed(workload: str, tuner: str, seed: int) -> int:
    """Seed of a tuner's proposals: its own for each tuner and seed."""
    return derive("tuner", workload, tuner, seed)


def training_seed(data_seed: int, configuration: Configuration, k: int) -> int:
    """Seed of the k-th training (from 0) of a configuration in a run: a repeat sees fresh noise, as a user does."""
    return derive("training", data_seed, canonical(configuration), k)


def batch_order(data_seed: int, epoch: int, rows: int) -> np.ndarray:
    """Order of the training rows in an absolute epoch (from 0): int32 (rows,), the same for all configurations."""
    return np.random.default_rng(derive("batch", data_seed, epoch)).permutation(rows).astype(np.int32)
