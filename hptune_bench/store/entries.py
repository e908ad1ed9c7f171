"""The kinds of entries of a journal, and what each must look like: it is data from outside, checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hptune_bench.store.shapes import Check, mapping, number, numbers, one_of, shape_of, text, whole
from hptune_bench.store.trial import OPTIONAL, Retraining, Trial

SHAPES: Mapping[str, Mapping[str, Check]] = {
    "run": {"definition": mapping, "facts": numbers},
    "trial": shape_of(Trial),
    "death": {"trial": whole},
    "timeout": {"trial": whole, "seconds": number, "error": text},
    "retraining": shape_of(Retraining),
    "end": {"status": one_of("done", "failed"), "reason": text, "unspent": whole, "wall_s": number},
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
            if key in OPTIONAL:
                continue
            raise ValueError(f"key {key!r} is missing")
        if not holds(entry[key]):
            raise ValueError(f"key {key!r} holds what no run writes")
    if kind == "trial":
        if entry["trial"] != trials + 1:
            raise ValueError("key 'trial' is not the next number")
        if any(len(values) != entry["epochs"] for values in entry["history"].values()):
            raise ValueError("key 'history' has another length than its epochs")
