"""The calibration script, with sizes whose rates mean nothing, and its model of fresh data draws."""

from __future__ import annotations

import numpy as np
import pytest
from support.synthetic_table import synthetic_table

from benchmarks.calibration import given_data, rules
from benchmarks.calibration import model as fresh
from hptune_bench.analysis.tabular.expectations import by_draws
from hptune_bench.analysis.tabular.scores import scores_of, true_means


def test_fresh_draws_have_the_tables_moments() -> None:
    scores = scores_of(synthetic_table())
    model = fresh.fit(scores.validation, scores.judged)
    failing = np.isinf(scores.validation).all(axis=(1, 2))
    assert model.fails.tolist() == failing.astype(float).tolist()
    rng = np.random.default_rng(0)
    z = fresh.draws(model, (40_000,), rng)
    for c in np.flatnonzero(~failing)[:3]:
        drawn = fresh.train(model, np.full((40_000, 1), c), z, rng)[0, :, 0]
        cells = scores.validation[c].mean(axis=1)
        variance = cells.var(ddof=1) + scores.validation[c].var(axis=1, ddof=1).mean()
        assert drawn.mean() == pytest.approx(cells.mean(), abs=5 * np.sqrt(variance / 40_000))
        assert drawn.var() == pytest.approx(variance, rel=0.15)  # residuals are pooled over configurations
    assert np.isinf(fresh.train(model, np.full((5, 1), np.flatnonzero(failing)[0]), z[:5], rng)).all()


def test_configurations_move_together_as_in_the_table() -> None:
    scores = scores_of(synthetic_table())
    model = fresh.fit(scores.validation, scores.judged)
    one, other = np.flatnonzero(model.fails == 0)[:2]
    expected = np.cov(scores.validation[[one, other]].mean(axis=2))[0, 1]
    rng = np.random.default_rng(1)
    z = fresh.draws(model, (60_000,), rng)
    drawn = fresh.train(model, np.tile([one, other], (60_000, 1)), z, rng)[0]
    assert np.cov(drawn.T)[0, 1] == pytest.approx(expected, rel=0.1)


def test_cases_have_the_median_that_they_claim() -> None:
    for case in (*rules.SHAPES, *rules.cases_of("made up", fresh.synthetic())):
        drawn = case.draw(20_000, 1, np.random.default_rng(7))[:, 0]
        below, above = np.mean(drawn < case.truth()), np.mean(drawn > case.truth())
        assert max(below, above) < 0.5 + 4 * 0.5 / np.sqrt(20_000), case.key


def test_every_rule_is_tried_in_every_case_and_the_page_says_so(tmp_path) -> None:
    frame = rules.run({"made up": fresh.synthetic_scores()}, 4, 1)
    assert set(frame["seeds"]) == {*rules.SEEDS, rules.ODD}
    assert set(rules.QUESTIONS) | {"power", "power of equivalence", "power in a whole report"} == set(frame["what"])
    cases = len(rules.SHAPES) + 4
    assert (frame["what"] == "false difference").sum() == cases * len(rules.TESTS) * 2
    assert (frame["passes"] == frame["rate"].between(frame["at_least"], frame["at_most"])).all()
    text = rules.page(frame)
    for title in rules.QUESTIONS.values():
        assert title in text


def test_searches_on_given_data_are_random_search() -> None:
    scores = fresh.synthetic_scores()
    means = true_means(scores.finite(scores.judged))
    picked, tested = given_data.searches(scores, 5, (4000, 3), np.random.default_rng(8))
    line = by_draws(scores, np.full(len(means), 1 / len(means)), 5)
    spread = means[picked].std() / np.sqrt(picked.size)
    assert means[picked].mean() == pytest.approx(line["true"].iloc[-1], abs=4 * spread)
    for draw in range(3):  # every seed is looked up in its data draw
        assert np.isin(tested[:, draw], scores.finite(scores.judged)[:, draw]).all()


def test_mean_ranks_over_two_problems() -> None:
    model = fresh.synthetic()
    rows = rules.mean_ranks({"one": model, "other": model}, 10, 3)
    assert {(row["world"], row["comparisons"]) for row in rows} == {("one and other", 3)}
    assert len(rows) == len(rules.RANKS) * len(rules.RANKED)


def test_seeds_are_fixed_beforehand() -> None:
    one, two = (rules.false_calls(rules.SHAPES[1], 10, 5) for _ in range(2))
    assert one == two
