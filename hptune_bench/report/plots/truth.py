"""Figures that only a complete table allows: exact reference lines, exact importance, the best score at each level."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.tabular.effects import largest
from hptune_bench.analysis.tabular.importance import ExactQuestion, show
from hptune_bench.analysis.tabular.truth import LINES, Truth
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.plots.curves import MAX_BANDS
from hptune_bench.report.style import FAINT, INK, Style, shorten

MOST_EFFECTS = 12
COLORS = {"failing": "#d55e00", "scoring": "#0072b2"}


PANELS = {"median": "the median run", "true": "mean over runs"}


def line_data(true: Truth) -> pd.DataFrame:
    """Columns line, epochs, true, median, lower, upper: see ``Truth.lines``; what is exact has no quartiles."""
    columns = ["line", "epochs", *LINES]
    parts = [true.lines.rename(columns={"tuner": "line"})[columns]]
    for name, frame in (("exact: random search", true.random), ("exact: hand-picked grid", true.grid)):
        if len(frame):
            parts.append(frame.assign(line=name).reindex(columns=columns))
    best = {"line": ["exact: best"], "epochs": [0.0], "true": [true.best_score], "median": [true.best_score]}
    return pd.concat([*parts, pd.DataFrame(best)], ignore_index=True)


def draw_lines(true: Truth, styles: Mapping[str, Style], title: str, corner: str, score: str) -> Any:
    """Truth about each tuner's incumbent over epochs, of the median run and on average; grey: what is exact."""
    figure = canvas.new(7.2, left=0.95, right=2.6, bottom=0.55, top=0.4)
    grid = figure.add_gridspec(len(PANELS), 1, hspace=0.3)
    for place, (column, words) in enumerate(PANELS.items()):
        axes = figure.add_subplot(grid[place, 0])
        _lines_panel(axes, true, styles, column, score)
        axes.set_title(f"{title}, {words}" if place == 0 else words[:1].upper() + words[1:])
        if place == 0:
            canvas.corner(axes, corner)
    axes.set_xlabel("trained epochs")
    return figure


def _lines_panel(axes: Any, true: Truth, styles: Mapping[str, Style], column: str, score: str) -> None:
    last = float(true.lines["epochs"].max()) if len(true.lines) else 10.0
    start = 0.1 * last  # the first trials may be a thousand times worse than all that follows
    exact = [frame[frame["epochs"] <= last] for frame in (true.random, true.grid)]
    values = [true.best_score]
    for frame in (true.lines, *exact):
        values += list(frame.loc[frame["epochs"] >= start, column].dropna())
    scale = canvas.scale_for(values)
    canvas.apply(axes.yaxis, scale, *canvas.limits(values, scale))
    for frame, dash in zip(exact, ((0, (6, 2)), (0, (6, 2, 1.2, 2))), strict=True):
        axes.plot(frame["epochs"], frame[column], color=FAINT, linestyle=dash, linewidth=1.6, zorder=2)
    axes.axhline(true.best_score, color=FAINT, linestyle=(0, (1.2, 1.6)), linewidth=1.4, zorder=2)
    ends = []
    for name, rows in true.lines.groupby("tuner", sort=False):
        known = rows.dropna(subset=[column])
        if known.empty:
            continue
        style = styles[str(name)]
        if column == "median" and len(true.tuners) <= MAX_BANDS:
            x, lower, upper = (rows[each].to_numpy(float) for each in ("epochs", "lower", "upper"))
            edges = lower, np.where(np.isnan(upper), axes.get_ylim()[1], upper)
            axes.fill_between(x, *edges, step="post", color=style.color, alpha=0.13, linewidth=0)
        canvas.steps(axes, known["epochs"].to_numpy(float), known[column].to_numpy(float), style, zorder=3)
        ends.append(labels.End(float(known[column].iloc[-1]), style, x=float(known["epochs"].iloc[-1])))
    axes.set_xlim(0, last)
    axes.set_ylabel(f"true mean {score}" + (f"\n({scale.note})" if scale.note else ""))
    canvas.plain_ticks(axes.xaxis)
    labels.label_ends(axes, ends)


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
