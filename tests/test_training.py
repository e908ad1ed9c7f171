"""The trainers: the compiled one does what ``model.fit`` does."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import json
import math
import os
import re
import subprocess
import sys
import types
from typing import Any

import numpy as np
import pytest
from support.training_models import (
    Small,
    assert_identical,
    cut_words,
    job,
    normalized_model,
    numbers,
    text_model,
    texts,
    train,
)

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Data, Fit, Job, Split
from hptune_bench.training import compiled, make_trainer
from hptune_bench.training.common import Patience, best_index, early_stopping
from hptune_bench.training.engine import Engine
from hptune_bench.workloads.linear_regression import LinearRegression

POINTS = 515  # 412 training rows: 12 batches of 32 and a ragged one


class Regression(LinearRegression):
    """The post's workload on few rows, with a choice of engine, and of the plain trainer's compiling."""

    engine = "loop"
    jit_compile = False

    def build(self, configuration: Any, data: Data) -> Any:
        model = super().build(configuration, data)
        model.jit_compile = self.jit_compile
        return model


class RegressionXla(Regression):
    engine = "xla"
    jit_compile = True


def configuration(**changes: Any) -> dict[str, Any]:
    return {"normalize": True, "neurons": 8, "learning_rate": 0.01, "optimizer": "adam"} | changes


@pytest.fixture(scope="module")
def loop() -> Any:
    """A trainer whose programs the tests of this module share: one that leaked would fail some."""
    return make_trainer("compiled", Regression(points=POINTS))


@pytest.fixture(scope="module")
def xla() -> Any:
    return make_trainer("compiled", RegressionXla(points=POINTS))


@pytest.fixture(scope="module")
def stock() -> Any:
    return make_trainer("stock", Regression(points=POINTS))


# --- the same mathematics as model.fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(("optimizer", "normalize"), list(itertools.product(["adam", "sgd"], [True, False])))
def test_loop_equals_fit_to_the_bit(loop: Any, stock: Any, optimizer: str, normalize: bool) -> None:
    hp = configuration(optimizer=optimizer, normalize=normalize, learning_rate=1e-2 if optimizer == "adam" else 1e-5)
    expected = train(stock, hp, keep_state=True)
    assert_identical(train(loop, hp, keep_state=True), expected)
    assert len(expected.history) == 3
    assert list(expected.history[0]) == ["loss", "mae", "val_loss", "val_mae"]
    assert loop.note is None


@pytest.mark.parametrize(("optimizer", "normalize"), [("adam", True), ("sgd", False)])
def test_xla_equals_compiled_fit(xla: Any, optimizer: str, normalize: bool) -> None:
    hp = configuration(optimizer=optimizer, normalize=normalize, learning_rate=1e-2 if optimizer == "adam" else 1e-5)
    expected = train(make_trainer("stock", RegressionXla(points=POINTS)), hp)
    ours = train(xla, hp)
    for a, b in zip(ours.history, expected.history, strict=True):
        assert dict(a) == pytest.approx(dict(b), rel=1e-5)
    assert xla.note is None
    assert all(engine.plan.xla for engine in xla.engines.values())


def test_embedding_and_dropout_equal_fit_and_one_program_serves_every_length() -> None:
    workload = Small(text_model, texts, cut_words)
    ours, plain = make_trainer("compiled", workload), make_trainer("stock", workload)
    for words in (12, 7):
        mine, expected = (train(t, {"words": words}, keep_state=True) for t in (ours, plain))
        assert_identical(mine, expected)
        assert dict(mine.test()) == dict(expected.test())
    assert ours.structures == 1
    assert ours.note is None


def test_early_stopping_stops_at_the_same_epoch_and_keeps_the_same_weights(loop: Any, stock: Any) -> None:
    hp = configuration(learning_rate=0.05, neurons=32)
    mine, expected = (train(t, hp, epochs=40, keep_state=True) for t in (loop, stock))
    assert_identical(mine, expected)
    assert mine.ended
    assert 11 <= len(mine.history) < 40
    assert mine.best == len(mine.history) - 11
    assert dict(mine.test()) == dict(expected.test())
    assert set(mine.test()) == {"loss", "mae", "excess_loss"}


def test_nan_from_the_start_goes_on_as_in_fit(loop: Any, stock: Any) -> None:
    """No stop on NaN: the first value becomes the best, even NaN, and patience ends the training."""
    hp = configuration(optimizer="sgd", learning_rate=0.05, neurons=32)
    mine, expected = (train(t, hp, epochs=30) for t in (loop, stock))
    assert_identical(mine, expected)
    assert (mine.best, len(mine.history), mine.ended) == (None, 11, True)


def test_a_late_explosion_keeps_the_last_finite_weights() -> None:
    def build(hp: Any, data: Data) -> Any:
        import keras

        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.02), loss="mse")
        return model

    workload = Small(build, numbers, full_epochs=8, fit=Fit(32, patience=3))
    outcomes = [train(make_trainer(name, workload), epochs=8) for name in ("compiled", "stock")]
    assert_identical(*outcomes)
    losses = [row["val_loss"] for row in outcomes[0].history]
    assert math.isfinite(losses[0])
    assert not math.isfinite(losses[-1])
    assert all(np.isfinite(weight).all() for weight in outcomes[0].weights())


def test_a_users_file_trains_unchanged() -> None:
    """As the post writes it: closes over a tf.data set of dicts, adapts Normalization on it, has a float64 input."""
    import keras
    import tensorflow as tf

    data = LinearRegression(points=POINTS).load(2)
    splits = [Split({"x": split.x[:, 0]}, split.y[:, 0]) for split in (data.train, data.validation, data.test)]
    train_ds = tf.data.Dataset.from_tensor_slices((splits[0].x, splits[0].y)).batch(32)

    def build_model(hp: Any, data: Data) -> Any:
        model = keras.Sequential()
        model.add(keras.Input(shape=(1,), name="x", dtype="float64"))
        normalizer = keras.layers.Normalization()
        normalizer.adapt(train_ds.map(lambda x, y: tf.expand_dims(x["x"], -1)))
        model.add(normalizer)
        model.add(keras.layers.Dense(8, activation="relu"))
        model.add(keras.layers.Dense(1))
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss=keras.losses.MeanSquaredError(), metrics=["mae"])
        return model

    workload = Small(build_model, lambda seed: Data(*splits))
    ours = make_trainer("compiled", workload)
    assert_identical(train(ours), train(make_trainer("stock", workload)))
    train(ours, training_seed=6)
    assert (ours.structures, ours.note) == (1, None)


# --- continuing and restarting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["loop", "xla"])
def test_continuing_is_exact(request: Any, engine: str) -> None:
    trainer = request.getfixturevalue(engine)
    hp = configuration(learning_rate=0.05)
    whole = train(trainer, hp, epochs=20, keep_state=True)
    half = train(trainer, hp, epochs=10, keep_state=True)
    train(trainer, hp, epochs=2, data_seed=2)
    rest = train(trainer, hp, epochs=20, first_epoch=10, start=half.state, training_seed=99, keep_state=True)
    assert [*half.history, *rest.history] == list(whole.history)
    assert rest.ended == whole.ended
    for name in whole.state:
        if not name.startswith("best/"):
            np.testing.assert_array_equal(rest.state[name], whole.state[name], err_msg=name)


def test_continuing_dropout_and_patience_agrees_between_trainers() -> None:
    """A state is the same thing to both trainers: what one began the other continues."""
    workload = Small(text_model, texts, cut_words, fit=Fit(batch_size=32, patience=2))
    ours, plain = make_trainer("compiled", workload), make_trainer("stock", workload)
    whole = train(plain, {"words": 12}, epochs=4, keep_state=True)
    for first, second in ((ours, plain), (plain, ours)):
        begun = train(first, {"words": 12}, epochs=2, keep_state=True)
        ended = train(second, {"words": 12}, epochs=4, first_epoch=2, start=begun.state, keep_state=True)
        assert [*begun.history, *ended.history] == list(whole.history)
        assert int(ended.state["patience/wait"]) == int(whole.state["patience/wait"])


def test_a_restart_takes_the_best_weights_and_a_fresh_optimizer(loop: Any, stock: Any) -> None:
    hp = configuration(learning_rate=0.05, neurons=32)
    begun = train(stock, hp, epochs=10, keep_state=True)
    assert begun.best != 9, "the best epoch must not be the last one, or nothing is tested"
    outcomes = [train(t, hp, epochs=13, first_epoch=10, start=begun.state, restart=True) for t in (loop, stock)]
    assert_identical(*outcomes)
    exact = train(loop, hp, epochs=13, first_epoch=10, start=begun.state)
    assert exact.history != outcomes[0].history


def test_a_state_of_another_model_is_refused(loop: Any) -> None:
    state = train(loop, configuration(), keep_state=True).state
    with pytest.raises(ValueError, match="another model"):
        train(loop, configuration(neurons=16), epochs=5, first_epoch=3, start=state)


# --- one call or many, warm or fresh -------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["loop", "xla"])
def test_many_epochs_per_call_equal_one_per_call(request: Any, engine: str) -> None:
    trainer = request.getfixturevalue(engine)
    hp = configuration(learning_rate=0.05, neurons=32)
    together = train(trainer, hp, epochs=40, keep_state=True)
    apart = train(trainer, hp, epochs=40, keep_state=True, time_limit_s=1e9)
    assert_identical(together, apart)
    assert together.ended


def test_training_beyond_the_full_epochs(stock: Any) -> None:
    class Short(Regression):
        full_epochs = 2

    short = make_trainer("compiled", Short(points=POINTS))
    assert_identical(train(short, configuration(), epochs=5), train(stock, configuration(), epochs=5))


def test_a_time_limit_cuts_after_an_epoch(loop: Any, stock: Any) -> None:
    for trainer in (loop, stock):
        outcome = train(trainer, configuration(), epochs=5, time_limit_s=0.0)
        assert (len(outcome.history), outcome.cut, outcome.ended) == (1, True, False)


@pytest.mark.parametrize("engine", ["loop", "xla"])
def test_a_warm_program_leaks_nothing(engine: str) -> None:
    """Same structure, but other data under Normalization, other weights, another optimizer history."""
    workload = Small(normalized_model, numbers, engine=engine)
    warm = make_trainer("compiled", workload)
    first = train(warm, data_seed=1)
    second = train(warm, data_seed=4, training_seed=8, keep_state=True)
    assert warm.structures == 1
    test = dict(second.test())
    fresh = make_trainer("compiled", workload)
    expected = train(fresh, data_seed=4, training_seed=8, keep_state=True)
    assert_identical(second, expected)
    assert test == dict(expected.test())
    assert first.history != second.history
    if engine == "loop":
        assert_identical(second, train(make_trainer("stock", workload), data_seed=4, training_seed=8), state=False)


def test_the_least_recently_used_program_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MAX_ENGINES", 1)
    trainer = make_trainer("compiled", Regression(points=POINTS))
    once, _, again = (train(trainer, configuration(neurons=n), epochs=1) for n in (4, 8, 4))
    assert trainer.structures == 3
    assert len(trainer.engines) == 1
    assert once.history == again.history


CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from hptune_bench.core.tensorflow import configure_tensorflow
assert configure_tensorflow()
from test_training import Regression, RegressionXla, configuration, train, make_trainer, POINTS
rows = []
for workload in (Regression(points=POINTS), RegressionXla(points=POINTS)):
    trainer = make_trainer("compiled", workload)
    for seed in json.loads(sys.argv[2]):
        rows.append((type(workload).__name__, seed, train(trainer, configuration(), training_seed=seed).history))
    train(trainer, configuration(), time_limit_s=1e9)
print(json.dumps(rows))
"""


def test_two_processes_agree_to_the_bit_whatever_they_trained_before(tmp_path: Any) -> None:
    """The second process trains another job first: nothing of a process's beginning may reach its first weights."""
    folder = os.path.dirname(__file__)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": os.path.dirname(folder)}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, folder, json.dumps(seeds)], stdout=subprocess.PIPE, env=environment
        )
        for seeds in ([5], [6, 5])
    ]
    results = []
    for child in children:
        output, _ = child.communicate(timeout=200)
        assert child.returncode == 0
        rows = json.loads(output.decode().splitlines()[-1])
        results.append([row for row in rows if row[1] == 5])
    assert results[0] == results[1]
    assert len(results[0]) == 2
    # Neither the number of epochs nor the first one of a call may make XLA compile anew.
    assert 1 <= len(list(tmp_path.rglob("*.pb"))) <= len(children)


AS_INSTALLED = """
import sys
sys.path.insert(0, sys.argv[1])
from hptune_bench.core.tensorflow import configure_tensorflow, same_kernels
assert configure_tensorflow(as_installed=True) and not same_kernels()
from test_training import Regression, configuration, assert_identical, train, make_trainer, POINTS
from hptune_bench.workloads.digits import Digits
for workload, values in ((Regression(points=POINTS), configuration()), (Digits(), Digits().untuned)):
    loop, stock = (train(make_trainer(name, workload), values, epochs=2) for name in ("compiled", "stock"))
    assert_identical(loop, stock)
"""


def test_loop_equals_fit_to_the_bit_with_the_kernels_that_pip_installs() -> None:
    """As in the process of a user who imported TensorFlow himself: there, not every executor rounds alike."""
    folder = os.path.dirname(__file__)
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(folder)}
    subprocess.run([sys.executable, "-c", AS_INSTALLED, folder], env=environment, check=True, timeout=200)


def test_one_thread_runs_the_loop_where_it_rounds_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    asked: list[str] = []
    real = tf.experimental.function_executor_type

    def spy(name: str) -> Any:
        asked.append(name)
        return real(name)

    monkeypatch.setattr(tf.experimental, "function_executor_type", spy)
    train(make_trainer("compiled", RegressionXla(points=POINTS)), configuration(), epochs=1)
    assert not asked
    train(make_trainer("compiled", Regression(points=POINTS)), configuration(), epochs=1)
    assert set(asked) == {"SINGLE_THREADED_EXECUTOR"}
    asked.clear()
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    train(make_trainer("compiled", Regression(points=POINTS)), configuration(), epochs=1)
    assert not asked


# --- what is not compiled, or not shared ---------------------------------------------------------------------------


def own_train_step(hp: Any, data: Data) -> Any:
    import keras

    class Own(keras.Sequential):
        def train_step(self, batch: Any) -> Any:
            x, y = batch
            return super().train_step((x, y * 2))

    model = Own([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    return model


def eager(hp: Any, data: Data) -> Any:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    return model


@pytest.mark.parametrize(
    ("build", "load", "reason"),
    [
        (own_train_step, numbers, "its own train_step"),
        (eager, numbers, "eagerly"),
    ],
)
def test_falls_back_to_fit_and_says_why(build: Any, load: Any, reason: str) -> None:
    workload = Small(build, load)
    ours = make_trainer("compiled", workload)
    assert_identical(train(ours, epochs=1), train(make_trainer("stock", workload), epochs=1))
    assert ours.structures == 0
    assert "stock" in ours.note
    assert reason in ours.note


def test_what_cannot_be_compiled_falls_back_to_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = Small(normalized_model, numbers)
    expected = train(make_trainer("stock", workload))
    ours = make_trainer("compiled", workload)
    tried = []

    def fail(*arguments: Any) -> None:
        tried.append(arguments)
        raise NotImplementedError("no such kernel")

    monkeypatch.setattr(Engine, "warm_up", fail)
    for _ in range(2):
        assert_identical(train(ours), expected)
    assert len(tried) == 1, "the refusal is remembered"
    assert "cannot be compiled (NotImplementedError)" in ours.note


CONVOLUTIONS = (
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Conv1DTranspose",
    "Conv2DTranspose",
    "SeparableConv2D",
    "DepthwiseConv2D",
)


@pytest.mark.parametrize(
    ("kind", "engine"), [*((kind, "loop") for kind in CONVOLUTIONS), ("Conv1D", "xla"), ("SeparableConv1D", "xla")]
)
def test_convolutions_equal_fit_to_the_bit_and_are_never_compiled_by_xla(kind: str, engine: Any) -> None:
    sides = int(re.search(r"[123](?=D)", kind)[0])  # type: ignore[index]

    def load(seed: int) -> Data:
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(110, *(6,) * sides, 2)).astype(np.float32), rng.normal(size=(110, 1))
        return Data(Split(x[:50], y[:50]), Split(x[50:80], y[50:80]), Split(x[80:], y[80:]))

    def build(hp: Any, data: Data) -> Any:
        import keras

        layer = getattr(keras.layers, kind)
        first = layer(3, activation="relu") if kind.startswith("Depthwise") else layer(4, 3, activation="relu")
        model = keras.Sequential([keras.Input(data.train.x.shape[1:]), first, keras.layers.Flatten()])
        model.add(keras.layers.Dense(1))
        model.compile(optimizer="adam", loss="mse", metrics=["mae"])
        return model

    ours = make_trainer("compiled", Small(build, load, engine=engine))
    mine, expected = train(ours), train(make_trainer("stock", Small(build, load)))
    assert_identical(mine, expected)
    assert dict(mine.test()) == dict(expected.test())
    assert [current.plan.xla for current in ours.engines.values()] == [False]
    if engine == "xla":
        assert "loop engine" in ours.note
        assert "convolutions" in ours.note
    else:
        assert ours.note is None


def test_random_layers_are_never_compiled_by_xla() -> None:
    ours = make_trainer("compiled", Small(text_model, texts, cut_words, engine="xla"))
    expected = train(make_trainer("stock", Small(text_model, texts, cut_words)), {"words": 12})
    assert_identical(train(ours, {"words": 12}), expected)
    assert "loop engine" in ours.note


def test_python_functions_are_never_shared() -> None:
    """Two closures serialise alike; sharing a program would train the second with the first's factor."""

    def build(hp: Any, data: Data) -> Any:
        import keras

        def relu(x: Any) -> Any:
            return x * hp["factor"]

        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation=relu), keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(1e-4), loss="mse")
        return model

    workload = Small(build, numbers)
    ours, plain = make_trainer("compiled", workload), make_trainer("stock", workload)
    for factor in (1.0, 2.0):
        assert_identical(train(ours, {"factor": factor}, epochs=2), train(plain, {"factor": factor}, epochs=2))
    assert ours.structures == 2


def variants() -> dict[str, Any]:
    """Models that differ in one thing that tracing bakes in, or in nothing (``plain`` and ``same``)."""
    import keras

    def model(
        optimizer: Any = None, loss: Any = "mse", metrics: Any = (), second: Any = None, name: str | None = None
    ) -> Any:
        layers = [keras.Input((3,)), keras.layers.Dense(4, name=name), second or keras.layers.Dense(1)]
        built = keras.Sequential(layers)
        built.compile(optimizer=optimizer or keras.optimizers.Adam(0.1), loss=loss, metrics=list(metrics))
        return built

    schedule = keras.optimizers.schedules.ExponentialDecay
    return {
        "plain": model(),
        "same": model(optimizer=keras.optimizers.Adam(0.3), name="other_name"),
        "beta": model(optimizer=keras.optimizers.Adam(0.1, beta_1=0.5)),
        "clipped": model(optimizer=keras.optimizers.Adam(0.1, clipnorm=1.0)),
        "other optimizer": model(optimizer=keras.optimizers.Nadam(0.1)),
        "loss": model(loss="mae"),
        "metrics": model(metrics=["mae"]),
        "named metric": model(metrics=[keras.metrics.MeanAbsoluteError(name="err")]),
        "regularized": model(second=keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.1))),
        "activation": model(second=keras.layers.Dense(1, activation="tanh")),
        "frozen": model(second=keras.layers.Dense(1, trainable=False)),
        "schedule": model(optimizer=keras.optimizers.Adam(schedule(0.1, 10, 0.9))),
        "slower schedule": model(optimizer=keras.optimizers.Adam(schedule(0.1, 10, 0.99))),
    }


def test_models_share_a_program_only_if_tracing_cannot_tell_them_apart() -> None:
    from hptune_bench.training.structure import structure_key

    keys = {name: structure_key(model, []) for name, model in variants().items()}
    assert keys["plain"] is not None
    assert keys.pop("same") == keys["plain"]
    assert len(set(keys.values())) == len(keys)


# --- rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["min", "max"])
def test_early_stopping_rule_is_keras_own(direction: Any) -> None:
    import keras

    rng = np.random.default_rng(0)
    for _ in range(60):
        values = rng.choice([0.1, 0.1 + 1e-9, 0.2, 0.3, math.inf, -math.inf, math.nan], size=9)
        patience = int(rng.integers(0, 4))
        callback = keras.callbacks.EarlyStopping(monitor="m", patience=patience, mode=direction)
        callback.set_model(types.SimpleNamespace(stop_training=False))
        callback.on_train_begin()
        state = Patience()
        for epoch, value in enumerate(values):
            callback.on_epoch_end(epoch, {"m": float(value)})
            state, stop = early_stopping(state, float(value), epoch, patience, direction)
            assert (stop, state.wait) == (callback.model.stop_training, callback.wait)
            np.testing.assert_equal(state.best, callback.best)
            if stop:
                break


def test_best_index_is_the_earliest_finite_best() -> None:
    assert best_index([math.nan, 3.0, -math.inf, 2.0, 2.0, math.inf]) == 3
    assert best_index([math.nan, math.inf]) is None


def test_a_name_missing_from_the_log_is_the_users_error(loop: Any) -> None:
    class Misnamed(Regression):
        objective = "val_accuracy"

    for name in ("compiled", "stock"):
        with pytest.raises(UserError, match="val_accuracy"):
            train(make_trainer(name, Misnamed(points=POINTS)), configuration(), epochs=1)
    with pytest.raises(UserError, match="compiled, stock"):
        make_trainer("quick", loop.workload)


def test_a_failing_build_leaves_the_trainer_usable(loop: Any) -> None:
    expected = train(loop, configuration(), epochs=1).history
    with pytest.raises((ValueError, TypeError)):
        train(loop, configuration(neurons=-1), epochs=1)
    assert train(loop, configuration(), epochs=1).history == expected


def test_maximised_objective_and_monitor() -> None:
    class Maximised(Small):
        objective, direction = "val_accuracy", "max"

    workload = Maximised(text_model, texts, cut_words, fit=Fit(32, patience=3, monitor="val_accuracy"))
    outcomes = [train(make_trainer(name, workload), {"words": 12}, epochs=12) for name in ("compiled", "stock")]
    assert_identical(*outcomes)
    accuracies = [row["val_accuracy"] for row in outcomes[0].history]
    assert accuracies[outcomes[0].best] == max(accuracies)
    assert [-value for value in outcomes[0].objective] == accuracies


@pytest.mark.parametrize("name", ["compiled", "stock"])
def test_a_dtype_policy_does_not_leak_into_the_next_trial(name: str) -> None:
    def build(hp: Any, data: Data) -> Any:
        import keras

        if hp["half"]:
            keras.config.set_dtype_policy("mixed_bfloat16")
        return normalized_model(hp, data)

    trainer = make_trainer(name, Small(build, numbers))
    before = train(trainer, {"half": False}, epochs=1).history
    assert train(trainer, {"half": True}, epochs=1).history != before
    assert train(trainer, {"half": False}, epochs=1).history == before


def test_outcome_is_complete(loop: Any) -> None:
    outcome = loop.train(dataclasses.replace(job(configuration()), keep_state=False))
    assert outcome.state is None
    assert min(outcome.train_s, outcome.cpu_s) > 0
    assert outcome.compile_s >= 0


def test_memory_and_file_handles_stay_flat_over_a_hundred_real_trials():
    import psutil

    workload = LinearRegression(points=200)
    trainer = make_trainer("compiled", workload)
    rng = np.random.default_rng(0)
    process, seen = psutil.Process(), []
    for number in range(100):
        configuration = {**workload.untuned, "learning_rate": float(10 ** rng.uniform(-4, -1))}
        outcome = trainer.train(Job(configuration, 3, 1, number + 1, keep_state=True))
        assert outcome.test()["loss"] > 0
        if number in (29, 99):
            gc.collect()
            seen.append((process.memory_info().rss, process.num_fds()))
    (early, handles), (late, handles_late) = seen
    assert trainer.structures == 1
    assert handles_late == handles
    assert late - early < 25 * 2**20
