"""What there is to win, in units of the retraining noise: the arithmetic, the label, the table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from support.synthetic_campaign import synthetic_campaign

from hptune_bench.analysis import WorkloadAnalysis, analyse
from hptune_bench.report import write_report
from hptune_bench.store.results import Results

pytestmark = pytest.mark.usefixtures("undrawn")

TUNERS = ("untuned", "untuned_restarts", "manual_sweep", "random_search")
NAME = "linear_regression"
SEEDS = np.arange(5) * 10.0
"""Seeds lie far apart, as splits of one data set do; only differences inside a seed count."""


def campaign(steps: Mapping[str, float], noise: bool = True) -> Results:
    """Each tuner so many units of the noise above the seed's level."""
    made = synthetic_campaign(seeds=5, tuners=TUNERS, workloads=(NAME,), epochs=False, noise=noise)
    unit = 1.0
    if noise:
        rows = made.noise[made.noise["tuner"].fillna("") == ""]
        centred = rows["test_score"] - rows.groupby("seed")["test_score"].transform("mean")
        unit = math.sqrt((centred**2).sum() / (len(rows) - rows["seed"].nunique()))
    runs = made.runs.copy()
    for tuner, step in steps.items():
        mine = runs["tuner"] == tuner
        runs.loc[mine, "test_score"] = SEEDS[runs.loc[mine, "seed"].to_numpy() - 1] + step * unit
    best = min(steps, key=lambda name: steps[name])
    manifest = {**made.manifest, "best_known": {NAME: {"test_score": 0.0, "tuner": best}}}
    return dataclasses.replace(made, runs=runs, manifest=manifest)


def found(made: Results) -> WorkloadAnalysis:
    return analyse(made, quick=True).workloads[NAME]


def keys(analysis: WorkloadAnalysis) -> set[str]:
    return {warning.key for warning in analysis.warnings if warning.first_page}


def test_distances_are_paired_by_seed_and_counted_in_noise() -> None:
    room = found(campaign({"untuned": 9, "untuned_restarts": 8, "manual_sweep": 0, "random_search": 2.5})).headroom
    assert room is not None
    assert room.best == "manual_sweep"
    assert room.distances == pytest.approx(
        {"untuned": 9, "untuned_restarts": 8, "manual_sweep": 0, "random_search": 2.5}, abs=1e-6
    )
    assert room.scores["untuned"] - room.scores["random_search"] == pytest.approx(6.5 * room.noise)
    assert room.search == pytest.approx(2.5), "retraining one configuration is no search"
    assert not room.within_noise


def test_a_workload_whose_tuners_lie_within_the_noise_is_labelled(tmp_path: Path) -> None:
    made = campaign({"untuned": 9, "untuned_restarts": 8, "manual_sweep": 0, "random_search": 0.9})
    analysis = found(made)
    assert analysis.headroom is not None
    assert analysis.headroom.within_noise
    assert "within_noise" in keys(analysis)
    write_report([made], tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    side_by_side = page.split("## The methods side by side")[1].split("\n## ")[0]
    assert "Tuners cannot be told apart here" in side_by_side
    assert "no: within the noise" in (tmp_path / "tables" / "room.md").read_text(encoding="utf-8")


def test_others_are_not_labelled(tmp_path: Path) -> None:
    made = campaign({"untuned": 1.5, "untuned_restarts": 1.5, "manual_sweep": 0, "random_search": 1.1})
    assert keys(found(made)) >= {"nothing_to_win"}
    assert "within_noise" not in keys(found(made))
    write_report([made], tmp_path)
    assert "Tuners cannot be told apart" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_one_search_alone_tells_nothing_about_tuners(tmp_path: Path) -> None:
    made = campaign({"untuned": 5, "untuned_restarts": 4, "random_search": 0})
    alone = dataclasses.replace(made, runs=made.runs[made.runs["tuner"] != "manual_sweep"])
    analysis = found(alone)
    assert analysis.headroom is not None
    assert not analysis.headroom.within_noise
    assert "within_noise" not in keys(analysis)
    write_report([alone], tmp_path)
    assert "fewer than two methods searched" in (tmp_path / "tables" / "room.md").read_text(encoding="utf-8")


def test_without_retrainings_there_is_no_unit() -> None:
    analysis = found(campaign({"untuned": 1, "random_search": 0}, noise=False))
    assert analysis.headroom is None
    assert "headroom" in analysis.reasons


def test_a_search_that_found_nothing_is_infinitely_far() -> None:
    room = found(campaign({"untuned": 1, "untuned_restarts": 1, "manual_sweep": 0, "random_search": math.inf})).headroom
    assert room is not None
    assert room.search == math.inf
    assert not room.within_noise
