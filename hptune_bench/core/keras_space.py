"""A search space to and from KerasTuner, which (and with it TensorFlow) is imported when one of these is called."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.core.space import (
    Boolean,
    Choice,
    Condition,
    Configuration,
    Float,
    Hyperparameter,
    Int,
    Space,
    Value,
    describe,
)


def from_keras_tuner(hps: Any) -> Space:
    """The space of a ``keras_tuner.HyperParameters``; ``Fixed`` hyperparameters are no dimension and are left out.

    Raises:
        UserError: one name with two definitions.
    """
    return Space(tuple(translated for hp in hps.space if (translated := _translate(hp)) is not None))


def _translate(hp: Any) -> Hyperparameter | None:
    kind = type(hp).__name__
    conditions = tuple(Condition(c.name, tuple(c.values)) for c in hp.conditions)
    if kind == "Fixed":
        return None
    if kind == "Boolean":
        return Boolean(hp.name, bool(hp.default), conditions)
    if kind == "Choice":
        return Choice(hp.name, tuple(hp.values), hp.default, bool(hp.ordered), conditions)
    log = hp.sampling == "log"
    if hp.sampling == "reverse_log":
        raise UserError(f"hyperparameter {hp.name!r} uses sampling='reverse_log', which is not supported: use 'log'")
    if kind == "Int":
        return Int(hp.name, hp.min_value, hp.max_value, hp.step, log, hp.default, conditions)
    if kind == "Float":
        return Float(hp.name, hp.min_value, hp.max_value, hp.step, log, hp.default, conditions)
    raise UserError(f"hyperparameter {hp.name!r} is of the unknown kind {kind}")


@functools.cache
def _kind() -> Any:
    import keras_tuner

    class Declared(keras_tuner.HyperParameters):
        """KerasTuner's, where a scope may lie in any other scope, and a second range of one name is noted.

        KerasTuner looks for the parent of a scope only among what the scopes around it hold, so that a scope on
        ``depth`` inside one on ``depth`` fails.

        Attributes:
            others: by name, the ranges that were declared after the first one of the same conditions.
        """

        def __init__(self) -> None:
            super().__init__()
            self.others: dict[str, list[Any]] = {}

        def copy(self) -> Any:
            return type(self).from_config(self.get_config())

        def _exists(self, name: str, conditions: Any = None) -> bool:
            return name in self._hps if conditions is None else super()._exists(name, conditions)

        def _retrieve(self, hp: Any) -> Any:
            for first in self._hps.get(hp.name, ()):
                if first.conditions == hp.conditions and _range(first) != _range(hp):
                    self.others.setdefault(hp.name, []).append(hp)
            return super()._retrieve(hp)

    return Declared


def _range(hp: Any) -> Any:
    """What a hyperparameter can be; its default is none of that."""
    return type(hp).__name__, {name: value for name, value in hp.get_config().items() if name != "default"}


def hyperparameters() -> Any:
    """An empty ``keras_tuner.HyperParameters`` for a user's function to declare in."""
    return _kind()()


def to_keras_tuner(space: Space, configuration: Configuration | None = None) -> Any:
    """The same space as ``keras_tuner.HyperParameters``, with the values of ``configuration`` where one is given."""
    hps = hyperparameters()
    for hp in space:
        _declare(hps, hp, hp.conditions)
    for name, value in (configuration or {}).items():
        hps.values[name] = value
    return hps


def _declare(hps: Any, hp: Hyperparameter, conditions: tuple[Condition, ...]) -> None:
    if conditions:
        with hps.conditional_scope(conditions[0].parent, list(conditions[0].values)):
            _declare(hps, hp, conditions[1:])
    elif isinstance(hp, Boolean):
        hps.Boolean(hp.name, default=hp.default)
    elif isinstance(hp, Choice):
        hps.Choice(
            hp.name, list(hp.values), default=hp.default, ordered=hp.ordered if _is_number(hp.values[0]) else None
        )
    else:
        declare = hps.Int if isinstance(hp, Int) else hps.Float
        default = {} if hp.default is None else {"default": hp.default}
        sampling = "log" if hp.log else "linear"
        declare(hp.name, min_value=hp.low, max_value=hp.high, step=hp.step, sampling=sampling, **default)


def discover(
    declare: Callable[[Any], object], samples: int = 64, doubts: Callable[[str], object] = lambda text: None
) -> Space:
    """The space of a function that declares hyperparameters as it goes, closed after ``samples`` seeded draws.

    A plain ``if`` hides hyperparameters at the default values, so the function is called on random values of what is
    known so far until nothing new appears.

    Args:
        declare: called with a ``keras_tuner.HyperParameters``; usually a user's ``build_model``. Its errors are the
            caller's business: wrap it where a failing configuration must not hide the rest.
        doubts: told of each hyperparameter that is declared with more than one range, in a sentence.

    Raises:
        UserError: one name with two definitions.
    """
    rng = np.random.default_rng(0)
    known = hyperparameters()
    others: dict[str, list[Any]] = {}
    for index in range(samples):
        hps = known.copy()
        if index:
            for hp in from_keras_tuner(known):
                hps.values[hp.name] = hp.draw(rng)
        declare(hps)
        for name, later in hps.others.items():
            others.setdefault(name, []).extend(later)
        for hp in hps.space:
            same = [old for old in known.space if old.name == hp.name]
            if any(old.get_config() != hp.get_config() for old in same):
                raise UserError(
                    f"hyperparameter {hp.name!r} is defined twice, with different ranges or conditions; KerasTuner's "
                    "oracles break on that: give each definition a name of its own"
                )
            if not same:
                known.merge([hp])
    space = from_keras_tuner(known)
    for name, later in others.items():
        if name in space.names:
            doubts(_two_ranges(space[name], [other for each in later if (other := _translate(each)) is not None]))
    return space


def _two_ranges(first: Hyperparameter, later: Sequence[Hyperparameter]) -> str:
    found = list(dict.fromkeys(describe(hp) for hp in later))
    more = f" and {len(found) - 3} other ranges" if len(found) > 3 else ""
    return (
        f"hyperparameter {first.name!r} is declared with the range {describe(first)}, and elsewhere, or where other "
        f"values are drawn, with {'; '.join(found[:3])}{more}; KerasTuner keeps the first that it meets and searches "
        f"{describe(first)} only: give each a name of its own, or tune a share "
        f"(hp.Float('{first.name}_share', 0.5, 1.0)) of what the range is computed from"
    )


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
