"""The noise floor, the true null, the winner's curse and overtuning."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hptune_bench.analysis.frames import Records


@dataclass(frozen=True)
class Noise:
    """Retraining noise and selection bias of one workload.

    Attributes:
        margin: the equivalence margin, fixed by rule: standard deviation of the test score over retrainings of the untuned
            configuration on the same data (pooled within data seeds). None: not measured.
        margin_source: one sentence on how it was found, or why it is None.
        untuned_test, untuned_validation: medians over the retrainings (NaN if not measured); retrainings: how many.
        validation_sd: the same standard deviation for the validation score.
        retraining_gain: what mere retraining gives: median over seeds of (first trial - best trial) of ``untuned_restarts``
            in validation score, and the same in test score of the selected model; NaN if it did not run.
        curse: winner's curse per tuner: columns tuner, n, selected_validation (median score of the selected trial),
            retrained_validation (median of the same configurations retrained off the budget), optimism (median paired
            difference retrained - selected, > 0 = the search flattered itself), low, high, selected_test,
            retrained_test, test_shift (median paired difference of test scores).
        overtuning: columns tuner, seed, overtuning (test of the selected model - best test of any earlier incumbent, >= 0),
            relative (divided by first incumbent's test - that best; NaN where that is below 0.001) (Schneider et al.
            2025).
    """

    margin: float | None
    margin_source: str
    untuned_test: float
    untuned_validation: float
    retrainings: int
    validation_sd: float
    retraining_gain_validation: float
    retraining_gain_test: float
    curse: pd.DataFrame
    overtuning: pd.DataFrame


def noise(records: Records) -> Noise:
    """Never None: its parts are NaN, None or empty where nothing was recorded."""
    raise NotImplementedError
