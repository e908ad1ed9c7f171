"""Real training through the real command line: both problems of the post, from the benchmark file to the report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import call, children, journaled, launch, start, tables, wait_for

BENCHMARK = """
name = "tiny"
seeds = 1
noise_repeats = 2
stock_clock = false
checkpoint_trials = 2
[primary]
tuners = ["random_search"]
against = "manual_sweep"
[[workloads]]
name = "linear_regression"
tuners = ["manual_sweep", "hyperband", "hyperband_repaired"]
budget = { epochs = 16 }
options = { points = 300 }
[[workloads]]
name = "review_sentiment"
tuners = ["manual_sweep", "random_search"]
budget = { trainings = 3 }
options = { reviews = 200 }
"""


@pytest.fixture(scope="module")
def benchmark_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.toml"
    path.write_text(BENCHMARK, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made(benchmark_file) -> Path:
    """One worker, uninterrupted, with the report."""
    out = benchmark_file.parent / "one"
    said = launch("run", benchmark_file, "--out", out, "--workers", 1)
    assert f"Report: {out / 'report.md'}" in said.stdout
    return out


def test_every_method_has_spent_the_same_budget(made):
    runs = tables(made)["runs"]
    assert {(row["workload"], row["epochs"]) for row in runs} == {
        ("linear_regression", "16"),
        ("review_sentiment", "15"),
    }
    assert all(float(row["best_score"]) < float(row["fact:cap"]) * 10 for row in runs)


AGAIN = """
import json, sys
import keras
from hptune_bench.core.seeds import data_seed
from hptune_bench.registry import make_workload
from pathlib import Path
made = Path(sys.argv[1])
manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
options = {entry["name"]: entry["options"] for entry in manifest["benchmark"]["workloads"]}
found = {}
for name, best in manifest["best_models"].items():
    workload = make_workload(name, options[name])
    data = workload.prepare(best["configuration"], workload.load(data_seed(workload.family, best["seed"])))
    model = keras.models.load_model(made / best["file"], safe_mode=True)
    found[name] = model.evaluate(data.test.x, data.test.y, verbose=0, return_dict=True)
print(json.dumps(found))
"""


def test_the_best_models_reproduce_their_test_scores_in_a_fresh_process(made):
    command = [sys.executable, "-c", AGAIN, str(made)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    best = json.loads((made / "manifest.json").read_text(encoding="utf-8"))["best_models"]
    assert set(found) == set(best) == {"linear_regression", "review_sentiment"}
    for name, scores in found.items():
        assert scores["loss"] == pytest.approx(best[name]["test"]["loss"], rel=1e-5)


@pytest.mark.parametrize("workers", [2, pytest.param(4, marks=pytest.mark.long)])
def test_workers_one_of_them_killed_give_the_same_tables_to_the_bit(made, benchmark_file, tmp_path, workers):
    out = tmp_path / "several"
    process = start("run", benchmark_file, "--out", out, "--workers", workers, "--no-report")
    wait_for(lambda: journaled(out) >= 3, process)
    os.kill(children(process.pid)[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    assert tables(out) == tables(made)


def test_the_results_can_be_verified_and_done_again(made):
    said = launch("verify", made, "--rerun", 2)
    assert "all hold" in said.stdout
    assert said.stdout.count("identical to the bit") == 2
    assert said.stdout.count("its test scores come out") == 2


def test_what_is_shown_afterwards(made):
    said = call("show", made).stdout
    assert "best model: " in said
    assert "review_sentiment (simulated data)" in said
    assert "manual_sweep" in said


def test_the_report_says_simulated_and_shows_both_problems(made):
    text = (made / "report.md").read_text(encoding="utf-8")
    assert "simulated" in text
    for picture in ("best-so-far.png", "words-review_sentiment.png"):
        assert (made / "plots" / picture).stat().st_size > 10_000
        assert f"plots/{picture}" in text
