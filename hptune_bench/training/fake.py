"""Closed-form learning curves at full rate: campaigns in seconds, without TensorFlow, for tests and fuzzing.

The score of a configuration is a bowl around a point that the data seed places, the curve falls towards it
exponentially, a corner of the space diverges, and retraining noise comes from the training seed. Everything is a pure
function of the job, so that resuming, killing and reordering can be tested to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from hptune_bench.core.protocols import Data, Job, Outcome, Split, Workload, minimised
from hptune_bench.core.seeds import derive
from hptune_bench.core.space import Boolean, Choice, Float, Hyperparameter, Value
from hptune_bench.training.common import best_index

CAP = 10.0
"""Score of a model that has learned nothing."""
NOISE = 0.01
"""Standard deviation of the retraining noise."""


class FakeTrainer:
    """See ``core.protocols.Trainer``. One epoch takes a simulated millisecond."""

    name = "fake"
    note: str | None = None
    replays = False

    def __init__(self, workload: Workload) -> None:
        self._workload = workload

    def data(self, data_seed: int) -> Data:
        empty = Split(np.empty((0, 1)), np.empty(0))
        return Data(empty, empty, empty, facts={"cap": CAP})

    def train(self, job: Job) -> Outcome:
        curve = [self._value(job, epoch) for epoch in range(job.first_epoch, job.epochs)]
        patience = None if job.record else self._workload.fit(job.configuration).patience
        stop = _stop(curve, patience)
        history = tuple(self._logs(value) for value in curve[:stop])
        best = best_index(curve[:stop])
        return Outcome(
            history=history,
            objective=tuple(curve[:stop]),
            ended=stop < len(curve),
            cut=False,
            best=best,
            train_s=0.001 * stop,
            compile_s=0.0,
            cpu_s=0.0,
            state={"epoch": np.array(job.first_epoch + stop)} if job.keep_state else None,
            test=lambda: {} if best is None else self._test(curve[best], job.data_seed),
            weights=lambda: [np.array([0.0 if best is None else curve[best]])],
            tests=tuple(self._test(value, job.data_seed) for value in curve) if job.record else (),
        )

    def _value(self, job: Job, epoch: int) -> float:
        distance = sum(
            (_position(hp, job.configuration[hp.name]) - _unit(job.data_seed, hp.name)) ** 2
            for hp in self._workload.space
            if hp.name in job.configuration
        )
        if distance > 0.9 and epoch >= 1 and _unit("diverges", *sorted(job.configuration.items())) < 0.3:
            return math.nan
        noise = NOISE * (_unit(job.training_seed, epoch) + _unit(job.training_seed) - 1)
        return 1 + distance + (CAP - 1) * math.exp(-(epoch + 1) / (1 + 4 * distance)) + noise

    def _logs(self, value: float) -> Mapping[str, float]:
        logs = {
            "loss": value * 0.9,
            "val_loss": value,
            self._workload.objective: minimised(value, self._workload.direction),
        }
        return {**logs, **{name: 1 / (1 + value) for name in self._workload.metrics if name not in logs}}

    def _test(self, value: float, data_seed: int) -> Mapping[str, float]:
        score = value + NOISE * (_unit("test", data_seed) - 0.5)
        return {"loss": score, self._workload.test_metric: minimised(score, self._workload.direction)}


def _stop(curve: list[float], patience: int | None) -> int:
    """Epochs trained before Keras' EarlyStopping would stop (a NaN first epoch is never improved on)."""
    if patience is None:
        return len(curve)
    best, wait = math.nan, 0
    for index, value in enumerate(curve):
        if index == 0 or value < best:
            best, wait = value, 0
            continue
        wait += 1
        if wait >= patience:
            return index + 1
    return len(curve)


def _position(hp: Hyperparameter, value: Value) -> float:
    """A value's place in its range, from 0 to 1."""
    if isinstance(hp, Boolean):
        return float(value)
    if isinstance(hp, Choice):
        return hp.values.index(value) / max(1, len(hp.values) - 1)
    number, low, high = float(value), float(hp.low), float(hp.high)
    if isinstance(hp, Float) and hp.log:
        number, low, high = math.log(number), math.log(low), math.log(high)
    return (number - low) / (high - low) if high > low else 0.0


def _unit(*names: object) -> float:
    """A number in (0, 1] that its name determines."""
    return derive("fake", *names) / 2**32


def trainer(workload: Workload) -> FakeTrainer:
    return FakeTrainer(workload)
