"""What a training costs a reader: seconds of plain Keras and of stock KerasTuner on this machine.

The compiled trainer makes an epoch hundreds of times cheaper than it is for a reader, so statements about time use this
clock: overhead per trial + epochs x seconds per epoch. TensorFlow and KerasTuner are imported when it is measured.

Seconds are processor time of a process with one TensorFlow thread, which other jobs on the machine change less than the
wall clock (but they do: cores share memory and caches). The wall clock of an idle machine shows somewhat more: the
speed scripts hold both against complete searches.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from hptune_bench.interfaces import Data, Fit, Workload
from hptune_bench.search_space import Configuration, Value, canonical
from hptune_bench.training.common import best_index, direction_of, seed_everything
from hptune_bench.training.structure import structure_key

_now = time.process_time


class ClockRow(TypedDict):
    """A row of ``stock_clock.csv``.

    ``structure`` is canonical JSON of the hyperparameters that change the cost, ``method`` is ``plain`` (a loop around
    ``model.fit``) or ``keras_tuner`` (stock ``search()``, with its checkpoints and clean-up). ``checkpoint_s`` is paid
    for each epoch that improves on all before it in its trial: KerasTuner saves the weights then.
    """

    workload: str
    method: str
    structure: str
    overhead_s: float
    epoch_s: float
    checkpoint_s: float


@dataclass(frozen=True)
class Cycle:
    """One trial from the moment it is asked for to the moment the next one is, or its loop ends.

    Attributes:
        seconds: of the whole cycle.
        ends: when each epoch ended, on the same clock.
        improved: whether each epoch was the best so far.
    """

    seconds: float
    ends: tuple[float, ...]
    improved: tuple[bool, ...]

    @property
    def steps(self) -> list[float]:
        """Seconds of each epoch from the second on (the first one traces)."""
        return [later - earlier for earlier, later in itertools.pairwise(self.ends)]


def measure(
    workload: Workload, structures: int = 6, epochs: int = 8, rounds: int = 2, data_seed: int = 1
) -> list[ClockRow]:
    """Time short trainings of each structure with each method, in turns.

    Seconds per epoch are the mean of plain ``fit`` from the second epoch of a training on (the first one traces). A
    checkpoint is what an epoch of KerasTuner takes beyond that after one that improved, the mean over all structures.
    The overhead is the cycle of a trial up to the end of its first epoch and after that of its last, less one epoch:
    proposing, preparing, building, tracing, writing the trial down, clean-up.

    Args:
        structures: at most so many configurations are timed.
        epochs: length of the trainings, at most the workload's full epochs, at least 2.
        rounds: how often each is timed; between two times all others are, so that no short disturbance falls on one.
    """
    data = workload.load(data_seed)
    epochs = max(2, min(epochs, workload.full_epochs))
    costly, chosen = representative(workload, data, structures)
    methods = {"plain": plain_loop, "keras_tuner": stock_search}
    for method in methods.values():
        method(workload, data, chosen[:1], 2)  # what a process does only once is no cost of a trial
    cycles: dict[tuple[str, int], list[Cycle]] = {}
    for _ in range(rounds):
        for name, method in methods.items():
            for index, cycle in enumerate(method(workload, data, chosen, epochs)):
                cycles.setdefault((name, index), []).append(cycle)
    epochs_s = {
        index: statistics.fmean(step for cycle in cycles["plain", index] for step in cycle.steps)
        for index in range(len(chosen))
    }
    saving = [
        step - epochs_s[index]
        for (name, index), found in cycles.items()
        if name == "keras_tuner"
        for cycle in found
        for step, improved in zip(cycle.steps, cycle.improved, strict=False)
        if improved
    ]
    checkpoints = {"plain": 0.0, "keras_tuner": max(0.0, statistics.fmean(saving)) if saving else 0.0}
    rows = []
    for (name, index), found in cycles.items():
        epoch_s, checkpoint_s = epochs_s[index], checkpoints[name]
        overhead_s = statistics.fmean(
            cycle.seconds - (cycle.ends[-1] - cycle.ends[0]) - epoch_s - cycle.improved[-1] * checkpoint_s
            for cycle in found
        )
        configuration = chosen[index]
        rows.append(
            ClockRow(
                workload=workload.name,
                method=name,
                structure=canonical({name: configuration[name] for name in costly if name in configuration}),
                overhead_s=max(0.0, overhead_s),
                epoch_s=epoch_s,
                checkpoint_s=checkpoint_s,
            )
        )
    return rows


def representative(workload: Workload, data: Data, limit: int) -> tuple[list[str], list[Configuration]]:
    """The hyperparameters that change the cost, and the configurations that are timed for them.

    A hyperparameter counts if its first or last hand-picked value, put into the untuned configuration, changes the
    batch size, the shape of the data or the structure of the model. Timed are the untuned configuration and, one at a
    time, those values.
    """
    base = dict(workload.untuned)
    reference = _cost_key(workload, data, base)
    costly: list[str] = []
    chosen: list[Configuration] = [base]
    for hp in workload.space:
        ends: list[Value] = [workload.hand_picked[hp.name][0], workload.hand_picked[hp.name][-1]]
        changed = [
            configuration
            for configuration in (dict(workload.space.active({**base, hp.name: value})) for value in ends)
            if len(configuration) == len(base) and _cost_key(workload, data, configuration) != reference
        ]
        if changed:
            costly.append(hp.name)
            chosen += [configuration for configuration in changed if configuration not in chosen]
    return costly, chosen[:limit]


def _cost_key(workload: Workload, data: Data, configuration: Configuration) -> Any:
    prepared = workload.prepare(configuration, data)
    key = structure_key(workload.build(configuration, prepared), [])
    return key, workload.fit(configuration).batch_size, _shape(prepared.train.x)


def _shape(x: Any) -> Any:
    return {name: column.shape for name, column in x.items()} if isinstance(x, dict) else x.shape


def plain_loop(workload: Workload, data: Data, configurations: Sequence[Configuration], epochs: int) -> list[Cycle]:
    """One training per configuration, as in the post: a loop around ``model.fit``."""
    import keras

    cycles = []
    seed_everything(1)
    for configuration in configurations:
        ends: list[float] = []
        values: list[float] = []
        stamp = keras.callbacks.LambdaCallback(on_epoch_end=_stamp(workload, ends, values))
        began = _now()
        prepared = workload.prepare(configuration, data)
        model = workload.build(configuration, prepared)
        fit_arrays(model, prepared, workload.fit(configuration), epochs=epochs, callbacks=[stamp])
        cycles.append(Cycle(_now() - began, tuple(ends), _improved(workload, values)))
    return cycles


def _stamp(workload: Workload, ends: list[float], values: list[float]) -> Callable[[int, Any], None]:
    """What notes the time and the objective at the end of an epoch."""

    def stamp(epoch: int, logs: Any) -> None:
        ends.append(_now())
        values.append(float(logs[workload.objective]))

    return stamp


def _improved(workload: Workload, values: Sequence[float]) -> tuple[bool, ...]:
    best = [best_index(values[: count + 1], workload.direction) for count in range(len(values))]
    return tuple(index == place for place, index in enumerate(best))


def fit_arrays(model: Any, data: Data, fit: Fit, **arguments: Any) -> Any:
    """``model.fit`` on arrays with Keras' defaults."""
    arguments.setdefault("verbose", 0)
    return model.fit(
        data.train.x,
        data.train.y,
        validation_data=(data.validation.x, data.validation.y),
        batch_size=fit.batch_size,
        **arguments,
    )


def stock_search(workload: Workload, data: Data, configurations: Sequence[Configuration], epochs: int) -> list[Cycle]:
    """A stock KerasTuner search over given configurations, its trials one by one.

    The tuner is ``GridSearch`` over the number of the configuration: its proposals cost nothing, so what is timed is
    the machinery that all stock tuners share.
    """
    import keras
    import keras_tuner

    numbers: list[int] = []
    began: list[float] = []
    ends: list[list[float]] = []
    values: list[list[float]] = []
    stamp = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: _stamp(workload, ends[-1], values[-1])(epoch, logs)
    )

    class Model(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            ends.append([])
            values.append([])
            numbers.append(hp.Int("number", 0, len(configurations) - 1))
            configuration = configurations[numbers[-1]]
            self.configuration, self.data = configuration, workload.prepare(configuration, data)
            return workload.build(configuration, self.data)

        def fit(self, hp: Any, model: Any, **arguments: Any) -> Any:
            return fit_arrays(model, self.data, workload.fit(self.configuration), **arguments)

    class Timed(keras_tuner.GridSearch):
        def pre_create_trial(self) -> None:  # once more after the last trial, when there is nothing left to propose
            began.append(_now())

    callbacks: list[Any] = [stamp]
    fit = workload.fit(configurations[0])
    if fit.patience is not None:
        mode = direction_of(workload, fit.monitor)
        callbacks.append(keras.callbacks.EarlyStopping(monitor=fit.monitor, patience=fit.patience, mode=mode))
    seed_everything(1)
    with tempfile.TemporaryDirectory() as folder:
        tuner = Timed(
            hypermodel=Model(),
            objective=keras_tuner.Objective(workload.objective, workload.direction),
            max_trials=len(configurations),
            # A search that fails on a diverging configuration would end early and time less than it says.
            max_consecutive_failed_trials=len(configurations) + 1,
            directory=folder,
            overwrite=True,
        )
        # The constructor builds a model, too, to learn the search space.
        for kept in (numbers, began, ends, values):
            kept.clear()
        tuner.search(epochs=epochs, callbacks=callbacks, verbose=0)
    cycles = [
        Cycle(later - earlier, tuple(stamps), _improved(workload, curve))
        for (earlier, later), stamps, curve in zip(itertools.pairwise(began), ends, values, strict=True)
    ]
    return [cycle for _, cycle in sorted(zip(numbers, cycles, strict=True), key=lambda pair: pair[0])]
