"""Files of the shapes that people have: each is trained, tiny, as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.commands import call, tables

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Job, Outcome
from hptune_bench.core.space import Float, Space
from hptune_bench.lint.check import before_training
from hptune_bench.registry import make_workload
from hptune_bench.training import make_trainer
from hptune_bench.workloads.own.data import splits

HEAD = """
import keras
import numpy as np

EPOCHS = 2
rng = np.random.default_rng(0)
x = rng.normal(size=(60, 3)).astype("float32")
y = (x[:, 0] > 0).astype("float32")
"""
MODEL = """

def build_model(hp):
    units = hp.Int("units", 1, 8)
    model = keras.Sequential([keras.Input(shape=(3,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model
"""


def made(tmp_path: Path, text: str):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    return make_workload(f"{path}:build_model", {})


def trained(workload, trainer: str = "compiled", **changes) -> Outcome:
    return make_trainer(trainer, workload).train(Job({**workload.untuned, **changes}, 2, data_seed=1, training_seed=1))


# --- names of data -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            "x_train, y_train, x_val, y_val, x_test, y_test = x[:30], y[:30], x[30:40], y[30:40], x[40:], y[40:]",
            "training rows: x_train, y_train (30); validation rows: x_val, y_val (10); test rows: x_test, y_test (20)",
        ),
        (
            "(train_images, train_labels), (test_images, test_labels) = (x[:40], y[:40]), (x[40:], y[40:])",
            "training rows: train_images, train_labels (40); validation rows: parted from them anew for each seed; "
            "test rows: test_images, test_labels (20)",
        ),
        (
            "import tensorflow as tf\n"
            "train_ds = tf.data.Dataset.from_tensor_slices((x[:40], y[:40])).batch(8)\n"
            "val_ds = tf.data.Dataset.from_tensor_slices((x[40:], y[40:])).batch(8)",
            "training rows: train_ds (40); validation rows: val_ds (20)",
        ),
        (
            "train_data, train_labels, validation_data = x[:40], y[:40], (x[40:], y[40:])\ndef test(): pass",
            "training rows: train_data, train_labels (40); validation rows: validation_data (20)",
        ),
        (
            "X_train, y_train, train = x[:40], y[:40], np.c_[x, y]",
            "training rows: X_train, y_train (40); validation rows: parted from them anew for each seed",
        ),
        ("", "training rows: x, y (60); validation rows: parted from them anew for each seed"),
    ],
)
def test_names_of_the_keras_world_are_taken_and_told(tmp_path: Path, names: str, told: str) -> None:
    workload = made(tmp_path, HEAD + names + MODEL)
    assert workload.told == (told,)
    assert len(trained(workload).history) == 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("x_train, X_train, y_train = x, 2 * x, y", "x_train and X_train are both there and differ"),
        ("x_train = x", "there is x_train and no name for its targets"),
        ("del x, y", "offers no data; name them x_train, y_train"),
    ],
)
def test_names_that_leave_a_doubt_are_one_sentence(tmp_path: Path, names: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        made(tmp_path, HEAD + names + MODEL)


def test_a_run_says_what_it_took(tmp_path: Path) -> None:
    path = tmp_path / "tutorial.py"
    path.write_text(HEAD + "x_train, y_train, x_val, y_val = x[:40], y[:40], x[40:], y[40:]" + MODEL, encoding="utf-8")
    arguments = ("--tuner", "random_search", "--seeds", 1, "--budget", "2trials", "--no-report", "--workers", 1)
    done = call("run", f"{path}:build_model", "--out", tmp_path / "out", *arguments)
    assert "training rows: x_train, y_train (40); validation rows: x_val, y_val (20)" in done.stdout
    assert "1 of 1 runs done, 0 failed" in done.stdout


# --- ranges --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(-2.0, -0.5), (-1.0, 0.0), (-3.0, 2.0), (0.5, 2.0)])
def test_the_ends_of_a_range_lie_in_it_whatever_their_sign(low: float, high: float) -> None:
    span = Float("below", low, high)
    stepped = Float("below", low, high, step=(high - low) / 10)
    assert span.contains(low)
    assert span.contains(high)
    assert not span.contains(low - 0.01)
    assert not span.contains(high + 0.01)
    assert len(stepped.grid) == 11
    assert Space((span,)).check({"below": low}, "here") == {"below": low}


def test_a_negative_range_is_searched_from_its_default(tmp_path: Path) -> None:
    text = HEAD + MODEL.replace("keras.layers.Dense(1)]", 'keras.layers.Rescaling(hp.Float("b", -2.0, -0.5))]')
    workload = made(tmp_path, text.replace('hp.Int("units", 1, 8)', "1"))
    assert workload.untuned == {"b": -2.0}
    assert np.isfinite(trained(workload).score)


# --- forms of data -------------------------------------------------------------------------------------------------

SEVERAL = """
def build_model(hp):
    a, b = keras.Input(shape=(3,), name="a"), keras.Input(shape=(2,), name="b")
    hidden = keras.layers.Dense(hp.Int("units", 1, 8))(keras.layers.Concatenate()([a, b]))
    one, two = (keras.layers.Dense(1, name=name)(hidden) for name in ("one", "two"))
    model = keras.Model([a, b], {"one": one, "two": two} if OUTPUTS > 1 else one)
    model.compile(loss={"one": "mse", "two": "mae"} if OUTPUTS > 1 else "mse")
    return model
"""
PARTS = """
def part(rows):
    a, b = x[rows], x[rows, :2]
    return {}, {}

x_train, y_train = part(slice(40))
x_val, y_val = part(slice(40, 50))
x_test, y_test = part(slice(50, 60))
"""


@pytest.mark.parametrize("trainer", ["compiled", "stock"])
@pytest.mark.parametrize(
    ("inputs", "targets", "outputs"),
    [
        ("[a, b]", "y[rows]", 1),
        ('{"a": a, "b": b}', '{"one": y[rows], "two": -y[rows]}', 2),
    ],
)
def test_several_inputs_and_outputs(tmp_path: Path, inputs: str, targets: str, outputs: int, trainer: str) -> None:
    text = HEAD + f"OUTPUTS = {outputs}\n" + PARTS.format(inputs, targets) + SEVERAL
    workload = made(tmp_path, text)
    outcome = trained(workload, trainer)
    assert len(outcome.history) == 2
    assert np.isfinite(outcome.score)
    assert np.isfinite(list(outcome.test().values())).all()
    assert workload.cap(workload.load(1)) > 0
    assert [finding.key for finding in before_training(workload)] == []


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_trainers_agree_on_several_inputs(tmp_path: Path, outputs: int) -> None:
    targets = "y[rows]" if outputs == 1 else '{"one": y[rows], "two": -y[rows]}'
    workload = made(tmp_path, HEAD + f"OUTPUTS = {outputs}\n" + PARTS.format("[a, b]", targets) + SEVERAL)
    one, two = (trained(workload, trainer) for trainer in ("compiled", "stock"))
    assert one.history == two.history


def test_weights_of_rows_reach_the_loss(tmp_path: Path) -> None:
    rows = "x, y, np.where(np.arange(60) < 30, {}, 1.0)"
    logs = []
    for weight in ("1.0", "5.0"):
        workload = made(tmp_path, HEAD + f"train, validation = ({rows.format(weight)}), (x, y)" + MODEL)
        one, two = (trained(workload, trainer) for trainer in ("compiled", "stock"))
        assert one.history == two.history
        logs.append([row["loss"] for row in one.history])
    assert logs[1][0] > 1.5 * logs[0][0]


def test_a_table_with_words_is_a_dict_of_columns() -> None:
    import pandas as pd

    frame = pd.DataFrame({"size": [1, 2], "kind": ["oak", "birch"], "tall": [True, False]})
    mixed, numbers = (
        splits({"train": (table, [0, 1])}, "here")["train"].x for table in (frame, frame.drop(columns="kind"))
    )
    assert {name: column.shape for name, column in mixed.items()} == {"size": (2, 1), "kind": (2, 1), "tall": (2, 1)}
    assert numbers.dtype == np.float32
    assert numbers.tolist() == [[1, 1], [2, 0]]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (([np.zeros((3, 2)), np.zeros((4, 2))], np.zeros(3)), r"x\[1\] has 4 rows and y 3"),
        ((np.zeros((3, 2)), np.zeros(3), np.ones(2)), "sample_weight has 2 rows and y 3"),
        (([[1, 2], [3]], [0, 1]), "rows of one length"),
        ((row for row in ()), "is a generator, whose rows are made as they are asked for"),
    ],
)
def test_data_that_no_tuner_could_share_are_one_sentence(part: object, words: str) -> None:
    with pytest.raises(UserError, match=words):
        splits({"train": part}, "here")


def test_a_generator_gets_a_sentence_with_what_to_write_instead() -> None:
    import keras

    class Noisy(keras.utils.PyDataset):
        def __len__(self) -> int:
            return 1

    with pytest.raises(UserError, match=r"is a Noisy, whose rows are made .* becomes a layer of the model"):
        splits({"train": Noisy()}, "here")


# --- a script that searches ----------------------------------------------------------------------------------------

SCRIPT = """
import keras_tuner as kt

tuner = kt.RandomSearch(build_model, objective="val_mae", max_trials=3, directory="kt_search", overwrite=True)
tuner.search_space_summary()
tuner.search(
    x, y, epochs=2, batch_size=16, validation_split=0.25, class_weight={0: 1.0, 1: 3.0}, verbose=0,
    callbacks=[keras.callbacks.EarlyStopping(patience=2), keras.callbacks.TerminateOnNaN()],
)
raise RuntimeError("after the search")
"""


def test_a_script_that_searches_is_read_up_to_its_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = HEAD.replace("EPOCHS = 2", "") + MODEL.replace('loss="mse"', 'loss="mse", metrics=["mae"]') + SCRIPT
    (tmp_path / "script.py").write_text(text, encoding="utf-8")
    arguments = ("--tuner", "random_search", "--seeds", 1, "--no-report", "--workers", 1)
    done = call("run", "script.py:build_model", "--out", "out", *arguments)
    assert "training rows: x, y (45); validation rows: the last 25 % of x, y (15)" in done.stdout
    line = text.splitlines().index("tuner.search(") + 1
    said = "max_trials 3, epochs 2, batch_size 16, objective val_mae, direction min, patience 2, monitor val_loss"
    left = "class_weight; not taken over: TerminateOnNaN"
    assert f"read up to its search in line {line}, which was not run; {said}, {left}" in done.stdout
    assert "1 of 1 runs done, 0 failed" in done.stdout
    assert len(tables(tmp_path / "out")["trials"]) == 3
    assert not (tmp_path / "kt_search").exists()
    workload = make_workload("script.py:build_model", {})
    data = workload.load(1)
    assert data.train.weight.tolist() == [3.0 if label else 1.0 for label in data.train.y]
    assert (workload.full_epochs, workload.fit(workload.untuned).batch_size) == (2, 16)


def test_what_the_file_trains_before_its_tuner_is_its_own_business(tmp_path: Path) -> None:
    before = """
history = keras.Sequential([keras.layers.Dense(1)])
history.compile(loss="mse")
history.fit(x, y, verbose=0)
"""
    search = (
        "\nimport keras_tuner\nbest = keras_tuner.Hyperband(build_model, keras_tuner.Objective('val_loss', 'min'), 5)\n"
    )
    workload = made(tmp_path, HEAD.replace("EPOCHS = 2", "") + before + MODEL + search + "history.fit(x, y, epochs=3)")
    assert workload.full_epochs == 5
    assert len(trained(workload).history) == 2


# --- spaces that KerasTuner gets wrong -----------------------------------------------------------------------------

FROZEN = """
    first = hp.Int("first", 8, 64, step=8)
    units = hp.Int("units", first // 2, first, step=4)
"""


def test_a_range_computed_from_another_value_is_said_by_run_and_check(tmp_path: Path) -> None:
    text = HEAD + MODEL.replace('\n    units = hp.Int("units", 1, 8)\n', FROZEN) + "x_train, y_train = x, y\n"
    workload = made(tmp_path, text)
    assert workload.space["units"].high == 8
    (doubt,) = workload.doubts
    assert "'units' is declared with the range 4 to 8, step 4" in doubt
    assert "KerasTuner keeps the first that it meets" in doubt
    (said,) = (each.text for each in before_training(workload) if each.key == "two_ranges")
    assert said.startswith("mine: hyperparameter 'units'")
    arguments = ("--tuner", "random_search", "--seeds", 1, "--budget", "1trials", "--no-report", "--workers", 1)
    done = call("run", f"{tmp_path / 'mine.py'}:build_model", "--out", tmp_path / "out", *arguments)
    assert f"note: mine: {doubt}" in done.stdout


def test_one_name_declared_twice_is_said(tmp_path: Path) -> None:
    text = HEAD + MODEL.replace(
        "keras.layers.Dense(1)", 'keras.layers.Dense(1), keras.layers.Dense(hp.Int("units", 1, 4))'
    )
    (doubt,) = made(tmp_path, text).doubts
    assert "with the range 1 to 8, and elsewhere, or where other values are drawn, with 1 to 4;" in doubt
    assert made(tmp_path, HEAD + MODEL).doubts == ()


NESTED = """
    units = hp.Int("units", 1, 8)
    depth = hp.Int("depth", 0, 2)
    with hp.conditional_scope("depth", [1, 2]):
        width = hp.Choice("width", [4, 8])
        for i in range(depth):
            with hp.conditional_scope("depth", list(range(i + 1, 3))):
                hp.Float(f"shift_{i}", 0.0, 1.0)
"""


def test_scopes_inside_each_other_are_one_condition(tmp_path: Path) -> None:
    from hptune_bench.core.keras_space import from_keras_tuner, to_keras_tuner

    workload = made(tmp_path, HEAD + MODEL.replace('\n    units = hp.Int("units", 1, 8)\n', NESTED))
    assert workload.space.names == ("units", "depth", "width", "shift_0", "shift_1")
    deepest = {"units": 2, "depth": 2, "width": 8, "shift_0": 0.5, "shift_1": 0.5}
    assert workload.space.active(deepest) == deepest
    assert "shift_1" not in workload.space.active({**deepest, "depth": 1})
    assert np.isfinite(trained(workload, **deepest).score)
    assert from_keras_tuner(to_keras_tuner(workload.space)).names == workload.space.names


# --- objectives ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            'OBJECTIVE, DIRECTION = "val_mean_absolute_error", "min"',
            r"OBJECTIVE: the training log has no 'val_mean_absolute_error'; it has loss, mae, val_loss, val_mae; "
            r"did you mean 'val_mae'\?",
        ),
        (
            'PATIENCE, MONITOR = 2, "val_mea_error"',
            "MONITOR: the training log has no 'val_mea_error'; it has loss, mae",
        ),
    ],
)
def test_a_name_that_the_log_does_not_have_is_told_before_any_training(
    tmp_path: Path, settings: str, words: str
) -> None:
    text = HEAD + settings + MODEL.replace('loss="mse"', 'loss="mse", metrics=["mae"]')
    with pytest.raises(UserError, match=words):
        made(tmp_path, text)


@pytest.mark.parametrize("trainer", ["compiled", "stock"])
def test_a_metric_without_a_name_has_one_name_in_every_trial(tmp_path: Path, trainer: str) -> None:
    loss = 'loss="binary_crossentropy", metrics=[keras.metrics.AUC(), keras.metrics.Precision()]'
    model = MODEL.replace('loss="mse"', loss).replace("Dense(1)]", 'Dense(1, activation="sigmoid")]')
    workload = made(tmp_path, HEAD + 'OBJECTIVE = "val_auc"' + model)
    trainer_ = make_trainer(trainer, workload)
    for units in (1, 4, 8):
        outcome = trainer_.train(Job({"units": units}, 2, data_seed=1, training_seed=1))
        assert set(outcome.history[0]) == {
            f"{side}{name}" for side in ("", "val_") for name in ("loss", "auc", "precision")
        }
        assert -1 <= outcome.score <= 0
    assert workload.direction == "max"


# --- scores that fit returns ---------------------------------------------------------------------------------------

OWN_FIT = """
import keras_tuner


class Own(keras_tuner.HyperModel):
    build = staticmethod(build_model)

    def fit(self, hp, model, x, y, validation_data, **kwargs):
        log = model.fit(x, y, validation_data=validation_data, verbose=0, **kwargs)
        error = float(np.mean((model.predict(validation_data[0], verbose=0)[:, 0] - validation_data[1]) ** 2))
        return RETURNED


x_train, y_train, x_val, y_val = x[:40], y[:40], x[40:], y[40:]
build_model = Own()
"""
AIC = 'OBJECTIVE, DIRECTION = "val_aic", "min"\n'


@pytest.mark.parametrize(
    "returned", ['{"val_aic": 100 + error}', "100 + error", "[100 + error, 100 + error]", '[{"val_aic": 100 + error}]']
)
def test_what_fit_returns_is_the_score(tmp_path: Path, returned: str) -> None:
    workload = made(tmp_path, HEAD + AIC + MODEL + OWN_FIT.replace("RETURNED", returned))
    outcome = trained(workload)
    assert outcome.score == pytest.approx(100 + outcome.history[-1]["val_loss"], rel=1e-5)
    assert outcome.best == 1, "there is no value per epoch"
    assert outcome.history[1]["val_aic"] == outcome.score
    assert 100 < workload.cap(workload.load(1)) < 200, "that of the model before any training"


def test_a_returned_best_of_the_log_leaves_the_log_as_it_is(tmp_path: Path) -> None:
    best = 'min(log.history["val_loss"])'
    outcome = trained(made(tmp_path, HEAD + MODEL + OWN_FIT.replace("RETURNED", best)))
    assert outcome.objective == tuple(row["val_loss"] for row in outcome.history)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ('{"aic": error}', "fit returned aic, and not the objective 'val_aic'"),
        ("log", "the training log has no 'val_aic'"),
    ],
)
def test_a_score_that_fit_does_not_return_is_missed(tmp_path: Path, returned: str, words: str) -> None:
    workload = made(tmp_path, HEAD + AIC + "CAP = 1\n" + MODEL + OWN_FIT.replace("RETURNED", returned))
    with pytest.raises((UserError, ValueError), match=words):
        trained(workload)


def test_a_campaign_compares_by_what_fit_returns(tmp_path: Path) -> None:
    path = tmp_path / "aic.py"
    path.write_text(HEAD + AIC + MODEL + OWN_FIT.replace("RETURNED", '{"val_aic": 100 + error}'), encoding="utf-8")
    arguments = ("--tuner", "bayesian_optimization", "--seeds", 1, "--budget", "3trials", "--no-report", "--workers", 1)
    done = call("run", f"{path}:build_model", "--out", tmp_path / "out", *arguments)
    assert "1 of 1 runs done, 0 failed" in done.stdout
    trials = tables(tmp_path / "out")["trials"]
    assert [trial["status"] for trial in trials] == ["completed"] * 3
    assert all(100 < float(trial["score"]) < 200 for trial in trials)
