"""Two campaigns of one benchmark side by side."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from support.commands import call, run, write_benchmark

from hptune_bench.analysis.side_by_side import side_by_side
from hptune_bench.core.errors import UserError
from hptune_bench.store.results import read_results


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("compare")
    run(write_benchmark(folder / "b.toml", seeds=4, tuners=["untuned", "manual_sweep"], trainings=3), folder / "out")
    return folder


def changed(campaign, **columns):
    return dataclasses.replace(campaign, runs=campaign.runs.assign(**columns))


def test_scores_differences_and_ratios(made):
    first = read_results(made / "out")
    second = changed(first, test_score=first.runs["test_score"] + 0.5, train_s=first.runs["train_s"] * 2)
    rows = side_by_side(first, second)
    assert [(row.workload, row.tuner, row.seeds) for row in rows] == [
        ("linear_regression", "manual_sweep", 4),
        ("linear_regression", "untuned", 4),
    ]
    for row in rows:
        assert row.second - row.first == pytest.approx(0.5)
        assert row.difference.median_difference == pytest.approx(0.5)
        assert row.difference.interval is None  # four seeds
        assert row.ratios["train_s"].median == pytest.approx(2)
        assert row.ratios["tuner_s"].median == 1


def test_a_failed_run_is_the_worst_and_an_interrupted_one_is_no_run(made):
    first = read_results(made / "out")
    status = first.runs["status"].copy()
    status[first.runs["seed"] == 1] = "interrupted"
    status[first.runs["seed"] == 2] = "failed"
    rows = side_by_side(first, changed(first, status=status))
    assert {row.seeds for row in rows} == {3}
    assert {(row.difference.wins, row.difference.ties, row.difference.losses) for row in rows} == {(0, 2, 1)}


def test_other_benchmarks_are_refused(made):
    first = read_results(made / "out")
    other = dataclasses.replace(first, manifest={**first.manifest, "name": "other"})
    with pytest.raises(UserError, match="benchmark 'other'"):
        side_by_side(first, other)
    with pytest.raises(UserError, match="no finished run in common"):
        side_by_side(first, changed(first, status="interrupted"))
    about = first.manifest["workloads"]["linear_regression"]
    budget = {"linear_regression": {**about, "budget": {"trials": 3}}}
    with pytest.raises(UserError, match="has budget"):
        side_by_side(first, dataclasses.replace(first, manifest={**first.manifest, "workloads": budget}))


def test_the_command(made):
    said = call("compare", made / "out", made / "out").stdout
    assert "manual_sweep" in said
    assert "x 1" in said
    assert str(made / "none") in call("compare", made / "out", made / "none", expect=2).stderr
