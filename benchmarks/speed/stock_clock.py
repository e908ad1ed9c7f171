"""The stock clock: measured, and held against complete stock searches.

For each stock tuner some complete searches of the regression are run as a reader runs them; their seconds are compared
with overhead + epochs x seconds per epoch + checkpoints, summed over their trials, plus the time of the tuner itself.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.speed.common import FOLDER, declare, write
from hptune_bench.training.runtime import configure_tensorflow

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
            began = time.perf_counter()
            answer = propose(trial_id)
            proposing.append(time.perf_counter() - began)
            return answer

        tuner.oracle.populate_space = timed_proposal
        began = time.perf_counter()
        tuner.search(
            data.train.x,
            data.train.y,
            validation_data=(data.validation.x, data.validation.y),
            epochs=epochs,
            callbacks=[count, stop],
            verbose=0,
        )
        seconds = time.perf_counter() - began
        used = [dict(trial.hyperparameters.values) for trial in tuner.oracle.trials.values()]
    return {"seconds": seconds, "tuner_s": sum(proposing), "epochs": trained, "trials": used}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=3, help="complete searches per tuner")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=9, help="epochs of a full training, and Hyperband's most")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    configure_tensorflow()
    from hptune_bench.analysis.stock_clock import trial_costs
    from hptune_bench.training.stock_clock import measure
    from hptune_bench.workloads.linear_regression import LinearRegression

    workload = LinearRegression()
    clock = write("stock_clock", measure(workload), arguments.out)
    data = workload.load(1)
    rows = []
    for seed in range(1, arguments.searches + 1):
        for name in TUNERS:
            real = search(name, workload, data, arguments.trials, arguments.epochs, seed)
            names = set(workload.space.names)
            configurations = [json.dumps({k: v for k, v in used.items() if k in names}) for used in real["trials"]]
            trials = pd.DataFrame({"tuner": "random_search", "configuration": configurations})
            epochs = pd.DataFrame(real["epochs"], columns=["configuration", "trial", "val_loss"])
            epochs["tuner"] = "random_search"
            improved = epochs["val_loss"] == epochs.groupby("trial")["val_loss"].cummin()
            of_epochs = trial_costs(epochs, clock)
            predicted = (
                trial_costs(trials, clock)["overhead_s"].sum()
                + of_epochs["epoch_s"].sum()
                + of_epochs["checkpoint_s"][improved].sum()
                + real["tuner_s"]
            )
            rows.append(
                {
                    "tuner": name,
                    "seed": seed,
                    "trials": len(trials),
                    "epochs": len(epochs),
                    "checkpoints": int(improved.sum()),
                    "measured_s": real["seconds"],
                    "predicted_s": predicted,
                    "tuner_s": real["tuner_s"],
                    "error_percent": 100 * (predicted / real["seconds"] - 1),
                }
            )
    write("stock_clock_validation", rows, arguments.out)


if __name__ == "__main__":
    main()
