"""A tuner of an installed package is as good as a built-in one, without an edit anywhere else."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest
from support.commands import launch
from support.misbehaving import installed

from hptune_bench.analysis import analyse
from hptune_bench.report import write_report
from hptune_bench.store.results import read_results

PLUGIN = """
from hptune_bench.core.tuner_info import TunerInfo
from support.toy import RandomTuner


class Careful(RandomTuner):
    info = TunerInfo("draws with <care>", library="careful", style="purple")


def make():
    return RandomTuner()


other_draws = TunerInfo("other draws", role="random", order=0, make=make)


class Silent(RandomTuner):
    pass
"""
ENTRY_POINTS = """[hptune_bench.tuners]
careful_draws = plugin:Careful
other_draws = plugin:other_draws
silent_draws = plugin:Silent
absent_draws = plugin:Nothing
"""
BENCHMARK = """
name = "plugins"
seeds = 6
trainer = "fake"
tuners = ["manual_sweep", "untuned", "random_search", "careful_draws", "other_draws", "silent_draws"]
budget = { trials = 12 }
primary = { tuners = ["careful_draws"], against = "manual_sweep" }
[[workloads]]
name = "linear_regression"
"""
MINE = {"careful_draws": "draws with <care>", "other_draws": "other draws", "silent_draws": "silent draws"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plugins")
    environment = installed(folder / "site", ENTRY_POINTS)
    (folder / "site/plugin.py").write_text(PLUGIN, encoding="utf-8")
    (folder / "b.toml").write_text(BENCHMARK, encoding="utf-8")
    launch("run", folder / "b.toml", "--out", folder / "out", "--workers", 1, "--no-report", env=environment)
    listed = launch("list", "tuners", env={**environment, "COLUMNS": "200"}).stdout
    return folder / "out", listed


@pytest.fixture(scope="module")
def campaign(made):
    """With a stock clock, as a campaign that trains has: KerasTuner costs a thousand times as much a trial."""
    results = read_results(made[0])
    clock = [("plain", 0.01), ("keras_tuner", 10.0)]
    rows = [("linear_regression", method, "{}", seconds, 0.001) for method, seconds in clock]
    columns = ["workload", "method", "structure", "overhead_s", "epoch_s"]
    return dataclasses.replace(results, stock_clock=pd.DataFrame(rows, columns=columns))


def test_it_is_listed(made):
    _, listed = made
    for line in ("careful_draws careful", "silent_draws plug-in from plugin:Silent", "absent_draws plug-in"):
        assert line in " ".join(listed.split())


def test_the_manifest_tells_what_it_is(made):
    tuners = json.loads((made[0] / "manifest.json").read_text(encoding="utf-8"))["tuners"]
    assert {name: tuners[name]["label"] for name in MINE} == MINE
    assert "absent_draws" not in tuners
    assert {tuners[name]["clock"] for name in MINE} == {"plain"}


def test_the_stock_clock_charges_no_library_that_it_does_not_use(campaign):
    (workload,) = analyse(campaign, quick=True).workloads.values()
    seconds = workload.costs.time.set_index("tuner")["stock_s"]
    assert seconds["random_search"] > 100
    assert (seconds[[*MINE, "manual_sweep"]] < 2).all()


def test_it_is_compared_like_any_other(campaign):
    (workload,) = analyse(campaign).workloads.values()
    assert {c.tuner for c in workload.comparisons if c.primary} == {"careful_draws"}
    assert workload.records.with_role("random") == "other_draws", "the first of its role"
    assert {q.marginal_from for q in workload.questions} == {("other_draws", "random_search")}
    for names in (workload.targets.table["tuner"], workload.summary["tuner"], workload.records.searches):
        assert set(MINE) <= set(names)


def test_the_report_shows_its_label_and_style_in_every_table_and_figure(campaign, tmp_path):
    write_report([campaign], tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    for label in ("draws with &lt;care&gt;", "other draws", "silent draws"):
        assert label in page or label.replace("&lt;", "\\<") in page, label
    assert not [name for name in MINE if f"| {name} |" in page]
    tables = {path.stem: pd.read_csv(path) for path in (tmp_path / "tables").glob("*.csv")}
    methods = {name: set(table["Method"]) for name, table in tables.items() if "Method" in table and name != "effort"}
    assert len(methods) > 5
    searches = [name for name, found in methods.items() if len(found) > 3]
    assert all(set(MINE.values()) <= methods[name] for name in searches), searches
    curves = (tmp_path / "plots/best-so-far.svg").read_text(encoding="utf-8")
    assert "draws with &lt;care&gt;" in curves
    assert "#aa4499" in curves, "the colour that it asked for"
