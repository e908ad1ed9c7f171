"""Rules that turn the statistics into sentences, each with number, probability and conditions. They never overclaim:

- only primary comparisons answer the question; exploratory ones are called so;
- "better" and "worse" need a Holm-adjusted p below 0.05, "equivalent" a passed equivalence test; else "undecided";
- workloads are never averaged: where they disagree, the sentence says which says what;
- replayed seeds that share a few data sets decide nothing about new data: the first sentence says so, and the others
  speak of these data sets only, "ahead" and "behind" in place of "better" and "worse".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hptune_bench.analysis.comparisons import FULL, Comparison
from hptune_bench.analysis.costs import Costs
from hptune_bench.analysis.data_draws import testable, these
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.noise import Noise
from hptune_bench.analysis.statistic import Statistic
from hptune_bench.analysis.statistics import MIN_SEEDS, Outcome, median, subtract
from hptune_bench.analysis.warnings import Warning
from hptune_bench.core.text import listing

OUTCOMES: tuple[Outcome, ...] = ("better", "worse", "equivalent", "undecided")
MOST_SENTENCES = 5


@dataclass(frozen=True)
class Sentence:
    """One sentence of the verdict.

    Attributes:
        text: plain text, no markup; tuners and workloads by their names in the CSV files.
        about: ``data``, ``gain``, ``trials``, ``null``, ``tuner``, ``cost`` or ``condition``.
        outcome: of the one comparison it reports, else None.
    """

    text: str
    about: str
    outcome: Outcome | None = None


def number(value: float) -> str:
    """Three significant digits."""
    if math.isnan(value):
        return "unknown"
    return f"{value:.3g}" if math.isfinite(value) else "infinite" if value > 0 else "minus infinite"


def word(comparison: Comparison) -> str:
    """The outcome that can be spoken of: ahead or behind where it holds on the data sets at hand only."""
    outcome = comparison.spoken.outcome
    return {"better": "ahead", "worse": "behind"}.get(outcome, outcome) if comparison.where else outcome


def _probability(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _size(comparison: Comparison) -> str:
    """Median difference with interval, effect size and n; for brackets."""
    result = comparison.result
    assert result is not None
    if math.isnan(result.median_difference):
        text = "no median difference, because both fail"
    else:
        text = f"median difference {number(result.median_difference)}"
    if result.interval is not None and not math.isnan(result.median_difference):
        text += f" [{number(result.interval.low)}, {number(result.interval.high)}]"
    pairs = "seeds" if comparison.draws is None else "data sets"
    return f"{text}, ahead in {result.wins} of {result.n} {pairs}, probability of better {result.probability:.2f}"


def workload_verdict(
    records: Records,
    comparisons: tuple[Comparison, ...],
    noise: Noise,
    costs: Costs | None,
    warnings: tuple[Warning, ...],
) -> tuple[Sentence, ...]:
    """At most five sentences on one workload: what is gained, at how many trials, beside what null, by which tuner, at
    what cost."""
    if nothing_found(records):
        return (
            Sentence(f"On {records.name} no finished run found anything: there is nothing to compare.", "condition"),
        )
    primary = [c for c in comparisons if c.primary]
    full = [c for c in primary if c.at == FULL]
    sentences = [*about_data((records,)), _gain(records, full)]
    early = [c for c in primary if c.at != FULL]
    random_points = any(w.key == "random_points" and w.first_page for w in warnings)
    sentences += _early(records, early, random_points)
    sentences += _null(records, noise)
    sentences += _which(records, full)
    sentences += _cost(records, costs)
    return tuple(sentences[:MOST_SENTENCES])


def nothing_found(records: Records) -> bool:
    """Whether runs have finished, and every one of them failed or has no finite score."""
    finals = [value for tuner in records.tuners for value in records.finals(tuner).dropna()]
    return bool(finals) and not any(math.isfinite(value) for value in finals)


def _gain(records: Records, full: list[Comparison]) -> Sentence:
    found = [c for c in full if c.result is not None]
    if not found:
        missing = [t for t in (records.against, *records.primary) if t and t not in records.tuners]
        why = f"{listing(missing)} did not run" if missing else "no two of them have finished a common seed"
        names = listing(list(records.primary) or ["tuners"])
        question = f"Whether {names} beat {records.against or 'a loop by hand'} on {records.name}"
        return Sentence(f"{question} cannot be answered: {why}.", "condition")
    n = [c.spoken.result.n for c in found if c.spoken.result]
    seeds = f"{min(n)}" if min(n) == max(n) else f"{min(n)} to {max(n)}"
    outcome = found[0].outcome if len({c.outcome for c in found}) == 1 else None
    if max(n) < MIN_SEEDS:
        sizes = "; ".join(f"{c.tuner}: {_size(c)}" for c in found)
        allow = "seed allows" if max(n) == 1 else "seeds allow"
        head = f"On {records.name} nothing is decided, because {seeds} {allow} no test"
        return Sentence(
            f"{head} (at least {MIN_SEEDS} are needed); so far against {records.against}: {sizes}.", "gain", outcome
        )
    parts = _clauses(found, with_numbers=True)
    metric = records.test_metric if found[0].score == "test" else "validation score"
    where, many, interval = f"On {records.name}", f"{seeds} seeds", "95 % interval"
    if found[0].where:
        where += f", on {found[0].where}"
        many, interval = f"{seeds} searches each", "quartiles"
    elif records.draws is not None:
        many = f"{seeds} data sets"
    head = (
        f"{where}, against {records.against} at the full budget ({many}; median difference in "
        f"{metric} with {interval}, negative = better)"
    )
    return Sentence(f"{head}: {'; '.join(parts)}.", "gain", outcome)


def _clauses(found: list[Comparison], with_numbers: bool) -> list[str]:
    """One clause per outcome that occurs."""
    parts = []
    for outcome in OUTCOMES:
        group = [c for c in found if c.spoken.outcome == outcome]
        if not group:
            continue
        names = [f"{c.tuner} ({brief(c)})" if with_numbers else c.tuner for c in group]
        verb = "is" if len(group) == 1 else "are"
        parts.append(f"{listing(names)} {verb} {word(group[0])}")
    return parts


def about_data(workloads: Sequence[Records]) -> list[Sentence]:
    """What replayed seeds that share a few data sets cannot say; nothing where every seed has data of its own."""
    few = [w for w in workloads if w.draws is not None and not testable(w.draws)]
    if not few:
        return []
    shared = list(dict.fromkeys((int(w.runs["seed"].nunique()), w.draws) for w in few))
    counts = listing([f"{seeds} replayed seeds are searches on {draws} data sets" for seeds, draws in shared])
    where = f" on {listing([w.name for w in few])}" if len(few) < len(workloads) else ""
    last = these(few[0].draws or 1) if len({w.draws for w in few}) == 1 else "these data sets"
    return [
        Sentence(
            f"About new data nothing is decided{where}: {counts}, and at least {MIN_SEEDS} are needed. What follows "
            f"holds on {last}; p-values are of the tuners' own chance there.",
            "data",
        )
    ]


def brief(c: Comparison) -> str:
    c = c.spoken
    assert c.result is not None
    r = c.result
    size = (
        f"difference {number(r.median_difference)}" if not math.isnan(r.median_difference) else "no median, both fail"
    )
    if r.interval is not None and not math.isnan(r.median_difference):
        size += f" [{number(r.interval.low)}, {number(r.interval.high)}]"
    p = c.p_equivalent_holm if c.outcome == "equivalent" else c.p_holm
    return f"{size}, ahead in {r.wins} of {r.n}{'' if p is None else f', {_probability(p)}'}"


def _early(records: Records, early: list[Comparison], random_points: bool) -> list[Sentence]:
    found = [c for c in early if c.result is not None]
    if not found:
        return []
    outcome = found[0].outcome if len({c.outcome for c in found}) == 1 else None
    at = f"At {found[0].at}{f' on {found[0].where}' if found[0].where else ''}"
    text = f"{at}: {'; '.join(_clauses(found, with_numbers=True))}"
    if random_points and (starting := [c.tuner for c in found if starts_random(records, c.tuner)]):
        text += f"; {starting[0]} has not left its random points by then, so it is random search"
    spent = (
        records.trials[records.trials["trial"] <= (found[0].trials or 0)]
        .groupby(["tuner", "seed"])["spent_epochs"]
        .max()
    )
    epochs = spent.groupby("tuner").median().to_dict()
    text += f" (epochs spent by then: {listing([f'{t} {epochs[t]:.0f}' for t in compared(records) if t in epochs])})"
    return [Sentence(f"{text}.", "trials", outcome)]


def starts_random(records: Records, tuner: str) -> bool:
    return bool(records.infos[tuner].random_points) and not records.infos[tuner].repairs


def compared(records: Records) -> list[str]:
    """The reference and the primary tuners, as far as they ran."""
    return [t for t in (records.against, *records.primary) if t in records.tuners]


def _null(records: Records, noise: Noise) -> list[Sentence]:
    """Gain over the untuned configuration, beside what mere retraining gives."""
    gains = {t: gain for t in records.tuners if math.isfinite(gain := gain_over_untuned(records, t))}
    named = [t for t in compared(records) if t in gains]
    if not named:
        return []
    sizes = listing([f"{t} {number(gains[t])}" for t in named])
    text = f"Compared with the untuned configuration the median gain is {sizes}"
    if (restarts := records.with_role("restarts")) in gains:
        text += f"; merely retraining it for the same budget gains {number(gains[restarts])}"
    if noise.margin is not None:
        text += f" (retraining noise {number(noise.margin)})"
    return [Sentence(f"{text}.", "null")]


def gain_over_untuned(records: Records, tuner: str | None) -> float:
    """NaN where either did not run, or for the untuned configuration itself."""
    copied = records.with_role("copied")
    if copied is None or tuner is None or copied == tuner:
        return math.nan
    both = records.finals(copied).to_frame("a").join(records.finals(tuner).rename("b"), how="inner").dropna()
    return float(median(subtract(both["a"].to_numpy(), both["b"].to_numpy()))) if len(both) else math.nan


def _which(records: Records, full: list[Comparison]) -> list[Sentence]:
    finals = {t: records.finals(t).dropna().to_numpy(dtype=float) for t in compared(records)}
    medians = {t: float(median(v)) for t, v in finals.items() if len(v)}
    medians = {t: m for t, m in medians.items() if math.isfinite(m)}
    if len(medians) < 2:
        return []
    best = min(medians, key=medians.__getitem__)
    text = f"The lowest median {records.judged_by} score among these has {best} ({number(medians[best])})"
    if best == records.against:
        beaten = [c.tuner for c in full if c.spoken.outcome == "worse"]
        shown = f"shown to be ahead of {listing(beaten)}" if beaten else "not shown to be ahead of any of them"
    else:
        ahead = any(c.tuner == best and c.spoken.outcome == "better" for c in full)
        shown = f"shown to be ahead of {records.against}" if ahead else f"not shown to be ahead of {records.against}"
    where = f" on {full[0].where}" if full and full[0].where else ""
    return [Sentence(f"{text}, {shown}{where}.", "tuner")]


def _cost(records: Records, costs: Costs | None) -> list[Sentence]:
    if costs is None:
        return []
    table = costs.time.set_index("tuner")
    stock, share = table["stock_s"].astype(float).to_dict(), table["share_tuner"].astype(float).to_dict()
    named = [t for t in compared(records) if t in table.index]
    known = [t for t in named if math.isfinite(stock[t])]
    if not known:
        shares = [f"{t} {share[t]:.1%}" for t in named if math.isfinite(share[t])]
        text = "The stock clock was not measured, so what this costs a reader in seconds is not known"
        if shares:
            text += f"; the tuner's own share of the search clock: {listing(shares)}"
        return [Sentence(f"{text}.", "cost")]
    times = listing([f"{t} {duration(stock[t])}" for t in known])
    text = f"With plain Keras on this machine the whole search would take (median) {times}"
    return [Sentence(f"{text}.", "cost")]


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


STATISTICS = (
    Statistic(
        "verdict",
        lambda given: workload_verdict(
            given.records, given["comparisons"], given["noise"], given["costs"], given["warnings"]
        ),
    ),
)
