"""The verdict over several workloads, from that of each: opposite results are stated per workload, never averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hptune_bench.analysis.comparisons import FULL, Comparison
from hptune_bench.analysis.frames import judging
from hptune_bench.analysis.statistics import MIN_SEEDS, Outcome, median
from hptune_bench.analysis.verdict import (
    MOST_SENTENCES,
    OUTCOMES,
    Sentence,
    about_data,
    brief,
    compared,
    duration,
    gain_over_untuned,
    nothing_found,
    number,
    starts_random,
    word,
)
from hptune_bench.core.text import listing

if TYPE_CHECKING:
    from hptune_bench.analysis.campaign import WorkloadAnalysis


def overall_verdict(judged: tuple[WorkloadAnalysis, ...]) -> tuple[Sentence, ...]:
    """At most five sentences over all workloads; opposite results are stated per workload, never averaged.

    One workload: its own verdict. More: one sentence per primary tuner with a decision at the full budget (the first
    three), one for those without any, one for the checkpoint, one on cost; before them what shared data sets leave
    undecided; the gain over the untuned configuration and
    the lowest medians where there is room.
    """
    if len(judged) <= 1:
        return judged[0].verdict if judged else (Sentence("No workload has any record.", "condition"),)
    empty = [s for w in judged if nothing_found(w.records) for s in w.verdict]
    judged = tuple(w for w in judged if not nothing_found(w.records))
    primary = [c for w in judged for c in w.comparisons if c.primary and c.result is not None]
    if not primary and empty:
        return (*empty, *(s for w in judged for s in w.verdict if s.about in ("gain", "condition")))[:MOST_SENTENCES]
    if not primary:
        return tuple(s for w in judged for s in w.verdict if s.about in ("gain", "condition"))[:MOST_SENTENCES]
    family = {w.records.name: str(w.records.about.get("family") or w.records.name) for w in judged}
    full = [c for c in primary if c.at == FULL]
    tuners = list(dict.fromkeys(c.tuner for c in full))
    decided = [t for t in tuners if any(c.tuner == t and c.spoken.outcome != "undecided" for c in full)]
    opening = [_across([c for c in full if c.tuner == t], family) for t in decided]
    opening += _undecided([c for c in full if c.tuner not in decided], bool(decided))
    needed = [
        *about_data([w.records for w in judged]),
        *opening[:3],
        *empty[:1],
        *_checkpoint(judged, [c for c in primary if c.at != FULL]),
        *_whole_cost(judged),
    ]
    extra = [*_gains(judged), *_lowest(judged, full)][: max(0, MOST_SENTENCES - len(needed))]
    order = ("data", "gain", "condition", "null", "tuner", "trials", "cost")
    return tuple(sorted((*needed, *extra), key=lambda s: order.index(s.about)))[:MOST_SENTENCES]


def _across(found: list[Comparison], family: Mapping[str, str]) -> Sentence:
    """One tuner with a decision on at least one workload."""
    c = found[0]
    outcomes = {x.spoken.outcome for x in found}
    head = f"{c.tuner} against {c.reference} at the full budget"
    if {"better", "worse"} <= outcomes:
        head = f"It depends on the workload: {head}"
    text = f"{head} is {_tally(found, len(found) <= 3)}"
    if len(found) < len(family):
        text += f" (of {len(family)} workloads, {len(found)} allow the comparison)"
    families = len({family[c.workload] for c in found})
    if families < len(found):
        text += f" (siblings share their data: {len(found)} workloads, {families} independent)"
    return Sentence(f"{text}.", "gain", c.outcome if len({x.outcome for x in found}) == 1 else None)


def _undecided(found: list[Comparison], others: bool) -> list[Sentence]:
    """The tuners without a decision on any workload, in one sentence with the comparison that comes closest to one."""
    if not found:
        return []
    tuners, workloads = (list(dict.fromkeys(getattr(c, key) for c in found)) for key in ("tuner", "workload"))
    who = {1: f"{tuners[0]} is not", 2: f"neither {' nor '.join(tuners)} is"}.get(
        len(tuners), f"none of {listing(tuners)} is"
    )
    where = " or ".join(workloads) if len(workloads) <= 3 else f"any one of {len(workloads)} workloads"
    text = f"At the full budget {who} shown to be better or worse than {found[0].reference} on {where}: with "
    seeds = sorted({c.spoken.result.n for c in found if c.spoken.result})
    pairs = "searches each" if any(c.where for c in found) else "seeds" if found[0].draws is None else "data sets"
    if seeds == [1] and pairs == "seeds":
        pairs = "seed"
    text += f"{seeds[0]} {pairs}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]} {pairs}"
    outcome: Outcome | None = None if others else "undecided"
    tested = [(c.spoken.p_holm, c) for c in found if c.spoken.p_holm is not None]
    if not tested:
        return [Sentence(f"{text} there is no test (at least {MIN_SEEDS} are needed).", "gain", outcome)]
    closest = min(tested, key=lambda pair: pair[0])[1]
    text += (
        " the runs neither show a difference nor exclude one; closest to a decision is "
        f"{closest.tuner} on {closest.workload} ({brief(closest)} after Holm's correction; negative = better)"
    )
    return [Sentence(f"{text}.", "gain", outcome)]


def _checkpoint(judged: tuple[WorkloadAnalysis, ...], early: list[Comparison]) -> list[Sentence]:
    """What is decided after the first few trials."""
    if not early:
        return []
    decided = [c for c in early if c.spoken.outcome != "undecided"]
    brief = len(decided) <= 3
    parts = [
        f"{t} is {_tally([c for c in decided if c.tuner == t], brief)}" for t in dict.fromkeys(c.tuner for c in decided)
    ]
    text = f"At {early[0].at} against {early[0].reference}: "
    if len(decided) < len(early):
        parts.append("all else is undecided" if decided else "everything is undecided")
    text += "; ".join(parts)
    random: dict[str, list[str]] = {}
    for w in judged:
        for tuner in _still_random(w)[:1]:
            random.setdefault(tuner, []).append(w.records.name)
    for tuner, names in random.items():
        text += f"; {tuner} has not left its random points by then on {listing(names)}: it IS random search there"
    outcomes = {c.outcome for c in early}
    return [Sentence(f"{text}.", "trials", early[0].outcome if len(outcomes) == 1 else None)]


def _still_random(judged: WorkloadAnalysis) -> list[str]:
    """Primary tuners that have not left their random points."""
    tuners = dict.fromkeys(c.tuner for c in judged.comparisons if c.primary)
    warned = any(w.key == "random_points" and w.first_page for w in judged.warnings)
    return [tuner for tuner in tuners if warned and starts_random(judged.records, tuner)]


def _gains(judged: tuple[WorkloadAnalysis, ...]) -> list[Sentence]:
    """Gains over the untuned configuration, beside what mere retraining gives."""
    parts = []
    for w in judged:
        gains = [g for t in compared(w.records) if math.isfinite(g := gain_over_untuned(w.records, t))]
        null = gain_over_untuned(w.records, w.records.with_role("restarts")) if gains else math.nan
        if not math.isfinite(null):
            continue
        ends = " to ".join(dict.fromkeys(number(g) for g in (min(gains), max(gains))))
        noise = f", retraining noise {number(w.noise.margin)}" if w.noise.margin is not None else ""
        parts.append(f"{ends} on {w.records.name} (merely retraining it: {number(null)}{noise})")
    if not parts:
        return []
    more = _more(len(parts) - 3)
    text = f"Median gain over the untuned configuration (by how much the {judging(w.records for w in judged)} is lower)"
    return [Sentence(f"{text}: {listing(parts[:3])}{more}.", "null")]


def _lowest(judged: tuple[WorkloadAnalysis, ...], full: list[Comparison]) -> list[Sentence]:
    """Which of the reference and the primary tuners has the lowest median, and that this alone shows nothing."""
    parts, ahead = [], []
    for w in judged[:3]:
        finals = {t: w.records.finals(t).dropna().to_numpy(dtype=float) for t in compared(w.records)}
        medians = {t: m for t, v in finals.items() if len(v) and math.isfinite(m := float(median(v)))}
        if len(medians) > 1:
            best = min(medians, key=medians.__getitem__)
            parts.append(f"{best} on {w.records.name} ({number(medians[best])})")
            ahead.append(any((c.workload, c.tuner, c.spoken.outcome) == (w.records.name, best, "better") for c in full))
    if not parts:
        return []
    shown = "" if any(ahead) else "; that alone shows no lead"
    score = judging(w.records for w in judged[:3])
    return [Sentence(f"The lowest median {score} has {listing(parts)}{shown}.", "tuner")]


def _whole_cost(judged: tuple[WorkloadAnalysis, ...]) -> list[Sentence]:
    """What one whole search takes with plain Keras, from the cheapest to the dearest of the compared methods."""
    parts = []
    for w in judged:
        seconds = w.costs.time.set_index("tuner")["stock_s"].astype(float).to_dict() if w.costs is not None else {}
        known = sorted((seconds[t], t) for t in compared(w.records) if math.isfinite(seconds.get(t, math.nan)))
        if known:
            (low, cheap), (high, dear) = known[0], known[-1]
            span = f"{duration(low)} ({cheap})" + (f" to {duration(high)} ({dear})" if len(known) > 1 else "")
            parts.append(f"{span} on {w.records.name}")
    if not parts:
        cost = [s for w in judged for s in w.verdict if s.about == "cost"]
        return cost[:1]
    more = _more(len(parts) - 3)
    text = f"With plain Keras on this machine one whole search would take (median) {listing(parts[:3])}{more}"
    return [Sentence(f"{text}.", "cost")]


def _tally(found: list[Comparison], with_numbers: bool) -> str:
    parts = []
    for outcome in OUTCOMES:
        group = [c for c in found if c.spoken.outcome == outcome]
        if group:
            names = [f"{c.workload} ({brief(c)})" if with_numbers else c.workload for c in group]
            parts.append(f"{word(group[0])} on {listing(names)}")
    return listing(parts)


def _more(workloads: int) -> str:
    """Where the workloads are that a sentence leaves out."""
    if workloads <= 0:
        return ""
    return f"; {workloads} more workloads are in the tables" if workloads > 1 else "; one more is in the tables"
