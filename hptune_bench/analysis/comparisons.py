"""Which tuners are compared, when, and with what outcome: primary ones fixed before any result, others exploratory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import value_at_trials
from hptune_bench.analysis.data_draws import over_data, testable, these
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistic import Statistic
from hptune_bench.analysis.statistics import (
    MIN_SEEDS,
    Outcome,
    Paired,
    holm,
    outcome,
    paired,
    quartiles,
    subtract,
)

FULL = "full budget"


@dataclass(frozen=True)
class Comparison:
    """tuner against reference on the score that judges (``Records.judged_by``) of the selected model.

    Attributes:
        at: ``full budget`` or ``N trials``; trials: N, or None at the full budget.
        primary: fixed in the benchmark file before any result; otherwise exploratory.
        score: ``test``, or ``validation`` where there is no test split.
        result: the paired statistics; None without a common seed.
        p_holm, p_equivalent_holm: adjusted over the family: the primary comparisons of this workload (all tuners, full
            budget and checkpoint together), or all exploratory ones of this workload at the same checkpoint. None where
            there is no p.
        reason: one sentence where there is no p-value or no result (too few seeds, ...), else "".
        differences: columns seed, tuner_score, reference_score, difference: one dot per seed in a figure.
        draws: data draws that the runs share (``Records.draws``): the pairs of ``result`` are then these draws, each
            with its median difference; None: the seeds.
        here: the same comparison on these data sets alone, where they are too few to say anything about new data: its
            pairs are the runs, its p-values and outcome speak of the tuners' own chance only, and its interval is that
            of the quartiles of the differences (no 95 % interval passed calibration); else None.
    """

    workload: str
    tuner: str
    reference: str
    at: str
    trials: int | None
    primary: bool
    score: str
    outcome: Outcome
    result: Paired | None
    p_holm: float | None
    p_equivalent_holm: float | None
    reason: str
    differences: pd.DataFrame
    draws: int | None = None
    here: Comparison | None = None

    @property
    def spoken(self) -> Comparison:
        """What a report can speak of: the comparison, or where it says nothing about new data, that on these."""
        return self.here or self

    @property
    def where(self) -> str:
        """``these 3 data sets`` where ``spoken`` is conditional on them, else ""."""
        return these(self.draws) if self.here is not None and self.draws else ""


Values = Mapping[str, pd.Series]
"""Score by tuner, each indexed by seed."""


def values_at(records: Records) -> dict[str, tuple[int | None, Values]]:
    """The score that judges, by checkpoint: ``full budget``, then ``N trials`` where some run went beyond N trials."""
    full = {tuner: records.finals(tuner).dropna() for tuner in records.tuners}
    result: dict[str, tuple[int | None, Values]] = {FULL: (None, full)}
    trials = records.checkpoint_trials
    if trials is not None and (records.runs["trials"].astype(float) > trials).any():
        reached = value_at_trials(records, trials, records.judged_by).dropna(subset=["value"])
        early = {t: reached[reached["tuner"] == t].set_index("seed")["value"].sort_index() for t in records.tuners}
        result[f"{trials} trials"] = (trials, early)
    return result


def compare(records: Records, margin: float | None) -> tuple[Comparison, ...]:
    """Every pair of tuners that both ran, at the full budget and at the checkpoint: primary ones first.

    A pair is written tuner against reference; the reference is the one that comes first in ``records.tuners`` (the
    primary reference, then the other references, then the rest). Each unordered pair appears once per checkpoint.

    Args:
        margin: half-width of what counts as the same (``Noise.margin``); None: nothing can be called equivalent.
    """
    primary: list[Comparison] = []
    exploratory: list[Comparison] = []
    for at, (trials, values) in values_at(records).items():
        others: list[Comparison] = []
        for reference, tuner in itertools.combinations(records.tuners, 2):
            main = tuner in records.primary and reference == records.against
            made = _compare(records, tuner, reference, at, trials, values, main, margin)
            (primary if main else others).append(made)
        exploratory += _adjust(others)
    return (*_adjust(primary), *exploratory)


def _compare(
    records: Records,
    tuner: str,
    reference: str,
    at: str,
    trials: int | None,
    values: Values,
    main: bool,
    margin: float | None,
) -> Comparison:
    both = pd.concat({"tuner_score": values[tuner], "reference_score": values[reference]}, axis=1, join="inner")
    a, b = both["tuner_score"].to_numpy(dtype=float), both["reference_score"].to_numpy(dtype=float)
    result = here = None
    if len(both) and records.draws is None:
        result = paired(a, b, margin)
    elif len(both):
        by_draw = over_data(pd.Series(subtract(a, b), index=both.index), records.draws)
        result = paired(by_draw, np.zeros(len(by_draw)), margin)
    reason = ""
    if result is None:
        reason = f"{tuner} and {reference} have no finished run with the same seed"
    elif records.draws is not None and result.n < MIN_SEEDS:
        reason = (
            f"no p-value about new data: the {len(both)} runs share {result.n} data "
            f"{'set' if result.n == 1 else 'sets'}; a test needs at least {MIN_SEEDS}"
        )
    elif result.n < MIN_SEEDS:
        reason = (
            f"no p-value: with {result.n} {'seed' if result.n == 1 else 'seeds'} even the clearest result has "
            f"p = {2 / 2**result.n:.3g}; a test needs at least {MIN_SEEDS}"
        )
    frame = both.assign(difference=subtract(a, b)).rename_axis("seed").reset_index()
    made = Comparison(
        workload=records.name,
        tuner=tuner,
        reference=reference,
        at=at,
        trials=trials,
        primary=main,
        score=records.judged_by,
        outcome="undecided",
        result=result,
        p_holm=None,
        p_equivalent_holm=None,
        reason=reason,
        differences=frame,
        draws=records.draws,
    )
    if len(both) and not testable(records.draws):
        given = replace(paired(a, b, margin), interval=quartiles(frame["difference"].to_numpy()))
        here = replace(made, result=given, reason="" if len(both) >= MIN_SEEDS else _too_few(len(both)))
    return replace(made, here=here)


def _too_few(n: int) -> str:
    return f"no p-value: {n} runs are too few for a test, which needs at least {MIN_SEEDS}"


def _adjust(family: list[Comparison]) -> list[Comparison]:
    """Holm over the family, then the outcome of each; what is said of these data sets alone is a family of its own."""
    if not family:
        return []
    conditional = iter(_adjust([c.here for c in family if c.here is not None]))
    return [
        replace(
            comparison,
            outcome=decided,
            p_holm=p,
            p_equivalent_holm=p_equivalent,
            here=next(conditional) if comparison.here is not None else None,
        )
        for comparison, (p, p_equivalent, decided) in zip(family, decide([c.result for c in family]), strict=True)
    ]


def decide(family: Sequence[Paired | None]) -> list[tuple[float | None, float | None, Outcome]]:
    """Per comparison of one family the p-values after Holm (of a difference, of equivalence) and the outcome.

    Both kinds are adjusted over the comparisons that have a p-value; those without one are undecided.
    """
    tested = _holm([result.p if result else None for result in family])
    equivalence = _holm([result.p_equivalent if result else None for result in family])
    differences = [result.median_difference if result else math.nan for result in family]
    return [
        (p, p_equivalent, outcome(p, p_equivalent, difference))
        for p, p_equivalent, difference in zip(tested, equivalence, differences, strict=True)
    ]


def _holm(p_values: list[float | None]) -> list[float | None]:
    known = [i for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    for i, p in zip(known, holm(np.array([p_values[i] for i in known], dtype=float)), strict=True):
        adjusted[i] = float(p)
    return adjusted


STATISTICS = (
    Statistic(
        "comparisons",
        lambda given: compare(given.records, given["noise"].margin),
        "a comparison needs two tuners",
    ),
)
