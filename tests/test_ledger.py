"""The ledger counts exactly, whatever is asked of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hptune_bench.core.budget import Limits
from hptune_bench.execution.ledger import FREE_PROPOSALS, Ledger


@given(limit=st.integers(1, 500), wanted=st.lists(st.integers(1, 80), max_size=60))
def test_no_sequence_of_trials_spends_more_or_less_than_the_budget(limit, wanted):
    ledger = Ledger(Limits(epochs=limit))
    for epochs in wanted:
        granted = ledger.grant(epochs)
        assert granted == min(epochs, limit - ledger.epochs)
        if not granted:
            break
        ledger.charge(granted, 0.0)
    assert ledger.epochs == min(limit, sum(wanted))
    assert ledger.unspent == limit - ledger.epochs
    assert (ledger.ended_by == "epochs") == (ledger.epochs == limit)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0.1, 100))
def test_seconds_end_a_run_with_the_trial_that_passes_them(seconds, limit):
    ledger = Ledger(Limits(seconds=limit))
    for duration in seconds:
        before = ledger.ended_by
        assert (before == "seconds") == (ledger.seconds >= limit)
        assert ledger.seconds_left == max(0.0, limit - ledger.seconds)
        if before:
            assert ledger.grant(5) == 0
            break
        ledger.charge(1, duration)


def test_the_first_limit_to_end_ends_the_run():
    ledger = Ledger(Limits(epochs=100, trials=2))
    ledger.charge(10, 0.0)
    assert ledger.ended_by is None
    ledger.charge(10, 0.0)
    assert ledger.ended_by == "trials"
    assert ledger.unspent == 80


def test_free_proposals_end_a_run_only_when_they_come_in_a_row():
    ledger = Ledger(Limits(epochs=10))
    for _ in range(FREE_PROPOSALS - 1):
        ledger.free()
    ledger.charge(1, 0.0)
    for _ in range(FREE_PROPOSALS - 1):
        ledger.free()
    assert ledger.ended_by is None
    ledger.free()
    assert ledger.ended_by == "exhausted"


@pytest.mark.parametrize("limits", [{}, {"epochs": 0}, {"trials": -1}, {"seconds": 0.0}, {"epochs": 5, "trials": 0}])
def test_a_budget_of_nothing_is_refused(limits):
    with pytest.raises(ValueError, match="budget"):
        Limits(**limits)
