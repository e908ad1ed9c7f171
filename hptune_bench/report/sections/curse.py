"""The winner's curse: what a search reports and what retraining gives, and choices that a run should have kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.noise import overtuned
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Figure, Prose, Table, column, table
from hptune_bench.report.cells import count, measure, part
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, corner, file_name, name_of, score_label, seeds
from hptune_bench.report.plots import canvas
from hptune_bench.report.sections.curves import untuned_score
from hptune_bench.report.style import FAINT, INK, PAPER, Style


def _curse(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    noise = found.noise
    if noise is None:
        return reason(found, "noise")
    blocks: list[Block] = []
    # A replay retrains nothing: it would look the same few trainings up again. Its table has the truth.
    if len(noise.curse) and not found.records.about.get("table"):
        blocks += [_figure(ctx, found), _table(ctx, found)]
    blocks.append(Prose(text.sentence(noise.margin_source)))
    return [*blocks, *_overtuning(ctx, found)]


def _figure(ctx: Context, found: WorkloadAnalysis) -> Figure:
    frame = ctx.ordered(found.noise.curse)
    searches = frame[~frame["tuner"].isin(found.records.trained_once)]
    optimistic = int((searches["low"] > 0).sum())
    takeaway = (
        f"{optimistic} of {text.plural(len(searches), 'method')} that search reported a better score than the same "
        "configuration gives when it is trained again, beyond a 95 % interval."
    )
    untuned = untuned_score(found, "validation")
    label = f"{score_label(found, 'validation')} (smaller is better)"
    return Figure(
        name=file_name("curse", found),
        takeaway=takeaway,
        detail=(
            f"Medians over {seeds(found)}, the intervals are in the table; one retraining of each run's choice, off "
            "the budget, same data. A line joins the two, it is no interval."
        ),
        alt=f"Selected and retrained validation score of each method. {takeaway}",
        data=frame,
        draw=lambda: draw(frame, untuned, ctx.styles, name_of(found), corner(found), label),
    )


def _table(ctx: Context, found: WorkloadAnalysis) -> Table:
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Validation, selected", measure, "selected_validation"),
        column("Validation, retrained", measure, "retrained_validation"),
        column("Flattery", measure, "optimism", "low", "high"),
        column("Test, selected", measure, "selected_test"),
        column("Test, retrained", measure, "retrained_test"),
        column("Test shift", measure, "test_shift"),
        column("n", count, "n"),
    ]
    note = "Flattery = median paired difference, retrained − selected: above 0 the search reported too good a score."
    return table(file_name("curse", found), caption(found, "The winner's curse"), columns, found.noise.curse, note)


def _overtuning(ctx: Context, found: WorkloadAnalysis) -> list[Table]:
    rows = overtuned(found.noise, ctx.searchers(found))
    if not len(rows):
        return []
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Runs whose earlier choice was better on the test split", part, "hurt", "runs"),
        column("Median loss by it", measure, "median"),
        column("Largest", measure, "largest"),
    ]
    note = "How much better the best earlier choice of the same run was on the test split."
    return [table(file_name("overtuning", found), caption(found, "Overtuning"), columns, rows, note)]


# --- figures ---------------------------------------------------------------------------------------------------------


def draw(
    curse: pd.DataFrame, untuned: float, styles: Mapping[str, Style], title: str, corner: str, x_label: str
) -> Any:
    """One row per tuner: hollow = selected score, filled = retrained; columns of ``Noise.curse``."""
    frame = curse.reset_index(drop=True)
    figure = canvas.new(0.3 * len(frame) + 1.75, left=2.75, right=0.4, bottom=0.75, top=0.62)
    axes = figure.add_subplot()
    values = [*frame["selected_validation"], *frame["retrained_validation"], untuned]
    scale = canvas.scale_for(values)
    low, high = canvas.limits(values, scale, 0.08)
    canvas.apply(axes.xaxis, scale, low, high)
    if math.isfinite(untuned):
        axes.axvline(untuned, color=FAINT, linewidth=1.2, linestyle=(0, (1.2, 1.6)))
    for row, item in frame.iterrows():
        style = styles[item["tuner"]]
        start, end = item["selected_validation"], item["retrained_validation"]
        if math.isfinite(start) and math.isfinite(end):
            axes.plot([start, end], [row, row], color=style.color, linewidth=2, solid_capstyle="butt", zorder=2)
        for at, filled in ((start, False), (end, True)):
            dot = {"marker": "o", "markersize": 7, "markerfacecolor": style.color if filled else PAPER}
            axes.plot([at], [row], linestyle="none", color=style.color, markeredgewidth=1.6, zorder=3, **dot)
    canvas.name_rows(axes, [styles[name].label for name in frame["tuner"]])
    axes.set_xlabel(x_label + (f"\n({scale.note})" if scale.note else ""))
    axes.set_title(title)
    canvas.corner(axes, corner)
    _legend(figure, math.isfinite(untuned))
    return figure


def _legend(figure: Any, with_untuned: bool) -> None:
    from matplotlib.lines import Line2D

    def dot(face: str, label: str) -> Any:
        return Line2D([], [], linestyle="none", marker="o", color=INK, markerfacecolor=face, label=label)

    handles = [dot(PAPER, "reported by the search"), dot(INK, "same configuration, trained again")]
    if with_untuned:
        handles.append(Line2D([], [], linestyle=(0, (1.2, 1.6)), color=FAINT, label="untuned"))
    canvas.legend(figure, handles)


SECTION = Section("The winner's curse", 210, each(_curse))
