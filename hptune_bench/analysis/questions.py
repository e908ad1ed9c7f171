"""The post's questions ("is normalising needed? 32 units? Adam? a rate of 0.001?"), for any hyperparameter.

Three views, because they can disagree: the marginal mean over everything else, the best that is reachable at each level,
and matched pairs that differ in this hyperparameter only. All from sampled trials of all tuners of one workload: an
estimate that depends on where the tuners looked; the medians are over seeds, never over pooled cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hptune_bench.analysis.frames import Records


@dataclass(frozen=True)
class Question:
    """One hyperparameter.

    Attributes:
        name: of the hyperparameter. kind: Boolean, Choice, Int or Float. untuned: its copied value (None: not known).
        levels: one row per level (value, or bin of a continuous range), columns level (label), low, high (numbers, NaN
            for categories), untuned (bool: holds the copied value), trials, failed (trials without a finite score),
            marginal (median over seeds of the seed's median score; +inf = most trials failed), marginal_low,
            marginal_high (bootstrap over seeds), best (median over seeds of the best score at this level), best_low,
            best_high, edge (the level lies at an end of the range).
        matched: columns level_a, level_b, pairs, median_difference (a - b, over seeds' medians), low, high, a_wins
            (share of pairs in which a has the smaller score).
        best_marginal, best_reachable: label of the best level in either view.
        verdict: one sentence from rules, e.g. "32 units are as good as any within the noise".
        trials: how many sampled trials it rests on.
    """

    name: str
    kind: str
    untuned: object
    levels: pd.DataFrame
    matched: pd.DataFrame
    best_marginal: str
    best_reachable: str
    verdict: str
    trials: int


def questions(records: Records, margin: float | None) -> tuple[Question, ...]:
    """One per hyperparameter, in the order of the space; empty without trials. margin: as in ``Noise`` (validation)."""
    raise NotImplementedError
