"""What the trainers share: seeds, batch order, early stopping, the best epoch, test scores, resumable state."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hptune_bench.core import protocols
from hptune_bench.core import tensorflow as runtime
from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Data, Direction, Job, State, Workload
from hptune_bench.core.seeds import batch_order

TEST_BATCH = 4096
"""Rows per step of test scoring."""


@dataclass
class Clock:
    """Wall and CPU seconds since it was made.

    Attributes:
        compile_s: what was compiling in between.
        aside_s: what was spent on anything else that no training does.
    """

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)
    compile_s: float = 0.0
    aside_s: float = 0.0

    def train_s(self) -> float:
        return time.perf_counter() - self.wall - self.compile_s - self.aside_s

    def cpu_s(self) -> float:
        return time.process_time() - self.cpu


def seed_everything(seed: int) -> None:
    """Seed what Keras draws initial weights and dropout seeds from.

    Not ``keras.utils.set_random_seed``: it sets TensorFlow's global seed too, which empties the kernel cache, so that
    every eager operation that follows is slow; the weights are the same.
    """
    random.seed(seed)
    np.random.seed(seed)


class Rehearsal:
    """Builds a workload's model once and throws it away, before anything is seeded.

    A first build imports modules, and some draw from Python's generator as they are imported (Keras comes to import
    rich, which does): the first training of a process would get other weights than the same training later.
    A dtype policy that a trial's ``build`` sets is that trial's alone: each begins with the policy of the first.
    """

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.done = False

    def __call__(self, job: Job, data: Data) -> None:
        import keras

        if not self.done:
            runtime.settle()
            self.policy = keras.config.dtype_policy()
            self.workload.build(job.configuration, self.workload.prepare(job.configuration, data))
            self.done = True
        keras.config.set_dtype_policy(self.policy)


def orders(data_seed: int, first: int, count: int, rows: int) -> np.ndarray:
    """Order of the training rows in ``count`` absolute epochs from ``first`` on: int32 (count, rows)."""
    return np.stack([batch_order(data_seed, epoch, rows) for epoch in range(first, first + count)])


def direction_of(workload: Workload, name: str) -> Direction:
    """Whether smaller or larger values of a name of the training log are better.

    Raises:
        UserError: the workload does not say.
    """
    if name == workload.objective:
        return workload.direction
    if name in workload.metrics:
        return workload.metrics[name]
    if name.removeprefix("val_") == "loss":
        return "min"
    raise UserError(
        f"workload {workload.name}: early stopping monitors {name!r}, whose direction is unknown: add it to `metrics`"
    )


@dataclass(frozen=True)
class Patience:
    """State of early stopping between two epochs: the best value so far (None before the first), epochs without one."""

    best: float | None = None
    wait: int = 0


def early_stopping(
    state: Patience, value: float, epoch: int, patience: int | None, direction: Direction
) -> tuple[Patience, bool]:
    """One epoch of Keras' ``EarlyStopping(min_delta=0)``: the state after it, and whether training ends.

    As in Keras 3, the first value becomes the best even if it is NaN, and then nothing improves on it; values are
    compared in single precision; the first absolute epoch (0) never ends a training.
    """
    wait = state.wait + 1
    current, best = np.float32(value), np.float32(math.nan if state.best is None else state.best)
    if state.best is None or (current < best if direction == "min" else current > best):
        return Patience(float(value), 0), False
    return Patience(state.best, wait), patience is not None and wait >= patience and epoch > 0


def minimised(workload: Workload, log: Mapping[str, float]) -> float:
    """The objective in one epoch's log, negated where it is maximised: the only place that does so."""
    return protocols.minimised(log[workload.objective], workload.direction)


def best_index(objective: Sequence[float]) -> int | None:
    """Index of the smallest finite value, the earliest of equals; None if none is finite."""
    finite = [index for index, value in enumerate(objective) if math.isfinite(value)]
    return min(finite, key=objective.__getitem__, default=None)


def require_name(log: Mapping[str, Any] | Sequence[str], name: str, workload: Workload) -> None:
    """Raises UserError where a name that the workload uses is missing from the training log."""
    if name not in log:
        raise UserError(f"workload {workload.name}: the training log has no {name!r}; it has {', '.join(log)}")


def test_scores(workload: Workload, model: Any, data: Data) -> dict[str, float]:
    """Metrics of the model as it stands on the test split, and the workload's ``truth``; empty without a test split.

    Runs ``test_step`` eagerly in large batches: tracing ``evaluate`` for one pass would cost more than the pass.
    """
    import tensorflow as tf

    if data.test is None:
        return {}
    model.reset_metrics()
    for start in range(0, len(data.test), TEST_BATCH):
        rows = slice(start, start + TEST_BATCH)
        model.test_step(tf.nest.map_structure(lambda a, rows=rows: tf.constant(a[rows]), data.test.parts))
    scores = {name: float(value) for name, value in model.get_metrics_result().items()}
    return scores | dict(workload.truth(model, data))


# --- resumable state -----------------------------------------------------------------------------------------------


def pack_state(
    variables: Sequence[np.ndarray], optimizer: Sequence[np.ndarray], best: Sequence[np.ndarray], patience: Patience
) -> State:
    """A trial's state after its last epoch: model variables (seeds too), optimizer, best-epoch weights, patience."""
    state: dict[str, np.ndarray] = {}
    for name, arrays in (("variable", variables), ("optimizer", optimizer), ("best", best)):
        state |= {f"{name}/{index}": array for index, array in enumerate(arrays)}
    state["patience/started"] = np.array(patience.best is not None)
    state["patience/best"] = np.array(math.nan if patience.best is None else patience.best)
    state["patience/wait"] = np.array(patience.wait)
    return state


def unpack_arrays(state: State, name: str) -> list[np.ndarray]:
    """The arrays of one group of ``pack_state``: ``variable``, ``optimizer`` or ``best``."""
    count = sum(key.startswith(f"{name}/") for key in state)
    return [state[f"{name}/{index}"] for index in range(count)]


def unpack_patience(state: State) -> Patience:
    started = bool(state["patience/started"])
    return Patience(float(state["patience/best"]) if started else None, int(state["patience/wait"]))


def assign(variables: Sequence[Any], values: Sequence[np.ndarray], what: str) -> None:
    """Give variables new values.

    Raises:
        ValueError: number or shapes differ, so the values belong to another model.
    """
    if [tuple(v.shape) for v in variables] != [np.shape(value) for value in values]:
        raise ValueError(f"the saved {what} belongs to another model: its shapes differ")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
