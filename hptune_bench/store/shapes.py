"""What a value in a journal may be: a journal is data from outside, and is checked when it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]

_LARGE = 2**53
"""Beyond it a whole number is no float any more."""


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGE


def number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGE)


def text(value: Any) -> bool:
    return isinstance(value, str)


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def mapping(value: Any) -> bool:
    return isinstance(value, dict)


def numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(number, value.values()))


def configuration(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, bool | int | float | str) for item in value.values())


def history(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, list) and all(map(number, v)) for v in value.values())


def one_of(*allowed: str) -> Check:
    return lambda value: value in allowed


def or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def exactly(kind: type) -> Check:
    """A mapping with the keys of a dataclass, each as its field says."""
    shape = shape_of(kind)
    keys = shape.keys()
    return lambda value: mapping(value) and value.keys() == keys and all(shape[key](value[key]) for key in keys)


def shape_of(kind: type) -> dict[str, Check]:
    """By key, what an entry that a dataclass describes must hold."""
    return {item.name: item.metadata["holds"] for item in dataclasses.fields(kind)}
