"""What the entries of a journal must look like: a journal is data from outside, and is checked when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hptune_bench.core.protocols import TRIAL_STATUSES

Check = Callable[[Any], bool]

_LARGE = 2**53
"""Beyond it a whole number is no float any more."""


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGE


def _whole_or_none(value: Any) -> bool:
    return value is None or _whole(value)


def _number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGE)


def _number_or_none(value: Any) -> bool:
    return value is None or _number(value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_number, value.values()))


def _configuration(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, bool | int | float | str) for item in value.values())


def _request(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"configuration", "epochs", "resume", "restart"}
        and _configuration(value["configuration"])
        and _whole(value["epochs"])
        and _whole_or_none(value["resume"])
        and _whole_or_none(value["restart"])
    )


def _history(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, list) and all(map(_number, v)) for v in value.values())


_RESULT: Mapping[str, Check] = {
    "score": _number,
    "best_epoch": _whole_or_none,
    "epochs": _whole,
    "train_s": _number,
    "test": _numbers,
    "test_score": _number_or_none,
    "error": _text,
}
_TIMES: Mapping[str, Check] = dict.fromkeys(("tuner_s", "compile_s", "cpu_s"), _number)

SHAPES: Mapping[str, Mapping[str, Check]] = {
    "run": {"definition": lambda value: isinstance(value, dict), "facts": _numbers},
    "trial": {
        **_RESULT,
        **_TIMES,
        "trial": _whole,
        "request": _request,
        "status": lambda value: value in TRIAL_STATUSES,
        "reported": _number,
        "first_epoch": _whole,
        "charged": _whole,
        "ended": _flag,
        "incumbent": _flag,
        "history": _history,
    },
    "death": {"trial": _whole},
    "timeout": {"trial": _whole, "seconds": _number, "error": _text},
    "retraining": {**_RESULT, "repeat": _whole, "configuration": _configuration, "status": _text},
    "end": {
        "status": lambda value: value in ("done", "failed"),
        "reason": _text,
        "unspent": _whole,
        "wall_s": _number,
    },
}
"""By kind, the keys that an entry has and what each may hold; an entry may have more."""


def check(entry: Mapping[str, Any], trials: int, first: bool) -> None:
    """Refuse an entry that no run wrote.

    Args:
        trials: trials that came before it.
        first: whether it is the journal's first entry.

    Raises:
        ValueError: with the key.
    """
    kind = entry["kind"]
    if kind not in SHAPES:
        raise ValueError("key 'kind' is none that a run writes")
    if first != (kind == "run"):
        raise ValueError("the run's definition stands in the first line, and nowhere else")
    for key, holds in SHAPES[kind].items():
        if key not in entry:
            raise ValueError(f"key {key!r} is missing")
        if not holds(entry[key]):
            raise ValueError(f"key {key!r} holds what no run writes")
    if kind == "trial":
        if entry["trial"] != trials + 1:
            raise ValueError("key 'trial' is not the next number")
        if any(len(values) != entry["epochs"] for values in entry["history"].values()):
            raise ValueError("key 'history' has another length than its epochs")
