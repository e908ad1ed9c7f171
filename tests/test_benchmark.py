"""Benchmark files: what is wrong is said in one sentence with file, key and remedy, before anything runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import answer

from hptune_bench.benchmark import expand, read_benchmark
from hptune_bench.cli.options import definition_of, rerun_count
from hptune_bench.core.budget import Budget
from hptune_bench.core.errors import UserError
from hptune_bench.store.layout import RunId

GOOD = """
name = "good"
seeds = 2
trainer = "fake"
budget = { trainings = 3 }
tuners = ["untuned", "manual_sweep"]
[[workloads]]
name = "linear_regression"
"""


def refused(*arguments: object) -> str:
    """What a command, in this process, says in errors when it refuses its input."""
    code, out, errors = answer(*arguments)
    assert code == 2, out + errors
    return errors


def test_a_good_file_expands_breadth_first_over_seeds(tmp_path):
    path = tmp_path / "good.toml"
    path.write_text(GOOD, encoding="utf-8")
    runs = [RunId(*run) for run in expand(read_benchmark(path))]
    assert [(run.tuner, run.seed) for run in runs] == [
        ("untuned", 1),
        ("manual_sweep", 1),
        ("untuned", 2),
        ("manual_sweep", 2),
    ]
    assert runs[0].path == "runs/linear_regression/untuned/s01.jsonl"


def test_one_workload_can_be_named_in_one_line(tmp_path):
    path = tmp_path / "good.toml"
    (tmp_path / "my_model.py").write_text("def churn(hp): ...\n", encoding="utf-8")
    head = GOOD.partition("[[workloads]]")[0]
    path.write_text(f'{head}workload = "my_model.py:churn"\n', encoding="utf-8")
    (entry,) = read_benchmark(path).workloads
    assert entry.name == "my_model_churn"
    assert entry.options == {"source": f"{tmp_path / 'my_model.py'}:churn"}
    path.write_text(f'workload = "wine"\n{GOOD}', encoding="utf-8")
    with pytest.raises(UserError, match="unknown key 'workload'; did you mean 'workloads'"):
        read_benchmark(path)


@pytest.mark.parametrize("path", sorted(Path("benchmarks").glob("*.toml")), ids=lambda path: path.stem)
def test_the_files_that_we_ship_are_valid(path):
    assert read_benchmark(path).workloads


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds = 2", "sedes = 2", ["unknown key 'sedes'", "did you mean 'seeds'"]),
        ("seeds = 2", 'seeds = "two"', ["'seeds'", "integer", "two"]),
        ("seeds = 2", "seeds = 0", ["'seeds'", "greater than or equal to 1"]),
        ('name = "good"', 'name = "../up"', ["'name'", "letter or digit"]),
        ('name = "good"', "", ["'name'", "missing"]),
        ('"fake"', '"compild"', ["trainer 'compild'", "did you mean 'compiled'"]),
        ("trainings = 3", "trainings = 0", ["'budget.trainings'", "greater than 0"]),
        ("trainings = 3", "training = 3", ["unknown key 'budget.training'", "did you mean 'trainings'"]),
        ("{ trainings = 3 }", "{}", ["'budget'", "trainings, epochs, trials, seconds"]),
        ('"untuned", "manual_sweep"', '"untuned", "untuned"', ["'untuned' is listed twice"]),
        ('"untuned", "manual_sweep"', '"untuned", "manual_swep"', ["no tuner 'manual_swep'", "'manual_sweep'"]),
        ('"untuned", "manual_sweep"', "", ["no tuners"]),
        ('"linear_regression"', '"linear_regresion"', ["no workload 'linear_regresion'", "'linear_regression'"]),
        ('"linear_regression"', '"linear_regression"\nbudget = 5', ["'workloads[1].budget'", "given: 5"]),
        ('"linear_regression"', '"linear_regression"\ncolour = 5', ["'workloads[1].colour'"]),
        ('"linear_regression"', '"linear_regression"\n[[workloads]]\nname = "linear_regression"', ["listed twice"]),
        ('"linear_regression"', '"linear_regression"\noptions = { pionts = 3 }', ["pionts"]),
        ("seeds = 2", "seeds = = 2", ["not valid TOML", "line 3"]),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path, old, new, words):
    path = tmp_path / "bad.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    said = refused("run", path, "--out", tmp_path / "out")
    assert len(said.strip().splitlines()) == 1
    for word in words:
        assert word in said
    assert not list((tmp_path / "out").glob("*")) or not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b'name = "\xff\xfe"', "not UTF-8"), (b"x" * (2**20 + 1), "larger than 1 MiB")],
)
def test_unreadable_files(tmp_path, content, words):
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_benchmark(path)


@pytest.mark.parametrize(
    ("text", "limit"), [("20trainings", 1000), ("1training", 50), ("500epochs", 500), ("0.5trainings", 25)]
)
def test_budgets_as_the_command_line_takes_them(text, limit):
    assert Budget.parse(text).epoch_limit(full_epochs=50) == limit


@pytest.mark.parametrize(
    "text", ["", "20", "trainings", "-3epochs", "0trials", "1.5epochs", "3 bananas", "9" * 400 + "epochs"]
)
def test_what_is_no_budget(text):
    with pytest.raises(UserError, match="20trainings, 500epochs, 20trials or 60s"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "one", "²", 5000 * "9"])
def test_what_is_no_count_of_runs(text):
    assert (rerun_count("all"), rerun_count("12")) == (None, 12)
    with pytest.raises(UserError, match="neither a number of runs"):
        rerun_count(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tuner", "untund"], "did you mean 'untuned'"),
        (["--workload", "text"], "--workload 'text' is not in good"),
        (["--budget", "many"], "is no budget"),
        (["--trainer", "stok"], "did you mean 'stock'"),
        (["--seeds", "0"], "--seeds"),
        (["--workers", "x"], "--workers"),
        (["--target", "price"], "--target is for a model of your own"),
        (["--data", "texts.csv"], "no workload of good reads a file"),
    ],
)
def test_options_that_are_wrong(tmp_path, arguments, words):
    path = tmp_path / "good.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert words in refused("run", path, "--out", tmp_path / "out", *arguments)


def test_one_option_puts_a_file_of_texts_in_place_of_the_simulated_ones(tmp_path):
    regression, reviews = definition_of("benchmarks/post.toml", {"data": "texts.csv", "target": None}).workloads
    assert "data" not in regression.options
    assert reviews.options["data"] == "texts.csv"
    said = refused("run", "benchmarks/post.toml", "--data", tmp_path / "texts.csv", "--out", tmp_path / "out")
    assert "texts.csv: no such file" in said


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['hptune-bench', '--help']\n"
        "from hptune_bench.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("run", "report", "show", "list"):
        assert name in done.stdout


def test_importing_the_package_and_every_module_imports_no_tensorflow():
    code = (
        "import sys, pkgutil, importlib, hptune_bench\n"
        "for module in pkgutil.walk_packages(hptune_bench.__path__, 'hptune_bench.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "heavy = {'tensorflow', 'keras', 'keras_tuner'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
