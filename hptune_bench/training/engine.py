"""One structure's live model and the program that trains it: many epochs per call, Keras' own steps inside.

The program decides early stopping and keeps the best weights, too, so that Python is left out until a call ends.

The graphs of the engine ``loop`` are small and their operations tiny: handing them to a pool of threads costs more than
running them, so one thread runs them in order where that rounds alike (``runtime.same_kernels``) and ends at all
(``structure.waits``).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hptune_bench.core import tensorflow as runtime
from hptune_bench.core.nested import rows_of
from hptune_bench.core.protocols import Data, Direction, Job, Workload
from hptune_bench.training import structure
from hptune_bench.training.common import (
    TEST_BATCH,
    Patience,
    assign,
    pack_state,
    unpack_arrays,
    unpack_patience,
)

Rows = tuple[Any, Any]
"""Training and validation rows as tensors: ``Split.parts`` of each."""


def specs(rows: Rows, plan: Plan) -> Any:
    """Shapes and dtypes of the rows as the program sees them."""
    import tensorflow as tf

    def spec(array: Any, free: bool) -> Any:
        shape = [array.shape[0], None, *array.shape[2:]] if free else array.shape
        return tf.TensorSpec(shape, array.dtype)

    return [
        tuple(
            tf.nest.map_structure(lambda a, i=i: spec(a, plan.any_length and i == 0), part)
            for i, part in enumerate(each)
        )
        for each in rows
    ]


@dataclass(frozen=True)
class Plan:
    """What a program bakes in besides the model.

    Attributes:
        block: epochs whose batch orders are given to one call: the most that one call can train.
        any_length: the second axis of ``x`` is free, see ``structure.any_length``.
    """

    xla: bool
    batch_size: int
    validation_batch: int
    block: int
    objective: str
    direction: Direction
    monitor: str
    monitor_direction: Direction
    any_length: bool


@dataclass(frozen=True)
class Start:
    """What a freshly built model brings to the live model of its structure."""

    variables: Sequence[np.ndarray]
    constants: Sequence[np.ndarray]
    learning_rate: float | None

    @classmethod
    def of(cls, model: Any) -> Start:
        rate = float(np.asarray(model.optimizer.learning_rate)) if structure.rate_is_variable(model) else None
        return cls(
            variables=[variable.numpy() for variable in model.variables],
            constants=[tensor.numpy() for _, _, tensor in structure.constants(model)],
            learning_rate=rate,
        )


class Engine:
    """The live model of one structure and the program that trains it.

    Attributes:
        waits: the program would never end in one thread.
        names: columns of the training log; known once the program is traced.
    """

    def __init__(self, model: Any, plan: Plan, rows: Rows) -> None:
        import tensorflow as tf

        self.model = model
        self.plan = plan
        self.rows = rows_of(rows[0][1])
        self.names: tuple[str, ...] = ()
        self.waits = False
        self.constants = []
        for layer, name, tensor in list(structure.constants(model)):
            # Tracing would bake the tensor in, and the next job's model may be adapted on other data.
            variable = tf.Variable(tensor, trainable=False)
            setattr(layer, name, variable)
            self.constants.append(variable)
        model.optimizer.build(model.trainable_variables)
        self.fresh_optimizer = [variable.numpy() for variable in model.optimizer.variables]
        # One eager step makes Keras create the variables of losses and metrics, which a trace may not.
        model.train_step(tf.nest.map_structure(lambda a: a[: plan.batch_size], rows[0]))
        self.kept = [tf.Variable(weight.numpy(), trainable=False) for weight in model.weights]
        self.best_value = tf.Variable(math.nan, dtype=tf.float64, trainable=False)
        self.found = tf.Variable(False, trainable=False)
        self.patience_best = tf.Variable(math.nan, dtype=tf.float32, trainable=False)
        self.patience_started = tf.Variable(False, trainable=False)
        self.patience_wait = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.program = self._program(rows)
        # One epoch per call of the same program, and these between the calls: recording cannot change a training.
        options = {"jit_compile": plan.xla or None, "autograph": False, "reduce_retracing": plan.any_length}
        self._scoring = tf.function(self._scored, **options)
        self._forward = tf.function(lambda x: self.model(x, training=False), **options)
        self._scored_names: tuple[str, ...] = ()

    # --- between jobs ---

    def warm_up(self, order: Any, rows: Rows) -> None:
        """Trace and compile by a call that trains no epoch."""
        if self._alone():
            with self._executor():
                self.waits = structure.waits(self.program.get_concrete_function().graph)
            if self.waits:
                self.program = self._program(rows)
        self.run(0, 0, None, order, rows)

    def begin(self, start: Start, patience: Patience) -> None:
        """Set every variable as in a freshly built model; nothing of an earlier job is left."""
        assign(self.model.variables, start.variables, "model")
        assign(self.constants, start.constants, "constants")
        assign(self.model.optimizer.variables, self.fresh_optimizer, "optimizer")
        if start.learning_rate is not None:
            self.model.optimizer.learning_rate = start.learning_rate
        self.best_value.assign(math.nan)
        self.found.assign(False)
        self._set_patience(patience)

    def restore(self, job: Job) -> None:
        """Continue the state of ``job.start`` exactly, or start from its best weights."""
        assert job.start is not None
        if job.restart:
            assign(self.model.weights, unpack_arrays(job.start, "best"), "weights")
            return
        assign(self.model.variables, unpack_arrays(job.start, "variable"), "model")
        assign(self.model.optimizer.variables, unpack_arrays(job.start, "optimizer"), "optimizer")
        self._set_patience(unpack_patience(job.start))

    def state(self, best: int | None, patience: int | None) -> Mapping[str, np.ndarray]:
        started = patience is not None and bool(self.patience_started.numpy())
        return pack_state(
            [variable.numpy() for variable in self.model.variables],
            [variable.numpy() for variable in self.model.optimizer.variables],
            self.best_weights(best),
            Patience(float(self.patience_best.numpy()), int(self.patience_wait.numpy())) if started else Patience(),
        )

    def best_weights(self, best: int | None) -> list[np.ndarray]:
        """Weights of the best epoch; of the last one if no epoch was finite."""
        return [weight.numpy() for weight in (self.model.weights if best is None else self.kept)]

    def scores(self, workload: Workload, data: Data) -> Mapping[str, float]:
        """``common.test_scores`` of the live model as it stands, by programs that are traced once."""
        import tensorflow as tf

        if data.test is None:
            return {}
        values = self._scoring(tf.nest.map_structure(tf.constant, data.test.parts)).numpy()
        scores = dict(zip(self._scored_names, map(float, values), strict=True))
        return scores | dict(workload.truth(_Forward(self.model, self._forward), data))

    def _scored(self, rows: Any) -> Any:
        import tensorflow as tf

        self.model.reset_metrics()
        _steps(self.model.test_step, rows, rows_of(rows[1]), TEST_BATCH, self.plan.xla)
        log = self.model.get_metrics_result()
        self._scored_names = tuple(sorted(log))
        return tf.stack([tf.cast(log[name], tf.float64) for name in self._scored_names])

    def _set_patience(self, patience: Patience) -> None:
        self.patience_started.assign(patience.best is not None)
        self.patience_best.assign(math.nan if patience.best is None else patience.best)
        self.patience_wait.assign(patience.wait)

    # --- training ---

    def run(
        self, first: int, count: int, patience: int | None, order: Any, rows: Rows
    ) -> tuple[list[Mapping[str, float]], bool]:
        """Train up to ``count`` epochs from absolute epoch ``first`` on: their logs, and whether early stopping ended.

        Args:
            order: int32 (block, rows), the batch orders of the block of epochs that holds all of these.
        """
        import tensorflow as tf

        limit = np.iinfo(np.int64).max if patience is None else patience
        numbers = (tf.constant(number, tf.int64) for number in (first, count, limit))
        with self._executor():
            done, ended, table = self.program(*numbers, order, *rows)
        values = table.numpy()[: int(done.numpy())]
        return [dict(zip(self.names, map(float, row), strict=True)) for row in values], bool(ended.numpy())

    def _alone(self) -> bool:
        """Whether one thread runs the program."""
        return not self.plan.xla and not self.waits and runtime.same_kernels()

    def _executor(self) -> contextlib.AbstractContextManager[None]:
        """Who runs the program, and traces it: the choice is part of the functions that a trace makes."""
        import tensorflow as tf

        if not self._alone():
            return contextlib.nullcontext()
        return tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR")

    def _program(self, rows: Rows) -> Any:
        import tensorflow as tf

        number = tf.TensorSpec((), tf.int64)
        order = tf.TensorSpec((self.plan.block, self.rows), tf.int32)
        return tf.function(
            self._epochs,
            input_signature=(number, number, number, order, *specs(rows, self.plan)),
            jit_compile=self.plan.xla or None,
            autograph=False,
        )

    def _epochs(self, first: Any, count: Any, patience: Any, order: Any, train: Any, validation: Any) -> Any:
        import tensorflow as tf

        def epoch(done: Any, ended: Any, table: Any) -> Any:
            del ended
            # A slice would make XLA compile anew for every `first`: it wants to know where slices begin.
            rows = tf.gather(order, (first + done) % self.plan.block)
            log = self._epoch(rows, train, validation)
            self.names = tuple(sorted(log))
            values = tf.stack([tf.cast(log[name], tf.float64) for name in self.names])
            self._keep_best(log)
            stop = self._early_stopping(log, first + done, patience)
            return done + 1, stop, tf.tensor_scatter_nd_update(table, done[None, None], values[None])

        columns = len(self.model.get_metrics_result())
        return tf.while_loop(
            lambda done, ended, table: tf.logical_and(done < count, tf.logical_not(ended)),
            epoch,
            (tf.constant(0, tf.int64), tf.constant(False), tf.zeros((self.plan.block, 2 * columns), tf.float64)),
            parallel_iterations=1,
        )

    def _epoch(self, rows: Any, train: Any, validation: Any) -> dict[str, Any]:
        import tensorflow as tf

        self.model.reset_metrics()
        shuffled = tf.nest.map_structure(lambda a: tf.gather(a, rows), train)
        _steps(self.model.train_step, shuffled, self.rows, self.plan.batch_size, self.plan.xla)
        log = dict(self.model.get_metrics_result())
        self.model.reset_metrics()
        _steps(self.model.test_step, validation, rows_of(validation[1]), self.plan.validation_batch, self.plan.xla)
        return log | {f"val_{name}": value for name, value in self.model.get_metrics_result().items()}

    def _keep_best(self, log: Mapping[str, Any]) -> None:
        import tensorflow as tf

        if self.plan.objective not in log:
            return
        value = tf.cast(log[self.plan.objective], tf.float64)
        better = value < self.best_value if self.plan.direction == "min" else value > self.best_value
        better = tf.math.is_finite(value) & (better | ~self.found)
        for kept, weight in zip(self.kept, self.model.weights, strict=True):
            kept.assign(tf.where(better, tf.convert_to_tensor(weight), kept))
        self.best_value.assign(tf.where(better, value, self.best_value))
        self.found.assign(better | self.found)

    def _early_stopping(self, log: Mapping[str, Any], epoch: Any, patience: Any) -> Any:
        """``common.early_stopping`` in the graph."""
        import tensorflow as tf

        if self.plan.monitor not in log:
            return tf.constant(False)
        value = tf.cast(log[self.plan.monitor], tf.float32)
        better = value < self.patience_best if self.plan.monitor_direction == "min" else value > self.patience_best
        better = better | ~self.patience_started
        wait = tf.where(better, tf.constant(0, tf.int64), self.patience_wait + 1)
        self.patience_best.assign(tf.where(better, value, self.patience_best))
        self.patience_started.assign(True)
        self.patience_wait.assign(wait)
        return ~better & (wait >= patience) & (epoch > 0)


class _Forward:
    """The live model as ``Workload.truth`` sees it: calls go through a compiled program, all else to the model."""

    def __init__(self, model: Any, program: Any) -> None:
        self._model = model
        self._program = program

    def __call__(self, x: Any, training: bool = False) -> Any:
        import tensorflow as tf

        return self._model(x, training=True) if training else self._program(tf.nest.map_structure(tf.constant, x))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _steps(step: Any, data: Any, rows: int, batch: int, static: bool) -> None:
    """Call a Keras step on every batch, the last one ragged.

    ``static``: every batch has a fixed shape, as XLA needs it; a ragged batch then is a second trace of the step.
    Otherwise one trace serves both, as in ``model.fit``.
    """
    import tensorflow as tf

    count, rest = divmod(rows, batch)
    whole = count if static else count + bool(rest)

    def part(i: Any) -> Any:
        if static:
            return tf.nest.map_structure(lambda a: a[i], stacked)
        return tf.nest.map_structure(lambda a: a[i * batch : (i + 1) * batch], data)

    def body(i: Any) -> Any:
        step(part(i))
        return (i + 1,)

    if static:
        stacked = tf.nest.map_structure(lambda a: tf.reshape(a[: count * batch], (count, batch, *a.shape[1:])), data)
    if whole:
        tf.while_loop(lambda i: i < whole, body, (tf.constant(0),), parallel_iterations=1)
    if static and rest:
        step(tf.nest.map_structure(lambda a: a[count * batch :], data))
