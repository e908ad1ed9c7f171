"""The statistics against scipy, brute force and closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.calibration.tried import bootstrap_median
from hptune_bench.analysis.costs import crossing
from hptune_bench.analysis.noise import pooled_sd
from hptune_bench.analysis.ranks import critical_difference, diagram, rank_rows
from hptune_bench.analysis.statistics import (
    Interval,
    holm,
    mean_interval,
    median,
    median_interval,
    median_p,
    order_statistics,
    outcome,
    paired,
    sign_p,
    signed_rank_p,
)
from hptune_bench.analysis.targets import expected_time, speedup, time_interval, wilson

differences = st.lists(st.integers(-4, 4), min_size=2, max_size=9).map(lambda v: np.array(v, dtype=float))
losses = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.5, 2.0, math.inf]), min_size=1, max_size=9).map(np.array)


@settings(max_examples=30, deadline=None)
@given(differences)
def test_signed_rank_agrees_with_scipys_exhaustive_permutations(d: np.ndarray) -> None:
    if not d.any():
        assert signed_rank_p(d) == 1.0
        return
    for alternative in ("two-sided", "less", "greater"):
        exact = stats.wilcoxon(
            d, zero_method="pratt", alternative=alternative, method=stats.PermutationMethod(n_resamples=10_000)
        )
        assert signed_rank_p(d, alternative) == pytest.approx(exact.pvalue, abs=1e-12)


def test_signed_rank_smallest_p_and_infinite_differences() -> None:
    for n in range(1, 12):
        assert signed_rank_p(-np.arange(1.0, n + 1)) == pytest.approx(2 / 2**n if n > 1 else 1.0)
    # a failure is the largest difference, whatever the others are
    assert signed_rank_p(np.array([-1, -2, -3, -4, -5, np.inf])) == signed_rank_p(np.array([-1, -2, -3, -4, -5, 6.0]))


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).shape == (0,)


@settings(max_examples=100, deadline=None)
@given(losses, st.integers(0, 2**32 - 1))
def test_paired_is_antisymmetric(a: np.ndarray, seed: int) -> None:
    b = np.random.default_rng(seed).permutation(a)
    one, other = paired(a, b, margin=0.1), paired(b, a, margin=0.1)
    assert (one.wins, one.ties, one.losses) == (other.losses, other.ties, other.wins)
    assert one.probability == pytest.approx(1 - other.probability)
    assert one.rank_biserial == pytest.approx(-other.rank_biserial)
    assert (one.p, one.p_equivalent) == (other.p, other.p_equivalent)
    assert one.median_difference == -other.median_difference or math.isnan(one.median_difference)
    assert (one.p is None) == (len(a) < 6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_median_is_numpys_on_finite_values(values: list[float]) -> None:
    assert median(np.array(values)) == pytest.approx(np.median(values))


def test_median_of_infinite_values() -> None:
    assert median(np.array([1.0, np.inf, np.inf])) == np.inf
    assert median(np.array([1.0, 2.0, 3.0, np.inf])) == 2.5
    assert np.isnan(median(np.array([-np.inf, np.inf])))


def test_sign_test_lies_between_the_steps_of_the_exact_one() -> None:
    rng = np.random.default_rng(4)
    for n in (6, 10, 17):
        for shift in (0.2, 0.7):
            d = rng.normal(shift, 1.0, n)
            against = int((d <= 0).sum())
            exact = stats.binomtest(against, n, alternative="less").pvalue
            before = stats.binomtest(against - 1, n, alternative="less").pvalue if against else exact
            assert before <= sign_p(d, "greater") <= exact + 1e-15
            # a difference that just crosses zero changes nothing, one far on the other side counts in full
            if 0 < 2 * against < n:
                near, far = np.sort(d), np.sort(d)
                near[against - 1], far[:against] = -1e-12, -np.inf
                assert sign_p(near, "greater") == pytest.approx(before)
                assert sign_p(far, "greater") == pytest.approx(exact)
    ties = np.array([0.0] * 3 + [1.0] * 7)
    assert sign_p(ties, "greater") == pytest.approx(stats.binomtest(3, 10, alternative="less").pvalue)
    assert sign_p(np.zeros(8)) == 1.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-5, 5).filter(lambda v: abs(v) > 1e-9), min_size=6, max_size=25, unique=True))
def test_sign_test_is_the_inversion_of_the_interval(values: list[float]) -> None:
    d = np.array(values)
    p = sign_p(d)
    if 2 / 2 ** len(d) < 0.999 * p and p < 1:  # beyond it even the extremes do not reach the level
        for level, inside in ((1 - 0.999 * p, True), (1 - 1.001 * p, False)):
            interval = order_statistics(d, level)
            assert interval is not None
            assert (interval.low <= 0 <= interval.high) == inside


def test_order_statistics_by_hand() -> None:
    # n = 10: the second smallest and second largest enclose the median with 1 - 22/1024 = 0.97852, the third ones with
    # 1 - 112/1024 = 0.89063; 0.95 lies 0.3245 of the way, which interpolates to 8 I / (2 + 6 I) = 0.658 of the gap
    found = order_statistics(np.arange(10.0))
    assert found is not None
    share = (1002 / 1024 - 0.95) / (90 / 1024)
    part = 8 * share / (2 + 6 * share)
    assert (found.low, found.high) == pytest.approx((1 + part, 8 - part))
    assert order_statistics(np.arange(5.0)) is None
    six = order_statistics(np.arange(6.0))
    assert six is not None
    assert six.low < 1 < 4 < six.high
    failed = order_statistics(np.array([1.0, 2, 3, 4, 5, 6, np.inf, np.inf, np.inf, np.inf]))
    assert failed is not None
    assert (failed.low, failed.high) == (pytest.approx(2 + part), math.inf)
    assert order_statistics(np.full(7, math.inf)) == Interval(math.inf, math.inf)


def test_median_interval_needs_six_values_and_holds_failures() -> None:
    assert median_interval(np.arange(5.0)) is None
    found = median_interval(np.arange(11.0))
    assert found is not None
    assert 0 < found.low < 5 < found.high < 10
    failed = median_interval(np.array([1.0, 2, 3, 4, 5, 6, 7, np.inf, np.inf, np.inf]))
    assert failed is not None
    assert math.isfinite(failed.low)
    assert failed.high == math.inf


@given(st.integers(6, 25), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_median_interval_is_the_wider_of_two(n: int, seed: int) -> None:
    values = np.random.default_rng(seed).standard_cauchy(n)
    found, ordered, resampled = median_interval(values), order_statistics(values), bootstrap_median(values)
    assert found is not None
    assert ordered is not None
    assert found.low == min(ordered.low, resampled.low)
    assert found.high == max(ordered.high, resampled.high)


def test_mean_interval_of_one_sample_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 7.0])
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert mean_interval([values], 0.95) == Interval(pytest.approx(low), pytest.approx(high))
    # two samples of equal size and spread: the degrees of freedom add up
    both = mean_interval([values, values + 3], 0.95)
    low, high = stats.t.interval(0.95, 6, values.mean() + 1.5, stats.sem(values) / math.sqrt(2))
    assert both == Interval(pytest.approx(low), pytest.approx(high))
    assert mean_interval([np.ones(3)], 0.95) == Interval(1.0, 1.0)


def test_median_p_is_the_more_careful_of_two_tests_in_one_direction() -> None:
    rng = np.random.default_rng(8)
    for _ in range(50):
        d = rng.exponential(size=10) - math.log(2)
        for alternative in ("less", "greater"):
            assert median_p(d, alternative) == max(signed_rank_p(d, alternative), sign_p(d, alternative))
        assert median_p(d) == pytest.approx(min(1, 2 * min(median_p(d, "less"), median_p(d, "greater"))))
        assert median_p(d) == pytest.approx(median_p(-d))
    # ranks say "above" because of the long tail, signs say "below": together nothing
    assert median_p(np.array([-1.0, -1.1, -1.2, -1.3, -1.4, -1.5, 50, 60, 70, 80])) > 0.5


def test_equivalence_needs_a_small_difference_and_enough_runs() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=12)
    close = paired(base + rng.normal(0, 0.05, 12), base, margin=0.5)
    assert close.p_equivalent is not None
    assert close.p_equivalent < 0.01
    wide = paired(base + rng.normal(0, 2.0, 12), base, margin=0.1)
    assert wide.p_equivalent is not None
    assert wide.p_equivalent > 0.05
    assert paired(base[:5], base[:5], margin=0.5).p_equivalent is None


def test_outcome_rule() -> None:
    assert outcome(0.01, None, -1.0) == "better"
    assert outcome(0.01, 0.9, 1.0) == "worse"
    assert outcome(0.01, 0.01, -1.0) == "equivalent"
    assert outcome(0.5, 0.5, 0.0) == "undecided"
    assert outcome(None, None, -9.0) == "undecided"
    assert outcome(0.01, None, math.nan) == "undecided"


def test_expected_running_time_by_hand() -> None:
    found = expected_time(np.array([10, 20, 30, 100, 100.0]), np.array([True, True, True, False, False]), 100)
    assert found.time == pytest.approx(260 / 3)  # = mean(success) + (1-p)/p x mean(failure)
    assert (found.hits, found.runs, found.interval) == (3, 5, None)
    never = expected_time(np.full(6, 5.0), np.full(6, False), 5)
    assert never.time == math.inf
    assert never.interval is not None
    assert (never.interval.low, never.interval.high) == (pytest.approx(5 * (1 / wilson(0, 6)[1] - 1)), math.inf)


@given(st.integers(1, 40), st.data())
def test_wilson_is_the_inversion_of_the_score_test(runs: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, runs))
    for p in wilson(k, runs):
        if 1e-9 < p < 1 - 1e-9:
            assert abs(k / runs - p) == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / runs))


@given(st.lists(st.floats(0, 100), min_size=0, max_size=20), st.integers(0, 20))
def test_interval_of_a_running_time_holds_it_and_both_its_parts(successes: list[float], failures: int) -> None:
    runs = len(successes) + failures
    if runs >= 6:
        times, hit = np.array(successes + [100.0] * failures), np.arange(runs) < len(successes)
        found = time_interval(np.array(successes), runs, 100)
        assert 0 <= found.low <= float(expected_time(times, hit, 100).time) <= found.high
        # Failures that did not happen are in it: all runs arrived, and yet the next may not.
        if successes and not failures:
            assert found.high >= np.mean(successes) + 100 * (1 / wilson(runs, runs)[0] - 1) - 1e-9


def test_speedup_is_reference_over_subject() -> None:
    assert speedup(10, 5) == 2
    assert speedup(math.inf, 5) == math.inf
    assert speedup(5, math.inf) == 0
    assert math.isnan(speedup(math.inf, math.inf))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, math.inf]), min_size=2, max_size=6))
def test_ranks_agree_with_scipy(row: list[float]) -> None:
    assert rank_rows(np.array([row]))[0] == pytest.approx(stats.rankdata(row))


def test_nemenyis_constant() -> None:
    assert critical_difference(4, 6) == pytest.approx(2.569 * math.sqrt(4 * 5 / 36), abs=1e-3)


def test_break_even_of_straight_lines() -> None:
    x = np.array([1.0, 2.0, 4.0, 8.0])
    assert crossing(10 + x, 2 * x + 5, x) == pytest.approx(5.0)  # 10 + x < 5 + 2x from 5 on
    assert crossing(x, x + 1, x) == 0.0
    assert crossing(x + 1, x, x) is None
    assert crossing(np.full(4, np.inf), x, x) is None


def test_pooled_sd_ignores_differences_between_seeds() -> None:
    import pandas as pd

    rows = pd.DataFrame({"seed": [1, 1, 2, 2, 2], "score": [0.0, 2.0, 100.0, 101.0, np.inf]})
    assert pooled_sd(rows, "score") == pytest.approx(math.sqrt((2 + 0.5) / 2))
    assert math.isnan(pooled_sd(rows.iloc[[0, 2]], "score"))


def test_friedman_and_nemenyi_agree_with_scipy_and_scikit_posthocs() -> None:
    import scikit_posthocs

    rng = np.random.default_rng(3)
    scores = pd.DataFrame(rng.normal(size=(9, 5)) + np.array([0, 0, 0.5, 1, 3]), columns=list("abcde"))
    scores.iloc[2, 1] = scores.iloc[2, 0]  # a tie
    found = diagram(scores)
    blocks, k = scores.shape
    chi2 = stats.friedmanchisquare(*scores.to_numpy().T).statistic
    expected = stats.f.sf((blocks - 1) * chi2 / (blocks * (k - 1) - chi2), k - 1, (k - 1) * (blocks - 1))
    assert found.friedman_p == pytest.approx(expected)
    oracle = scikit_posthocs.posthoc_nemenyi_friedman(scores)
    np.testing.assert_allclose(found.p_values.to_numpy(), oracle.to_numpy(), atol=1e-6)
    for one, other in itertools.combinations(scores.columns, 2):
        gap = abs(found.average[one] - found.average[other])
        assert (gap > found.critical_difference) == (found.p_values.loc[one, other] < 0.05)
    assert found.p_values.loc["a", "e"] < 0.05, "the case has a difference to find"
    assert found.average.is_monotonic_increasing


def test_friedman_without_and_with_perfect_agreement() -> None:
    same = pd.DataFrame(np.ones((8, 3)), columns=list("abc"))
    assert diagram(same).friedman_p == pytest.approx(1.0)
    ordered = pd.DataFrame(np.tile([1.0, 2.0, 3.0], (8, 1)), columns=list("abc"))
    assert diagram(ordered).friedman_p < 1e-6
