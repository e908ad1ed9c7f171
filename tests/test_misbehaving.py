"""Trials and tuners that hang, kill their worker, raise, or speak in escapes: the campaign goes on."""

from __future__ import annotations

import csv

import pytest
from support.commands import call, launch
from support.misbehaving import BENCHMARK, NASTY, installed

from hptune_bench.core.errors import UserError
from hptune_bench.core.names import safe_name
from hptune_bench.core.space import Boolean, Space


def campaign(folder, how, trials=12, more="", expect=0, tuners='"draws", "untuned"', report=False):
    """A campaign with the plug-ins; returns what it said and its tables."""
    path = folder / "b.toml"
    text = BENCHMARK.format(how=how, trials=trials, more=more).replace('"draws", "untuned"', tuners)
    path.write_text(text, encoding="utf-8")
    environment = installed(folder / "site")
    out = folder / "out"
    more = () if report else ("--no-report",)
    done = launch("run", path, "--out", out, "--workers", 1, *more, expect=expect, env=environment)
    tables = {}
    for name in ("runs", "trials"):
        with (out / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            tables[name] = list(csv.DictReader(stream))
    return done.stdout + done.stderr, tables["runs"], tables["trials"]


def statuses(trials):
    return [row["status"] for row in trials if row["tuner"] == "draws"]


def test_a_trial_that_hangs_is_killed_after_its_time_and_the_run_goes_on(tmp_path):
    said, runs, trials = campaign(tmp_path, "hang", more="trial_timeout = 1.0")
    assert "was killed after 1 s" in said
    assert "timeout" in statuses(trials)
    assert len(statuses(trials)) == 12
    assert {row["status"] for row in runs} == {"done"}
    late = [row for row in trials if row["status"] == "timeout"]
    assert all(row["charged"] == "1" and float(row["train_s"]) >= 1 and "trial_timeout" in row["error"] for row in late)


@pytest.mark.parametrize("how", ["exit", "kill", "leave"])
def test_a_trial_that_takes_its_worker_along_twice_is_crashed_and_three_of_them_fail_the_run(tmp_path, how):
    _, runs, trials = campaign(tmp_path, how, trials=30, expect=1)
    by_tuner = {row["tuner"]: row for row in runs}
    assert by_tuner["untuned"]["status"] == "done"
    assert (by_tuner["draws"]["status"], by_tuner["draws"]["reason"]) == ("failed", "3 trials crashed their worker")
    assert statuses(trials).count("crashed") == 3
    assert statuses(trials)[-1] == "crashed"
    assert all("died 2 times" in row["error"] for row in trials if row["status"] == "crashed")


@pytest.mark.parametrize(("how", "status"), [("hang again", "timeout"), ("kill again", None)])
def test_a_retraining_off_the_budget_that_takes_its_worker_along_costs_no_run(tmp_path, how, status):
    """A new worker has trained nothing yet, so that after a death the second attempt succeeds."""
    _, runs, trials = campaign(tmp_path, how, trials=3, more="trial_timeout = 2.0")
    assert {row["status"] for row in runs} == {"done"}
    assert {row["status"] for row in trials} <= {"completed", "truncated", "diverged"}
    with (tmp_path / "out/noise.csv").open(encoding="utf-8", newline="") as stream:
        retrainings = list(csv.DictReader(stream))
    assert sorted(row["tuner"] for row in retrainings) == ["draws", "untuned"]
    assert all((row["status"] == "timeout") == (status == "timeout") for row in retrainings)


def test_what_errors_and_names_say_is_shown_and_never_done(tmp_path):
    said, runs, trials = campaign(
        tmp_path, "raise", trials=30, expect=1, tuners='"draws", "raising", "untuned"', report=True
    )
    out = tmp_path / "out"
    assert "error" in statuses(trials)
    assert {row["tuner"]: row["status"] for row in runs} == {"draws": "done", "raising": "failed", "untuned": "done"}
    assert f"hp:{NASTY}" in trials[0]
    said += call("show", out).stdout + launch("list", "workloads", env=installed(tmp_path / "again")).stdout
    for text in (said, *(path.read_text(encoding="utf-8") for path in out.rglob("*.csv"))):
        assert "\x1b" not in text
        assert "\x07" not in text
    page = (out / "report.html").read_text(encoding="utf-8")
    markdown = (out / "report.md").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<script>alert" not in markdown
    assert "&lt;script&gt;alert" in page
    assert {path.name for path in tmp_path.iterdir()} <= {"b.toml", "out", "site", "again"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../up",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "-flag",
        "nul",
        "CON.txt",
        "end.",
        "a\nb",
        "\x00",
        "ü",
        "x" * 300,
    ],
)
def test_names_that_would_leave_the_folder_are_refused(name):
    with pytest.raises(ValueError, match="a name starts with"):
        safe_name(name)


@pytest.mark.parametrize("name", ["linear_regression", "a", "my-tuner.v2", "console", "x" * 99])
def test_names_that_stay_are_not(name):
    assert safe_name(name) == name


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "x" * 300])
def test_hyperparameters_that_cannot_be_a_column_are_refused(name):
    with pytest.raises(UserError, match="printable"):
        Space((Boolean(name),))


def test_a_plug_in_cannot_leave_the_results_folder(tmp_path):
    environment = installed(tmp_path / "site", "[hptune_bench.tuners]\n../../up = misbehaving:Draws\n")
    error = launch("list", "tuners", expect=2, env=environment).stderr
    assert "misbehaving: entry point '../../up'" in error
    assert len(error.strip().splitlines()) == 1
