"""Milliseconds per epoch of ``model.fit``, of ``fit`` with many steps per execution, and of the compiled trainer.

The models do not stop early. Also: whole trials where nearly every one is a new structure.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks.speed.common import FOLDER, answer, in_process, interleaved, summary, write
from hptune_bench.core.tensorflow import configure_tensorflow


def workloads(reviews: int) -> dict[str, Any]:
    import keras

    from hptune_bench.core.protocols import Engine, Fit
    from hptune_bench.workloads.linear_regression import LinearRegression
    from hptune_bench.workloads.review_sentiment import ReviewSentiment

    class Regression(LinearRegression):
        def fit(self, configuration: Any) -> Fit:
            return Fit(batch_size=32)

    class WithoutDropout(ReviewSentiment):
        engine: ClassVar[Engine] = "xla"  # as such a workload would name it: nothing in it draws random numbers

        def build(self, configuration: Any, data: Any) -> Any:
            model = super().build(configuration, data)
            kept = [layer for layer in model.layers if not isinstance(layer, keras.layers.Dropout)]
            plain = keras.Sequential([keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype), *kept])
            plain.compile(optimizer=keras.optimizers.Adam(), loss=model.loss, metrics=["accuracy"])
            return plain

    return {
        "regression": Regression(),
        "text without dropout": WithoutDropout(reviews=reviews),
        "text": ReviewSentiment(reviews=reviews),
    }


def epoch_variants(workload: Any, epochs: int) -> dict[str, Any]:
    import tensorflow as tf

    from hptune_bench.core.protocols import Job
    from hptune_bench.training import make_trainer
    from hptune_bench.training.common import orders
    from hptune_bench.training.compiled import tensors
    from hptune_bench.training.stock_clock import fit_arrays

    trainer = make_trainer("compiled", workload)
    configuration = dict(workload.untuned)
    data = workload.prepare(configuration, trainer.data(1))
    fit = workload.fit(configuration)
    steps = math.ceil(len(data.train) / fit.batch_size)

    def stock(**compile_arguments: Any) -> Any:
        model = workload.build(configuration, data)
        for name, value in compile_arguments.items():
            setattr(model, name, value)
        fit_arrays(model, data, fit, epochs=1)

        def measure() -> float:
            began = time.perf_counter()
            fit_arrays(model, data, fit, epochs=1)
            return time.perf_counter() - began

        return measure

    trainer.train(Job(configuration, epochs, 1, 1))
    (engine,) = trainer.engines.values()
    rows = tensors(data)
    order = tf.constant(orders(1, 0, engine.plan.block, len(data.train)))
    block = min(epochs, engine.plan.block)

    def ours() -> float:
        began = time.perf_counter()
        engine.run(0, block, None, order, rows)
        return (time.perf_counter() - began) / block

    return {"fit": stock(), "fit, steps_per_execution": stock(steps_per_execution=steps), "compiled": ours}


LENGTHS = {"50 epochs": False, "early stopping": True}
"""Trials of full length, and with the workload's early stopping."""


def trial_rows(trials: int, repeats: int) -> list[dict[str, Any]]:
    """Whole trials of random configurations of ``digits``, where nearly every one is a new structure.

    Building and compiling are included; each trainer has a process of its own in every repeat, in turns: stock Keras
    runs with TensorFlow as it is installed, and neither pays for what the other leaves in memory. One row per trainer:
    the mean trial and the slowest.
    """
    seconds: dict[tuple[str, str], dict[str, list[float]]] = {}
    for _ in range(repeats):
        for variant, trainer in (("fit", "stock"), ("compiled", "compiled")):
            _, found = in_process("epochs", ["--alone", trainer, "--trials", str(trials)])
            for length, values in found.items():
                for what, value in (("mean", sum(values) / trials), ("slowest", max(values))):
                    seconds.setdefault((length, what), {}).setdefault(variant, []).append(value)
    return [
        row
        for (length, what), found in seconds.items()
        for row in summary(found, "fit", what=f"{what} trial of digits, {trials} new structures, {length}")
    ]


def alone(trainer: str, trials: int) -> None:
    """The seconds of each trial with one trainer, after one training that imports what it needs."""
    configure_tensorflow(as_installed=trainer == "stock")
    from hptune_bench.core.protocols import Job
    from hptune_bench.training import make_trainer
    from hptune_bench.workloads.digits import Digits

    class Full(Digits):
        patience = None

    found: dict[str, list[float]] = {}
    for length, early in LENGTHS.items():
        workload = Digits() if early else Full()
        rng = np.random.default_rng(0)
        ours = make_trainer(trainer, workload)
        ours.train(Job(dict(workload.untuned), 1, 1, 1))
        found[length] = []
        for _ in range(trials):
            configuration = workload.space.sample(rng)
            began = time.perf_counter()
            ours.train(Job(configuration, workload.full_epochs, 1, 1))
            found[length].append(time.perf_counter() - began)
    answer(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=50, help="most epochs per call of the compiled trainer")
    parser.add_argument("--reviews", type=int, default=5000)
    parser.add_argument("--trials", type=int, default=8, help="random configurations of digits")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--alone", choices=["stock", "compiled"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone is not None:
        alone(arguments.alone, arguments.trials)
        return
    configure_tensorflow()
    rows = []
    for label, workload in workloads(arguments.reviews).items():
        seconds = interleaved(epoch_variants(workload, arguments.epochs), arguments.repeats)
        rows += summary(seconds, "fit", what=f"epoch of {label}")
    rows += trial_rows(arguments.trials, min(3, arguments.repeats))
    write("epochs", rows, arguments.out)


if __name__ == "__main__":
    main()
