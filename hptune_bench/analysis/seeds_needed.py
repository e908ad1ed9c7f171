"""How many seeds a comparison needs, from replayed searches.

Campaigns are resampled from the replayed runs with replacement, as if the data of each seed were one of the table's
data sets, and judged by the report's own rule. How much the answer hangs on one of these data sets is seen by leaving
each of them out (``left_out``).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from hptune_bench.analysis.data_draws import draw_of
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.left_out import ranges
from hptune_bench.analysis.statistic import Given, Statistic
from hptune_bench.analysis.statistics import (
    ALPHA,
    MIN_SEEDS,
    Interval,
    Outcome,
    median,
    sign_p,
    signed_rank_below,
    subtract,
)

SEED_COUNTS = (6, 8, 10, 15, 20, 30, 50, 75, 100)
CAMPAIGNS = 200
ENOUGH = 0.9
"""A number of seeds is enough where so many campaigns have the right verdict."""


@dataclass(frozen=True)
class SeedsNeeded:
    """How many seeds a comparison needs.

    Attributes:
        truth: the outcome over all replayed runs; by rule: equivalent where the median difference is smaller than the
            margin, else better or worse.
        difference: that median difference, tuner - reference.
        right: share of resampled campaigns whose verdict is the truth, by number of seeds.
        seeds: smallest number from which on that share stays at or above ``ENOUGH``; inf: more than tried.
        difference_range, right_range, seeds_range: smallest and largest value (against the truth there) with all data
            sets and without each of them; None, or empty, where that cannot be seen.
    """

    tuner: str
    reference: str
    truth: Outcome
    difference: float
    right: Mapping[int, float]
    seeds: float
    difference_range: Interval | None = None
    right_range: Mapping[int, Interval] = field(default_factory=dict)
    seeds_range: Interval | None = None


def seeds_needed(
    tuner: str,
    reference: str,
    differences: np.ndarray,
    margin: float | None,
    family: int = 1,
    draw: np.ndarray | None = None,
) -> SeedsNeeded | None:
    """Resample campaigns of so many seeds from replayed runs and judge each by the report's own rule.

    Args:
        differences: (n,) paired by seed. None is returned below 2 x the smallest campaign.
        family: comparisons that share the error: p is multiplied by it (Bonferroni: Holm's first step, so the advice
            is on the safe side).
        draw: (n,) number from 0 of the data draw behind each difference, where some share one; None: no ranges.
    """
    if len(differences) < 2 * MIN_SEEDS:
        return None
    truth, found = _judged(differences, margin, family)
    spans: Mapping[str | int, Interval] = {}
    if draw is not None:
        spans = ranges(
            found, lambda kept: _judged(differences[np.isin(draw, kept)], margin, family)[1], int(draw.max()) + 1
        )
    return SeedsNeeded(
        tuner,
        reference,
        truth,
        found["difference"],
        {count: found[count] for count in SEED_COUNTS},
        found["seeds"],
        spans.get("difference"),
        {count: spans[count] for count in SEED_COUNTS if count in spans},
        spans.get("seeds"),
    )


def _judged(differences: np.ndarray, margin: float | None, family: int) -> tuple[Outcome, dict[str | int, float]]:
    """The truth, and the figures: ``difference``, ``seeds``, and the share that is right by number of seeds."""
    truth, center = _truth(differences, margin)
    right = _right(differences, truth, margin, family)
    figures: dict[str | int, float] = {"difference": center, "seeds": _enough(right)}
    figures.update(right.items())
    return truth, figures


def _truth(differences: np.ndarray, margin: float | None) -> tuple[Outcome, float]:
    center = float(median(differences))
    if margin is not None and abs(center) < margin:
        return "equivalent", center
    return "better" if center < 0 else "worse" if center > 0 else "undecided", center


def _right(differences: np.ndarray, truth: Outcome, margin: float | None, family: int) -> dict[int, float]:
    rng = np.random.default_rng(len(differences))
    right = {}
    for count in SEED_COUNTS:
        found = []
        for _ in range(CAMPAIGNS):
            found.append(judge(rng.choice(differences, count), margin, family) == truth)
        right[count] = float(np.mean(found))
    return right


def judge(differences: np.ndarray, margin: float | None, family: int = 1) -> Outcome:
    """``outcome`` of p-values multiplied by ``family``, without computing those that cannot change it: the sign test
    comes first, because both tests must agree and the signed-rank test is far slower.

    Args:
        differences: (n,), finite or infinite, no NaN. margin, family: as in ``seeds_needed``.
    """
    level = ALPHA / family
    if (
        margin is not None
        and _below(differences - margin, "less", level)
        and _below(differences + margin, "greater", level)
    ):
        return "equivalent"
    center = float(median(differences))
    if center < 0 and _below(differences, "less", level / 2):
        return "better"
    if center > 0 and _below(differences, "greater", level / 2):
        return "worse"
    return "undecided"


def _below(differences: np.ndarray, alternative: Literal["less", "greater"], level: float) -> bool:
    """``median_p(differences, alternative) < level``."""
    return sign_p(differences, alternative) < level and signed_rank_below(differences, alternative, level)


def _enough(right: Mapping[int, float]) -> float:
    steady = math.inf
    for count, share in sorted(right.items(), reverse=True):
        if share < ENOUGH:
            break
        steady = count
    return steady


def advice(records: Records, margin: float | None) -> tuple[SeedsNeeded, ...]:
    """For each pair of methods; those that carry the verdict first, corrected for their number, the others alone."""
    finals = {tuner: records.finals(tuner).dropna() for tuner in records.tuners}
    primary = [t for t in records.primary if t in finals]
    pairs = [(t, r) for r in records.baselines if r in finals for t in primary if t != r]
    family = max(1, len(primary) * (2 if records.checkpoint_trials else 1))
    known = {frozenset(pair) for pair in pairs}
    others = [pair for pair in itertools.combinations(finals, 2) if frozenset(pair) not in known]
    found = []
    for tuner, reference, comparisons in [*((*p, family) for p in pairs), *((*p, 1) for p in others)]:
        pairs_of = pd.concat([finals[tuner], finals[reference]], axis=1, join="inner")
        draw = None if records.draws is None else draw_of(pairs_of.index, records.draws)
        both = pairs_of.to_numpy(dtype=float)
        needed = seeds_needed(tuner, reference, subtract(both[:, 0], both[:, 1]), margin, comparisons, draw)
        found += [needed] if needed else []
    return tuple(found)


def _of_workload(given: Given) -> tuple[SeedsNeeded, ...]:
    return () if given.table is None else advice(given.records, given["noise"].margin)


STATISTICS = (Statistic("seeds_needed", _of_workload, folded=True, nothing=()),)
