"""Which tuners are compared, when, and with what outcome: primary ones fixed before any result, others exploratory."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import quantile_band, value_at_trials
from hptune_bench.analysis.data_draws import over_data, testable, these
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import (
    ALPHA,
    MIN_SEEDS,
    Outcome,
    Paired,
    holm,
    median,
    median_p,
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


def frame(comparisons: tuple[Comparison, ...]) -> pd.DataFrame:
    """One row per comparison: workload, tuner, reference, at, primary, score, outcome, n, wins, ties, losses,
    median_difference, low, high, p, p_holm, p_equivalent_holm, margin, probability, rank_biserial,
    reason. NaN where there is none."""
    rows = []
    for c in comparisons:
        r = c.result
        rows.append(
            {
                **{
                    key: getattr(c, key)
                    for key in ("workload", "tuner", "reference", "at", "primary", "score", "outcome")
                },
                **{key: getattr(r, key) if r else 0 for key in ("n", "wins", "ties", "losses")},
                "median_difference": r.median_difference if r else None,
                "low": r.interval.low if r and r.interval else None,
                "high": r.interval.high if r and r.interval else None,
                "p": r.p if r else None,
                "p_holm": c.p_holm,
                "p_equivalent_holm": c.p_equivalent_holm,
                "margin": r.margin if r else None,
                "probability": r.probability if r else None,
                "rank_biserial": r.rank_biserial if r else None,
                "reason": c.reason,
            }
        )
    numbers = ["median_difference", "low", "high", "p", "p_holm", "p_equivalent_holm", "margin", "probability"]
    numbers.append("rank_biserial")
    head = ["workload", "tuner", "reference", "at", "primary", "score", "outcome", "n", "wins", "ties", "losses"]
    return pd.DataFrame(rows, columns=[*head, *numbers, "reason"]).astype(dict.fromkeys(numbers, float))


SUMMARY_COLUMNS = [
    "tuner",
    "at",
    "runs",
    "finished",
    "failed_runs",
    "unfinished",
    "test_median",
    "test_low",
    "test_high",
]
SUMMARY_COLUMNS += [
    "test_sd",
    "validation_median",
    "validation_low",
    "validation_high",
    "trials",
    "epochs",
    "unspent_epochs",
]
SUMMARY_COLUMNS += ["stock_s", "elapsed_s", "failed_trials", "best", "not_distinguishable"]


def summary(records: Records) -> pd.DataFrame:
    """The main table: one row per (checkpoint, tuner), the full budget first, tuners in reporting order.

    Columns: tuner, at (as in ``Comparison``), runs, finished (for a checkpoint: runs with a value), failed_runs,
    unfinished, test_median, test_low, test_high (quartiles, inverted_cdf; failed runs are +inf), test_sd (over finite
    values), validation_median, validation_low, validation_high (excess where ``Records.excess``), trials, epochs,
    unspent_epochs (medians, up to the checkpoint; unspent only at the full budget, else NaN), stock_s, elapsed_s
    (medians, seconds up to the checkpoint; NaN if unknown), failed_trials (sum), best (smallest median of the score
    that judges), not_distinguishable (no test of the median separates it from the best at 5 %, Holm
    over the comparisons with the best; always True below six common seeds, and for the best itself). Where seeds share
    too few data draws (``Records.draws``) that speaks of these data sets only: of the tuners' own chance.
    """
    rows = []
    for at, (trials, judged) in values_at(records).items():
        early = {s: value_at_trials(records, trials, s) for s in ("test", "validation")} if trials else {}
        medians = {t: float(median(v.to_numpy(dtype=float))) for t, v in judged.items() if len(v)}
        finite = {t: m for t, m in medians.items() if math.isfinite(m)}
        best = min(finite, key=finite.__getitem__) if finite else None
        same = _not_distinguishable(judged, best, records.draws)
        for tuner in records.tuners:
            runs = records.runs[records.runs["tuner"] == tuner]
            mine = records.trials[records.trials["tuner"] == tuner]
            mine = mine if trials is None else mine[mine["trial"] <= trials]
            ends = mine.groupby("seed").last()
            scores: dict[str, float] = {}
            for score in ("test", "validation"):
                if trials is None:
                    found = records.finals(tuner, score).dropna()
                else:
                    table = early[score]
                    found = table.loc[table["tuner"] == tuner, "value"].dropna()
                scores |= _quartiles(found.to_numpy(dtype=float), score)
                if score == "test":
                    spread = found[np.isfinite(found)]
                    scores["test_sd"] = float(spread.std(ddof=1)) if len(spread) > 1 else math.nan
            rows.append(
                {
                    "tuner": tuner,
                    "at": at,
                    "runs": len(runs),
                    "finished": len(judged[tuner]) if trials is not None else int(runs["finished"].sum()),
                    "failed_runs": int(runs["failed_run"].sum()),
                    "unfinished": int((~runs["finished"]).sum()),
                    **scores,
                    "trials": mine.groupby("seed").size().median(),
                    "epochs": ends["spent_epochs"].median(),
                    "unspent_epochs": runs["unspent"].astype(float).median() if trials is None else math.nan,
                    "stock_s": ends["stock_s"].median(),
                    "elapsed_s": ends["elapsed_s"].astype(float).median(),
                    "failed_trials": int((~mine["status"].isin(["completed", "truncated"])).sum()),
                    "best": tuner == best,
                    "not_distinguishable": same.get(tuner, False),
                }
            )
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def _quartiles(values: np.ndarray, score: str) -> dict[str, float]:
    """Median (mean of the middle two, as in the comparisons) and quartiles (inverted_cdf)."""
    low, _, high = quantile_band(values[:, None])[:, 0] if len(values) else (math.nan,) * 3
    middle = float(median(values)) if len(values) else math.nan
    return {f"{score}_median": middle, f"{score}_low": float(low), f"{score}_high": float(high)}


def _not_distinguishable(judged: Values, best: str | None, draws: int | None) -> dict[str, bool]:
    if best is None:
        return {}
    p_values: dict[str, float] = {}
    for tuner, values in judged.items():
        both = pd.concat([values, judged[best]], axis=1, join="inner")
        if tuner != best and len(both):
            d = pd.Series(subtract(*both.to_numpy(dtype=float).T), index=both.index)
            differences = over_data(d, draws if testable(draws) else None)
            p_values[tuner] = median_p(differences) if len(differences) >= MIN_SEEDS else 1.0
    adjusted = holm(np.array(list(p_values.values())))
    return {best: True, **{t: bool(p >= ALPHA) for t, p in zip(p_values, adjusted, strict=True)}}
