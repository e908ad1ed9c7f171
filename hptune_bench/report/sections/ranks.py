"""Ranks over workloads: means, the critical-difference diagram, and how they change while the searches go on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from hptune_bench.analysis.data_draws import these
from hptune_bench.analysis.frames import judging
from hptune_bench.analysis.ranks import Diagram, Ranks
from hptune_bench.analysis.statistics import ALPHA
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Figure, Prose, Table, column, table
from hptune_bench.report.cells import count, measure
from hptune_bench.report.context import Context, Section
from hptune_bench.report.naming import all_seeds, title_of
from hptune_bench.report.plots import pairs
from hptune_bench.report.plots.curves import MAX_BANDS

MOST_PANELS = 4
"""Workloads in the figure of ranks over time."""


def _ranks(ctx: Context) -> Iterable[Block]:
    found = ctx.analysis.ranks
    if found is None or not len(found.table):
        return [Prose(text.sentence(ctx.analysis.reasons["ranks"]))] if "ranks" in ctx.analysis.reasons else []
    if np.ptp(found.table["mean_rank"]) == 0:
        return [Prose("All methods share one mean rank: there is no order to show.")]
    score = judging(w.records for w in ctx.workloads)
    diagram = [_diagram(ctx, found.diagram, found.families)] if found.diagram is not None else []
    return [_figure(ctx, found, score), *diagram, *_over_time(ctx, found), _table(ctx, found, score)]


def _figure(ctx: Context, found: Ranks, score: str) -> Figure:
    best = found.table.iloc[0]
    overlap = int((found.table["low"].iloc[1:] <= best["high"]).sum())
    others = len(found.table) - 1
    takeaway = text.sentence(
        f"{ctx.label(best['tuner'])} has the smallest mean rank, {text.number(best['mean_rank'], 3)}"
        + (f"; the intervals of {overlap} of {others} others overlap with its own" if overlap else "")
    )
    over = "line: 95 % interval over the seeds of each workload"
    if found.few_draws is not None:
        over = f"no interval, because the ranks hold on {these(found.few_draws)} only; seeds of each workload"
    replayed = "replayed data" if any(w.records.about.get("table") for w in ctx.workloads) else ""
    return Figure(
        name="ranks",
        takeaway=takeaway,
        detail=(
            f"Mean rank by {score} inside each (workload, seed), over {text.plural(len(ctx.workloads), 'workload')}; "
            f"{over} ({all_seeds(ctx.workloads)}). {text.sentence(found.reason)}".strip()
        ),
        alt=f"Dot plot of mean ranks. {takeaway}",
        data=found.table,
        draw=lambda: pairs.draw_ranks(found, ctx.styles, replayed),
    )


def _table(ctx: Context, found: Ranks, score: str) -> Table:
    interval = " [95 % interval over seeds]" if found.few_draws is None else f" over {these(found.few_draws)}"
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Mean rank", measure, "mean_rank", "low", "high"),
        column("Workloads", count, "workloads"),
    ]
    note = f"1 = best {score}; mean{interval}. {found.reason}".strip()
    return table("ranks", "Mean ranks over workloads", columns, found.table, note)


def _diagram(ctx: Context, drawn: Diagram, families: int) -> Figure:
    names = [ctx.label(str(name)) for name in drawn.average.index]
    if drawn.friedman_p >= ALPHA:
        takeaway = f"Over {families} data families no test tells the methods apart."
    else:
        first = drawn.p_values[drawn.average.index[0]]
        behind = [ctx.label(str(name)) for name, p in first.items() if p < ALPHA]
        takeaway = f"{names[0]} has the best average rank" + (
            f", ahead of {text.listing(behind)} beyond the critical difference."
            if behind
            else "; it is not shown to be ahead of any other."
        )
    p = text.probability(drawn.friedman_p)
    return Figure(
        name="critical-difference",
        takeaway=text.sentence(takeaway),
        detail=(
            f"Average rank, each of n = {families} data families ranking the methods once; a bar joins methods "
            f"closer than the critical difference of {text.number(drawn.critical_difference, 3)} (Nemenyi, alpha "
            f"0.05); Friedman's test (Iman and Davenport): p {p.replace('<', '< ') if p[0] == '<' else f'= {p}'}."
        ),
        alt=f"Critical-difference diagram of {text.listing(names)}, best first. {takeaway}",
        data=drawn.p_values.loc[drawn.average.index, drawn.average.index]
        .rename(columns=lambda name: f"p against {name}")
        .assign(average_rank=drawn.average)
        .rename_axis("tuner")
        .reset_index(),
        draw=lambda: pairs.draw_diagram(drawn, ctx.styles),
    )


def _over_time(ctx: Context, found: Ranks) -> Iterable[Figure]:
    frame = found.over_time
    shown = [w for w in ctx.workloads if (frame["workload"] == w.records.name).any()][:MOST_PANELS]
    if not shown:
        return
    last = frame.groupby(["workload", "tuner"], sort=False)["mean_rank"].last()
    ends = [f"{title_of(w)}: {_smallest(ctx, last[w.records.name])}" for w in shown]
    takeaway = f"Smallest mean rank at the end of the budget: {'; '.join(ends)}."
    drawn = frame[frame["workload"].isin([w.records.name for w in shown])]
    band = "without an interval, because so few data sets have none"
    if drawn["low"].notna().any():
        few = drawn.groupby("workload")["tuner"].nunique().max() <= MAX_BANDS
        band = "band: its 95 % interval" if few else "its 95 % interval is in the CSV"
    yield Figure(
        name="ranks-over-time",
        takeaway=takeaway,
        detail=(
            f"Searches ranked inside each seed by the {judging(w.records for w in shown)} of the best trial so far, "
            f"mean over {all_seeds(shown)} ({band}); those without a result yet share the last place."
        ),
        alt=f"Step curves of the mean rank of each search over trained epochs. {takeaway}",
        data=frame,
        draw=lambda: pairs.draw_ranks_over_time(frame, ctx.styles, {w.records.name: title_of(w) for w in shown}),
    )


def _smallest(ctx: Context, ranks: pd.Series) -> str:
    """Who has the smallest of these ranks, indexed by tuner; ties share it."""
    names = [ctx.label(str(name)) for name in ranks.index[ranks <= ranks.min() + 1e-12]]
    return "all alike" if len(names) == len(ranks) > 1 else text.listing(names)


SECTION = Section("Ranks", 150, _ranks)
