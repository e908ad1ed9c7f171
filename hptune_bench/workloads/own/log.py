"""Names of the training log, before anything is trained."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from typing import Any

from hptune_bench.core.protocols import Data

ROWS = 8
"""Rows of the one step that shows the names of metrics."""


def number_metrics_anew() -> None:
    """Let the next metrics without a name be called ``auc``, ``precision`` ... in every model.

    Keras numbers them per process: the second model of a process would log ``auc_1``, the third ``auc_2``, so that the
    objective's name would be that of one trial only. The names of layers count on: some may outlive their model.
    """
    import keras
    from keras.src.backend.common import global_state
    from keras.src.utils.naming import to_snake_case

    counts = global_state.get_global_attribute("object_name_uids") or {}
    for kind in _kinds(keras.metrics.Metric):
        counts.pop(to_snake_case(kind.__name__), None)


def _kinds(kind: Any) -> Iterator[Any]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def log_names(model: Any, data: Data) -> tuple[str, ...]:
    """What ``model.fit`` logs with validation rows: one step on a few rows, in which nothing is learned."""
    import tensorflow as tf

    model.reset_metrics()
    few = data.validation.take(slice(ROWS))
    returned = model.test_step(tf.nest.map_structure(tf.constant, few.parts))
    names = sorted({*model.get_metrics_result(), *(returned if isinstance(returned, dict) else ())})
    return (*names, *(f"val_{name}" for name in names))


def missing(name: str, names: Collection[str]) -> str:
    """``has no 'val_acc'; it has ...; did you mean 'val_accuracy'?``."""
    alike = [each for each in names if each.startswith("val_") == name.startswith("val_")]
    close = difflib.get_close_matches(name, alike, n=1, cutoff=0.4)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"has no {name!r}; it has {', '.join(names)}{hint}"
