"""Does a second campaign confirm the verdicts of a first? Primary comparisons only: what others can confirm."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hptune_bench.analysis.campaign import analyse
from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.statistics import Interval
from hptune_bench.store.results import Results

MOST_EXACT, DRAWS = 7, 10_000
"""Verdicts of which every order is gone through; of more, so many random orders are."""


@dataclass(frozen=True)
class Confirmed:
    """One primary comparison in both campaigns.

    Attributes:
        first, second: the verdicts (``better``, ``worse``, ``equivalent``, ``undecided``).
        within: whether the two median differences lie as near to each other as their 95 % intervals let expect; None
            where one has no interval.
    """

    workload: str
    tuner: str
    reference: str
    first: str
    second: str
    within: bool | None

    @property
    def same(self) -> bool:
        return self.first == self.second


@dataclass(frozen=True)
class Confirmation:
    """All primary comparisons that both campaigns have.

    Attributes:
        chance: probability that at least as many verdicts are the same if those of the second were dealt out to the
            comparisons at random: 1 where all are alike, so that agreement shows nothing.
    """

    items: tuple[Confirmed, ...]
    chance: float

    @property
    def same(self) -> int:
        return sum(item.same for item in self.items)


def confirmation(first: Results, second: Results) -> Confirmation:
    """The verdicts of two campaigns of one benchmark beside each other, at the full budget."""
    a, b = _verdicts(first), _verdicts(second)
    items = tuple(_confirmed(a[key], b[key]) for key in a if key in b)
    return Confirmation(items, chance([item.first for item in items], [item.second for item in items]))


def _verdicts(results: Results) -> dict[tuple[str, str, str], Comparison]:
    found = [each for about in analyse(results, quick=True).workloads.values() for each in about.comparisons]
    return {(c.workload, c.tuner, c.reference): c for c in found if c.primary and c.trials is None}


def _confirmed(one: Comparison, two: Comparison) -> Confirmed:
    spans = [c.result and c.result.interval for c in (one, two)]
    within = None
    if one.result and two.result and all(isinstance(span, Interval) for span in spans):
        halves = [(span.high - span.low) / 2 for span in spans if span]
        apart = abs(one.result.median_difference - two.result.median_difference)
        within = bool(apart <= math.hypot(*halves))
    return Confirmed(one.workload, one.tuner, one.reference, one.outcome, two.outcome, within)


def chance(first: Sequence[str], second: Sequence[str]) -> float:
    """Probability of at least as many equal pairs if the second is put into a random order."""
    if not first:
        return 1.0
    ours = np.array(first)
    theirs = np.array(second)
    if len(theirs) <= MOST_EXACT:
        orders = np.array(list(itertools.permutations(range(len(theirs)))))
    else:
        rng = np.random.default_rng(0)
        orders = np.array([rng.permutation(len(theirs)) for _ in range(DRAWS)])
    equal = (theirs[orders] == ours).sum(axis=1)
    return float(np.mean(equal >= (ours == theirs).sum()))
