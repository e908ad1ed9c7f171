"""What matters, exactly: the answers to the questions and the importance that a complete table gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.statistics import Interval
from hptune_bench.analysis.tabular.effects import effects, largest
from hptune_bench.analysis.tabular.importance import ExactImportance, ExactQuestion, show
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Figure, Items, Table, column, table
from hptune_bench.report.cells import ranged_percent
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import corner, file_name, judged_name, name_of
from hptune_bench.report.plots import canvas
from hptune_bench.report.sections.truth import LEFT_OUT
from hptune_bench.report.style import FAINT, INK, shorten

SHOWN_INTERACTIONS = 8
MOST_EFFECTS = 12
COLORS = {"failing": "#d55e00", "scoring": "#0072b2"}


def _exact(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    """Nothing where there is no table."""
    if found.exact is None:
        return
    if found.exact.questions:
        yield Items(tuple(question.verdict for question in found.exact.questions))
        yield _levels(found, found.exact)
    frame = effects(found.exact)
    takeaway = _strongest(found.exact)
    yield Figure(
        name=file_name("exact-importance", found),
        takeaway=takeaway,
        detail=(
            "Functional ANOVA of the complete table (replayed), uniform weight on levels: shares of the variance of a "
            "single training, noise taken off each and shown by itself; they sum to 1. Line: smallest to largest share "
            "with all data sets or without one of them."
        ),
        alt=f"Bars of the share of variance of each hyperparameter, each pair and noise. {takeaway}",
        data=frame,
        draw=lambda: draw_importance(frame, name_of(found), corner(found)),
    )
    yield _table(file_name("exact-importance", found), frame)


def _levels(found: WorkloadAnalysis, exact: ExactImportance) -> Figure:
    score, verdicts = judged_name(found.records), [question.verdict for question in exact.questions]
    return Figure(
        name=file_name("exact-levels", found),
        takeaway=verdicts[0],
        detail=(
            f"Best true mean {score} at each level with everything else tuned, over all replicates of the table "
            "(replayed); bar: smallest to largest mean over one data draw; shaded: the untuned value; a cross at the "
            "top: everything there can fail. One training varies (standard deviation, among the best 5 %) with its "
            "seed, and with what a data draw does to it alone."
        ),
        alt=f"Best score at each level of each hyperparameter. {' '.join(verdicts)}",
        data=level_data(exact.questions),
        draw=lambda: draw_levels(exact.questions, name_of(found), corner(found), score),
    )


def _strongest(exact: ExactImportance) -> str:
    parts = []
    for words, anova in (("whether a training fails", exact.failing), ("how well it scores", exact.scoring)):
        if anova.total <= 0:
            parts.append(f"nothing decides {words}, because it never varies")
            continue
        first = anova.effects.iloc[int(anova.effects["share"].to_numpy(float).argmax())]
        name = " with ".join(first["names"])
        parts.append(f"{name} explains most of {words} ({text.percent(float(first['share']))})")
    return text.sentence("; ".join(parts))


def _table(name: str, effects: pd.DataFrame) -> Table:
    columns = [
        column("Hyperparameters", lambda names: text.clean(names).replace(" x ", " × "), "names"),
        Column("Failing", _share("failing")),
        Column("Scoring", _share("scoring")),
    ]
    note = (
        "Share of the variance of a single training. Failing: it diverged or learned no more than a constant (0 "
        "or 1). Scoring: its rank among those that did not fail, in which a failed one counts as the mean "
        "rank. = 0: zero within noise (F test against the data draws, 5 % for the whole column, after Holm). Exact "
        f"inside this space; {LEFT_OUT}."
    )
    return table(name, "Exact importance (replayed)", columns, largest(effects, SHOWN_INTERACTIONS), note)


def _share(part: str) -> Callable[[pd.Series], Cell]:
    def cell(row: pd.Series) -> Cell:
        low, high = float(row[f"{part}_low"]), float(row[f"{part}_high"])
        ends = None if math.isnan(low) else Interval(low, high)
        return ranged_percent(float(row[part]), ends, 1, mark="= 0" if bool(row[f"{part}_zero"]) else "")

    return cell


# --- figures ---------------------------------------------------------------------------------------------------------


def draw_importance(effects: pd.DataFrame, title: str, corner: str) -> Any:
    """Bars of both decompositions: main effects first, then the largest pairs and higher orders, then noise."""
    shown = largest(effects, max(0, MOST_EFFECTS - int((effects["order"] == 1).sum()) - 1))
    figure = canvas.new(0.32 * len(shown) + 1.5, left=3.2, right=0.4, bottom=0.75, top=0.62)
    axes = figure.add_subplot()
    for shift, part in ((-0.19, "failing"), (0.19, "scoring")):
        axes.barh(
            np.arange(len(shown)) + shift,
            shown[part].fillna(0.0),
            height=0.36,
            color=COLORS[part],
            hatch="///" if part == "failing" else "",
            edgecolor="#fefefe",
            label="whether a training fails" if part == "failing" else "how well it scores",
        )
        known = shown[shown[f"{part}_low"].notna()]
        axes.hlines(known.index + shift, known[f"{part}_low"], known[f"{part}_high"], color=INK, linewidth=1.2)
    canvas.name_rows(axes, [shorten(str(name).replace(" x ", " × "), 34) for name in shown["names"]])
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlabel("share of the variance of a single training (all bars of a colour sum to 1)")
    axes.set_title(title)
    canvas.plain_ticks(axes.xaxis)
    canvas.corner(axes, corner)
    canvas.legend(figure, axes.get_legend_handles_labels()[0])
    return figure


def level_data(questions: Sequence[ExactQuestion]) -> pd.DataFrame:
    """Columns hyperparameter, level, untuned, best, low, high, fails, rank."""
    return pd.DataFrame(
        [
            (question.name, show(level.value), level.value == question.untuned, *_numbers(level))
            for question in questions
            for level in question.levels
        ],
        columns=["hyperparameter", "level", "untuned", "best", "low", "high", "fails", "rank"],
    )


def _numbers(level: Any) -> tuple[float, ...]:
    return level.best, level.low, level.high, level.fails, level.rank


def draw_levels(questions: Sequence[ExactQuestion], title: str, corner: str, score: str) -> Any:
    """One panel per hyperparameter: the best score at each of its levels, the copied one shaded."""
    columns = min(2, len(questions))
    rows = math.ceil(len(questions) / columns)
    figure = canvas.new(2.5 * rows + 0.6, left=0.9, right=0.25, bottom=0.85, top=0.55)
    figure.subplots_adjust(hspace=0.55, wspace=0.3)
    finite = [v for q in questions for lv in q.levels if math.isfinite(lv.best) for v in (lv.best, lv.low, lv.high)]
    scale = canvas.scale_for(finite)
    low, high = canvas.limits(finite, scale, 0.1)
    for place, question in enumerate(questions):
        axes = figure.add_subplot(rows, columns, place + 1)
        canvas.apply(axes.yaxis, scale, low, high)
        for x, level in enumerate(question.levels):
            if level.value == question.untuned:
                axes.axvspan(x - 0.5, x + 0.5, color="#f0e4c8", zorder=0)
            if math.isfinite(level.best):
                axes.vlines(x, max(level.low, low), min(level.high, high), color=FAINT, linewidth=1.4)
                axes.plot([x], [level.best], marker="o", markersize=4.5, color=INK, linestyle="none")
            else:
                axes.plot([x], [high], marker="x", markersize=5, color=INK, linestyle="none", clip_on=False)
        every = max(1, math.ceil(len(question.levels) / 8))
        ticks = range(0, len(question.levels), every)
        labels = [shorten(show(question.levels[x].value), 10) for x in ticks]
        axes.set_xticks(list(ticks), labels, rotation=30 if len(labels) > 5 else 0, fontsize=8)
        axes.set_xlim(-0.5, len(question.levels) - 0.5)
        axes.set_xlabel(shorten(question.name, 30))
        axes.grid(axis="x", visible=False)
        if place == 0:
            axes.set_title(title)
        if place == columns - 1:
            canvas.corner(axes, corner)
    canvas.y_label(figure, f"best mean {score}", scale)
    return figure


SECTION = Section("What matters, exactly", 50, each(_exact), folded=False)
