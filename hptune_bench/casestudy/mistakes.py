"""What the notebook's mistakes do to its conclusion: the loop as it was written, beside the loop done right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from hptune_bench.analysis.data_draws import median_over
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import Interval, subtract
from hptune_bench.casestudy.sweep import LOOP, first_sweep

AS_WRITTEN, DONE_RIGHT = "review_sentiment_as_written", "review_sentiment"
UNTUNED = "untuned"
DEAD = "vocab_count"
"""The hyperparameter that nothing reads in the workload as written."""


@dataclass(frozen=True)
class Gain:
    """Median over seeds of untuned score minus the loop's (positive = the loop is better), on equal data.

    Attributes:
        interval: its 95 % interval; None below six seeds.
        pairs: seeds.
    """

    value: float
    interval: Interval | None
    pairs: int


@dataclass(frozen=True)
class DeadLoop:
    """The second loop of the sweep, over a hyperparameter that may change nothing.

    Attributes:
        runs: seeds; improved: in how many of them the second loop found a better score than the first.
        gain: by how much (0 where it found none).
        picked: how often each value was picked in the end.
    """

    runs: int
    improved: int
    gain: Gain
    picked: dict[int, int]


@dataclass(frozen=True)
class Mistakes:
    """The hand-written loop on both workloads of one campaign.

    Attributes:
        claimed: what the loop as written seems to gain over the copied configuration, in validation score.
        selected: what the loop done right gains, in validation score. true: the same in test score.
        dead, live: the loop over ``DEAD`` as written, and done right, where it is read.
    """

    claimed: Gain
    selected: Gain
    true: Gain
    dead: DeadLoop
    live: DeadLoop


def mistakes(written: Records, right: Records) -> Mistakes | None:
    """None where the loop or the copied configuration finished on no common seed of either workload."""
    claimed, selected, true = _gain(written, "validation"), _gain(right, "validation"), _gain(right, "test")
    dead, live = _second_loop(written), _second_loop(right)
    if min(claimed.pairs, selected.pairs, true.pairs, dead.runs, live.runs) == 0:
        return None
    return Mistakes(claimed, selected, true, dead, live)


def _gain(records: Records, score: Literal["test", "validation"]) -> Gain:
    untuned, loop = (records.finals(name, score).dropna() for name in (UNTUNED, LOOP))
    both = pd.concat([untuned, loop], axis=1, join="inner")
    return _over_seeds(pd.Series(subtract(*both.to_numpy(dtype=float).T), index=both.index), records.draws)


def _over_seeds(values: pd.Series, draws: int | None) -> Gain:
    return Gain(*(median_over(values, draws) if len(values) else (np.nan, None)), len(values))


def _second_loop(records: Records) -> DeadLoop:
    seeds, firsts, bests, picked = [], [], [], []
    finished = records.finals(LOOP).index
    for seed, first in first_sweep(records.trials).groupby("seed"):
        run = records.trials[(records.trials["tuner"] == LOOP) & (records.trials["seed"] == seed)].sort_values("trial")
        if seed not in finished or run[f"hp:{DEAD}"].nunique() == 1:
            continue
        scores = run["validation"].fillna(np.inf).to_numpy(float)
        seeds.append(seed)
        firsts.append(first["validation"].fillna(np.inf).min())
        bests.append(scores.min())
        picked.append(int(run[f"hp:{DEAD}"].iloc[int(np.argmin(scores))]))
    gains = subtract(np.array(firsts), np.array(bests))
    return DeadLoop(
        runs=len(gains),
        improved=int((gains > 0).sum()),
        gain=_over_seeds(pd.Series(gains, index=seeds), records.draws),
        picked=dict(sorted(Counter(picked).items())),
    )
