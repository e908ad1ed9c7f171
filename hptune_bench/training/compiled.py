"""The fast trainer: many epochs per call, with the mathematics of ``model.fit``.

One ``tf.function`` loops over epochs and, inside, over the **stock** ``model.train_step`` and ``model.test_step``; it
also decides early stopping and keeps the best weights, so that Python is left out until a training ends. Two engines:
``loop`` runs the graph as it is, ``xla`` compiles it (right for tiny dense models that are trained often; its random
numbers are not those of ``model.fit``, so models that draw some are never compiled).

Per structure (see ``structure``) there is one live model whose variables are set in place for each job: tracing and
compiling happen once per structure and process (``engine``). TensorFlow is imported when a job is trained.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.protocols import Data, Fit, Job, Outcome, Workload
from hptune_bench.training import stock, structure
from hptune_bench.training.common import (
    Clock,
    Patience,
    Rehearsal,
    best_index,
    direction_of,
    minimised,
    orders,
    require_name,
    seed_everything,
    test_scores,
)
from hptune_bench.training.engine import Engine, Plan, Rows, Start, specs

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

            model(tf.nest.map_structure(lambda a: a[:1], rows[0][0]))
        start = Start.of(model)
        inputs = rows[0][0]
        names = inputs.keys() if isinstance(inputs, Mapping) else ()
        key = structure.structure_key(model, [repr(plan), repr(specs(rows, plan))], names)
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
            if engine.waits:
                self._remark("uses TensorFlow's usual executor, which is slower: one thread cannot run its programs")
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


def tensors(data: Data) -> Rows:
    """Training and validation rows as tensors of the arrays' own dtypes."""
    import tensorflow as tf

    train, validation = (tf.nest.map_structure(tf.constant, split.parts) for split in (data.train, data.validation))
    return train, validation


def _order_tensor(data_seed: int, first: int, count: int, rows: int) -> Any:
    import tensorflow as tf

    return tf.constant(orders(data_seed, first, count, rows))
