"""The verdict's rules on constructed cases, the traps, the questions, and campaigns of every odd kind."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.synthetic_campaign import synthetic_campaign

from hptune_bench.analysis import Analysis, analyse
from hptune_bench.analysis import warnings as traps
from hptune_bench.analysis.comparisons import Comparison, compare
from hptune_bench.analysis.frames import by_workload
from hptune_bench.analysis.importance import importance
from hptune_bench.analysis.levels import levels_of
from hptune_bench.analysis.noise import noise
from hptune_bench.analysis.questions import questions
from hptune_bench.analysis.ranks import ranks
from hptune_bench.analysis.targets import targets
from hptune_bench.casestudy.effort import code_lines, efforts
from hptune_bench.store.results import Results, read_results

PRIMARY = ("random_search", "bayesian_optimization", "hyperband")
SOME = ("manual_sweep", "untuned", "untuned_restarts", *PRIMARY)
ONE = ("linear_regression",)
Scores = Mapping[tuple[str, str], np.ndarray]


def with_scores(campaign: Results, scores: Scores) -> Results:
    """The campaign with the test scores of these (workload, tuner) set by seed, at every trial."""
    runs, trials = campaign.runs.copy(), campaign.trials.copy()
    for (workload, tuner), values in scores.items():
        for table in (runs, trials):
            mine = (table["workload"] == workload) & (table["tuner"] == tuner)
            known = mine & table["test_score"].notna()
            table.loc[known, "test_score"] = values[table.loc[known, "seed"].to_numpy() - 1]
    return dataclasses.replace(campaign, runs=runs, trials=trials)


def judged(scores: Mapping[str, np.ndarray], seeds: int = 10, **options: object) -> Analysis:
    campaign = synthetic_campaign(seeds=seeds, tuners=SOME, workloads=ONE, epochs=False, **options)
    return analyse(with_scores(campaign, {(ONE[0], t): v for t, v in scores.items()}), quick=True)


def full(analysis: Analysis, tuner: str, workload: str = ONE[0]) -> Comparison:
    found = [c for c in analysis.workloads[workload].comparisons if c.tuner == tuner and c.primary and c.trials is None]
    assert len(found) == 1
    return found[0]


LOOP = 1.0 + np.random.default_rng(5).normal(0, 0.3, 30)
JITTER = np.random.default_rng(6).normal(0, 1, 30)


def test_clear_win_and_clear_loss() -> None:
    analysis = judged({"manual_sweep": LOOP, "random_search": LOOP - 0.2 - 0.01 * JITTER, "hyperband": LOOP + 0.2})
    win, loss = full(analysis, "random_search"), full(analysis, "hyperband")
    assert (win.outcome, loss.outcome) == ("better", "worse")
    assert win.result is not None
    assert win.result.median_difference == pytest.approx(-0.2, abs=0.02)
    assert win.p_holm == pytest.approx(6 * 2 / 2**10)  # three tuners at two checkpoints
    gain = analysis.verdict[0].text
    for needed in ("against manual_sweep", "better", "random_search (difference -0.2", "10 of 10", "p = 0.012"):
        assert needed in gain
    assert any(s.about == "gain" and "random_search" in s.text and "better" in s.text for s in analysis.verdict)
    assert len(analysis.verdict) <= 5


def test_equivalence_is_shown_not_assumed() -> None:
    noisy = judged({"manual_sweep": LOOP, "random_search": LOOP + 0.0005 * JITTER, "hyperband": LOOP + 0.2 * JITTER})
    assert full(noisy, "random_search").outcome == "equivalent"
    assert full(noisy, "hyperband").outcome == "undecided"
    assert "random_search (difference" in noisy.verdict[0].text
    assert " equivalent" in noisy.verdict[0].text
    steady = judged({"manual_sweep": LOOP, "random_search": LOOP - 0.0005})
    assert full(steady, "random_search").outcome == "equivalent"
    assert " equivalent" in steady.verdict[0].text
    unknown = judged({"manual_sweep": LOOP, "random_search": LOOP + 0.0005 * JITTER}, noise=False)
    assert full(unknown, "random_search").outcome == "undecided"
    assert "margin" in unknown.workloads[ONE[0]].reasons


def test_undecided_is_never_called_a_tie() -> None:
    analysis = judged({"manual_sweep": LOOP, "random_search": LOOP + JITTER})
    assert " undecided" in analysis.verdict[0].text
    for sentence in analysis.verdict:
        for claim in (" tie", "no difference", "are the same", "significant", "proves"):
            assert claim not in sentence.text


def test_too_few_seeds_give_no_p_value_but_the_sentence() -> None:
    analysis = judged({"manual_sweep": LOOP, "random_search": LOOP - 0.5}, seeds=5)
    win = full(analysis, "random_search")
    assert win.outcome == "undecided"
    assert win.p_holm is None
    assert win.result is not None
    assert win.result.p is None
    assert "0.0625" in win.reason
    assert "nothing is decided" in analysis.verdict[0].text
    assert any(w.key == "few_seeds" and w.first_page for w in analysis.warnings)


def test_a_tuner_that_always_fails_is_worst_not_absent() -> None:
    analysis = judged({"manual_sweep": LOOP}, failing=["hyperband"])
    loss = full(analysis, "hyperband")
    assert loss.outcome == "worse"
    assert loss.result is not None
    assert loss.result.median_difference == math.inf
    assert "infinite" in analysis.verdict[0].text
    assert any(w.key == "failed_runs" and "10 of 10" in w.text for w in analysis.warnings)
    row = analysis.workloads[ONE[0]].summary.query("tuner == 'hyperband' and at == 'full budget'").iloc[0]
    assert row["test_median"] == math.inf
    assert row["failed_runs"] == 10
    assert not row["not_distinguishable"]


def test_opposite_results_are_told_apart() -> None:
    campaign = synthetic_campaign(seeds=8, tuners=SOME, epochs=False)
    scores = {("linear_regression", "manual_sweep"): LOOP, ("linear_regression", "random_search"): LOOP - 0.4}
    scores |= {("review_sentiment", "manual_sweep"): LOOP, ("review_sentiment", "random_search"): LOOP + 0.4}
    analysis = analyse(with_scores(campaign, scores), quick=True)
    (sentence,) = [s for s in analysis.verdict if "random_search against" in s.text]
    assert sentence.text.startswith("It depends on the workload")
    assert "better on linear_regression" in sentence.text
    assert "worse on review_sentiment" in sentence.text
    assert sentence.outcome is None
    assert len(analysis.verdict) <= 5


def test_where_nothing_is_decided_one_sentence_says_so() -> None:
    campaign = synthetic_campaign(seeds=8, tuners=SOME, epochs=False)
    noise_ = np.random.default_rng(8).normal(size=(2, 4, 8))
    names = ("manual_sweep", *PRIMARY)
    scores = {
        (workload, tuner): LOOP[:8] + noise_[i, j]
        for i, workload in enumerate(("linear_regression", "review_sentiment"))
        for j, tuner in enumerate(names)
    }
    analysis = analyse(with_scores(campaign, scores), quick=True)
    assert all(c.outcome == "undecided" for w in analysis.workloads.values() for c in w.comparisons if c.primary)
    first = analysis.verdict[0].text
    assert first.startswith("At the full budget none of random_search, bayesian_optimization and hyperband is shown")
    assert "with 8 seeds" in first
    assert "neither show a difference nor exclude one" in first
    closest = min(
        (c for w in analysis.workloads.values() for c in w.comparisons if c.primary and c.trials is None),
        key=lambda c: c.p_holm or 1.0,
    )
    assert f"closest to a decision is {closest.tuner} on {closest.workload}" in first
    assert [s.about for s in analysis.verdict] == ["gain", "null", "tuner", "trials", "cost"]
    null = analysis.verdict[1].text
    assert null.count("merely retraining it") == 2
    assert "that alone shows no lead" in analysis.verdict[2].text
    assert "everything is undecided" in analysis.verdict[3].text
    assert not any("times as fast" in s.text for s in analysis.verdict), "no ratio without an interval"


def test_where_every_run_failed_nothing_is_compared() -> None:
    both = ("linear_regression", "review_sentiment")
    campaign = synthetic_campaign(seeds=6, tuners=SOME, workloads=both, epochs=False, noise=False)
    for failed in (both[:1], both):
        gone = campaign.runs["workload"].isin(failed)
        runs = campaign.runs.assign(status=campaign.runs["status"].mask(gone, "failed"))
        analysis = analyse(dataclasses.replace(campaign, runs=runs), quick=True)
        assert 1 <= len(analysis.verdict) <= 5
        said = " ".join(s.text for s in analysis.verdict)
        for name in failed:
            assert f"On {name} no finished run found anything" in said
            assert [s.about for s in analysis.workloads[name].verdict] == ["condition"]
        assert ("manual_sweep" in said) == (failed != both)


def test_without_the_loop_the_question_is_not_answered() -> None:
    campaign = synthetic_campaign(seeds=6, tuners=PRIMARY, workloads=ONE, epochs=False)
    analysis = analyse(campaign, quick=True)
    assert "cannot be answered: manual_sweep did not run" in analysis.verdict[0].text
    assert not any(c.primary for c in analysis.workloads[ONE[0]].comparisons)


def test_no_claim_without_its_test() -> None:
    """Over random campaigns with no true difference, better or worse is claimed in about 5 % of families at most."""
    campaign = synthetic_campaign(seeds=8, tuners=("manual_sweep", *PRIMARY), workloads=ONE, epochs=False)
    rng = np.random.default_rng(11)
    claims = 0
    for _ in range(40):
        scores = {(ONE[0], t): rng.lognormal(size=8) for t in ("manual_sweep", *PRIMARY)}
        (records,) = by_workload(with_scores(campaign, scores))
        primary = [c for c in compare(records, margin=None) if c.primary]
        assert all((c.outcome in ("better", "worse")) == (c.p_holm < 0.05) for c in primary if c.p_holm is not None)
        claims += any(c.outcome != "undecided" for c in primary)
    assert claims <= 6


# --- parts -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def campaign() -> Results:
    return synthetic_campaign(seeds=6, epochs=False)


def test_comparison_families(campaign: Results) -> None:
    for records in by_workload(campaign):
        made = compare(records, 0.01)
        assert len(made) == 2 * math.comb(len(records.tuners), 2)
        assert [c.primary for c in made] == [True] * 6 + [False] * (len(made) - 6)
        assert {c.reference for c in made[:6]} == {"manual_sweep"}
        assert all(c.p_holm >= c.result.p - 1e-12 for c in made)


def test_noise_margin_and_curse(campaign: Results) -> None:
    records = by_workload(campaign)[0]
    found = noise(records)
    rows = campaign.noise[(campaign.noise["workload"] == records.name) & (campaign.noise["tuner"] == "")]
    assert found.margin == pytest.approx(rows["test_score"].std(ddof=1))
    curse = found.curse.set_index("tuner")
    assert set(curse.index) == set(records.tuners)
    assert curse.loc["untuned_restarts", "optimism"] > 0  # the best of many equal trainings flatters itself
    assert (found.overtuning["overtuning"] >= 0).all()
    assert found.retraining_gain_validation > 0


def test_questions_find_what_the_generator_built_in(campaign: Results) -> None:
    regression, reviews = by_workload(campaign)
    found = {q.name: q for q in questions(regression, noise(regression).validation_sd)}
    assert list(found) == ["normalize", "neurons", "learning_rate", "optimizer"]
    assert found["learning_rate"].best_reachable == "about 0.01"
    assert "about 0.01 can do better than the copied" in found["learning_rate"].verdict
    sgd = found["optimizer"].levels.set_index("level").loc["sgd"]
    assert sgd["failed"] > 0
    assert found["optimizer"].best_marginal == "adam"
    (words, _) = questions(reviews, 0.0)
    low = words.matched.set_index("level")
    assert low.loc["10", "median_difference"] > 0.05
    assert low.loc["10", "wins"] == 0.0


def test_levels_cover_each_value_once() -> None:
    spec = {"kind": "Float", "low": 1e-4, "high": 0.2, "log": True}
    column = pd.Series(list(np.geomspace(1e-4, 0.2, 50)), dtype=object)
    table, labels = levels_of(column, spec, 0.001)
    assert list(table["level"]) == ["about 0.0001", "about 0.001", "about 0.01", "about 0.1"]
    assert table["untuned"].tolist() == [False, True, False, False]
    assert table["edge"].tolist() == [True, False, False, True]
    for value, label in zip(column, labels, strict=True):
        row = table[table["level"] == label].iloc[0]
        assert row["low"] <= value <= row["high"] * (1 + 1e-9)
    table, _ = levels_of(pd.Series([True, False], dtype=object), {"kind": "Boolean"}, True)
    assert table.set_index("level")["untuned"].to_dict() == {"True": True, "False": False}


def test_importance_finds_the_living_and_the_dead_hyperparameter(campaign: Results) -> None:
    records = by_workload(campaign)[1]
    dead = records.trials.assign(
        validation=records.trials["configuration"].map(lambda c: -float(c.split(":")[-1][:-1]))
    )
    found = importance(dataclasses.replace(records, trials=dead))
    assert found is not None
    shares = found.main.set_index("hyperparameter")["share"]
    assert shares["word_count"] > 0.9
    assert shares["vocab_count"] < 0.02
    assert found.explained > 0.9
    assert "estimate" in found.method
    assert found.pairs["share"].iloc[0] < 0.02
    assert len(found.heat) == 100


def test_targets_and_ecdf(campaign: Results) -> None:
    records = by_workload(campaign)[1]
    found = targets(records, campaign.manifest["best_known"][records.name]["test_score"])
    assert found is not None
    assert found.axis == "stock_s"
    assert found.targets["target"].is_monotonic_decreasing
    assert "untuned" not in set(found.table["tuner"])
    for tuner, rows in found.table.groupby("tuner"):
        assert rows["ert"].is_monotonic_increasing
        steps = found.ecdf[found.ecdf["tuner"] == tuner]["fraction"]
        assert steps.is_monotonic_increasing
        assert steps.iloc[-1] == pytest.approx(rows["hits"].sum() / rows["runs"].sum())
    assert (found.table.loc[found.table["tuner"] == "random_search", "speedup_random"].dropna() == 1).all()


def test_ranks_need_families_for_a_critical_difference(campaign: Results) -> None:
    two = ranks(by_workload(campaign))
    assert two is not None
    assert two.families == 2
    assert two.diagram is None
    assert "8 independent data families" in two.reason
    assert two.table["mean_rank"].mean() == pytest.approx((len(two.table) + 1) / 2)
    (regression, _) = by_workload(campaign)
    siblings = [dataclasses.replace(regression, name=f"w{i}") for i in range(9)]
    same = ranks(tuple(siblings))
    assert same is not None
    assert same.families == 1
    apart = [dataclasses.replace(w, about={**w.about, "family": w.name}) for w in siblings]
    many = ranks(tuple(apart))
    assert many is not None
    assert many.diagram is not None


def test_trap_of_the_random_points_is_on_the_first_page(campaign: Results) -> None:
    found = [w for w in analyse(campaign, quick=True).warnings if w.key == "random_points" and w.first_page]
    assert any("At 10 trials" in w.text and "12 random points" in w.text for w in found)


def test_copies_of_a_tuner_and_busy_machines_are_noticed(campaign: Results) -> None:
    twin = campaign.trials[campaign.trials["tuner"] == "random_search"].assign(tuner="twin")
    runs = campaign.runs[campaign.runs["tuner"] == "random_search"].assign(
        tuner="twin", cpu_s=2.0, train_s=9.0, unspent=500
    )
    copied = dataclasses.replace(
        campaign, trials=pd.concat([campaign.trials, twin]), runs=pd.concat([campaign.runs, runs])
    )
    keys = {
        w.key: w.text for w in analyse(copied, quick=True).warnings if "twin" in w.text or w.key == "disturbed_clocks"
    }
    assert {"same_proposals", "disturbed_clocks", "unspent"} <= keys.keys()


# --- effort ----------------------------------------------------------------------------------------------------------


def test_effort_counts_code_and_marks() -> None:
    plain = '"""Doc."""\n\nx = 1  # why\ny = 2\n'
    assert code_lines(plain) == ["x = 1", "y = 2"]
    other = "# a comment\nx = 1\nfor y in (1, 2):  # look 2, choose 3\n    print('# choose')  # choose\n"
    first, second = efforts({"plain": plain, "loop": other})
    assert (first.lines_changed, first.choices, first.looks) == (0, 0, 0)
    assert (second.added, second.removed, second.looks) == (2, 1, 2)
    assert efforts({"loop": other}) == ()


def test_the_effort_scripts_are_counted() -> None:
    folder = Path(__file__).parent.parent / "benchmarks" / "examples" / "effort"
    found = {e.method: e for e in efforts({p.stem: p.read_text(encoding="utf-8") for p in sorted(folder.glob("*.py"))})}
    assert {"plain", "manual_sweep", "manual_grid", *PRIMARY} <= found.keys()
    assert found["plain"].lines_changed == 0
    assert found["manual_sweep"].looks > 0
    assert all(e.looks == 0 for name, e in found.items() if name != "manual_sweep")
    assert all(e.choices > 0 for name, e in found.items() if name != "plain")


# --- odd campaigns ---------------------------------------------------------------------------------------------------


def only_trials(c: Results) -> Results:
    return dataclasses.replace(c, runs=c.runs.iloc[:0])


def bare(c: Results) -> Results:
    empty = pd.DataFrame()
    return Results(c.path, {}, empty, empty, empty, empty, empty)


def no_test(c: Results) -> Results:
    return dataclasses.replace(c, **{k: getattr(c, k).assign(test_score=np.nan) for k in ("runs", "trials", "noise")})


def nothing_found(c: Results) -> Results:
    trials = c.trials.assign(status="diverged", score=np.inf, incumbent=False, test_score=np.nan)
    return dataclasses.replace(
        c, trials=trials, runs=c.runs.assign(best_score=np.inf, best_trial=np.nan, test_score=np.nan)
    )


def half_done(c: Results) -> Results:
    manifest = {**c.manifest, "planned_runs": 99, "finished_runs": 3, "status": "interrupted"}
    return dataclasses.replace(c, manifest=manifest, runs=c.runs.iloc[::2])


def planned_only(c: Results) -> Results:
    return dataclasses.replace(c, runs=c.runs.iloc[:0], trials=pd.DataFrame(), noise=c.noise.iloc[:0])


def no_trials(c: Results) -> Results:
    return dataclasses.replace(c, trials=pd.DataFrame())


def nulls_in_the_manifest(c: Results) -> Results:
    return dataclasses.replace(c, manifest=dict.fromkeys(c.manifest))


def no_manifest(c: Results) -> Results:
    return dataclasses.replace(c, manifest={})


def damaged_json(c: Results) -> Results:
    return dataclasses.replace(c, trials=c.trials.assign(configuration="{"))


def missing_columns(c: Results) -> Results:
    runs = c.runs.drop(columns=["stock_would_stop_at", "cpu_s", "wall_s", "reason"])
    return dataclasses.replace(c, runs=runs, trials=c.trials.drop(columns=["resumed_from", "tuner_s"]))


@pytest.mark.parametrize(
    "odd",
    [
        only_trials,
        bare,
        no_test,
        nothing_found,
        half_done,
        no_manifest,
        damaged_json,
        missing_columns,
        planned_only,
        no_trials,
        nulls_in_the_manifest,
    ],
)
def test_odd_campaigns_are_analysed(odd: Callable[[Results], Results]) -> None:
    analysis = analyse(odd(synthetic_campaign(seeds=3, tuners=SOME, workloads=ONE, epochs=False)))
    assert 1 <= len(analysis.verdict) <= 5
    for workload in analysis.workloads.values():
        assert all(c.outcome == "undecided" for c in workload.comparisons)
        for part in ("targets", "costs", "importance"):
            assert getattr(workload, part) is not None or workload.reasons[part]
    if odd is no_test:
        assert {c.score for w in analysis.workloads.values() for c in w.comparisons} == {"validation"}


@pytest.mark.parametrize(
    "options",
    [
        {"tuners": ["random_search"]},
        {"tuners": ["untuned"], "seeds": 1},
        {"seeds": 1},
        {"failing": SOME},
        {"noise": False, "stock_clock": False},
        {"tuners": ["manual_sweep", "größer | <b>", "名前 mit Leerzeichen"], "workloads": ["wörk load"]},
    ],
)
def test_small_and_strange_campaigns_are_analysed(options: dict[str, object]) -> None:
    analysis = analyse(synthetic_campaign(**{"seeds": 2, "tuners": SOME, "workloads": ONE, "epochs": False, **options}))
    assert 1 <= len(analysis.verdict) <= 5
    assert all(len(w.verdict) <= 5 for w in analysis.workloads.values())


def test_analysis_is_the_same_on_every_rerun() -> None:
    campaign = synthetic_campaign(seeds=3, tuners=SOME, workloads=ONE, epochs=False)
    first, again = analyse(campaign), analyse(campaign)
    assert [s.text for s in first.verdict] == [s.text for s in again.verdict]
    one, two = first.workloads[ONE[0]], again.workloads[ONE[0]]
    pd.testing.assert_frame_equal(one.summary, two.summary)
    assert one.importance is not None
    assert two.importance is not None
    pd.testing.assert_frame_equal(one.importance.main, two.importance.main)


def test_a_campaign_read_from_its_csv_files_gives_the_same_analysis(tmp_path: Path) -> None:
    campaign = synthetic_campaign(seeds=3, tuners=SOME, workloads=ONE, epochs=False, failing=["hyperband"])
    (tmp_path / "manifest.json").write_text(json.dumps(campaign.manifest), encoding="utf-8")
    for name in ("runs", "trials", "noise", "stock_clock"):
        getattr(campaign, name).to_csv(tmp_path / f"{name}.csv", index=False)
    kept, read = analyse(campaign), analyse(read_results(tmp_path))
    assert [s.text for s in read.verdict] == [s.text for s in kept.verdict]
    assert [w.text for w in read.warnings] == [w.text for w in kept.warnings]
    for name, workload in kept.workloads.items():
        again = read.workloads[name]
        assert again.noise.margin == pytest.approx(workload.noise.margin)
        pd.testing.assert_frame_equal(again.summary, workload.summary, check_dtype=False)
        assert [q.verdict for q in again.questions] == [q.verdict for q in workload.questions]


@pytest.mark.parametrize(("high", "warned"), [(2, False), (4, False), (5, True), (32, True)])
def test_a_range_of_few_values_has_no_edge(high: int, warned: bool) -> None:
    runs = pd.DataFrame({"tuner": ["random_search"] * 6, "best_trial": [1.0] * 6, "hp:layers": [1] * 6})
    space = [{"kind": "Int", "name": "layers", "low": 1, "high": high, "step": 1, "log": False}]
    records: Any = SimpleNamespace(runs=runs, searches=["random_search"], about={"space": space})
    found = [text for _, text, _ in traps._edges(records)]
    assert bool(found) == warned
    assert all("select layers at its low end (1)" in text for text in found)
