"""What a training costs a reader: seconds of plain Keras and of stock KerasTuner on this machine.

The compiled trainer makes an epoch hundreds of times cheaper than it is for a reader, so statements about time use this
clock: overhead per trial + epochs x seconds per epoch. TensorFlow and KerasTuner are imported when it is measured.

Seconds are processor time of a process with one TensorFlow thread, which other jobs on the machine change less than the
wall clock (but they do: cores share memory and caches). The wall clock of an idle machine shows somewhat more. A speed
script holds the stock clock against complete searches.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from hptune_bench.core.nested import mapped
from hptune_bench.core.protocols import Data, Fit, Workload
from hptune_bench.core.space import Configuration, Value, canonical
from hptune_bench.training.common import direction_of, seed_everything
from hptune_bench.training.structure import structure_key

_now = time.process_time
FULL = 2
"""The generation of a garbage collection that looks at everything."""


class ClockRow(TypedDict):
    """A row of ``stock_clock.csv``.

    ``structure`` is canonical JSON of the hyperparameters that change the cost, ``method`` is ``plain`` (a loop around
    ``model.fit``) or ``keras_tuner`` (stock ``search()``, with its checkpoints and clean-up). ``checkpoint_s`` is paid
    for each epoch that improves on all before it in its trial: KerasTuner saves the weights then. ``aging_s`` is paid
    once more for each trial before: a training leaves thousands of Python objects behind, and KerasTuner has all that
    there are looked through twice before it builds a model. ``overhead_s`` is that of the first trial.
    """

    workload: str
    method: str
    structure: str
    overhead_s: float
    epoch_s: float
    checkpoint_s: float
    aging_s: float


@dataclass(frozen=True)
class Cycle:
    """One trial from the moment it is asked for to the moment the next one is, or its loop ends.

    Attributes:
        seconds: of the whole cycle.
        ends: when each epoch ended, on the same clock.
        saves: seconds of the checkpoint after each epoch; 0 where none was written.
        collections: seconds of each full garbage collection in it, where KerasTuner asks for them.
    """

    seconds: float
    ends: tuple[float, ...]
    saves: tuple[float, ...]
    collections: tuple[float, ...] = ()

    @property
    def steps(self) -> list[float]:
        """Seconds of each epoch from the second on (the first one traces), without the checkpoint before it."""
        return [
            later - earlier - save
            for (earlier, later), save in zip(itertools.pairwise(self.ends), self.saves[:-1], strict=True)
        ]

    @property
    def others(self) -> float:
        """Seconds before the end of the first epoch and after the last epoch and its checkpoint."""
        return self.seconds - (self.ends[-1] - self.ends[0]) - self.saves[-1]


def measure(
    workload: Workload, structures: int = 6, epochs: int = 8, rounds: int = 2, data_seed: int = 1
) -> list[ClockRow]:
    """Time short trainings of each structure with each method, in turns.

    Seconds per epoch are the mean over both methods from the second epoch of a training on (the first one traces),
    without checkpoints, which are timed one by one: their seconds are the mean over all structures. The overhead is the
    cycle of a trial up to the end of its first epoch and after that of its last, less one epoch: proposing, preparing,
    building, tracing, writing the trial down, clean-up. It ages with the trainings of the process: how much longer a
    full garbage collection takes after one more is the slope of a straight line through all of them, and through some
    more before the trainings and after them.

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
    trained = len(methods)
    cycles: dict[tuple[str, int], list[Cycle]] = {}
    ages: dict[str, list[float]] = {name: [] for name in methods}
    collections: list[tuple[float, float]] = [(trained, seconds) for seconds in _full_collections()]
    for _ in range(rounds):
        for name, method in methods.items():
            age = trained + (len(chosen) - 1) / 2  # the order of the trials in a search is the tuner's
            ages[name].append(age)
            for index, cycle in enumerate(method(workload, data, chosen, epochs)):
                cycles.setdefault((name, index), []).append(cycle)
                collections += [(age, seconds) for seconds in cycle.collections]
            trained += len(chosen)
    slower_s = _slope([*collections, *((trained, seconds) for seconds in _full_collections())])
    epochs_s = {
        index: statistics.fmean(step for name in methods for cycle in cycles[name, index] for step in cycle.steps)
        for index in range(len(chosen))
    }
    saves: dict[str, list[float]] = {name: [] for name in methods}
    for (name, _), found in cycles.items():
        saves[name] += [save for cycle in found for save in cycle.saves if save]
    rows = []
    for (name, index), found in cycles.items():
        aging_s = slower_s * statistics.fmean(len(cycle.collections) for cycle in found)
        others_s = statistics.fmean(cycle.others for cycle in found) - aging_s * statistics.fmean(ages[name])
        configuration = chosen[index]
        rows.append(
            ClockRow(
                workload=workload.name,
                method=name,
                structure=canonical({name: configuration[name] for name in costly if name in configuration}),
                overhead_s=max(0.0, others_s - epochs_s[index]),
                epoch_s=epochs_s[index],
                checkpoint_s=statistics.fmean(saves[name]) if saves[name] else 0.0,
                aging_s=aging_s,
            )
        )
    return rows


def _full_collections(count: int = 6) -> list[float]:
    """Seconds of so many full garbage collections in a row."""
    found = []
    for _ in range(count):
        began = _now()
        gc.collect()
        found.append(_now() - began)
    return found


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line through points (x, y), at least 0; 0 where all have the same x."""
    x, y = zip(*points, strict=True) if points else ((), ())
    return max(0.0, statistics.linear_regression(x, y).slope) if len(set(x)) > 1 else 0.0


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
    return key, workload.fit(configuration).batch_size, mapped(lambda array: array.shape, prepared.train.x)


def plain_loop(workload: Workload, data: Data, configurations: Sequence[Configuration], epochs: int) -> list[Cycle]:
    """One training per configuration, as in the post: a loop around ``model.fit``."""
    import keras

    cycles = []
    seed_everything(1)
    for configuration in configurations:
        ends: list[float] = []
        stamp = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs, ends=ends: ends.append(_now()))
        began = _now()
        prepared = workload.prepare(configuration, data)
        model = workload.build(configuration, prepared)
        fit_arrays(model, prepared, workload.fit(configuration), epochs=epochs, callbacks=[stamp])
        cycles.append(Cycle(_now() - began, tuple(ends), (0.0,) * len(ends)))
    return cycles


def fit_arrays(model: Any, data: Data, fit: Fit, **arguments: Any) -> Any:
    """``model.fit`` on arrays with Keras' defaults."""
    arguments.setdefault("verbose", 0)
    return model.fit(
        data.train.x,
        data.train.y,
        validation_data=data.validation.parts,
        batch_size=fit.batch_size,
        sample_weight=data.train.weight,
        **arguments,
    )


class _Stopwatch:
    """What KerasTuner does and when, trial by trial: see ``Cycle``."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.numbers: list[int] = []
        self.began: list[float] = []
        self.ends: list[list[float]] = []
        self.saves: list[list[float]] = []
        self.collections: list[list[float]] = []

    def asked(self) -> None:
        """A trial is asked for; once more after the last one, when there is nothing left to propose."""
        self.began.append(_now())
        self.collections.append([])

    def built(self, number: int) -> None:
        self.numbers.append(number)
        self.ends.append([])
        self.saves.append([])

    def epoch_ended(self) -> None:
        self.ends[-1].append(_now())
        self.saves[-1].append(0.0)

    def timed(self, save_weights: Any) -> Any:
        def timed(*arguments: Any, **named: Any) -> None:
            before = _now()
            save_weights(*arguments, **named)
            self.saves[-1][-1] += _now() - before

        return timed

    def collected(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] == FULL and self.collections:
            full = self.collections[-1]
            full.append(_now() if phase == "start" else _now() - full.pop())

    def cycles(self) -> list[Cycle]:
        """In the order of the configurations."""
        seconds = [later - earlier for earlier, later in itertools.pairwise(self.began)]
        parts = zip(self.numbers, seconds, self.ends, self.saves, self.collections[:-1], strict=True)
        return [Cycle(took, *map(tuple, lists)) for _, took, *lists in sorted(parts, key=lambda part: part[0])]


def stock_search(workload: Workload, data: Data, configurations: Sequence[Configuration], epochs: int) -> list[Cycle]:
    """A stock KerasTuner search over given configurations, its trials one by one.

    The tuner is ``GridSearch`` over the number of the configuration: its proposals cost nothing, so what is timed is
    the machinery that all stock tuners share.
    """
    import keras
    import keras_tuner

    watch = _Stopwatch()

    class Model(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            watch.built(hp.Int("number", 0, len(configurations) - 1))
            self.configuration = configurations[watch.numbers[-1]]
            self.data = workload.prepare(self.configuration, data)
            model = workload.build(self.configuration, self.data)
            model.save_weights = watch.timed(model.save_weights)
            return model

        def fit(self, hp: Any, model: Any, **arguments: Any) -> Any:
            return fit_arrays(model, self.data, workload.fit(self.configuration), **arguments)

    class Timed(keras_tuner.GridSearch):
        def pre_create_trial(self) -> None:
            watch.asked()

    # Not the method itself: KerasTuner copies callbacks for each trial, and a method takes its object along.
    callbacks: list[Any] = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: watch.epoch_ended())]
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
        watch.forget()  # the constructor builds a model, too, to learn the search space
        gc.callbacks.append(watch.collected)
        try:
            tuner.search(epochs=epochs, callbacks=callbacks, verbose=0)
        finally:
            gc.callbacks.remove(watch.collected)
    return watch.cycles()
