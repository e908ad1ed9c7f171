"""Inputs and targets as models take them: one array, a dict of arrays, or a tuple of arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def mapped(change: Callable[[Any], Any], part: Any) -> Any:
    """The same form with every array changed."""
    if isinstance(part, Mapping):
        return {name: change(array) for name, array in part.items()}
    return tuple(change(array) for array in part) if isinstance(part, tuple) else change(part)


def named(part: Any, name: str) -> dict[str, Any]:
    """Its arrays by name: those of a dict as they are called; one is ``name``, several ``name[0]`` ..."""
    if isinstance(part, Mapping):
        return dict(part)
    return {f"{name}[{place}]": array for place, array in enumerate(part)} if isinstance(part, tuple) else {name: part}


def rows_of(part: Any) -> int:
    """Its rows: those of its first array."""
    return int(next(iter(named(part, "").values())).shape[0])
