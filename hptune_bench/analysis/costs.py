"""Where the time went, when a tuner's own time pays, and what KerasTuner's defaults cost."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hptune_bench.analysis.frames import Records


@dataclass(frozen=True)
class BreakEven:
    """From how many seconds per epoch on a tuner overtakes a reference in wall time.

    Both must reach the same quality: the worse of the two medians at the full budget. Time(e) = tuner_s + overhead + e x
    epochs, each up to the trial at which the median run reaches that quality.

    Attributes:
        seconds_per_epoch: smallest e at which the tuner is faster; 0.0: always faster; None: never in this budget.
        sentence: the same in words.
        curve: columns seconds_per_epoch, tuner_time, reference_time (seconds), log spaced.
    """

    tuner: str
    reference: str
    quality: float
    seconds_per_epoch: float | None
    sentence: str
    curve: pd.DataFrame


@dataclass(frozen=True)
class Costs:
    """
    Attributes:
        time: columns tuner, training, tuner_time, compile, other (medians over runs of seconds), share_tuner (tuner_time /
            (training + tuner_time)), per_trial_tuner_s, stock_s.
        waste: columns tuner, trials, wasted_trials (diverged, error, timeout, crashed), wasted_epochs, wasted_share (of
            epochs), stock_crashes (runs in which stock KerasTuner would have raised), runs, stock_crash_trial (median).
        defaults: stock against repaired: columns tuner, repaired, n, median_difference (test, stock - repaired: positive
            = the defaults cost), low, high, outcome, wasted_share_stock, wasted_share_repaired, stock_crashes.
        at_crash: what the runs that stock would have crashed had by then: columns tuner, seed, trial, test_at_crash, final_test.
    """

    time: pd.DataFrame
    waste: pd.DataFrame
    defaults: pd.DataFrame
    at_crash: pd.DataFrame
    break_even: tuple[BreakEven, ...]


def costs(records: Records, margin: float | None) -> Costs | None:
    """None without runs."""
    raise NotImplementedError
