"""Paired differences: a dot per seed, and the tables of primary and exploratory comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.data_draws import over_data
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import Paired
from hptune_bench.analysis.verdict import word
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Figure, Table, column, table
from hptune_bench.report.cells import count, measure, percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, corner, file_name, judged_name, name_of, seeds
from hptune_bench.report.plots import pairs

TABLES = {
    "primary": "Primary comparisons, fixed before any result",
    "exploratory": "Exploratory comparisons: no claim rests on them",
}


def _paired(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    groups = {
        "primary": [item for item in found.comparisons if item.primary],
        "exploratory": [item for item in found.comparisons if not item.primary],
    }
    shown = groups["primary"] or [item for item in groups["exploratory"] if item.trials is None][:8]
    shown = [item for item in shown if _tells(item) and item.reference == shown[0].reference]
    blocks: list[Block] = [_figure(ctx, found, shown)] if shown else []
    blocks += [_table(ctx, found, kind, items) for kind, items in groups.items() if items]
    return blocks or reason(found, "comparisons")


def _tells(item: Comparison) -> bool:
    """Whether at least one run of a pair found something: two failures differ by nothing, and show nothing."""
    scores = item.differences[["tuner_score", "reference_score"]].to_numpy(float)
    return bool(np.isfinite(scores).any())


def _figure(ctx: Context, found: WorkloadAnalysis, shown: Sequence[Comparison]) -> Figure:
    margin = found.noise.margin if found.noise else None
    band = "; grey: differences smaller than the retraining noise" if margin else ""
    dot = "data seed" if found.records.draws is None else "replayed seed"
    line = f"quartiles of the runs on {shown[0].where}" if shown[0].where else "its 95 % interval"
    score, takeaway = judged_name(found.records), _outcomes(ctx, shown)
    return Figure(
        name=file_name("paired", found),
        takeaway=takeaway,
        detail=(
            f"One dot per {dot} ({seeds(found)}): {score} of the tuner minus that of {ctx.label(shown[0].reference)}; "
            f"bar: median, line: {line}{band}. An arrowhead at the rim is a failed run."
        ),
        alt=f"Dot plot of paired differences. {takeaway}",
        data=pairs.data(shown),
        draw=lambda: pairs.draw(shown, ctx.styles, name_of(found), corner(found), score, margin),
    )


def _outcomes(ctx: Context, shown: Sequence[Comparison]) -> str:
    """Outcomes in one sentence: who is better, who is worse, and how many are left open."""
    groups: dict[str, list[str]] = {}
    for item in shown:
        label = f"{ctx.label(item.tuner)} at {'the full budget' if item.trials is None else item.at}"
        groups.setdefault(word(item), []).append(label)
    references = {item.reference for item in shown}
    against = f"against {ctx.label(shown[0].reference)}" if len(references) == 1 else "of these"
    against += f" on {shown[0].where}" if shown[0].where else ""
    undecided = len(groups.pop("undecided", []))
    if not groups:
        return text.sentence(f"{text.plural(undecided, 'comparison')} {against}, none decided")
    parts = [f"{outcome} {against}: {text.listing(names)}" for outcome, names in groups.items()]
    return text.sentence("; ".join([*parts, *([f"{undecided} undecided"] if undecided else [])]))


def _table(ctx: Context, found: WorkloadAnalysis, kind: str, items: Sequence[Comparison]) -> Table:
    where = next((item.where for item in items if item.where), "")
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Against", ctx.label, "reference"),
        column("At", str, "at"),
        Column(f"Outcome on {where}" if where else "Outcome", word),
        _of_result("Median difference", lambda result, _: _difference(result)),
        _of_result("P(better)", lambda result, _: percent(result.probability)),
        _of_result("Wins–ties–losses", lambda result, _: f"{result.wins}–{result.ties}–{result.losses}"),
        _of_result("p (Holm)", lambda _, item: Cell(text.probability(item.spoken.p_holm), item.spoken.p_holm)),
        _of_result("n", lambda result, _: count(result.n)),
        *([_of_result("On each data set", lambda _, item: _on_each(item))] if where else []),
    ]
    reasons = list(dict.fromkeys(item.reason for item in items if item.reason))
    records = found.records
    note = (
        f"Difference in {judged_name(records)}, method − reference, paired by "
        f"{'data' if records.draws is None else 'replayed'} seed: negative = the method is better; median "
        f"[{'quartiles' if where else 'its 95 % interval'}]; signed-rank and sign test must agree; a failed run counts "
        f"as worst. Undecided is not a tie. {_blocked(records, where)}" + " ".join(reasons)
    ).strip()
    return table(file_name(kind, found), caption(found, TABLES[kind]), columns, items, note, text_columns=4)


def _of_result(heading: str, cell: Callable[[Paired, Comparison], Cell | str]) -> Column:
    """A column of what a comparison has only where it has a result."""

    def known(item: Comparison) -> Cell | str:
        return cell(item.spoken.result, item) if item.spoken.result else text.MISSING

    return Column(heading, known)


def _difference(result: Paired) -> Cell:
    span = result.interval
    return measure(result.median_difference, *((span.low, span.high) if span else (math.nan, math.nan)))


def _blocked(records: Records, where: str) -> str:
    """What a pair, an interval and a p-value are of where replayed seeds share data sets; else nothing."""
    if records.draws is None:
        return ""
    if not where:
        return f"One pair for each of the {records.draws} data sets that the seeds share: the median there. "
    return (
        f"p is of the tuners' own chance on {where}: it says nothing about new data. Ahead, behind = in more than half "
        "of the n runs. On each data set: the median difference there. "
    )


def _on_each(item: Comparison) -> str:
    """The median difference on each data set."""
    if not item.draws:
        return text.MISSING
    found = over_data(item.differences.set_index("seed")["difference"], item.draws)
    places = text.decimals(float(np.ptp(found)) if np.isfinite(found).all() else 0.0, *found)
    return ", ".join(text.signed(value, places) if math.isfinite(value) else text.number(value) for value in found)


SECTION = Section("Paired differences, a dot per seed", 140, each(_paired))
