"""Rows of a workload's splits as the linter compares them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hptune_bench.core.fingerprint import digest_of
from hptune_bench.core.nested import named
from hptune_bench.core.protocols import Data, Split

MOST_ROWS = 20_000
"""Rows of a split that are compared with those of another."""


def columns_of(split: Split) -> dict[str, np.ndarray]:
    return {name: np.asarray(array) for name, array in named(split.x, "x").items()}


def shapes(data: Data) -> str:
    columns = [(n, c) for split in (data.train, data.validation) for n, c in columns_of(split).items()]
    return repr([(name, column.shape, str(column.dtype)) for name, column in columns])


def row_digests(split: Split) -> Iterator[bytes]:
    """Each row, x and y, as a digest."""
    columns = [np.asarray(c)[:MOST_ROWS] for c in (*columns_of(split).values(), *named(split.y, "y").values())]
    for row in range(len(columns[0])):
        digest = hashlib.blake2b(digest_size=16)
        for column in columns:
            value = column[row]
            digest.update(repr(value).encode() if column.dtype == object else np.asarray(value).tobytes())
        yield digest.digest()


def data_digest(data: Data) -> str:
    return digest_of(data.train, data.validation, data.test)


def digest_of_arrays(arrays: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(np.shape(array)).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
