"""Truth from complete tables: against brute force, closed forms and tables that are known by construction."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.synthetic_table import synthetic_table

from hptune_bench.analysis.left_out import ranges
from hptune_bench.analysis.noise_sources import components, components_and_ranges, run_sources, sources_and_ranges
from hptune_bench.analysis.seeds_needed import judge, seeds_needed
from hptune_bench.analysis.statistics import Interval, equivalent_p, median, median_p, outcome
from hptune_bench.analysis.tabular.expectations import (
    by_draws,
    chance_of_each,
    middle,
    proposal_weights,
    random_order,
)
from hptune_bench.analysis.tabular.importance import anova, exact_importance, responses
from hptune_bench.analysis.tabular.scores import Scores, retraining_sd, scores_of, true_means, truly_best
from hptune_bench.analysis.tabular.truth import equal_draws, places, trials_to
from hptune_bench.tabular.parquet import read_table

PUBLISHED = Path(__file__).parents[1] / "results" / "published" / "tables"


def expected_random(values: np.ndarray, weights: np.ndarray, draws: int, shown: np.ndarray | None = None) -> float:
    """Expectation for the best of independent draws: of its value, or of what is ``shown`` beside it."""
    return float(((values if shown is None else shown) * chance_of_each(values, weights, draws)).sum())


def expected_in_random_order(values: np.ndarray, draws: int, shown: np.ndarray | None = None) -> float:
    """The same after so many configurations in random order, once each."""
    return float((random_order(values, draws)[-1] * (values if shown is None else shown)).sum())


few = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(few, st.integers(1, 4), st.integers(0, 99))
def test_random_search_against_all_sequences(values: list[int], draws: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(len(values)))
    tests = rng.normal(size=len(values))
    best = shown = 0.0
    for sequence in itertools.product(range(len(values)), repeat=draws):
        chance = math.prod(weights[i] for i in sequence)
        first = min(sequence, key=lambda i: values[i])  # the first of equals, as a search keeps it
        best += chance * values[first]
        shown += chance * tests[first]
    assert expected_random(np.array(values), weights, draws) == pytest.approx(best)
    assert expected_random(np.array(values), weights, draws, tests) == pytest.approx(shown)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 2), st.integers(0, 99), st.data())
def test_grid_in_random_order_against_all_orders(count: int, repeats: int, seed: int, data: st.DataObject) -> None:
    draws = data.draw(st.integers(1, count))
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, repeats))
    tests = rng.normal(size=(count, repeats))
    best, shown = [], []
    for order in itertools.permutations(range(count), draws):
        for replicates in itertools.product(range(repeats), repeat=draws):
            found = min(zip(order, replicates, strict=True), key=lambda ck: values[ck])
            best.append(values[found])
            shown.append(tests[found])
    assert expected_in_random_order(values, draws) == pytest.approx(np.mean(best))
    assert expected_in_random_order(values, draws, tests) == pytest.approx(np.mean(shown))


@settings(max_examples=40, deadline=None)
@given(few, st.integers(1, 4), st.integers(0, 99))
def test_the_chance_of_each_training_to_be_the_best(values: list[int], draws: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(len(values)))
    seen = np.zeros(len(values))
    for sequence in itertools.product(range(len(values)), repeat=draws):
        seen[min(sequence, key=lambda i: values[i])] += math.prod(weights[i] for i in sequence)
    chance = chance_of_each(np.array(values), weights, draws)
    assert chance.sum() == pytest.approx(1)
    assert chance == pytest.approx(seen)
    order = random_order(rng.normal(size=(4, 2)), 4)
    assert order.sum(axis=(1, 2)) == pytest.approx(np.ones(4))
    assert order[-1].max(axis=1).sum() <= 1


def test_the_middle_of_a_distribution() -> None:
    assert middle(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3])) == 1.0
    assert middle(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.4, 0.4])) == 2.0


def test_what_learns_no_more_than_a_constant_has_failed() -> None:
    """A network that collapses ends a little below or above the best constant predictor, or it explodes."""
    validation = np.array([0.5, 0.98, 0.995, 1.0, 1.2, 1e20, np.inf, np.nan]).reshape(8, 1, 1)
    scores = Scores(validation, validation, "validation", np.ones((8, 1, 1)), False, np.array([1.0]))
    assert scores.fails.ravel().tolist() == [False, False, True, True, True, True, True, True]
    assert scores.finite(validation).ravel().tolist() == [0.5, *[0.98] * 7]
    unknown = dataclasses.replace(scores, baselines=None)
    assert unknown.fails.ravel().tolist() == [False] * 6 + [True] * 2
    maximised = dataclasses.replace(scores, validation=-validation, baselines=np.array([-0.99]))
    assert maximised.fails.ravel().tolist() == [True, True, True, False, False, False, False, True]


def test_random_order_with_ties_counts_each_once() -> None:
    values = np.array([[1.0], [1.0], [2.0], [2.0]])
    expected = np.mean([min(pair) for pair in itertools.combinations([1, 1, 2, 2], 2)])
    assert expected_in_random_order(values, 2) == pytest.approx(expected)
    assert expected_in_random_order(values, 2, values) == pytest.approx(expected)


def test_components_find_what_was_put_in() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(300):
        y = rng.normal(0, 2.0, (12, 1, 1)) + rng.normal(0, 1.0, (1, 4, 1)) + rng.normal(0, 0.5, (12, 4, 1))
        c = components(y + rng.normal(0, 0.8, (12, 4, 3)))
        found.append((c.between, c.draw, c.mixed, c.training))
    spread = np.std(found, axis=0) / math.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - [4.0, 1.0, 0.25, 0.64]) < 4 * spread).all()


def test_sources_of_the_final_score_add_up() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(5, 2, 3))
    chosen, draw, k = rng.integers(5, size=40), rng.integers(2, size=40), rng.integers(3, size=40)
    shares = run_sources(scores[chosen, draw, k], chosen, draw, scores)
    assert sum(shares.values()) == pytest.approx(1)
    same = run_sources(
        scores.mean(axis=(1, 2))[chosen], chosen, draw, np.repeat(scores.mean(axis=(1, 2)), 6).reshape(5, 2, 3)
    )
    assert same == {"tuner": pytest.approx(1), "data draw": pytest.approx(0), "training seed": pytest.approx(0)}
    assert all(
        math.isnan(share) for share in run_sources(np.ones(3), np.zeros(3, int), np.zeros(3, int), scores).values()
    )


def test_retraining_noise_is_that_within_data_draws() -> None:
    assert retraining_sd(np.array([[1.0, 3.0], [101.0, 103.0]])) == pytest.approx(math.sqrt(2))
    assert math.isnan(retraining_sd(np.array([[1.0, np.inf], [1.0, 2.0]])))


def test_truly_best() -> None:
    means = np.array([3.0, 1.0, 2.0, np.inf] * 25)
    assert truly_best(means, 0.01).sum() == 25  # ties count in
    assert truly_best(np.arange(1000.0), 0.05).sum() == 50
    assert truly_best(np.arange(3.0), 0.01).tolist() == [True, False, False]
    assert true_means(np.array([[[1.0, 3.0], [5.0, 7.0]], [[1.0, np.inf], [1.0, 1.0]]])).tolist() == [4.0, np.inf]


def test_weights_of_proposals_are_those_of_sampling() -> None:
    table = synthetic_table()
    space = [
        {"name": "switch", "kind": "Boolean"},
        {"name": "units", "kind": "Int", "low": 1, "high": 3, "step": 1},
        {"name": "rate", "kind": "Float", "low": 1e-3, "high": 1.0, "step": None, "log": True},
    ]
    weights = proposal_weights(table, space)
    assert weights.sum() == pytest.approx(1)
    rng = np.random.default_rng(0)
    drawn = [
        {"switch": bool(a), "units": int(b), "rate": float(10**c)}
        for a, b, c in zip(rng.random(6000) < 0.5, rng.integers(1, 4, 6000), rng.uniform(-3, 0, 6000), strict=True)
    ]
    seen = np.bincount(places(table, drawn, space), minlength=len(weights)) / 6000
    assert np.abs(seen - weights).max() < 4 * math.sqrt(weights.max() / 6000)
    assert places(table, table.configurations, space).tolist() == list(range(len(weights)))


def test_random_search_lines_fall_to_the_best() -> None:
    scores = scores_of(synthetic_table())
    line = by_draws(scores, np.full(24, 1 / 24), 60)
    assert (line["validation"].diff().dropna() <= 1e-12).all()
    lowest = scores.validation.min(axis=(0, 2)).mean()
    assert lowest <= line["validation"].iloc[-1] < lowest + 0.05
    means = true_means(np.where(np.isfinite(scores.judged), scores.judged, np.nan))
    assert np.nanmin(means) <= line["true"].iloc[-1] < np.nanmin(means) + 0.05
    assert line["epochs"].tolist() == [4.0 * n for n in line["draws"]]
    assert equal_draws(line["validation"].to_numpy(), line["validation"].iloc[6]) == 7
    means = true_means(np.where(np.isfinite(scores.judged), scores.judged, np.nan))
    assert np.nanmin(means) <= line["true"].iloc[-1] < np.nanmin(means) + 0.05
    assert line["epochs"].tolist() == [4.0 * n for n in line["draws"]]
    assert equal_draws(line["validation"].to_numpy(), -1.0) is None
    assert line["median"].iloc[-1] in means
    assert (line["median"] >= np.nanmin(means)).all()


def test_trials_to_a_share_of_the_gain() -> None:
    gain = np.array([[-np.inf, 0.2, 0.6, 0.95], [0.0, 0.55, 0.55, 0.9], [0.1, 0.1, 0.7, 0.7]])
    assert trials_to(gain, 0.5) == (2, 3, 3)
    assert trials_to(gain, 0.9) == (4, 4, math.inf)
    assert trials_to(gain, 0.99) == (math.inf,) * 3


def test_seeds_needed_grow_as_the_difference_shrinks() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=200)
    large, small = (seeds_needed("a", "b", noise - size, margin=0.01) for size in (3.0, 0.8))
    assert large is not None
    assert small is not None
    assert (large.truth, small.truth) == ("better", "better")
    assert large.seeds < small.seeds < math.inf
    assert large.seeds_range is None
    same = seeds_needed("a", "b", 0.1 * noise, margin=1.0)
    assert same is not None
    assert same.truth == "equivalent"
    assert seeds_needed("a", "b", noise[:5], None) is None


@settings(max_examples=300, deadline=None)
@given(
    st.integers(6, 60), st.floats(-1.5, 1.5), st.sampled_from([None, 0.3, 1.5]), st.integers(1, 6), st.integers(0, 999)
)
def test_a_verdict_without_the_p_values_is_the_verdict(
    n: int, shift: float, margin: float | None, family: int, seed: int
) -> None:
    d = np.random.default_rng(seed).choice(np.round(np.random.default_rng(n).normal(shift, 1, n), 1), n)
    p, p_equivalent = family * median_p(d), None if margin is None else family * equivalent_p(d, margin)
    assert judge(d, margin, family) == outcome(p, p_equivalent, float(median(d)))


def test_a_comparison_that_hangs_on_one_data_set_is_seen() -> None:
    rng = np.random.default_rng(2)
    draw = np.arange(60) % 3
    differences = np.where(draw == 0, -3.0, 0.3) + 0.1 * rng.normal(size=60)
    found = seeds_needed("a", "b", differences, margin=None, draw=draw)
    assert found is not None
    assert found.truth == "worse"
    assert found.difference_range is not None
    assert found.seeds_range is not None
    assert found.difference_range.low < 0 < found.difference_range.high
    assert found.seeds == math.inf
    assert found.seeds_range.low == 6, "without the first data set every run says the same"
    assert found.right_range[10].high == 1


# --- without one data draw -----------------------------------------------------------------------------------------


def test_ranges_without_each_draw() -> None:
    values = np.array([1.0, 2.0, 6.0])
    whole = {"mean": 3.0, "none": math.nan}
    found = ranges(whole, lambda kept: {"mean": values[kept].mean(), "none": math.nan}, 3)
    assert found == {"mean": Interval(1.5, 4.0)}
    assert ranges(whole, lambda kept: {"mean": values[kept].mean()}, 2) == {}


def test_one_odd_data_draw_shows_in_the_ranges() -> None:
    rng = np.random.default_rng(4)
    scores = 0.1 * rng.normal(size=(6, 3, 4))
    scores[:, 2] += 5
    found, spans = components_and_ranges(scores)
    assert found.draw == components(scores).draw > 5
    assert spans["draw"].low < 0.5 < 0.95 < spans["draw"].high
    assert spans["sd"].low < 0.2
    chosen, draw, k = rng.integers(6, size=60), np.arange(60) % 3, rng.integers(4, size=60)
    _, shares = sources_and_ranges(scores[chosen, draw, k], chosen, draw, scores)
    assert shares["data draw"].low < 0.5 < 0.95 < shares["data draw"].high
    _, alone = sources_and_ranges(scores[chosen, 0, k], chosen, np.zeros(60, int), scores)
    assert "data draw" not in alone, "without the only draw that has runs there is nothing to share"


# --- exact importance ----------------------------------------------------------------------------------------------


def test_anova_against_a_closed_form() -> None:
    a, b, c = np.meshgrid([0.0, 1.0], [-1.0, 0.0, 1.0], [0.0, 1.0, 2.0, 3.0], indexing="ij")
    response = 2 * a + b * b + (a - 0.5) * b + 0 * c
    found = anova(np.repeat(response[..., None, None], 6, axis=-1).reshape(2, 3, 4, 3, 2), ("a", "b", "c"))
    main_a, main_b, pair = 1.0, np.var([1, 0, 1]), 0.25 * 2 / 3
    total = main_a + main_b + pair
    assert found.share("a") == pytest.approx(main_a / total)
    assert found.share("b") == pytest.approx(main_b / total)
    assert found.share("a", "b") == pytest.approx(pair / total)
    assert found.share("c") == pytest.approx(0, abs=1e-12)
    assert found.noise == pytest.approx(0, abs=1e-12)
    assert found.zero("c")
    assert not found.zero("a")


def test_anova_shares_sum_to_one_and_noise_is_taken_off() -> None:
    rng = np.random.default_rng(5)
    signal = np.array([0.0, 1.0, 2.0])[:, None, None, None]
    shares = []
    false_alarms = 0
    for _ in range(300):
        draw = rng.normal(0, 0.5, (1, 1, 3, 1)) + rng.normal(0, 0.7, (3, 4, 3, 1))
        found = anova(signal + draw + rng.normal(0, 1.0, (3, 4, 3, 3)), ("a", "b"))
        assert found.effects["share"].sum() + found.noise == pytest.approx(1)
        shares.append([found.share("a"), found.share("b"), found.share("a", "b"), found.noise])
        false_alarms += not found.zero("b")
    noise = 0.25 + 0.49 + 1.0
    variance = 2 / 3
    middle, error = np.median(shares, axis=0), np.std(shares, axis=0) / math.sqrt(300)
    assert abs(middle[1]) < 5 * error[1] + 0.005
    assert abs(middle[2]) < 5 * error[2] + 0.005
    assert middle[0] == pytest.approx(variance / (variance + noise), abs=0.05)
    assert false_alarms / 300 < 0.09  # 5 % and three standard errors


def test_anova_ranges_are_those_without_one_draw() -> None:
    rng = np.random.default_rng(5)
    response = rng.normal(size=(3, 4, 3, 2)) + 2 * np.arange(3)[:, None, None, None]
    response[:, :, 1] += 5 * np.arange(4)[:, None]  # the second hyperparameter matters on one data draw only
    found = anova(response, ("a", "b"))
    without = [anova(np.delete(response, left, axis=2), ("a", "b")) for left in range(3)]
    for _, row in found.effects.iterrows():
        shares = [each.share(*row["names"]) for each in (found, *without)]
        assert (row["low"], row["high"]) == (min(shares), max(shares))
    assert found.noise_range is not None
    assert found.noise_range.high == max(each.noise for each in (found, *without))
    assert found.noise_range.low == without[1].noise < 0.3 < found.noise
    assert without[0].effects["low"].isna().all(), "two draws are too few to leave one out"


def test_anova_refuses_other_axes() -> None:
    with pytest.raises(ValueError, match="2 names"):
        anova(np.zeros((2, 2, 2, 1, 1)), ("a", "b"))


def test_failing_and_scoring_are_two_questions() -> None:
    validation = np.array([[[1.0, 2.0]], [[np.inf, 9.0]], [[3.0, 4.0]]])
    scores = Scores(validation, validation, "validation", np.ones((3, 1, 2)), False, np.array([5.0]))
    fails, ranks = responses(scores)
    # failures stand at the worst that did not fail
    assert scores.finite(validation)[:, 0].tolist() == [[1, 2], [4, 4], [3, 4]]
    assert fails[:, 0].tolist() == [[0, 0], [1, 1], [0, 0]]
    assert ranks[:, 0].tolist() == [[0, 1 / 3], [0.5, 0.5], [2 / 3, 1]]


def test_what_the_notebook_reads_nowhere_is_zero_in_its_published_table() -> None:
    table = read_table(PUBLISHED / "review_sentiment_as_written.parquet")
    found = exact_importance(table, scores_of(table), {"word_count": 50, "vocab_count": 700})
    assert found.scoring.zero("vocab_count")
    assert found.scoring.zero("word_count", "vocab_count")
    assert abs(found.scoring.share("vocab_count")) < 0.02
    assert found.scoring.share("word_count") > 0.3
    (vocabulary,) = (question for question in found.questions if question.name == "vocab_count")
    assert "as good as any other value" in vocabulary.verdict, "the best of 209 samples is luck"
    table = read_table(PUBLISHED / "review_sentiment.parquet")
    right = exact_importance(table, scores_of(table), {"word_count": 50, "vocab_count": 700})
    assert "not the best choice" in right.questions[0].verdict


def test_questions_of_a_table_that_is_known() -> None:
    table = synthetic_table()
    found = exact_importance(table, scores_of(table), {"switch": False, "units": 2, "rate": 0.001})
    by_name = {question.name: question for question in found.questions}
    # the table: the switch saves from failing at the largest rate, units do nothing, rate 0.1 is best
    assert found.scoring.zero("units")
    assert found.failing.share("units") == pytest.approx(0, abs=1e-9)
    assert found.failing.share("rate") > 0.1
    assert found.scoring.share("rate") > 0.5
    assert "not the best choice" in by_name["rate"].verdict
    assert "0.1" in by_name["rate"].verdict
    assert "as good as any other value" in by_name["units"].verdict
    assert all(question.verdict.startswith("Inside this space") for question in found.questions)
    assert by_name["switch"].levels[0].fails == pytest.approx(0.25)
    assert by_name["switch"].levels[1].fails == 0
