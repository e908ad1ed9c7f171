"""Replayed seeds that share data draws: what may be said about new data, and what only about the data sets at hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.synthetic_campaign import synthetic_campaign

from hptune_bench.analysis import Analysis, analyse
from hptune_bench.analysis.comparisons import FULL, Comparison
from hptune_bench.analysis.data_draws import draw_of, median_over, over_data, shared_draws
from hptune_bench.analysis.side_by_side import side_by_side
from hptune_bench.analysis.statistics import MIN_SEEDS, median_interval, median_p
from hptune_bench.analysis.verdict import word
from hptune_bench.report import write_report
from hptune_bench.store.results import Results

NAME = "linear_regression"
SEEDS = 30


def table_entry(draws: int) -> dict[str, object]:
    return {"file": f"{NAME}.parquet", "digest": "none", "definition": {"data_replicates": draws}}


def replayed(draws: int, difference: Callable[[int, int], float], seeds: int = SEEDS) -> Results:
    """A replay in which random search ends at the loop's score plus ``difference(draw, seed)``."""
    made = synthetic_campaign(
        seeds=seeds,
        tuners=("untuned", "manual_sweep", "random_search", "hyperband"),
        workloads=(NAME,),
        epochs=False,
    )
    about = {**made.manifest["workloads"][NAME], "data_label": "replayed", "table": table_entry(draws)}
    benchmark = {**made.manifest["benchmark"], "checkpoint_trials": None}
    runs = made.runs.copy()
    loop = runs[runs["tuner"] == "manual_sweep"].set_index("seed")["test_score"]
    for row in runs.index[runs["tuner"] == "random_search"]:
        seed = int(runs.loc[row, "seed"])
        runs.loc[row, "test_score"] = loop[seed] + difference((seed - 1) % draws, seed)
    manifest = {**made.manifest, "workloads": {NAME: about}, "benchmark": benchmark}
    return dataclasses.replace(made, runs=runs, manifest=manifest)


def against_the_loop(analysis: Analysis) -> Comparison:
    (found,) = [
        c
        for c in analysis.workloads[NAME].comparisons
        if (c.tuner, c.reference, c.at) == ("random_search", "manual_sweep", FULL)
    ]
    return found


def by_chance_ahead(draw: int, seed: int) -> float:
    """Ahead on each of three data sets, as happens once in four times where draws decide and there is no difference."""
    return (-0.3, -0.2, -0.1)[draw % 3] + 0.001 * np.sin(seed)


# --- which seeds share their data ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "seeds", "draws"),
    [
        ({}, 30, None),  # a real training
        ({"table": table_entry(3)}, 3, None),  # a replay, each seed with data of its own
        ({"table": table_entry(3)}, 4, 3),
        ({"table": table_entry(10)}, 200, 10),
        ({"table": {"file": "old.parquet"}}, 30, 1),  # not said: nothing is concluded from it
    ],
)
def test_which_runs_share_their_data(about: dict[str, object], seeds: int, draws: int | None) -> None:
    assert shared_draws(about, pd.Series(range(1, seeds + 1))) == draws


def test_the_draw_of_a_seed_is_that_of_the_trainer() -> None:
    assert draw_of([1, 2, 3, 4, 200], 3).tolist() == [0, 1, 2, 0, 1]


def test_one_value_for_each_draw() -> None:
    values = pd.Series([1.0, 10.0, 3.0, 30.0, 2.0, np.inf], index=[1, 2, 3, 4, 5, 6])
    assert over_data(values, None).tolist() == values.tolist()
    assert over_data(values, 2).tolist() == [2.0, 30.0]
    both_ways = pd.Series([np.inf, -np.inf, -np.inf, -np.inf], index=[1, 3, 2, 4])
    assert over_data(both_ways, 2).tolist() == [0.0, -np.inf]


def test_an_interval_is_of_new_data_or_there_is_none() -> None:
    values = pd.Series(np.arange(30.0), index=range(1, 31))
    own = values.to_numpy()
    assert median_over(values, None) == (float(np.median(own)), median_interval(own))
    assert median_over(values, 3) == (float(np.median(own)), None)
    by_draw = over_data(values, 10)
    assert len(by_draw) == 10
    assert median_over(values, 10) == (float(np.median(by_draw)), median_interval(by_draw))


# --- the rule ------------------------------------------------------------------------------------------------------


def test_data_draws_that_happen_to_agree_are_no_difference_over_data() -> None:
    campaign = replayed(3, by_chance_ahead)
    alone = dataclasses.replace(campaign, manifest={**campaign.manifest, "workloads": {NAME: {}}})
    naive = against_the_loop(analyse(alone))
    assert naive.outcome == "better"  # what counting replayed seeds as data would say
    assert naive.p_holm is not None
    assert naive.p_holm < 1e-4
    found = against_the_loop(analyse(campaign))
    assert found.outcome == "undecided"
    assert found.p_holm is None
    assert found.result is not None
    assert (found.result.n, found.result.p, found.result.interval) == (3, None, None)
    assert f"the {SEEDS} runs share 3 data sets" in found.reason
    here = found.here
    assert here is not None
    assert here.result is not None
    assert (here.outcome, here.result.n, word(found)) == ("better", SEEDS, "ahead")
    assert here.result.interval is not None


def test_enough_draws_are_the_blocks() -> None:
    draws = 10
    found = against_the_loop(analyse(replayed(draws, lambda draw, _: -0.2 if draw < 5 else 0.2)))
    assert found.here is None
    assert found.result is not None
    assert (found.result.n, found.result.wins, found.result.losses) == (draws, 5, 5)
    assert found.outcome == "undecided"
    clear = against_the_loop(analyse(replayed(draws, lambda draw, _: -0.2 - 0.01 * draw)))
    assert clear.outcome == word(clear) == "better"
    assert clear.p_holm is not None
    assert clear.p_holm >= 2 / 2**draws


def test_how_often_either_rule_is_wrong_over_data() -> None:
    """Two equal tuners, whose difference is decided by the data draw: 500 tables of 3 and of 10 draws, 30 runs each."""
    rng = np.random.default_rng(7)
    wrong = {"seeds as data": 0, "ten draws": 0}
    for _ in range(500):
        for draws in (3, 10):
            at = np.arange(30)
            d = pd.Series(rng.normal(size=draws)[at % draws] + 0.3 * rng.normal(size=30), index=at + 1)
            blocks = over_data(d, draws)
            if draws == 3:
                assert len(blocks) < MIN_SEEDS  # nothing is said
                wrong["seeds as data"] += median_p(d.to_numpy()) < 0.05
            else:
                wrong["ten draws"] += median_p(blocks) < 0.05
    assert wrong["seeds as data"] / 500 > 0.3
    assert wrong["ten draws"] / 500 <= 0.06


def test_the_tuners_own_chance_is_judged_right_on_given_data() -> None:
    """No difference in more than half of the runs on three data sets, on which tuners differ in opposite ways."""
    rng = np.random.default_rng(11)
    offsets, campaigns = np.array([-1.0, 0.0, 1.0])[np.arange(30) % 3], 1000
    false = sum(median_p(offsets + rng.normal(size=30)) < 0.05 for _ in range(campaigns))
    assert false / campaigns <= 0.06


# --- in words ------------------------------------------------------------------------------------------------------


def test_the_verdict_begins_with_what_it_cannot_say() -> None:
    analysis = analyse(replayed(3, by_chance_ahead))
    first, second, *rest = analysis.verdict
    assert first.about == "data"
    assert "About new data nothing is decided: 30 replayed seeds are searches on 3 data sets" in first.text
    assert "the tuners' own chance" in first.text
    assert f"On {NAME}, on these 3 data sets, against manual_sweep" in second.text
    assert "random_search (difference" in second.text
    assert "is ahead" in second.text
    assert second.outcome == "undecided"
    for sentence in (second, *rest):
        assert " is better" not in sentence.text
        assert " is worse" not in sentence.text
    assert not [w for w in analysis.warnings if w.key == "few_seeds"]


def test_nothing_else_in_the_analysis_has_an_interval_over_shared_data() -> None:
    analysis = analyse(replayed(3, by_chance_ahead))
    found = analysis.workloads[NAME]
    assert analysis.ranks is not None
    assert analysis.ranks.few_draws == 3
    assert analysis.ranks.table[["low", "high"]].isna().all(axis=None)
    assert analysis.ranks.over_time[["low", "high"]].isna().all(axis=None)
    assert found.targets is not None
    assert found.targets.table[["ert_low", "ert_high"]].isna().all(axis=None)
    assert found.noise.curse[["low", "high"]].isna().all(axis=None)
    for question in found.questions:
        assert question.levels[["gap_low", "gap_high", "best_low", "marginal_low"]].isna().all(axis=None)
        assert question.answer == "open"
    ten = analyse(replayed(10, by_chance_ahead))
    assert ten.ranks is not None
    assert ten.ranks.few_draws is None
    assert ten.ranks.table[["low", "high"]].notna().all(axis=None)
    lines = ten.ranks.over_time
    assert (lines["low"] <= lines["mean_rank"]).all()
    assert (lines["mean_rank"] <= lines["high"]).all()


@pytest.mark.usefixtures("undrawn")
def test_the_report_names_the_data_sets_wherever_it_shows_chance(tmp_path: Path) -> None:
    report = write_report([replayed(3, by_chance_ahead)], tmp_path).read_text(encoding="utf-8")
    assert "- About new data nothing is decided: 30 replayed seeds are searches on 3 data sets" in report
    assert "| Outcome on these 3 data sets" in report
    assert "p is of the tuners' own chance on these 3 data sets" in report
    assert "quartiles of the runs on these 3 data sets" in report
    assert "30 seeds on 3 data sets" in report
    assert "no interval, because the ranks hold on these 3 data sets only" in report
    assert "95 % interval" not in report
    assert " better against" not in report


def test_two_replays_are_compared_by_data_set() -> None:
    first = replayed(3, lambda *_: 0.0)
    (same,) = [row for row in side_by_side(first, replayed(3, by_chance_ahead)) if row.tuner == "random_search"]
    assert (same.seeds, same.difference.n, same.difference.interval) == (SEEDS, 3, None)
    assert same.difference.median_difference == pytest.approx(-0.2, abs=0.01)
