"""The report of a replayed campaign against its table."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.synthetic_campaign import synthetic_campaign

from hptune_bench.analysis import Analysis, analyse, seeds_needed
from hptune_bench.report import write
from hptune_bench.store.results import Results
from hptune_bench.tabular.table import CurveTable, configurations_of

NAME = "linear_regression"
TUNERS = ("untuned", "manual_sweep", "random_search", "bayesian_optimization")
TABLE = {"file": f"{NAME}.parquet", "digest": "none", "definition": {"data_replicates": 3}}


def table_of(campaign: Results) -> CurveTable:
    """A table in the space of the synthetic campaign: the number of neurons decides, adam beats sgd, nothing fails."""
    levels = {
        "normalize": (False, True),
        "neurons": tuple(range(4, 33, 4)),
        "learning_rate": (1e-4, 1e-3, 1e-2, 0.1, 0.2),
        "optimizer": ("adam", "sgd"),
    }
    configurations = configurations_of(levels)
    rng = np.random.default_rng(0)
    mean = np.array([0.2 / c["neurons"] + 0.01 * (c["optimizer"] == "sgd") for c in configurations])
    final = mean[:, None, None] + rng.normal(0, 0.002, (1, 3, 1)) + rng.normal(0, 0.001, (len(mean), 3, 2))
    curves = {
        "val_loss": np.repeat((final + 33.3)[..., None], 2, axis=3).astype(np.float32),
        "test:excess_loss": np.repeat(final[..., None], 2, axis=3).astype(np.float32),
    }
    return CurveTable(
        workload=NAME,
        options={},
        levels=levels,
        configurations=configurations,
        metrics=tuple(curves),
        curves=curves,
        seconds=np.full(final.shape, 0.1, dtype=np.float32),
        facts=tuple({"validation_noise": 33.3, "cap": 850.0} for _ in range(3)),
        objective="val_loss",
        direction="min",
        test_metric="excess_loss",
        full_epochs=2,
        patience=None,
        monitor="val_loss",
        definition={},
    )


@pytest.fixture(scope="module", autouse=True)
def few_resampled_campaigns() -> Iterator[None]:
    """What is resampled is not what these tests are about, and most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeds_needed, "CAMPAIGNS", 10)
        yield


@pytest.fixture(scope="module")
def campaign() -> Results:
    made = synthetic_campaign(seeds=12, tuners=TUNERS, workloads=(NAME,), epochs=False)
    manifest = {**made.manifest, "workloads": {NAME: dict(made.manifest["workloads"][NAME])}}
    manifest["workloads"][NAME] |= {"data_label": "replayed", "table": TABLE}
    return dataclasses.replace(made, manifest=manifest)


@pytest.fixture(scope="module")
def analysis(campaign: Results) -> Analysis:
    return analyse(campaign, tables={NAME: table_of(campaign)})


def test_truth_about_each_tuner(analysis: Analysis) -> None:
    found = analysis.workloads[NAME].truth
    assert found is not None
    assert found.best["neurons"] == 32
    assert found.best["optimizer"] == "adam"
    assert found.failing == 0
    assert found.top_sizes == {0.01: 2, 0.05: 8}
    by_name = {item.tuner: item for item in found.tuners}
    assert set(by_name) == set(TUNERS)
    # the copied configuration has 32 neurons and adam: among the best, up to noise
    assert by_name["untuned"].regret == pytest.approx(0, abs=0.002)
    assert all(item.regret >= 0 for item in found.tuners)
    for item in found.tuners:
        assert item.top[0.01] <= item.top[0.05] <= item.runs
        assert item.can_fail == 0
        assert item.curse_low <= item.curse <= item.curse_high
        assert item.half is None or list(item.half) == sorted(item.half)
        ends = [item.equal_low, item.equal_random, item.equal_high]
        known = [end for end in ends if end is not None]
        assert known == sorted(known)
    assert (found.lines["true"].dropna() >= found.best_score - 1e-9).all()
    advised = [(item.tuner, item.reference) for item in analysis.workloads[NAME].seeds_needed]
    assert advised[:3] == [
        ("random_search", "manual_sweep"),
        ("bayesian_optimization", "manual_sweep"),
        ("bayesian_optimization", "random_search"),
    ], "those that carry the verdict come first"
    names = {item.tuner for item in found.tuners}
    assert {frozenset(pair) for pair in advised} == {frozenset(pair) for pair in itertools.combinations(names, 2)}
    assert len(advised) == len(names) * (len(names) - 1) // 2


def test_the_margin_comes_from_the_table_where_nothing_was_retrained(campaign: Results) -> None:
    bare = dataclasses.replace(campaign, noise=campaign.noise.iloc[:0])
    assert analyse(bare).workloads[NAME].noise.margin is None
    found = analyse(bare, tables={NAME: table_of(campaign)}).workloads[NAME].noise
    assert found.margin == pytest.approx(found.test_sd)
    assert "the table's 6 trainings" in found.margin_source
    measured = analyse(campaign, tables={NAME: table_of(campaign)}).workloads[NAME].noise
    assert measured.margin == analyse(campaign).workloads[NAME].noise.margin


def test_exact_answers(analysis: Analysis) -> None:
    exact = analysis.workloads[NAME].exact
    assert exact is not None
    assert exact.failing.total == 0
    assert exact.scoring.share("neurons") > 0.5
    assert exact.scoring.zero("normalize")
    assert exact.scoring.effects["share"].sum() + exact.scoring.noise == pytest.approx(1)
    answers = {question.name: question.verdict for question in exact.questions}
    assert set(answers) == {"normalize", "neurons", "learning_rate", "optimizer"}
    assert "optimizer = adam is right" in answers["optimizer"]


def test_the_report_says_it_and_every_figure_says_replayed(
    campaign: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "replayed", lambda _: {NAME: table_of(campaign)})
    report = write.write([campaign], tmp_path, quick=False).read_text(encoding="utf-8")
    for heading in ("## Against the truth", "## What matters, exactly", "**How many seeds are enough? (replayed)**"):
        assert heading in report
    assert len(re.findall(r"- Inside this space", report)) == 4
    for name in ("truth", "exact-levels", "exact-importance"):
        assert (tmp_path / "plots" / f"{name}-{NAME}.png").stat().st_size > 5000
        assert (tmp_path / "plots" / f"{name}-{NAME}.csv").stat().st_size > 100
    figures = sorted((tmp_path / "plots").glob("*.svg"))
    assert len(figures) > 10
    for figure in figures:  # what is drawn as outlines is named in a comment
        assert "replayed" in figure.read_text(encoding="utf-8"), figure.name
    parts = {part.partition("\n")[0]: part for part in report.split("\n## ")}
    for title in ("Against the truth", "What matters, exactly"):
        for caption in re.findall(r"^\*\*.+$", parts[title], flags=re.MULTILINE):
            assert "replayed" in caption


def test_without_its_table_the_report_says_so(campaign: Results, tmp_path: Path) -> None:
    assert write.replayed(campaign) == {}
    found = analyse(campaign).workloads[NAME]
    assert found.truth is None
    assert "not at hand" in found.reasons["truth"]
