"""Ranks over workloads: means, the critical-difference diagram, and how they change while the searches go on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

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
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.plots.curves import MAX_BANDS
from hptune_bench.report.style import INK, Style

MOST_PANELS = 4
"""Workloads in the figure of ranks over time."""
MAX_RANK_TICKS = 10
"""Up to so many tuners each rank has a tick."""


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
        draw=lambda: draw_ranks(found, ctx.styles, replayed),
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
        draw=lambda: draw_diagram(drawn, ctx.styles),
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
        draw=lambda: draw_ranks_over_time(frame, ctx.styles, {w.records.name: title_of(w) for w in shown}),
    )


def _smallest(ctx: Context, ranks: pd.Series) -> str:
    """Who has the smallest of these ranks, indexed by tuner; ties share it."""
    names = [ctx.label(str(name)) for name in ranks.index[ranks <= ranks.min() + 1e-12]]
    return "all alike" if len(names) == len(ranks) > 1 else text.listing(names)


# --- figures ---------------------------------------------------------------------------------------------------------


def draw_ranks(ranks: Ranks, styles: Mapping[str, Style], corner: str = "") -> Any:
    """Mean rank with its interval, best on top."""
    frame = ranks.table.reset_index(drop=True)
    top = 0.35 if corner else 0.15
    figure = canvas.new(0.3 * len(frame) + 0.85 + top, left=2.75, right=0.4, bottom=0.6, top=top)
    axes = figure.add_subplot()
    canvas.corner(axes, corner)
    for row, item in frame.iterrows():
        style = styles[item["tuner"]]
        if math.isfinite(item["low"]):
            axes.plot([item["low"], item["high"]], [row, row], color=style.color, linewidth=2.2, solid_capstyle="butt")
        axes.plot([item["mean_rank"]], [row], **canvas.marker_style(style, 7))
    canvas.name_rows(axes, [styles[name].label for name in frame["tuner"]])
    axes.set_xlim(0.8, len(frame) + 0.2)
    axes.set_xticks(range(1, len(frame) + 1))
    axes.set_xlabel("mean rank (1 = best)")
    canvas.plain_ticks(axes.xaxis)
    return figure


def draw_diagram(found: Diagram, styles: Mapping[str, Style]) -> Any:
    """Critical-difference diagram: a bar joins tuners whose average ranks no test tells apart."""
    from scikit_posthocs import critical_difference_diagram

    names = {name: styles[name].label for name in found.average.index}
    # Where Friedman's test sees no difference at all, no pair may be called different.
    p_values = found.p_values if found.friedman_p < ALPHA else found.p_values * 0 + 1.0
    figure = canvas.new(0.2 * len(names) + 1.5, left=2.6, right=2.6, bottom=0.1, top=0.55)
    axes = figure.add_subplot()
    drawn = critical_difference_diagram(
        found.average.rename(index=names),
        p_values.rename(index=names, columns=names),
        ax=axes,
        alpha=ALPHA,
        label_fmt_left="{label}  {rank:.1f} ",
        label_fmt_right=" {rank:.1f}  {label}",
        color_palette={styles[name].label: styles[name].color for name in names},
        label_props={"fontsize": 9},
        marker_props={"s": 0},
        crossbar_props={"color": INK, "linewidth": 3, "solid_capstyle": "butt"},
        elbow_props={"linewidth": 1.2},
        text_h_margin=0.1,
    )
    for words in axes.texts:
        words.set_color(INK)
    for (bar,) in drawn["crossbars"]:
        # The library walks over sets, whose order differs from run to run: two ends say the same.
        at = bar.get_xdata()
        bar.set_data([min(at), max(at)], bar.get_ydata()[:2])
    for name, rank in found.average.items():
        axes.plot([rank], [0], clip_on=False, zorder=5, **canvas.marker_style(styles[str(name)], 6.5))
    axes.grid(visible=False)
    axes.spines["top"].set_visible(True)
    axes.set_xlim(0.9, len(names) + 0.1)
    axes.set_xticks(range(1, len(names) + 1))
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(f"average rank (1 = best); critical difference {text.number(found.critical_difference, 2)}")
    return figure


def draw_ranks_over_time(over_time: pd.DataFrame, styles: Mapping[str, Style], titles: Mapping[str, str]) -> Any:
    """Mean rank of each search over trained epochs, one panel per workload of ``titles``; 1, the best, on top."""
    height = max(3.0, 0.17 * over_time["tuner"].nunique() + 1.1)
    figure = canvas.new(height * len(titles), left=0.8, right=2.7, bottom=0.55, top=0.4)
    figure.subplots_adjust(hspace=0.95 / (height - 0.95))
    for index, (workload, title) in enumerate(titles.items()):
        axes = figure.add_subplot(len(titles), 1, index + 1)
        here = over_time[over_time["workload"] == workload]
        groups = dict(iter(here.groupby("tuner", sort=False)))
        ends, last = [], float(here["spent_epochs"].max())
        canvas.apply(axes.xaxis, canvas.Scale("linear"), 0.0, last)
        canvas.apply(axes.yaxis, canvas.Scale("linear"), len(groups) + 0.2, 0.8)
        for place, (name, frame) in enumerate(groups.items()):
            x, y = frame["spent_epochs"].to_numpy(float), frame["mean_rank"].to_numpy(float)
            if len(groups) <= MAX_BANDS:
                edges = frame["low"].to_numpy(float), frame["high"].to_numpy(float)
                axes.fill_between(x, *edges, step="post", color=styles[str(name)].color, alpha=0.13, linewidth=0)
            canvas.steps(axes, x, y, styles[str(name)])
            canvas.markers(axes, x, y, styles[str(name)], (0.0, last), place / len(groups))
            ends.append(labels.End(float(y[-1]), styles[str(name)]))
        axes.set_xlabel("trained epochs")
        if len(groups) <= MAX_RANK_TICKS:
            axes.set_yticks(range(1, len(groups) + 1))
        axes.set_ylabel("mean rank so far (1 = best)")
        axes.set_title(title)
        labels.label_ends(axes, ends)
    return figure


SECTION = Section("Ranks", 150, _ranks)
