"""A search space to and from KerasTuner, which (and with it TensorFlow) is imported when one of these is called."""

from __future__ import annotations

from collections.abc import Callable
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
    _is_number,
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


def to_keras_tuner(space: Space, configuration: Configuration | None = None) -> Any:
    """The same space as ``keras_tuner.HyperParameters``, with the values of ``configuration`` where one is given."""
    import keras_tuner

    hps = keras_tuner.HyperParameters()
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


def discover(declare: Callable[[Any], object], samples: int = 64) -> Space:
    """The space of a function that declares hyperparameters as it goes, closed after ``samples`` seeded draws.

    A plain ``if`` hides hyperparameters at the default values, so the function is called on random values of what is
    known so far until nothing new appears.

    Args:
        declare: called with a ``keras_tuner.HyperParameters``; usually a user's ``build_model``. Its errors are the
            caller's business: wrap it where a failing configuration must not hide the rest.

    Raises:
        UserError: one name with two definitions.
    """
    import keras_tuner

    rng = np.random.default_rng(0)
    known = keras_tuner.HyperParameters()
    for index in range(samples):
        hps = known.copy()
        if index:
            for hp in from_keras_tuner(known):
                hps.values[hp.name] = hp.draw(rng)
        declare(hps)
        for hp in hps.space:
            same = [old for old in known.space if old.name == hp.name]
            if any(old.get_config() != hp.get_config() for old in same):
                raise UserError(
                    f"hyperparameter {hp.name!r} is defined twice, with different ranges or conditions; KerasTuner's "
                    "oracles break on that: give each definition a name of its own"
                )
            if not same:
                known.merge([hp])
    return from_keras_tuner(known)
