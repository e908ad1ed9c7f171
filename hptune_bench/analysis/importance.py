"""How much each hyperparameter matters: an ESTIMATE from sampled trials.

Method: a random forest is fitted to the ranks of the validation scores (ranks, because diverged trials are +inf and losses span
decades) of all full trials of one workload; over a fixed sample drawn uniformly from the search space its predictions are
decomposed by binned functional ANOVA (Hutter et al. 2014): share of the variance of main effects and of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hptune_bench.analysis.frames import Records


@dataclass(frozen=True)
class Importance:
    """
    Attributes:
        main: columns hyperparameter, share (of the variance, 0..1), low, high (bootstrap over seeds), descending.
        pairs: columns a, b, share (interaction beyond the main effects), descending.
        heat: the strongest pair's mean predicted rank: columns a, b, level_a, level_b, score (0 best .. 1 worst).
        explained: out-of-bag R2 of the forest: how far to trust it.
        trials: rows it was fitted to. method: one sentence that labels it as an estimate.
    """

    main: pd.DataFrame
    pairs: pd.DataFrame
    heat: pd.DataFrame
    explained: float
    trials: int
    method: str


def importance(records: Records) -> Importance | None:
    """None below 30 trials with at least two hyperparameters that vary, or where all scores are equal."""
    raise NotImplementedError
