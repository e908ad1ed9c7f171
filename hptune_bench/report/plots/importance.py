"""What matters, as estimated: the questions level by level, importance, the strongest pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.importance import Importance
from hptune_bench.analysis.questions import Question
from hptune_bench.core.text import number
from hptune_bench.core.text import value as show
from hptune_bench.report.plots import canvas
from hptune_bench.report.plots.space import above_all, fit, on_top
from hptune_bench.report.style import FAINT, GRID, INK, PAPER, shorten


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


DOTS: dict[str, dict[str, Any]] = {
    "marginal": {"color": FAINT, "markerfacecolor": PAPER},
    "best": {"color": INK, "markerfacecolor": INK},
}
"""The typical score is drawn hollow, the best one filled."""


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


# --- importance ----------------------------------------------------------------------------------------------------


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
