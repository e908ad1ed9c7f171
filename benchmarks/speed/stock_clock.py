"""The stock clock: measured, and held against complete stock searches.

For each stock tuner some complete searches of the regression are run as a reader runs them, each in a process of its
own; their seconds are compared with those of the stock clock, summed over their trials, plus the time of the tuner
itself. Seconds are processor time, as the clock has them; those on the wall stand beside.

A shared machine is not equally fast while the clock is measured and while a search runs, which is no error of the
clock. So the clock is measured again in each round of searches, the speed of the processor is watched all the time
(``yardstick``), and a search counts where it was within ``EQUAL`` of that while the clock of its round was measured.
Rounds go on until so many searches of each tuner count; those that do not are written down, too.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.speed.common import FOLDER, answer, declare, in_process, write
from benchmarks.speed.yardstick import sampled
from hptune_bench.execution.worker import pin
from hptune_bench.training.runtime import configure_tensorflow

TUNERS = ("RandomSearch", "BayesianOptimization", "Hyperband")
EQUAL = 0.1


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
        began, on_the_wall = time.process_time(), time.perf_counter()
        with sampled() as speed:
            tuner.search(
                data.train.x,
                data.train.y,
                validation_data=(data.validation.x, data.validation.y),
                epochs=epochs,
                callbacks=[count, stop],
                verbose=0,
            )
        seconds, wall_s = time.process_time() - began - speed.spent_s, time.perf_counter() - on_the_wall
    spent = {"seconds": seconds, "wall_s": wall_s, "tuner_s": sum(proposing), "speed": speed.per_s}
    return {**spent, "epochs": trained}


def predicted(real: Mapping[str, Any], clock: pd.DataFrame, speed: float) -> dict[str, float | bool]:
    """What the stock clock says of a search: its trials, epochs and checkpoints, and the tuner's own time.

    Args:
        speed: of the processor while the clock was measured.
    """
    from hptune_bench.analysis.stock_clock import stock_seconds

    epochs = pd.DataFrame(real["epochs"], columns=["configuration", "built", "val_loss"])
    epochs["improved"] = epochs["val_loss"] == epochs.groupby("built")["val_loss"].cummin()
    found = epochs.groupby("built")
    trials = found.agg(
        configuration=("configuration", "first"), epochs=("val_loss", "size"), improved=("improved", "sum")
    )
    trials = trials.assign(tuner="a tuner", seed=1, tuner_s=0.0, trial=range(1, len(trials) + 1))
    seconds = stock_seconds(trials, clock).iloc[-1] + real["tuner_s"]
    return {
        "trials": len(trials),
        "epochs": len(epochs),
        "checkpoints": int(trials["improved"].sum()),
        "measured_s": real["seconds"],
        "wall_s": real["wall_s"],
        "predicted_s": seconds,
        "tuner_s": real["tuner_s"],
        "error_percent": 100 * (seconds / real["seconds"] - 1),
        "speed": real["speed"] / speed,
        "counts": abs(real["speed"] / speed - 1) <= EQUAL,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=3, help="complete searches per tuner that count")
    parser.add_argument("--rounds", type=int, default=6, help="at most so many rounds")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=9, help="epochs of a full training, and Hyperband's most")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--alone", choices=["clock", *TUNERS], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone is not None:
        alone(arguments.alone, arguments.trials, arguments.epochs, arguments.seed)
        return
    clocks: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    size = ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs)]
    for number in range(1, arguments.rounds + 1):
        missing = [name for name in TUNERS if sum(r["counts"] for r in rows if r["tuner"] == name) < arguments.searches]
        if not missing:
            break
        _, measured = in_process("stock_clock", ["--alone", "clock"])
        clock = pd.DataFrame(measured["rows"])
        clocks += clock.assign(round=number).to_dict("records")
        for name in missing:
            _, real = in_process("stock_clock", ["--alone", name, "--seed", str(number), *size])
            rows.append({"tuner": name, "round": number, **predicted(real, clock, measured["speed"])})
    write("stock_clock", clocks, arguments.out)
    write("stock_clock_validation", rows, arguments.out)


def alone(what: str, trials: int, epochs: int, seed: int) -> None:
    """In a process of its own, as a reader's search is: measure the clock, or run one search."""
    configure_tensorflow(as_installed=True)
    pin(0)
    from hptune_bench.training.stock_clock import measure
    from hptune_bench.workloads.linear_regression import LinearRegression

    workload = LinearRegression()
    if what == "clock":
        with sampled() as speed:
            rows = measure(workload)
        answer({"rows": rows, "speed": speed.per_s})
    else:
        answer(search(what, workload, workload.load(1), trials, epochs, seed))


if __name__ == "__main__":
    main()
