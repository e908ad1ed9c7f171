"""The search space: score over each hyperparameter, the questions level by level, importance, the strongest pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.importance import Importance
from hptune_bench.analysis.questions import Question
from hptune_bench.core.text import number
from hptune_bench.core.text import value as show
from hptune_bench.report.plots import canvas
from hptune_bench.report.style import FAINT, GRID, INK, Style, shorten

MAX_DOTS = 2000
"""More trials than these are thinned (every k-th) in the picture, never in its CSV."""
MAX_TICKS = 11
"""A stepped range with at most so many values has a tick at each of them, if their labels have room."""
ROOM = 48
"""Characters of tick labels, one between two, that stand beside each other below a panel."""
EXPLODED = 30
"""Spreads of the best nine tenths of the scores above the best one, beyond which a trial is drawn as exploded."""


def dots(trials: pd.DataFrame, tuners: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """The trials of the scatter plot: columns tuner, seed, trial, status, validation and one per hyperparameter."""
    columns = [f"hp:{name}" for name in names if f"hp:{name}" in trials]
    return trials.loc[trials["tuner"].isin(tuners), ["tuner", "seed", "trial", "status", "validation", *columns]]


def without_exploded(scores: np.ndarray) -> np.ndarray:
    """The scores with +inf for those so far above nine tenths of the others that no axis could show both."""
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return scores
    low, most = float(finite.min()), float(np.quantile(finite, 0.9, method="inverted_cdf"))
    return np.where(scores - low > EXPLODED * max(most - low, 1e-12), np.inf, scores)


def draw_dots(
    frame: pd.DataFrame,
    space: Sequence[Mapping[str, Any]],
    untuned: Mapping[str, Any],
    styles: Mapping[str, Style],
    y_label: str,
    corner: str,
) -> Any:
    """One panel per hyperparameter, a dot per trial; scores that are not finite or exploded are crosses at the top."""
    shown = [hp for hp in space if f"hp:{hp['name']}" in frame]
    rows = max(1, math.ceil(len(shown) / 2))
    figure = canvas.new(2.75 * rows + 0.4, left=1.05, right=0.2, bottom=0.6, top=0.7)
    figure.subplots_adjust(hspace=0.42, wspace=0.14)
    thinned = frame.iloc[:: max(1, math.ceil(len(frame) / MAX_DOTS))]
    y = without_exploded(thinned["validation"].to_numpy(float))
    scale = canvas.scale_for(y)
    low, high = canvas.limits(y, scale, 0.08)
    crosses = _top(scale, low, high)
    first = None
    for index, hp in enumerate(shown):
        axes = figure.add_subplot(rows, min(2, len(shown)), index + 1, sharey=first)
        first = first or axes
        x, ticks = _positions(thinned[f"hp:{hp['name']}"], hp)
        for name, group in thinned.groupby("tuner", sort=False):
            at = thinned.index.get_indexer(group.index)
            finite = np.isfinite(y[at])
            style = canvas.marker_style(styles[str(name)], 3.6) | {"markeredgewidth": 0.8, "alpha": 0.6}
            heavy = len(thinned) > 600
            axes.plot(x[at][finite], y[at][finite], rasterized=heavy, **style)
            axes.plot(
                x[at][~finite],
                np.full((~finite).sum(), crosses),
                linestyle="none",
                marker="x",
                markersize=3.6,
                color=styles[str(name)].color,
                alpha=0.6,
                rasterized=heavy,
            )
        if hp.get("log"):
            canvas.apply(axes.xaxis, canvas.Scale("log"), hp["low"] / 1.15, hp["high"] * 1.15)
        elif ticks is not None:
            axes.set_xticks(range(len(ticks)), ticks)
            axes.set_xlim(-0.6, len(ticks) - 0.4)
        else:
            canvas.plain_ticks(axes.xaxis)
            if hp.get("step") and 1 < (count := round((hp["high"] - hp["low"]) / hp["step"]) + 1) <= MAX_TICKS:
                values = np.linspace(hp["low"], hp["high"], count)
                if _fit([canvas.tick(value) for value in values]):
                    axes.set_xticks(values)
        canvas.apply(axes.yaxis, scale, low, _above(scale, low, high))
        copied = _positions(pd.Series([untuned.get(hp["name"])]), hp)[0][0] if hp["name"] in untuned else math.nan
        if math.isfinite(copied):
            axes.axvline(copied, color=FAINT, linewidth=1, linestyle=(0, (1.2, 1.6)), zorder=1)
        axes.set_xlabel(shorten(str(hp["name"])) + (" (log axis)" if hp.get("log") else ""), labelpad=2)
        axes.tick_params(labelleft=index % 2 == 0)
    canvas.y_label(figure, y_label, scale)
    _legend(figure, [name for name in styles if (thinned["tuner"] == name).any()], styles)
    if first is not None:
        canvas.corner(figure.axes[min(1, len(shown) - 1)], corner)
    return figure


def _legend(figure: Any, names: Sequence[str], styles: Mapping[str, Style]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=styles[name].label, **canvas.marker_style(styles[name], 5)) for name in names]
    handles += [
        Line2D([], [], linestyle="none", marker="x", color=INK, label="no finite score, or exploded"),
        Line2D([], [], linestyle=(0, (1.2, 1.6)), color=FAINT, label="untuned value"),
    ]
    canvas.legend(figure, handles)


def _fit(labels: Sequence[str]) -> bool:
    return sum(len(label) + 1 for label in labels) <= ROOM


def _positions(values: pd.Series, hp: Mapping[str, Any]) -> tuple[np.ndarray, list[str] | None]:
    """Places on the axis: numbers as they are, categories as 0, 1, ... with a small fixed spread."""
    if hp["kind"] in ("Int", "Float"):
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
        step = hp.get("step")
        if hp.get("log") or not step or len(numbers) < 2 or (hp["high"] - hp["low"]) / step > 25:
            return numbers, None
        return numbers + (_spread(len(numbers)) * 0.6 * step), None
    levels = ["False", "True"] if hp["kind"] == "Boolean" else [str(value) for value in hp["values"]]
    known = {"0": "False", "1": "True", "0.0": "False", "1.0": "True"} if hp["kind"] == "Boolean" else {}
    places = [known.get(str(value), str(value)) for value in values]
    at = np.array([levels.index(place) if place in levels else math.nan for place in places])
    return at + 0.5 * _spread(len(at)), [shorten(level, 18) for level in levels]


def _top(scale: canvas.Scale, low: float, high: float) -> float:
    """Where a trial without a finite score is drawn: just above all others."""
    return _beyond(scale, low, high, 0.5)


def _above(scale: canvas.Scale, low: float, high: float) -> float:
    """Upper limit that leaves room for such trials."""
    return _beyond(scale, low, high, 1.0)


def _spread(count: int) -> np.ndarray:
    """Fixed offsets in [-0.5, 0.5) that keep equal values from hiding each other; none for a single value."""
    return (np.arange(count) * 0.618 + 0.5) % 1 - 0.5


def _beyond(scale: canvas.Scale, low: float, high: float, share: float) -> float:
    if scale.kind == "linear":
        return high + 0.1 * share * (high - low)
    return high * (3.0 if scale.kind == "symlog" else (high / low) ** 0.1) ** share


# --- the questions -------------------------------------------------------------------------------------------------


def question_data(questions: Sequence[Question]) -> pd.DataFrame:
    return pd.concat(
        [question.levels.assign(hyperparameter=question.name) for question in questions], ignore_index=True
    )


def draw_questions(questions: Sequence[Question], y_label: str, corner: str) -> Any:
    """Per hyperparameter and level: the typical score (hollow) and the best that is reachable there (filled)."""
    rows = max(1, math.ceil(len(questions) / 2))
    figure = canvas.new(2.75 * rows + 0.3, left=1.05, right=0.2, bottom=0.55, top=0.65)
    figure.subplots_adjust(hspace=0.5, wspace=0.14)
    every = question_data(questions)
    values = [*every["marginal"], *every["best"]]
    scale = canvas.scale_for(values)
    low, high = canvas.limits(values, scale, 0.1)
    first = None
    for index, question in enumerate(questions):
        axes = figure.add_subplot(rows, min(2, len(questions)), index + 1, sharey=first)
        first = first or axes
        levels = question.levels.reset_index(drop=True)
        x = np.arange(len(levels))
        for column, hollow, shift in (("marginal", True, -0.12), ("best", False, 0.12)):
            middle = levels[column].to_numpy(float)
            ends = [
                np.clip(levels[f"{column}_{end}"].to_numpy(float), low, _above(scale, low, high))
                for end in ("low", "high")
            ]
            axes.vlines(x + shift, *ends, color=INK if not hollow else FAINT, linewidth=1.4)
            shown = np.where(np.isfinite(middle), middle, _top(scale, low, high))
            axes.plot(
                x + shift,
                shown,
                linestyle="none",
                marker="o",
                markersize=6,
                color=INK if not hollow else FAINT,
                markerfacecolor="#fefefe" if hollow else INK,
            )
            for place in x[np.isinf(middle)]:
                axes.annotate(
                    "most fail",
                    (place + shift, _top(scale, low, high)),
                    xytext=(0, -5),
                    va="top",
                    ha="center",
                    textcoords="offset points",
                    fontsize=7.5,
                    color=FAINT,
                )
        for place in x[levels["untuned"].to_numpy(bool)]:
            axes.axvspan(place - 0.4, place + 0.4, color=GRID, alpha=0.6, linewidth=0, zorder=0)
        slots = max(1, math.ceil(len(levels) / 11))
        labels = [shorten(str(level).replace("about ", "≈ "), 16) for level in levels["level"]][::slots]
        axes.set_xticks(x[::slots], labels, fontsize=8)
        if not _fit(labels):
            axes.tick_params(axis="x", rotation=20)
        axes.set_xlim(-0.6, len(levels) - 0.4)
        axes.grid(axis="x", visible=False)
        canvas.apply(axes.yaxis, scale, low, _above(scale, low, high))
        axes.set_title(shorten(question.name), fontsize=9.5)
        axes.tick_params(labelleft=index % 2 == 0)
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            color=FAINT,
            markerfacecolor="#fefefe",
            label="typical score at this level",
        ),
        Line2D([], [], linestyle="none", marker="o", color=INK, label="best score found at this level"),
        Patch(color=GRID, label="untuned value"),
    ]
    canvas.legend(figure, handles)
    canvas.y_label(figure, y_label, scale)
    canvas.corner(figure.axes[min(1, len(questions) - 1)], corner)
    return figure


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
    axes.set_yticks(range(len(main)), [shorten(str(name), 22) for name in main["hyperparameter"]])
    axes.set_ylim(len(main) - 0.5, -0.5)
    axes.set_xlim(0, max(1.0, float(share.max())) if len(main) else 1)
    axes.grid(axis="y", visible=False)
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
