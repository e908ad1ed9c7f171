"""Which tuners are compared, when, and with what outcome: primary ones fixed before any result, the others exploratory."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import Outcome, Paired


@dataclass(frozen=True)
class Comparison:
    """tuner against reference on the test score of the selected model.

    Attributes:
        at: ``full budget`` or ``N trials``; trials: N, or None at the full budget.
        primary: fixed in the benchmark file before any result; otherwise exploratory.
        result: the paired statistics; None without a common seed.
        p_holm, p_equivalent_holm: adjusted over the family: the primary comparisons of this workload (all tuners, full
            budget and checkpoint together), or all exploratory ones at the same checkpoint. None where there is no p.
        reason: one sentence where there is no p-value or no result (too few seeds, ...), else "".
        differences: columns seed, tuner_score, reference_score, difference: one dot per seed in a figure.
    """

    workload: str
    tuner: str
    reference: str
    at: str
    trials: int | None
    primary: bool
    outcome: Outcome
    result: Paired | None
    p_holm: float | None
    p_equivalent_holm: float | None
    reason: str
    differences: pd.DataFrame


def compare(records: Records, margin: float | None) -> tuple[Comparison, ...]:
    """Every pair of tuners that both ran, at the full budget and at the checkpoint: primary ones first.

    A pair is written tuner against reference, where the reference is the one that comes first in ``REFERENCES``, else the
    tuner that comes first in ``records.tuners``; each unordered pair appears once per checkpoint.
    """
    raise NotImplementedError


def frame(comparisons: tuple[Comparison, ...]) -> pd.DataFrame:
    """One row per comparison: workload, tuner, reference, at, primary, outcome, n, wins, ties, losses,
    median_difference, low, high, p, p_holm, p_equivalent_holm, margin, probability, probability_low, probability_high,
    rank_biserial, reason."""
    raise NotImplementedError


def summary(records: Records, comparisons: tuple[Comparison, ...]) -> pd.DataFrame:
    """The main table: one row per (tuner, checkpoint).

    Columns: tuner, at (as in ``Comparison``), runs, finished, failed_runs, unfinished, test_median, test_low, test_high
    (quartiles, inverted_cdf), test_sd, validation_median, validation_low, validation_high, trials (median), epochs (median spent),
    unspent_epochs (median), stock_s (median at the end; NaN if unknown), elapsed_s (median), failed_trials (sum), best
    (smallest test median at that checkpoint), not_distinguishable (no test at ALPHA separates it from the best, Holm over the comparisons
    with the best; always True below six seeds, and NaN for the best itself is not used: it is True).
    """
    raise NotImplementedError
