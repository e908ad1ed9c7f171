"""What a user gives as inputs or targets, as ``model.fit`` takes it, made into arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from hptune_bench.core.errors import Failure, UserError, attempt


def arrays(part: Any, other: Any, where: str) -> Any:
    """One array, or a dict or tuple of arrays where the model has several inputs or outputs.

    A list of arrays is several inputs, as for Keras, unless it has one array for each row of ``other`` (the targets of
    these inputs, or the inputs of these targets).

    Raises:
        UserError: no arrays can be made of it.
    """
    if isinstance(part, Mapping):
        return {str(name): array(column, f"{where}[{name!r}]") for name, column in part.items()}
    if _is_frame(part):
        return of_frame(part)
    if isinstance(part, list | tuple) and len(part) > 1 and all(np.ndim(each) and _is_array(each) for each in part):
        rows = _rows(other)
        if rows is None or len(part) != rows:
            return tuple(array(each, f"{where}[{place}]") for place, each in enumerate(part))
    return array(part, where)


def array(values: Any, where: str) -> np.ndarray:
    """One array, dense.

    Raises:
        UserError: rows have different lengths.
    """
    dense = values.toarray() if hasattr(values, "toarray") else values
    made = attempt(lambda: np.asarray(dense))
    if isinstance(made, Failure):
        raise UserError(f"{where} is no array ({made.error}); give rows of one length, padded where they are shorter")
    return made


def of_frame(frame: Any, numbers: Any = None) -> Any:
    """A data frame as one matrix where all columns are numbers, else as a dict of columns of the shape (rows, 1).

    Args:
        numbers: the type of columns of numbers; None: as they are, float32 where they differ.
    """
    import pandas as pd

    numeric = {name: bool(pd.api.types.is_numeric_dtype(frame[name])) for name in frame.columns}
    if all(numeric.values()):
        whole = frame.to_numpy(dtype=numbers)
        return whole.astype(np.float32) if whole.dtype == object else whole
    kinds = {name: (numbers or np.float32) if number else object for name, number in numeric.items()}
    return {str(name): frame[[name]].to_numpy(dtype=kind) for name, kind in kinds.items()}


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or hasattr(value, "toarray")


def _is_frame(part: Any) -> bool:
    return "pandas" in sys.modules and isinstance(part, sys.modules["pandas"].DataFrame)


def _rows(other: Any) -> int | None:
    """Rows of the other half of a pair, where its form tells."""
    if isinstance(other, Mapping):
        other = next(iter(other.values()), None)
    if isinstance(other, list | tuple):
        several = len(other) > 1 and all(_is_array(each) and np.ndim(each) for each in other)
        return None if several else len(other)
    return int(np.shape(other)[0]) if np.ndim(other) else None
