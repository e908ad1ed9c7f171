"""The fast trainer: many epochs per call, with the mathematics of ``model.fit``.

One ``tf.function`` loops over epochs and, inside, over the **stock** ``model.train_step`` and ``model.test_step``; it
also decides early stopping and keeps the best weights, so that Python is left out until a training ends. Two engines:
``loop`` runs the graph as it is, ``xla`` compiles it (right for tiny dense models that are trained often; its random
numbers are not those of ``model.fit``, so models that draw some are never compiled).

Per structure (see ``structure``) there is one live model whose variables are set in place for each job: tracing and
compiling happen once per structure and process. TensorFlow is imported when a job is trained.

The graphs of ``loop`` are small and their operations tiny: handing them to a pool of threads costs more than running
them, so one thread runs them in order where that rounds alike (``runtime.same_kernels``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import math
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hptune_bench.core import tensorflow as runtime
from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.protocols import Data, Direction, Fit, Job, Outcome, Workload
from hptune_bench.training import stock, structure
from hptune_bench.training.common import (
    TEST_BATCH,
    Clock,
    Patience,
    Rehearsal,
    assign,
    best_index,
    direction_of,
    minimised,
    orders,
    pack_state,
    require_name,
    seed_everything,
    test_scores,
    unpack_arrays,
    unpack_patience,
)

MAX_ENGINES = 100
"""Structures kept alive in one process; the least recently used goes first."""
XLA_VALIDATION_BATCH = 2048
"""Validation rows per step under XLA; ``loop`` uses the batch size, as ``model.fit`` does, to agree to the bit."""


def trainer(workload: Workload) -> CompiledTrainer:
    return CompiledTrainer(workload)


class CompiledTrainer:
    """Implements ``core.protocols.Trainer``.

    Attributes:
        structures: programs compiled so far in this process by this trainer; XLA never frees one, so a worker may want
            to end before it becomes too large.
        engines: the live ones by structure, the least recently used first.
        note: why a model was trained otherwise than the workload asked, the first time that happened.
    """

    name = "compiled"
    replays = False

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.note: str | None = None
        self.structures = 0
        self._load = functools.lru_cache(maxsize=2)(workload.load)
        self._tensors = functools.lru_cache(maxsize=2)(lambda data_seed: tensors(self.data(data_seed)))
        self._orders = functools.lru_cache(maxsize=4)(_order_tensor)
        self.engines: OrderedDict[str, Engine] = OrderedDict()
        self._refused: dict[str, str] = {}
        self._rehearse = Rehearsal(workload)
        self._stock = stock.StockTrainer(workload)

    def data(self, data_seed: int) -> Data:
        return self._load(data_seed)

    def train(self, job: Job) -> Outcome:
        data = self.data(job.data_seed)
        if self.workload.engine == "stock":
            return self._with_stock(job, "the workload asks for it")
        self._rehearse(job, data)
        clock = Clock()
        seed_everything(job.training_seed)
        prepared = self.workload.prepare(job.configuration, data)
        model = self.workload.build(job.configuration, prepared)
        reason = structure.why_stock(model)
        if reason is not None:
            return self._with_stock(job, reason)
        rows = self._tensors(job.data_seed) if prepared is data else tensors(prepared)
        fit = self.workload.fit(job.configuration)
        plan = self._plan(model, fit)
        if not model.built:
            import tensorflow as tf

            model(tf.nest.map_structure(lambda a: a[:1], rows[0]))
        start = Start.of(model)
        names = rows[0].keys() if isinstance(rows[0], Mapping) else ()
        key = structure.structure_key(model, [repr(plan), repr(_specs(rows, plan))], names)
        if key is None and plan.xla:
            # XLA never frees a program, and this one will serve one job only.
            self._remark("uses the loop engine: its models hold Python code, so that no program can be shared")
            plan = dataclasses.replace(plan, xla=False, validation_batch=fit.batch_size)
        if key in self._refused:
            return self._with_stock(job, self._refused[key])
        engine = self.engines.get(key) if key is not None else None
        if engine is None:
            began = time.perf_counter()
            engine = Engine(model, plan, rows)
            order = self._order(job, 0, engine)
            warmed = attempt(functools.partial(engine.warm_up, order, rows))
            if isinstance(warmed, Failure):  # whatever a model does that a graph cannot do, fit can
                reason = f"it cannot be compiled ({type(warmed.error).__name__})"
                if key is not None:
                    self._refused[key] = reason
                return self._with_stock(job, reason)
            if key is not None:
                self.engines[key] = engine
                if len(self.engines) > MAX_ENGINES:
                    self.engines.popitem(last=False)
            self.structures += 1
            if self.structures == 1:
                # What a first trace leaves is large and lives on: later collections need not walk it.
                gc.collect()
                gc.freeze()
            clock.compile_s += time.perf_counter() - began
        elif key is not None:
            self.engines.move_to_end(key)
        return self._run(job, engine, model, start, fit, rows, prepared, clock)

    def _with_stock(self, job: Job, reason: str) -> Outcome:
        self._remark(f"is trained by stock model.fit: {reason}")
        return self._stock.train(job)

    def _remark(self, what: str) -> None:
        self.note = self.note or f"{self.workload.name} {what}"

    def _plan(self, model: Any, fit: Fit) -> Plan:
        xla = self.workload.engine == "xla"
        if xla and (reason := structure.why_no_xla(model)) is not None:
            self._remark(f"uses the loop engine: {reason}")
            xla = False
        return Plan(
            xla=xla,
            batch_size=fit.batch_size,
            validation_batch=XLA_VALIDATION_BATCH if xla else fit.batch_size,
            block=max(1, self.workload.full_epochs),
            objective=self.workload.objective,
            direction=self.workload.direction,
            monitor=fit.monitor,
            monitor_direction="min" if fit.patience is None else direction_of(self.workload, fit.monitor),
            any_length=not xla and structure.any_length(model),
        )

    def _order(self, job: Job, epoch: int, engine: Engine) -> Any:
        block = engine.plan.block
        return self._orders(job.data_seed, epoch // block * block, block, engine.rows)

    def _run(
        self, job: Job, engine: Engine, model: Any, start: Start, fit: Fit, rows: Rows, prepared: Data, clock: Clock
    ) -> Outcome:
        engine.begin(start, Patience())
        if job.start is not None:
            engine.restore(job)
        require_name(engine.names, self.workload.objective, self.workload)
        if fit.patience is not None:
            require_name(engine.names, fit.monitor, self.workload)
        history: list[Mapping[str, float]] = []
        tests: list[Mapping[str, float]] = []
        patience = None if job.record else fit.patience
        ended = cut = False
        while not ended and not cut and job.first_epoch + len(history) < job.epochs:
            epoch = job.first_epoch + len(history)
            count = min(job.epochs - epoch, engine.plan.block - epoch % engine.plan.block)
            if job.time_limit_s is not None or job.record:
                count = 1
            more, ended = engine.run(epoch, count, patience, self._order(job, epoch, engine), rows)
            history += more
            if job.record:
                began = time.perf_counter()
                tests.append(engine.scores(self.workload, prepared))
                clock.aside_s += time.perf_counter() - began
            if job.time_limit_s is not None and clock.train_s() > job.time_limit_s:
                cut = not ended and job.first_epoch + len(history) < job.epochs
        objective = tuple(minimised(self.workload, log) for log in history)
        best = best_index(objective)
        state = engine.state(best, fit.patience) if job.keep_state else None

        def test() -> Mapping[str, float]:
            # The job's own model, not the live one: that one may be made for inputs of another length.
            model.set_weights(engine.best_weights(best))
            return test_scores(self.workload, model, prepared)

        return Outcome(
            history=tuple(history),
            objective=objective,
            ended=ended,
            cut=cut,
            best=best,
            train_s=clock.train_s(),
            compile_s=clock.compile_s,
            cpu_s=clock.cpu_s(),
            state=state,
            test=test,
            weights=lambda: engine.best_weights(best),
            tests=tuple(tests),
        )


# --- data ----------------------------------------------------------------------------------------------------------

Rows = tuple[Any, Any, Any, Any]
"""Tensors: training x and y, validation x and y; x may be a dict."""


def tensors(data: Data) -> Rows:
    """Training and validation rows as tensors of the arrays' own dtypes."""
    import tensorflow as tf

    x, y, xv, yv = (
        tf.nest.map_structure(tf.constant, part)
        for part in (data.train.x, data.train.y, data.validation.x, data.validation.y)
    )
    return x, y, xv, yv


def _order_tensor(data_seed: int, first: int, count: int, rows: int) -> Any:
    import tensorflow as tf

    return tf.constant(orders(data_seed, first, count, rows))


def _specs(rows: Rows, plan: Plan) -> Any:
    """Shapes and dtypes of the rows as the program sees them."""
    import tensorflow as tf

    def spec(array: Any, free: bool) -> Any:
        shape = [array.shape[0], None, *array.shape[2:]] if free else array.shape
        return tf.TensorSpec(shape, array.dtype)

    return [tf.nest.map_structure(lambda a, i=i: spec(a, plan.any_length and i in (0, 2)), rows[i]) for i in range(4)]


# --- one structure -------------------------------------------------------------------------------------------------


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
    """The live model of one structure and the program that trains it."""

    def __init__(self, model: Any, plan: Plan, rows: Rows) -> None:
        import tensorflow as tf

        self.model = model
        self.plan = plan
        self.rows = int(rows[1].shape[0])
        self.names: tuple[str, ...] = ()
        self.constants = []
        for layer, name, tensor in list(structure.constants(model)):
            # Tracing would bake the tensor in, and the next job's model may be adapted on other data.
            variable = tf.Variable(tensor, trainable=False)
            setattr(layer, name, variable)
            self.constants.append(variable)
        model.optimizer.build(model.trainable_variables)
        self.fresh_optimizer = [variable.numpy() for variable in model.optimizer.variables]
        # One eager step makes Keras create the variables of losses and metrics, which a trace may not.
        model.train_step(tf.nest.map_structure(lambda a: a[: plan.batch_size], (rows[0], rows[1])))
        self.kept = [tf.Variable(weight.numpy(), trainable=False) for weight in model.weights]
        self.best_value = tf.Variable(math.nan, dtype=tf.float64, trainable=False)
        self.found = tf.Variable(False, trainable=False)
        self.patience_best = tf.Variable(math.nan, dtype=tf.float32, trainable=False)
        self.patience_started = tf.Variable(False, trainable=False)
        self.patience_wait = tf.Variable(0, dtype=tf.int64, trainable=False)
        number = tf.TensorSpec((), tf.int64)
        order = tf.TensorSpec((plan.block, self.rows), tf.int32)
        self.program = tf.function(
            self._epochs,
            input_signature=(number, number, number, order, *_specs(rows, plan)),
            jit_compile=plan.xla or None,
            autograph=False,
        )
        # One epoch per call of the same program, and these between the calls: recording cannot change a training.
        options = {"jit_compile": plan.xla or None, "autograph": False, "reduce_retracing": plan.any_length}
        self._scoring = tf.function(self._scored, **options)
        self._forward = tf.function(lambda x: self.model(x, training=False), **options)
        self._scored_names: tuple[str, ...] = ()

    # --- between jobs ---

    def warm_up(self, order: Any, rows: Rows) -> None:
        """Trace and compile by a call that trains no epoch."""
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
        values = self._scoring(*tf.nest.map_structure(tf.constant, (data.test.x, data.test.y))).numpy()
        scores = dict(zip(self._scored_names, map(float, values), strict=True))
        return scores | dict(workload.truth(_Forward(self.model, self._forward), data))

    def _scored(self, x: Any, y: Any) -> Any:
        import tensorflow as tf

        self.model.reset_metrics()
        _steps(self.model.test_step, (x, y), int(y.shape[0]), TEST_BATCH, self.plan.xla)
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

    def _executor(self) -> contextlib.AbstractContextManager[None]:
        """Who runs the program, and traces it: the choice is part of the functions that a trace makes."""
        import tensorflow as tf

        if self.plan.xla or not runtime.same_kernels():
            return contextlib.nullcontext()
        return tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR")

    def _epochs(self, first: Any, count: Any, patience: Any, order: Any, x: Any, y: Any, xv: Any, yv: Any) -> Any:
        import tensorflow as tf

        def epoch(done: Any, ended: Any, table: Any) -> Any:
            del ended
            # A slice would make XLA compile anew for every `first`: it wants to know where slices begin.
            rows = tf.gather(order, (first + done) % self.plan.block)
            log = self._epoch(rows, x, y, xv, yv)
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

    def _epoch(self, rows: Any, x: Any, y: Any, xv: Any, yv: Any) -> dict[str, Any]:
        import tensorflow as tf

        self.model.reset_metrics()
        shuffled = tf.nest.map_structure(lambda a: tf.gather(a, rows), (x, y))
        _steps(self.model.train_step, shuffled, self.rows, self.plan.batch_size, self.plan.xla)
        log = dict(self.model.get_metrics_result())
        self.model.reset_metrics()
        _steps(self.model.test_step, (xv, yv), int(yv.shape[0]), self.plan.validation_batch, self.plan.xla)
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
