"""What a training costs a reader: seconds of plain Keras and of stock KerasTuner on this machine.

The compiled trainer makes an epoch hundreds of times cheaper than it is for a reader, so statements about time use this
clock: overhead per trial + epochs x seconds per epoch. TensorFlow and KerasTuner are imported when it is measured.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any, TypedDict

from hptune_bench.interfaces import Data, Fit, Workload
from hptune_bench.search_space import Configuration, Value, canonical
from hptune_bench.training.common import direction_of, seed_everything
from hptune_bench.training.structure import structure_key


class ClockRow(TypedDict):
    """A row of ``stock_clock.csv``.

    ``structure`` is canonical JSON of the hyperparameters that change the cost, ``method`` is ``plain`` (a loop around
    ``model.fit``) or ``keras_tuner`` (stock ``search()``, with its checkpoints and clean-up).
    """

    workload: str
    method: str
    structure: str
    overhead_s: float
    epoch_s: float


def measure(workload: Workload, structures: int = 8, epochs: int = 6, data_seed: int = 1) -> list[ClockRow]:
    """Time one short training per structure and method.

    Seconds per epoch are those of plain ``fit``, the first epoch left out (it traces). The overhead is what remains of
    the whole: preparing, building and tracing, and for KerasTuner also checkpoints (at most ``epochs`` of them, so the
    overhead of a long trial that improves more often is underestimated), clean-up and its files.

    Args:
        structures: at most so many configurations are timed.
        epochs: length of the trainings, at most the workload's full epochs, at least 2.
    """
    data = workload.load(data_seed)
    epochs = max(2, min(epochs, workload.full_epochs))
    costly, chosen = representative(workload, data, structures)
    plain_fit(workload, data, chosen[0], 1)
    rows: list[ClockRow] = []
    for configuration in chosen:
        structure = canonical({name: configuration[name] for name in costly if name in configuration})
        total, epoch_s = plain_fit(workload, data, configuration, epochs)
        search, trained = search_seconds(workload, data, [configuration], epochs)
        for method, seconds, count in (("plain", total, epochs), ("keras_tuner", search, trained)):
            overhead = max(0.0, seconds - count * epoch_s)
            rows.append(
                ClockRow(
                    workload=workload.name, method=method, structure=structure, overhead_s=overhead, epoch_s=epoch_s
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


def plain_fit(workload: Workload, data: Data, configuration: Configuration, epochs: int) -> tuple[float, float]:
    """Seconds of one training as in the post, and seconds per epoch (from the second on; NaN if there is none)."""
    import keras

    ends: list[float] = []
    stamp = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    seed_everything(1)
    began = time.perf_counter()
    prepared = workload.prepare(configuration, data)
    model = workload.build(configuration, prepared)
    fit_arrays(model, prepared, workload.fit(configuration), epochs=epochs, callbacks=[stamp])
    total = time.perf_counter() - began
    steps = [b - a for a, b in itertools.pairwise(ends)]
    return total, statistics.fmean(steps) if steps else float("nan")


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


def search_seconds(
    workload: Workload, data: Data, configurations: Sequence[Configuration], epochs: int
) -> tuple[float, int]:
    """Seconds of a stock KerasTuner search over given configurations, and the epochs that it trained.

    The tuner is ``GridSearch`` over the number of the configuration: its proposals cost nothing, so what is timed is
    the machinery that all stock tuners share.
    """
    import keras
    import keras_tuner

    trained: list[int] = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: trained.append(epoch))

    class Model(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            configuration = configurations[hp.Int("number", 0, len(configurations) - 1)]
            self.configuration, self.data = configuration, workload.prepare(configuration, data)
            return workload.build(configuration, self.data)

        def fit(self, hp: Any, model: Any, **arguments: Any) -> Any:
            return fit_arrays(model, self.data, workload.fit(self.configuration), **arguments)

    callbacks: list[Any] = [count]
    fit = workload.fit(configurations[0])
    if fit.patience is not None:
        mode = direction_of(workload, fit.monitor)
        callbacks.append(keras.callbacks.EarlyStopping(monitor=fit.monitor, patience=fit.patience, mode=mode))
    seed_everything(1)
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.GridSearch(
            hypermodel=Model(),
            objective=keras_tuner.Objective(workload.objective, workload.direction),
            max_trials=len(configurations),
            # A search that fails on a diverging configuration would end early and time less than it says.
            max_consecutive_failed_trials=len(configurations) + 1,
            directory=folder,
            overwrite=True,
        )
        began = time.perf_counter()
        tuner.search(epochs=epochs, callbacks=callbacks, verbose=0)
        seconds = time.perf_counter() - began
    return seconds, len(trained)
