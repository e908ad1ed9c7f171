"""A user's own workload: his data, his model, his mistakes, from a file, a benchmark file and a notebook."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.toy import RandomTuner, conduct_toy

from hptune_bench.benchmark import read_benchmark
from hptune_bench.core.budget import Limits
from hptune_bench.core.errors import UserError
from hptune_bench.core.names import own_name, safe_name
from hptune_bench.core.protocols import Job
from hptune_bench.registry import make_workload
from hptune_bench.store import findings as remarks
from hptune_bench.store import journal
from hptune_bench.training import make_trainer
from hptune_bench.workloads.own.data import data_of, read_csv, splits

EXAMPLES = Path(__file__).parent.parent / "benchmarks" / "examples" / "own"
CSV = {"data": str(EXAMPLES / "own.csv"), "target": "kind"}
BROKEN = """
import keras
import numpy as np

EPOCHS = 1
train = validation = (np.zeros((8, 2), "float32"), np.zeros(8, "float32"))


def helper(units):
    if units > 4:
        raise RuntimeError("too wide")


def build_model(hp):
    units = hp.Int("units", 1, 8)
    helper(units)
    model = keras.Sequential([keras.Input(shape=(2,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model
"""


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return f"{path}:build_model"


# --- data ----------------------------------------------------------------------------------------------------------


def test_one_set_of_rows_is_parted_anew_for_each_seed() -> None:
    x = np.arange(100)
    held = splits({"train": ({"a": x, "b": -x}, x)}, "here")
    data = data_of(held, 1)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [60, 20, 20]
    every = np.concatenate([data.train.y, data.validation.y, data.test.y])
    assert np.array_equal(np.sort(every), x), "no row is lost, none stands in two splits"
    assert np.array_equal(data.train.x["b"], -data.train.y), "x and y stay together"
    assert np.array_equal(data_of(held, 1).train.y, data.train.y)
    assert not np.array_equal(data_of(held, 2).train.y, data.train.y)


def test_rows_that_the_user_parted_stay_as_they_are() -> None:
    parts = {"train": ([[1.0], [2.0]], [0, 1]), "validation": ([[3.0]], [1])}
    one, two = (data_of(splits(parts, "here"), seed) for seed in (1, 2))
    assert one.test is None
    assert np.array_equal(one.train.x, two.train.x)
    assert one.train.x.shape == (2, 1)


@pytest.mark.parametrize("batch", [None, 3])
def test_a_dataset_becomes_arrays(batch: int | None) -> None:
    import tensorflow as tf

    x, y = np.arange(14, dtype=np.float32).reshape(7, 2), np.arange(7)
    dataset = tf.data.Dataset.from_tensor_slices(({"c": x}, y))
    held = splits({"train": dataset if batch is None else dataset.batch(batch)}, "here")["train"]
    assert np.array_equal(held.x["c"], x)
    assert np.array_equal(held.y, y)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, "no training rows"),
        ({"train": np.zeros((3, 2))}, "give a pair"),
        ({"train": (np.zeros((3, 2)), np.zeros(4))}, "x has 3 rows and y 4"),
        ({"train": (np.zeros((3, 2)), np.zeros(3)), "test": ([], [])}, "test: has no rows"),
    ],
)
def test_data_that_cannot_be_used_are_named(parts: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        splits(parts, "here")


def test_a_csv_file_is_a_matrix_or_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b,kind\n1,2,oak\n3,4,birch\n5,6,oak\n", encoding="utf-8")
    split = read_csv(path, "kind", "here")
    assert np.array_equal(split.x, np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32))
    assert split.y.tolist() == [1, 0, 1], "classes are numbered in alphabetical order"
    split = read_csv(path, "a", "here")
    assert {name: column.shape for name, column in split.x.items()} == {"b": (3, 1), "kind": (3, 1)}
    assert split.x["kind"][1, 0] == "birch"
    with pytest.raises(UserError, match="no column 'z'; choose the target from a, b, kind"):
        read_csv(path, "z", "here")
    path.write_text("a,kind\n1,oak\n,birch\n", encoding="utf-8")
    with pytest.raises(UserError, match="has 1 empty cells"):
        read_csv(path, "kind", "here")


# --- the examples --------------------------------------------------------------------------------------------------


def train_one(workload, trainer: str, **changes):
    job = Job({**workload.untuned, **changes}, epochs=2, data_seed=5, training_seed=7, keep_state=False)
    return make_trainer(trainer, workload).train(job)


def test_late_and_conditional_hyperparameters_are_found_and_reach_the_model() -> None:
    workload = make_workload(f"{EXAMPLES / 'own_arrays.py'}:build_model", {"epochs": 3})
    assert workload.name == "own_arrays"
    assert workload.full_epochs == 3
    assert set(workload.space.names) == {
        *("layers", "units_0", "units_1", "dropout", "rate", "learning_rate", "optimizer")
    }
    assert [c.parent for c in workload.space["rate"].conditions] == ["dropout"]
    assert "rate" not in workload.untuned
    assert workload.untuned["learning_rate"] == 1e-3
    data = workload.load(1)
    changed = {**workload.untuned, "layers": 2, "units_1": 24, "dropout": True, "rate": 0.25, "optimizer": "sgd"}
    model = workload.build(changed, data)
    widths = [layer.units for layer in model.layers if hasattr(layer, "units")]
    assert widths == [8, 24, 1]
    assert [layer.rate for layer in model.layers if hasattr(layer, "rate")] == [0.25]
    assert type(model.optimizer).__name__ == "SGD"
    # The best constant for a squared error is the mean of the training targets.
    assert workload.cap(data) == pytest.approx(np.mean((data.validation.y - data.train.y.mean()) ** 2), rel=1e-3)
    outcome = train_one(workload, "compiled", layers=2)
    assert len(outcome.history) == 2
    assert set(outcome.test()) == {"loss"}


def test_a_dataset_of_dicts_with_normalization_is_compiled() -> None:
    workload = make_workload(f"{EXAMPLES / 'own_model.py'}:build_model", {})
    assert workload.fit(workload.untuned).patience == 5
    trainer = make_trainer("compiled", workload)
    outcome = trainer.train(Job(workload.untuned, 2, data_seed=5, training_seed=7))
    assert trainer.note is None
    assert outcome.history[1]["loss"] < outcome.history[0]["loss"]
    assert set(outcome.test()) == {"loss", "mae"}


def test_a_hypermodel_is_trained_by_its_own_fit() -> None:
    workload = make_workload(f"{EXAMPLES / 'own_csv.py'}:Classifier", CSV)
    assert workload.engine == "stock"
    assert "batch_size" in workload.space.names, "hyperparameters that only fit declares are found, too"
    assert "classes" not in workload.space.names, "a fixed value is no dimension"
    assert workload.direction == "max"
    data = workload.load(1)
    share = max(np.mean(data.train.y), 1 - np.mean(data.train.y))
    assert workload.cap(data) == pytest.approx(-share, abs=0.2)
    assert workload.cap(data) < -0.3
    one, two = (train_one(workload, "compiled", batch_size=8) for _ in range(2))
    assert one.history == two.history
    assert train_one(workload, "compiled", batch_size=32).history != one.history
    assert set(one.history[0]) == {"loss", "accuracy", "val_loss", "val_accuracy"}


# --- mistakes ------------------------------------------------------------------------------------------------------


def test_an_error_in_the_users_code_comes_with_his_traceback_and_values(tmp_path: Path) -> None:
    workload = make_workload(write(tmp_path / "wide.py", BROKEN), {})
    contents = conduct_toy(
        tmp_path / "run.jsonl",
        RandomTuner(),
        workload=workload,
        trainer=make_trainer("stock", workload),
        limits=Limits(trials=6),
    )
    trials = contents.of_kind("trial")
    failed = [trial for trial in trials if trial["status"] == "error"]
    assert {trial["request"]["configuration"]["units"] > 4 for trial in failed} == {True}
    assert len(failed) < len(trials), "one bad configuration hides no other"
    first, *_ = failed[0]["detail"].splitlines()[1:]
    assert "wide.py" in first, "the traceback begins in his file"
    assert failed[0]["detail"].strip().endswith("RuntimeError: too wide")
    (remark,) = remarks.raised({journal_id(): contents})
    assert "RuntimeError: too wide (wide.py, line 11, in helper)" in remark.text
    assert f"units = {failed[0]['request']['configuration']['units']}" in remark.text
    assert remark.trials == len(failed)


def journal_id():
    from hptune_bench.store.layout import RunId

    return RunId("wide", "random", 1)


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (None, "build_model", "cannot be read"),
        (BROKEN, "build", "has no 'build'; it has build_model, helper|has no 'build'; it has helper, build_model"),
        ("import nothing_like_this", "build_model", r"cannot be imported: ModuleNotFoundError.*line 1"),
        (BROKEN.replace("train = validation", "rows"), "build_model", "offers no data"),
        (BROKEN.replace("EPOCHS = 1", "EPOCHS = 0"), "build_model", "EPOCHS = 0"),
        (
            BROKEN.replace("units > 4", "units > 0"),
            "build_model",
            r"default hyperparameters \(units = 1\): RuntimeError",
        ),
        (BROKEN.replace("return model", "return 3"), "build_model", "returned int, not a keras.Model"),
        (BROKEN.replace('hp.Int("units", 1, 8)', "2"), "build_model", "declares no hyperparameter"),
        (BROKEN + '\nUNTUNED = {"unit": 1}', "build_model", "UNTUNED has 'unit'; did you mean 'units'"),
        (BROKEN + '\nOBJECTIVE = "val_fancy"', "build_model", "give DIRECTION"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path, text: str | None, name: str, words: str) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=words) as caught:
        make_workload(f"{path}:{name}", {})
    assert "\n" not in str(caught.value)
    if "Error" in words:
        assert "mine.py" in caught.value.detail


PLAIN = BROKEN.replace("    helper(units)\n", "")
LOADED = PLAIN.replace("train = validation = ", "rows = ")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (PLAIN + "\nMETRICS = ['mae']", {}, r"METRICS = \['mae'\]; give names with their directions"),
        (PLAIN + "\nMETRICS = {'mae': 'down'}", {}, r"METRICS\['mae'\] = 'down'; choose min or max"),
        (PLAIN + "\nUNTUNED = 3", {}, "UNTUNED = 3; give values by name"),
        (PLAIN + "\nHAND_PICKED = 3", {}, "HAND_PICKED = 3; give lists of values by name"),
        (PLAIN + "\nHAND_PICKED = {'units': 5}", {}, r"HAND_PICKED\['units'\] = 5; give a list of values"),
        (PLAIN + "\nOBJECTIVE = 3", {}, "OBJECTIVE = 3; give a name of the training log"),
        (PLAIN + "\nMONITOR = 3", {}, "MONITOR = 3; give a name of the training log"),
        (PLAIN + "\nCAP = 'a'", {}, "CAP = 'a'; give a number"),
        (PLAIN + "\nTITLE = 3", {}, "TITLE = 3; give a few words"),
        (PLAIN + "\nDIRECTION = 'up'", {}, "DIRECTION = 'up'; choose min or max"),
        (PLAIN + "\nENGINE = 'fast'", {}, "ENGINE = 'fast'; choose loop, xla or stock"),
        (PLAIN + "\nBATCH_SIZE = 'unit'", {}, "BATCH_SIZE names no hyperparameter 'unit'; did you mean 'units'"),
        (PLAIN + "\nPATIENCE = 0", {}, "PATIENCE = 0; give a whole number"),
        (PLAIN + "\nPATIENCE = 1; MONITOR = 'val_fancy'", {}, "add 'val_fancy' to METRICS"),
        (PLAIN + "\nHAND_PICKED = {'unit': [1]}", {}, "HAND_PICKED has 'unit'; did you mean 'units'"),
        (PLAIN + "\nHAND_PICKED = {'units': [9]}", {}, r"HAND_PICKED\['units'\] = \[9\] leaves the search space"),
        (PLAIN + "\nHAND_PICKED = {'units': []}", {}, "leaves the search space"),
        (PLAIN + "\nUNTUNED = {'units': 9}", {}, r"UNTUNED: units = 9 lies outside the search space"),
        (PLAIN.replace('    model.compile(loss="mse")\n', ""), {}, "is not compiled"),
        (PLAIN + "\nbuild_model = 3", {}, r"is a int; name a function build_model\(hp\) or a HyperModel"),
        (PLAIN, {"epoch": 3}, "unknown option 'epoch'; did you mean 'epochs'"),
        (PLAIN, {"data": "rows.csv"}, "data and target belong together"),
        (PLAIN, {"data": "no such.csv", "target": "a"}, "cannot be read as CSV"),
        (LOADED + "\ndef load(seed):\n    return 1 / 0", {}, r"load\(1\) fails: ZeroDivisionError.*in load\)"),
        (LOADED + "\ndef load(seed):\n    return 7", {}, "load returns a int; return train, validation"),
        (
            LOADED + "\ndef load(seed):\n    return (rows, (rows[0], rows[1][1:]))",
            {},
            "validation: x has 8 rows and y 7",
        ),
    ],
)
def test_what_is_wrong_with_settings_or_data_is_one_sentence(
    tmp_path: Path, text: str, options: dict, words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        make_workload(write(tmp_path / "mine.py", text), options).load(1)
    assert "\n" not in str(caught.value)


def test_values_of_ones_own_replace_the_rules(tmp_path: Path) -> None:
    ruled = make_workload(write(tmp_path / "ruled.py", PLAIN), {})
    own = make_workload(
        write(tmp_path / "own.py", PLAIN + "\nHAND_PICKED = {'units': [2, 3]}\nUNTUNED = {'units': 7}"), {}
    )
    assert ruled.hand_picked["units"] == (1, 4, 8)
    assert own.hand_picked["units"] == (2, 3)
    assert own.untuned == {"units": 7}


def test_a_cap_that_cannot_be_known_is_asked_for(tmp_path: Path) -> None:
    own_fit = "\n\nclass Own(keras_tuner.HyperModel):\n    build = staticmethod(build_model)\n"
    own_fit += "    def fit(self, hp, model, *a, **k):\n        return model.fit(*a, **k)\nbuild_model = Own"
    text = "import keras_tuner\n" + PLAIN + own_fit + "\nOBJECTIVE = 'val_fancy_error'"
    workload = make_workload(write(tmp_path / "mine.py", text), {})
    with pytest.raises(UserError, match="an untrained model has no 'val_fancy_error'; give CAP"):
        workload.cap(workload.load(1))
    given = make_workload(write(tmp_path / "capped.py", text + "\nCAP = 2"), {})
    assert given.cap(given.load(1)) == 2


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda data, x: data.from_tensor_slices(x), "must give pairs"),
        (lambda data, x: data.from_tensor_slices((x, x)).repeat(), "never ends; give it without repeat"),
        (lambda data, x: data.from_tensor_slices((x, x)).take(0), "the dataset is empty"),
    ],
)
def test_a_dataset_that_cannot_be_used_is_named(make, words: str) -> None:
    import tensorflow as tf

    with pytest.raises(UserError, match=words):
        splits({"train": make(tf.data.Dataset, np.zeros((4, 2), "float32"))}, "here")


# --- files and commands --------------------------------------------------------------------------------------------


def test_names_of_folders() -> None:
    assert own_name("my_model.py:build_model") == "my_model"
    assert own_name("../a b/my-model.py:churn") == "my-model_churn"
    assert safe_name(own_name(f"{'a' * 120}.py:build_model")) == "a" * 99


COUNTED = """
import traceback

built = build_model


def build_model(hp):
    if "discover" in [frame.name for frame in traceback.extract_stack()]:
        with open(__file__ + ".discovered", "a") as file:
            file.write(".")
    return built(hp)
"""


def test_a_benchmark_file_finds_the_model_beside_it_and_runs_it(tmp_path: Path) -> None:
    model = (EXAMPLES / "own_arrays.py").read_text(encoding="utf-8")
    (tmp_path / "own_arrays.py").write_text(model + COUNTED, encoding="utf-8")
    benchmark = tmp_path / "b.toml"
    benchmark.write_text(
        """
name = "own"
seeds = 1
budget = { trials = 2 }
tuners = ["untuned", "random_search"]
noise_repeats = 0
stock_clock = false
[[workloads]]
name = "own_arrays.py:build_model"
options = { epochs = 1 }
""",
        encoding="utf-8",
    )
    (entry,) = read_benchmark(benchmark).workloads
    assert entry.name == "own_arrays"
    assert entry.options["source"] == f"{tmp_path / 'own_arrays.py'}:build_model"
    out = tmp_path / "out"
    command = [sys.executable, "-m", "hptune_bench", "run", benchmark, "--out", out, "--no-report", "--workers", "1"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = journal.read(out / "runs" / "own_arrays" / "random_search" / "s01.jsonl").of_kind("trial")
    assert [trial["status"] for trial in trials] == ["completed", "completed"]
    discovered = (tmp_path / "own_arrays.py.discovered").read_text(encoding="utf-8")
    assert len(discovered) == 64, "the space is discovered once, not once more by the worker"
    assert json.loads((out / "checks" / "own_arrays.json").read_text(encoding="utf-8")) == []


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), "notebook", "exec"), names)  # noqa: S102 - a notebook of this repository
    comparison = names["comparison"]
    defaults = {key: each.default for key, each in inspect.signature(names["hptune_bench"].compare).parameters.items()}
    assert (defaults["epochs"], defaults["budget"], defaults["seeds"], defaults["test"]) == (50, "20trials", 5, None)
    assert comparison.folder == Path("results/build_model")
    assert (comparison.folder / "report.html").exists()
    assert set(comparison.table["tuner"]) == {"manual_sweep", "random_search", "untuned"}
    assert np.isfinite(comparison.table["median test score"]).all()
    page = comparison._repr_html_()
    assert "random_search" in page
    assert "data:image/png" in page
    assert "nothing is decided" in " ".join(comparison.verdict), "no test is possible below six seeds"
    assert not re.search(r"\bp [<=]", " ".join(comparison.verdict))
    compare = names["hptune_bench"].compare
    with pytest.raises(UserError, match="no training rows"):
        compare(names["build_model"], None)
    with pytest.raises(UserError, match="unknown setting 'batchsize'; did you mean 'batch_size'"):
        compare(names["build_model"], None, batchsize=8)
    with pytest.raises(
        UserError, match=r"lambda fails at its default hyperparameters .*returned int, not a keras\.Model"
    ):
        compare(lambda hp: 3, (np.zeros((9, 1)), np.zeros(9)))


def test_importing_the_package_imports_no_tensorflow() -> None:
    code = "import sys, hptune_bench; assert hptune_bench.compare; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
