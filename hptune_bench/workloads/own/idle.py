"""A model that trains nothing: it shows what a user's own ``fit`` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from hptune_bench.core.fingerprint import digest_of


class Idle:
    """A model whose ``fit`` notes its arguments and trains nothing."""

    def __init__(self, model: Any, seen: dict[str, Any]) -> None:
        self._model, self._seen = model, seen

    def fit(self, *arguments: Any, **named: Any) -> Any:
        given = {**{str(place): value for place, value in enumerate(arguments)}, **named}
        self._seen.update({name: _plain(value) for name, value in given.items()})
        return SimpleNamespace(history={})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _plain(value: Any, deep: int = 2) -> Any:
    """An argument of ``fit`` as something to compare: arrays by their bytes, callbacks by what they hold."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return digest_of(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part, deep) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part, deep) for part in value]
    held = vars(value).items() if deep and hasattr(value, "__dict__") else ()
    return [type(value).__name__, {key: _plain(part, deep - 1) for key, part in held if not callable(part)}]
