"""What the same search costs a reader with plain Keras, in seconds."""

from __future__ import annotations

import pandas as pd


def stock_seconds(trials: pd.DataFrame, stock_clock: pd.DataFrame) -> pd.Series:
    """Stock clock at the end of each trial, seconds since the start of its run.

    Sum over the run's trials so far of: tuner_s + overhead_s + epochs x epoch_s, the last two from the stock-clock row of
    the same workload whose structure is nearest to the trial's configuration (equal values first; numbers by ratio), and
    whose method is ``plain`` for methods by hand and ``keras_tuner`` otherwise (the other one where it is missing).

    Args:
        trials: rows of ``trials.csv`` of one workload, ordered by trial inside each run; ``configuration`` is JSON.
        stock_clock: columns method, structure (JSON), overhead_s, epoch_s, of that workload.

    Returns:
        float seconds, index of ``trials``; all NaN where ``stock_clock`` is empty.
    """
    raise NotImplementedError


def trial_costs(trials: pd.DataFrame, stock_clock: pd.DataFrame) -> pd.DataFrame:
    """Per trial the constants of the stock clock: columns overhead_s and epoch_s, index of ``trials``, NaN if unknown."""
    raise NotImplementedError
