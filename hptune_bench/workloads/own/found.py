"""Which names of a user's module hold his rows: ``train``, or what the Keras world calls them.

Case and underscores do not count: ``X_train``, ``x_train``, ``xtrain`` and ``train_x`` are one name.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Split

CALLED = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
WHOLE = ("", "ds", "dataset", "data", "set", "gen", "generator", "sequence")
INPUTS = ("x", "xs", "images", "features", "inputs", "texts", "sequences", "data")
TARGETS = ("y", "ys", "labels", "label", "targets", "target")


@dataclass(frozen=True)
class Found:
    """Rows by split.

    Attributes:
        parts: what there is, in a form that ``data.splits`` reads or refuses.
        names: what the user calls it.
    """

    parts: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def told(self, counts: Mapping[str, int]) -> str:
        """``training rows: x_train, y_train (2,000); validation rows: ...``: what was taken for what."""
        words = {"train": "training", "validation": "validation", "test": "test"}
        rows = [f"{words[each]} rows: {self.names[each]} ({counts[each]:,})" for each in self.names]
        parted = ["validation rows: parted from them anew for each seed"] if "validation" not in self.names else []
        return "; ".join([*rows[:1], *parted, *rows[1:]])


def rows_of(module: ModuleType, file: str) -> Found:
    """The rows in a module's names; empty where there are no training rows.

    Raises:
        UserError: two names mean the same and hold different things, or inputs have no targets.
    """
    held = _by_plain_name(module)
    found = {split: _split(held, split, file) for split in CALLED}
    if found["train"] is None:
        found["train"] = _pair(held, ["x"], ["y"], "")
    if found["train"] is None:
        return Found()
    if "train" in held and found["train"][0] == "train":
        # Who says `train` says `validation` too, or wants it parted: pairs beside it are what it was made from.
        found |= {split: _whole(held, split, file) for split in ("validation", "test")}
    there = {split: pair for split, pair in found.items() if pair is not None}
    return Found(
        {split: part for split, (_, part) in there.items()}, {split: name for split, (name, _) in there.items()}
    )


def _by_plain_name(module: ModuleType) -> dict[str, dict[str, Any]]:
    """What may hold rows, by the plain form of its name and then by the name itself."""
    held: dict[str, dict[str, Any]] = {}
    for name, value in vars(module).items():
        other = callable(value) or inspect.ismodule(value) or isinstance(value, str | int | float | None)
        if not other and not name.startswith("_"):
            held.setdefault(name.lower().replace("_", ""), {})[name] = value
    return held


def _split(held: Mapping[str, dict[str, Any]], split: str, file: str) -> tuple[str, Any] | None:
    whole = _whole(held, split, file)
    if whole is not None and _complete(whole[1]):
        return whole
    for word in CALLED[split]:
        inputs, targets = ([f"{a}{b}" for p in parts for a, b in ((p, word), (word, p))] for parts in (INPUTS, TARGETS))
        pair = _pair(held, inputs, targets, "" if split == "test" else file)
        if pair is not None:
            return pair
    return whole


def _whole(held: Mapping[str, dict[str, Any]], split: str, file: str) -> tuple[str, Any] | None:
    names = [f"{a}{b}" for word in CALLED[split] for end in WHOLE for a, b in ((word, end), (end, word))]
    return next((_one(held[name], file) for name in dict.fromkeys(names) if name in held), None)


def _pair(
    held: Mapping[str, dict[str, Any]], inputs: Sequence[str], targets: Sequence[str], file: str
) -> tuple[str, Any] | None:
    """Inputs and targets; without a file to complain of, inputs alone are nothing."""
    x, y = (next((_one(held[name], file) for name in names if name in held), None) for names in (inputs, targets))
    if x is None:
        return None
    if y is None:
        if _complete(x[1]) or not file:
            return x if _complete(x[1]) else None
        raise UserError(f"{file}: there is {x[0]} and no name for its targets; name them y_train, y_val and y_test")
    return f"{x[0]}, {y[0]}", (x[1], y[1])


def _one(named: Mapping[str, Any], file: str) -> tuple[str, Any]:
    (name, value), *others = named.items()
    for other, beside in others:
        if beside is not value:
            raise UserError(f"{file}: {name} and {other} are both there and differ; say which: train = (x, y)")
    return name, value


def _complete(value: Any) -> bool:
    """Whether it may hold inputs and targets: a pair, or what is no array, list or table, such as a dataset."""
    if isinstance(value, tuple | list):
        return len(value) in (2, 3)
    return isinstance(value, Split) or not (hasattr(value, "__array__") or isinstance(value, Mapping | set))
