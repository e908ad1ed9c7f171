"""The post's own search as a whole: stock ``RandomSearch(...).search(...)`` beside the same configurations in ours.

Each side is a process of its own, timed from its start to its end: importing TensorFlow is part of it. Ours runs twice,
with an empty and with a filled cache of compiled programs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.speed.common import FOLDER, answer, declare, in_process, write


def stock(trials: int, epochs: int) -> dict[str, Any]:
    import keras
    import keras_tuner

    from hptune_bench.workloads.linear_regression import LinearRegression

    workload = LinearRegression()
    data = workload.load(1)
    proposed = []

    def build_model(hp: Any) -> Any:
        configuration = declare(workload.space, hp)
        proposed.append(configuration)
        return workload.build(configuration, data)

    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10)
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.RandomSearch(build_model, "val_loss", max_trials=trials, seed=1, directory=folder)
        # The constructor builds once, at the defaults, to learn the space.
        proposed.clear()
        began = time.perf_counter()
        tuner.search(
            data.train.x,
            data.train.y,
            validation_data=(data.validation.x, data.validation.y),
            epochs=epochs,
            callbacks=[stop],
            verbose=0,
        )
        seconds = time.perf_counter() - began
        configurations = [dict(trial.hyperparameters.values) for trial in tuner.oracle.trials.values()]
    return {"search_s": seconds, "compile_s": 0.0, "configurations": configurations}


def ours(configurations: list[dict[str, Any]], epochs: int) -> dict[str, Any]:
    from hptune_bench.core.tensorflow import configure_tensorflow

    configure_tensorflow()
    from hptune_bench.core.protocols import Job
    from hptune_bench.training import make_trainer
    from hptune_bench.workloads.linear_regression import LinearRegression

    trainer = make_trainer("compiled", LinearRegression())
    outcomes = [trainer.train(Job(configuration, epochs, 1, 1)) for configuration in configurations]
    return {
        "search_s": sum(outcome.train_s for outcome in outcomes),
        "compile_s": sum(outcome.compile_s for outcome in outcomes),
        "epochs": sum(len(outcome.history) for outcome in outcomes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--side", choices=["stock", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("--configurations", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side == "stock":
        answer(stock(arguments.trials, arguments.epochs))
        return
    if arguments.side == "ours":
        answer(ours(arguments.configurations, arguments.epochs))
        return
    size = ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs)]
    rows = []
    for repeat in range(1, arguments.repeats + 1):
        reference, first = in_process("post_search", ["--side", "stock", *size])
        same = ["--side", "ours", *size, "--configurations", json.dumps(first["configurations"])]
        with tempfile.TemporaryDirectory() as cache:
            sides = [("stock", reference, first)]
            for label in ("ours, cold", "ours, warm"):
                sides.append((label, *in_process("post_search", same, XDG_CACHE_HOME=cache)))
        for label, whole, result in sides:
            rows.append(
                {
                    "repeat": repeat,
                    "variant": label,
                    "process_s": whole,
                    "search_s": result["search_s"],
                    "compile_s": result["compile_s"],
                    "times_faster": reference / whole,
                    "times_faster_without_start_and_compile": first["search_s"] / result["search_s"],
                }
            )
    write("post_search", rows, arguments.out)


if __name__ == "__main__":
    main()
