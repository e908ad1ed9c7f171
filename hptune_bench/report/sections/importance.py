"""The post's questions and which hyperparameters matter, estimated from the trials that the searches made.

Where a complete table is at hand both are known exactly, and an estimate beside that helps nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.data_draws import testable
from hptune_bench.analysis.importance import Importance
from hptune_bench.analysis.questions import Question
from hptune_bench.core import text
from hptune_bench.core.text import number
from hptune_bench.core.text import value as show
from hptune_bench.report.blocks import Block, Cell, Column, Figure, Table, column, table
from hptune_bench.report.cells import count, measure, percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, corner, file_name, score_label, seeds
from hptune_bench.report.plots import canvas
from hptune_bench.report.sections.space import above_all, fit, on_top
from hptune_bench.report.style import FAINT, GRID, INK, PAPER, shorten

ASKED = {
    "normalize": "Is normalising needed?",
    "neurons": "Are {} units right?",
    "optimizer": "Is {} the better optimizer?",
    "learning_rate": "Is a learning rate of {} right?",
    "word_count": "Are {} words right?",
    "vocab_count": "Is a vocabulary of {} right?",
}
ANSWERS = {
    "better": "another value than the copied one can do better for {}",
    "needed": "the copied value is needed for {}",
    "open": "no other value is shown to do better for {}",
}
DOTS: dict[str, dict[str, Any]] = {
    "marginal": {"color": FAINT, "markerfacecolor": PAPER},
    "best": {"color": INK, "markerfacecolor": INK},
}
"""The typical score is drawn hollow, the best one filled."""


def _questions(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.exact is not None:
        return []
    if not found.questions:
        return reason(found, "questions")
    columns = [
        column("Question", _question, "name", "untuned"),
        column("As copied", text.value, "untuned"),
        column("Typically best", lambda level: level or text.MISSING, "best_marginal"),
        column("Best reachable", lambda level: level or text.MISSING, "best_reachable"),
        column("Answer", str, "verdict"),
        column("Trials", count, "trials"),
    ]
    note = (
        "Typically best = smallest median score over everything else; best reachable = where the best single trials "
        "lie. The two can disagree. From the trials that the searches happened to make: an estimate."
    )
    words = caption(found, "Was the copied value right?")
    return [table(file_name("questions", found), words, columns, found.questions, note, text_columns=5)]


def _question(name: str, untuned: Any) -> str:
    words = ASKED.get(name, f"{text.clean(name)}: is {{}} right?")
    return words.format(text.value(untuned)) if untuned is not None or "{}" not in words else name


def _importance(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.exact is not None:
        return []
    blocks = _estimate(found, found.importance) if found.importance is not None and len(found.importance.main) else []
    blocks = blocks or reason(found, "importance")
    if found.questions:
        blocks.append(_levels(found))
    if any(len(question.matched) for question in found.questions):
        blocks.append(_matched(found))
    return blocks


def _estimate(found: WorkloadAnalysis, shown: Importance) -> list[Block]:
    first = shown.main.iloc[0]
    takeaway = (
        f"{text.clean(first['hyperparameter'])} matters most: about {text.percent(float(first['share']))} of the "
        "variance on its own (an estimate)."
    )
    parts = {"main": shown.main, "pairs": shown.pairs, "heat": shown.heat}
    figure = Figure(
        name=file_name("importance", found),
        takeaway=takeaway,
        detail=f"{text.sentence(shown.method)} From {seeds(found)}.",
        alt=f"Bars of the share of variance of each hyperparameter, heat map of the strongest pair. {takeaway}",
        data=pd.concat([frame.assign(part=name) for name, frame in parts.items()], ignore_index=True),
        draw=lambda: draw_importance(shown, corner(found)),
    )
    rows = [(text.clean(row["hyperparameter"]), row["share"]) for _, row in shown.main.iterrows()]
    rows += [
        (f"{text.clean(row['a'])} × {text.clean(row['b'])}", row["share"]) for _, row in shown.pairs.head(5).iterrows()
    ]
    columns = [
        Column("Hyperparameter", lambda row: row[0]),
        Column("Share of variance", lambda row: measure(row[1])),
    ]
    words = caption(found, "Importance, an estimate")
    return [figure, table(file_name("importance", found), words, columns, rows, text.sentence(shown.method))]


def _levels(found: WorkloadAnalysis) -> Figure:
    takeaway = _answers(found.questions)
    lines = "lines: 95 % interval, cut at the rim; " if testable(found.records.draws) else ""
    return Figure(
        name=file_name("levels", found),
        takeaway=takeaway,
        detail=(
            f"Hollow: median over {seeds(found)} of the typical score at this level; filled: median of the best score "
            f"found there; {lines}shaded: the untuned value."
        ),
        alt=f"Typical and best score at each level of each hyperparameter. {takeaway}",
        data=question_data(found.questions),
        draw=lambda: draw_questions(found.questions, score_label(found, "validation"), corner(found)),
    )


def _answers(questions: Sequence[Question]) -> str:
    """The answers in one line; each is given in full in the table of the first page."""
    names: dict[str, list[str]] = {}
    for question in questions:
        names.setdefault(question.answer, []).append(text.clean(question.name))
    known = [words.format(text.listing(names[kind])) for kind, words in ANSWERS.items() if kind in names]
    return text.sentence("; ".join(known))


def _matched(found: WorkloadAnalysis) -> Table:
    frames = [question.matched.assign(name=question.name) for question in found.questions]
    columns = [
        column("Hyperparameter", text.clean, "name"),
        column("Level − copied level", lambda level, against: Cell(f"{level} − {against}"), "level", "against"),
        column("Median difference", measure, "median_difference", "low", "high"),
        column("Level better", percent, "wins"),
        column("Pairs", count, "pairs"),
    ]
    rows = [row for frame in frames for _, row in frame.iterrows()]
    note = (
        "Pairs of trials of one seed that differ in this hyperparameter only, level − copied level; negative = better."
    )
    words = caption(found, "Matched pairs")
    return table(file_name("matched", found), words, columns, rows, note, text_columns=2)


# --- figures ---------------------------------------------------------------------------------------------------------


def question_data(questions: Sequence[Question]) -> pd.DataFrame:
    return pd.concat(
        [question.levels.assign(hyperparameter=question.name) for question in questions], ignore_index=True
    )


def draw_questions(questions: Sequence[Question], y_label: str, corner: str) -> Any:
    """Per hyperparameter and level: the typical score (hollow) and the best that is reachable there (filled)."""
    every = question_data(questions)
    values = [*every["marginal"], *every["best"]]
    scale = canvas.scale_for(values)
    low, high = canvas.limits(values, scale, 0.1)
    figure, panels = canvas.grid(len(questions), 2.75, 0.3, bottom=0.55, top=0.65, hspace=0.5)
    for axes, question in zip(panels, questions, strict=True):
        levels = question.levels.reset_index(drop=True)
        rim = on_top(scale, low, high), (low, above_all(scale, low, high))
        _scores(axes, levels, "marginal", -0.12, *rim)
        _scores(axes, levels, "best", 0.12, *rim)
        for place in np.flatnonzero(levels["untuned"].to_numpy(bool)):
            axes.axvspan(place - 0.4, place + 0.4, color=GRID, alpha=0.6, linewidth=0, zorder=0)
        _level_ticks(axes, levels["level"])
        canvas.apply(axes.yaxis, scale, low, above_all(scale, low, high))
        axes.set_title(shorten(question.name), fontsize=9.5)
    _legend(figure)
    canvas.y_label(figure, y_label, scale)
    canvas.corner(panels[min(1, len(panels) - 1)], corner)
    return figure


def _scores(
    axes: Any, levels: pd.DataFrame, column: str, shift: float, top: float, limits: tuple[float, float]
) -> None:
    """One score at each level with its interval, cut at the rim; an infinite one is drawn on top."""
    middle, x = levels[column].to_numpy(float), np.arange(len(levels)) + shift
    ends = [np.clip(levels[f"{column}_{end}"].to_numpy(float), *limits) for end in ("low", "high")]
    axes.vlines(x, *ends, color=DOTS[column]["color"], linewidth=1.4)
    shown = np.where(np.isfinite(middle), middle, top)
    axes.plot(x, shown, linestyle="none", marker="o", markersize=6, **DOTS[column])
    for place in x[np.isinf(middle)]:
        canvas.note(axes, "most fail", (place, top), (0, -5), va="top", ha="center", fontsize=7.5, color=FAINT)


def _level_ticks(axes: Any, levels: pd.Series) -> None:
    slots = max(1, math.ceil(len(levels) / 11))
    labels = [shorten(str(level).replace("about ", "≈ "), 16) for level in levels][::slots]
    axes.set_xticks(range(0, len(levels), slots), labels, fontsize=8)
    if not fit(labels):
        axes.tick_params(axis="x", rotation=20)
    axes.set_xlim(-0.6, len(levels) - 0.4)
    axes.grid(axis="x", visible=False)


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    words = {"marginal": "typical score at this level", "best": "best score found at this level"}
    handles: list[Any] = [
        Line2D([], [], linestyle="none", marker="o", label=words[column], **dot) for column, dot in DOTS.items()
    ]
    canvas.legend(figure, [*handles, Patch(color=GRID, label="untuned value")])


def draw_importance(found: Importance, corner: str) -> Any:
    """Shares of the variance on the left (bars), the strongest pair as a heat map on the right."""
    main = found.main.reset_index(drop=True)
    height = max(3.3, 0.3 * len(main) + 1.4)
    figure = canvas.new(height, left=1.6, right=0.6, bottom=0.75, top=0.5)
    has_heat = len(found.heat) > 0
    grid = figure.add_gridspec(1, 2 if has_heat else 1, width_ratios=[1, 1.15] if has_heat else [1], wspace=0.62)
    axes = figure.add_subplot(grid[0, 0])
    share = main["share"].to_numpy(float)
    axes.barh(range(len(main)), share, color="#0072b2", alpha=0.55, height=0.6)
    canvas.name_rows(axes, [shorten(str(name), 22) for name in main["hyperparameter"]])
    axes.set_xlim(0, max(1.0, float(share.max())) if len(main) else 1)
    axes.set_xlabel("share of the variance of the rank\n(estimate; 1 = all of it)")
    axes.set_title("Importance (estimate)")
    canvas.plain_ticks(axes.xaxis)
    if has_heat:
        _heat(figure.add_subplot(grid[0, 1]), found.heat)
    canvas.corner(figure.axes[1 if has_heat else 0], corner)
    return figure


def _luminance(color: Sequence[float]) -> float:
    """Relative luminance (WCAG 2.1); above 0.179 black reads better than white."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in color[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _level(level: object) -> str:
    """A level of a heat map: numbers with three significant digits."""
    try:
        return number(float(str(level)), 3)
    except ValueError:
        return shorten(show(level), 12)


def _heat(axes: Any, heat: pd.DataFrame) -> None:
    import seaborn

    a, b = str(heat["a"].iloc[0]), str(heat["b"].iloc[0])
    order = [list(dict.fromkeys(heat[column])) for column in ("level_a", "level_b")]
    matrix = heat.pivot_table(index="level_a", columns="level_b", values="score").loc[order[0], order[1]]
    seaborn.heatmap(
        matrix,
        ax=axes,
        cmap="cividis_r",
        annot=matrix.size <= 60,
        fmt=".2f",
        annot_kws={"fontsize": 7.5},
        cbar_kws={"label": "mean predicted rank\n(0 best, 1 worst)"},
        linewidths=0.5,
    )
    mesh = axes.collections[0]
    mesh.update_scalarmappable()
    for words, color in zip(axes.texts, mesh.get_facecolors(), strict=False):
        words.set_color("#000000" if _luminance(color) > 0.179 else "#ffffff")
    axes.grid(visible=False)
    words = [_level(level) for level in order[1]]
    turned = {"rotation": 30, "ha": "right"} if sum(map(len, words)) > 24 else {"rotation": 0}
    axes.set_xticklabels(words, fontsize=8, **turned)
    axes.set_yticklabels([_level(level) for level in order[0]], rotation=0, fontsize=8)
    axes.set_xlabel(shorten(b, 24))
    axes.set_ylabel(shorten(a, 24))
    axes.set_title("Strongest pair")


QUESTIONS = Section("The post's questions", 60, each(_questions), folded=False)
IMPORTANCE = Section("Which hyperparameters matter", 170, each(_importance))
