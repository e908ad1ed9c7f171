"""The stock clock: measured, and held against complete stock searches.

For each stock tuner some complete searches of the regression are run as a reader runs them, each in a process of its
own; their seconds are compared with those of the stock clock, summed over their trials, plus the time of the tuner
itself. Seconds are processor time, as the clock has them.

A shared machine is not equally fast from one second to the next, by a factor of up to 1.6 even in processor time, which
is no error of the clock. So beside each search, on the same core and at the same time, the clock is measured by another
process: both meet the same speed, each has its own processor time, and every search counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd

from benchmarks.speed.common import FOLDER, answer, declare, in_process, write
from hptune_bench.core.tensorflow import configure_tensorflow
from hptune_bench.execution.executors.worker import pin, usable_cores

TUNERS = ("RandomSearch", "BayesianOptimization", "Hyperband")


def search(name: str, workload: Any, data: Any, trials: int, epochs: int, seed: int) -> dict[str, Any]:
    """One complete stock search: its seconds, the tuner's part of them, and what it trained."""
    import keras
    import keras_tuner

    trained: list[tuple[str, int, float]] = []
    built: list[str] = []

    def build_model(hp: Any) -> Any:
        configuration = declare(workload.space, hp)
        built.append(json.dumps(configuration))
        return workload.build(configuration, data)

    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: trained.append((built[-1], len(built), logs["val_loss"]))
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10)
    size = {"max_epochs": epochs} if name == "Hyperband" else {"max_trials": trials}
    with tempfile.TemporaryDirectory() as folder:
        tuner = getattr(keras_tuner, name)(
            build_model, "val_loss", seed=seed, directory=folder, max_consecutive_failed_trials=1000, **size
        )
        propose, proposing = tuner.oracle.populate_space, []

        def timed_proposal(trial_id: str) -> Any:
            began = time.process_time()
            proposal = propose(trial_id)
            proposing.append(time.process_time() - began)
            return proposal

        tuner.oracle.populate_space = timed_proposal
        began = time.process_time()
        tuner.search(
            data.train.x,
            data.train.y,
            validation_data=(data.validation.x, data.validation.y),
            epochs=epochs,
            callbacks=[count, stop],
            verbose=0,
        )
        seconds = time.process_time() - began
    return {"seconds": seconds, "tuner_s": sum(proposing), "epochs": trained}


def predicted(real: Mapping[str, Any], clock: pd.DataFrame) -> dict[str, float]:
    """What the stock clock says of a search: its trials, epochs and checkpoints, and the tuner's own time."""
    from hptune_bench.analysis.stock_clock import stock_seconds

    epochs = pd.DataFrame(real["epochs"], columns=["configuration", "built", "val_loss"])
    epochs["improved"] = epochs["val_loss"] == epochs.groupby("built")["val_loss"].cummin()
    found = epochs.groupby("built")
    trials = found.agg(
        configuration=("configuration", "first"), epochs=("val_loss", "size"), improved=("improved", "sum")
    )
    trials = trials.assign(tuner="a tuner", seed=1, tuner_s=0.0, trial=range(1, len(trials) + 1))
    seconds = stock_seconds(trials, clock, {"a tuner": "keras_tuner"}).iloc[-1] + real["tuner_s"]
    return {
        "trials": len(trials),
        "epochs": len(epochs),
        "checkpoints": int(trials["improved"].sum()),
        "measured_s": real["seconds"],
        "predicted_s": seconds,
        "tuner_s": real["tuner_s"],
        "error_percent": 100 * (seconds / real["seconds"] - 1),
    }


def beside(name: str, seed: int, core: int, size: Sequence[str]) -> tuple[Any, Any]:
    """A search, and the clock as it is measured at the same time on the same core."""
    where = ["--core", str(core)]
    with ThreadPoolExecutor(2) as pool:
        clock = pool.submit(in_process, "stock_clock", ["--alone", "clock", *where])
        real = pool.submit(in_process, "stock_clock", ["--alone", name, "--seed", str(seed), *where, *size])
        return real.result()[1], clock.result()[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=3, help="complete searches per tuner")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=15, help="epochs of a full training, and Hyperband's most")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--alone", choices=["clock", *TUNERS], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone is not None:
        alone(arguments.alone, arguments.trials, arguments.epochs, arguments.seed, arguments.core)
        return
    size = ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs)]
    asked = [(name, seed) for seed in range(1, arguments.searches + 1) for name in TUNERS]
    cores: SimpleQueue[int] = SimpleQueue()
    for core in range(usable_cores()):
        cores.put(core)

    def on_a_core(name: str, seed: int) -> tuple[Any, Any]:
        core = cores.get()
        try:
            return beside(name, seed, core, size)
        finally:
            cores.put(core)

    with ThreadPoolExecutor(cores.qsize()) as pool:
        found = list(pool.map(lambda each: on_a_core(*each), asked))
    clocks: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for (name, seed), (real, clock) in zip(asked, found, strict=True):
        clocks += [{**row, "beside": name, "seed": seed} for row in clock]
        rows.append({"tuner": name, "seed": seed, **predicted(real, pd.DataFrame(clock))})
    write("stock_clock", clocks, arguments.out)
    write("stock_clock_validation", rows, arguments.out)


def alone(what: str, trials: int, epochs: int, seed: int, core: int) -> None:
    """In a process of its own, as a reader's search is: measure the clock, or run one search."""
    configure_tensorflow(as_installed=True)
    pin(core)
    from hptune_bench.training.stock_clock import measure
    from hptune_bench.workloads.linear_regression import LinearRegression

    workload = LinearRegression()
    answer(measure(workload) if what == "clock" else search(what, workload, workload.load(1), trials, epochs, seed))


if __name__ == "__main__":
    main()
