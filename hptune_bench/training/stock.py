"""The plain trainer: ``model.fit`` as in the post, on the batch order that all trainers share.

TensorFlow is imported when a job is trained.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hptune_bench.core import protocols
from hptune_bench.core.protocols import Data, Fit, Job, Outcome, Split, Workload
from hptune_bench.core.returned import returned_score
from hptune_bench.training.common import (
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


def trainer(workload: Workload) -> StockTrainer:
    return StockTrainer(workload)


class StockTrainer:
    """Implements ``core.protocols.Trainer`` with ``model.fit``."""

    name = "stock"
    note: str | None = None
    replays = False

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._load = functools.lru_cache(maxsize=2)(workload.load)
        self._rehearse = Rehearsal(workload)

    def data(self, data_seed: int) -> Data:
        return self._load(data_seed)

    def train(self, job: Job) -> Outcome:
        data = self.data(job.data_seed)
        self._rehearse(job, data)
        clock = Clock()
        seed_everything(job.training_seed)
        prepared = self.workload.prepare(job.configuration, data)
        model = self.workload.build(job.configuration, prepared)
        return fit_model(self.workload, job, prepared, model, clock)


def fit_model(workload: Workload, job: Job, data: Data, model: Any, clock: Clock) -> Outcome:
    """Train a freshly built model with ``model.fit``; ``data`` is prepared."""
    fit = workload.fit(job.configuration)
    patience = Patience()
    if job.start is not None:
        patience = _restore(model, job)
    tests: list[Mapping[str, float]] = []
    if job.record:
        fit = dataclasses.replace(fit, patience=None)
    callbacks = _callbacks(workload, job, fit, patience, clock)
    if job.record:
        callbacks.append(_recorder(workload, data, tests, clock))
    own_fit = getattr(workload, "own_fit", None)
    if own_fit is not None:
        history = _fit_by_user(own_fit, workload, job, data, model, callbacks)
    else:
        history = model.fit(
            training_batches(data.train, fit.batch_size, job.data_seed, job.first_epoch, job.epochs - job.first_epoch),
            validation_data=batches(data.validation, fit.batch_size),
            steps_per_epoch=math.ceil(len(data.train) / fit.batch_size),
            initial_epoch=job.first_epoch,
            epochs=job.epochs,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        ).history
    names = sorted(history)
    rows = [{name: float(history[name][i]) for name in names} for i in range(len(callbacks[0].objectives))]
    keeper, limit = callbacks[:2]
    stopping = callbacks[2] if fit.patience is not None else None
    best = best_index(keeper.objectives)
    weights = keeper.weights if best is not None else model.get_weights()
    state = None
    if job.keep_state:
        after = patience if stopping is None else Patience(_as_float(stopping.best), stopping.wait)
        state = pack_state(keeper.variables, _values(model.optimizer.variables), weights, after)

    def test() -> Mapping[str, float]:
        model.set_weights(weights)
        return test_scores(workload, model, data)

    early = len(rows) < job.epochs - job.first_epoch
    stopped = stopping is not None and stopping.stopped_epoch > 0
    return Outcome(
        history=tuple(rows),
        objective=tuple(keeper.objectives),
        # A user's fit may bring callbacks of its own that end a training.
        ended=stopped or (own_fit is not None and early and not limit.cut),
        cut=limit.cut and early,
        best=best,
        train_s=clock.train_s(),
        compile_s=clock.compile_s,
        cpu_s=clock.cpu_s(),
        state=state,
        test=test,
        weights=lambda: weights,
        tests=tuple(tests),
    )


def _fit_by_user(
    own_fit: Any, workload: Workload, job: Job, data: Data, model: Any, callbacks: list[Any]
) -> Mapping[str, list[float]]:
    """The training log of a user's own ``fit``, called as KerasTuner does: arrays, no batch size, callbacks to hand on.

    Keras draws the batch order then, from TensorFlow's global seed. A score that it returns is that of the last epoch,
    and those before have none, unless the log says it better: as its best epoch.
    """
    import keras
    import tensorflow as tf

    tf.random.set_seed(job.training_seed)
    log = keras.callbacks.History()
    result = own_fit(
        job.configuration,
        model,
        data.train.x,
        data.train.y,
        validation_data=data.validation.parts,
        epochs=job.epochs,
        callbacks=[*callbacks, log],
        **({"initial_epoch": job.first_epoch} if job.first_epoch else {}),
        **({} if data.train.weight is None else {"sample_weight": data.train.weight}),
    )
    trained = len(callbacks[0].objectives)
    if not trained or trained != len(log.epoch):
        raise ValueError("fit must call model.fit once, and hand *args and **kwargs (epochs, callbacks) on to it")
    history: dict[str, list[float]] = dict(log.history)
    score = returned_score(result, workload.objective)
    if score is None:
        require_name(history, workload.objective, workload)
        return history
    keeper = callbacks[0]
    value = protocols.minimised(score, workload.direction)
    best = best_index(keeper.objectives)
    if best is None or not math.isclose(keeper.objectives[best], value, rel_tol=1e-6):
        history[workload.objective] = [math.nan] * (trained - 1) + [score]
        keeper.objectives = [math.inf] * (trained - 1) + [value]
        keeper.weights = model.get_weights()
    return history


def training_batches(split: Split, batch_size: int, data_seed: int, first: int, count: int) -> Any:
    """A ``tf.data.Dataset`` of ``count`` epochs of shuffled batches, each epoch ending with its ragged batch."""
    import tensorflow as tf

    parts = tf.nest.map_structure(tf.constant, split.parts)
    epochs = tf.data.Dataset.from_tensor_slices(orders(data_seed, first, count, len(split)))
    indices = epochs.flat_map(lambda order: tf.data.Dataset.from_tensor_slices(order).batch(batch_size))
    return indices.map(lambda rows: tf.nest.map_structure(lambda a: tf.gather(a, rows), parts)).prefetch(1)


def batches(split: Split, batch_size: int) -> Any:
    """A ``tf.data.Dataset`` of the rows in their order. Unlike arrays given to ``fit``, no float64 is rounded."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(split.parts).batch(batch_size).prefetch(1)


def _restore(model: Any, job: Job) -> Patience:
    assert job.start is not None
    if job.restart:
        model.set_weights(unpack_arrays(job.start, "best"))
        return Patience()
    model.optimizer.build(model.trainable_variables)
    assign(model.variables, unpack_arrays(job.start, "variable"), "model")
    assign(model.optimizer.variables, unpack_arrays(job.start, "optimizer"), "optimizer")
    return unpack_patience(job.start)


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    return [variable.numpy() for variable in variables]


def _as_float(value: Any) -> float | None:
    return None if value is None else float(value)


def _callbacks(workload: Workload, job: Job, fit: Fit, patience: Patience, clock: Clock) -> list[Any]:
    """[keeper of the best weights, time limit] and Keras' own early stopping where the workload has it."""
    import keras

    class Keeper(keras.callbacks.Callback):
        """Copies the weights at the best finite objective, before anything can change them."""

        def __init__(self) -> None:
            super().__init__()
            self.objectives: list[float] = []  # minimised
            self.weights: list[np.ndarray] = []
            self.variables: list[np.ndarray] = []

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if getattr(workload, "own_fit", None) is None:
                require_name(logs or {}, workload.objective, workload)
            elif workload.objective not in (logs or {}):  # what fit returns may have it
                self.objectives.append(math.nan)
                self.variables = _values(self.model.variables)
                return
            require_name(logs or {}, fit.monitor, workload)
            self.objectives.append(float(minimised(workload, logs or {})))
            if best_index(self.objectives) == len(self.objectives) - 1:
                self.weights = self.model.get_weights()
            if job.keep_state:  # at its end, fit may put averages in their place, from which nothing can go on
                self.variables = _values(self.model.variables)

    class Limit(keras.callbacks.Callback):
        cut = False

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            if job.time_limit_s is not None and time.perf_counter() - clock.wall > job.time_limit_s:
                self.cut = self.model.stop_training = True

    class Continued(keras.callbacks.EarlyStopping):
        """Keras forgets its patience when training begins; a continued trial must not."""

        def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
            super().on_train_begin(logs)
            self.best, self.wait = patience.best, patience.wait

    callbacks: list[Any] = [Keeper(), Limit()]
    if fit.patience is not None:
        mode = direction_of(workload, fit.monitor)
        callbacks.append(Continued(monitor=fit.monitor, patience=fit.patience, mode=mode))
    return callbacks


def _recorder(workload: Workload, data: Data, tests: list[Mapping[str, float]], clock: Clock) -> Any:
    """A callback that scores the test split after each epoch, off the clock."""
    import keras

    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            began = time.perf_counter()
            tests.append(test_scores(workload, self.model, data))
            clock.aside_s += time.perf_counter() - began

    return Recorder()
