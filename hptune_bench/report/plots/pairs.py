"""Comparisons: paired differences with a dot per seed, and mean ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.ranks import Ranks
from hptune_bench.report import text
from hptune_bench.report.plots import canvas
from hptune_bench.report.style import FAINT, GRID, INK, Look


def data(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row per dot: the comparison's ``differences``, with its tuner, reference, checkpoint, median and interval."""
    frames = []
    for item in comparisons:
        result, span = item.result, item.result.interval if item.result else None
        frames.append(
            item.differences.assign(
                tuner=item.tuner,
                reference=item.reference,
                at=item.at,
                median_difference=result.median_difference if result else math.nan,
                low=span.low if span else math.nan,
                high=span.high if span else math.nan,
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def draw(
    comparisons: Sequence[Comparison],
    looks: Mapping[str, Look],
    title: str,
    corner: str,
    metric: str,
    margin: float | None,
) -> Any:
    """One panel per checkpoint, each with its own axis; all comparisons are against one reference."""
    groups = {at: [item for item in comparisons if item.at == at] for at in dict.fromkeys(c.at for c in comparisons)}
    height = 0.4 * len(comparisons) + 0.75 * (len(groups) - 1) + 1.3
    figure = canvas.new(height, left=2.75, right=1.95, bottom=0.8, top=0.5)
    inner = 0.4 * len(comparisons) / len(groups)
    grid = figure.add_gridspec(
        len(groups), 1, height_ratios=[len(items) for items in groups.values()], hspace=0.75 / inner
    )
    for index, (at, items) in enumerate(groups.items()):
        axes = figure.add_subplot(grid[index, 0])
        scale = _panel(axes, items, looks, margin)
        axes.set_title(f"{title}, {at}" if index == 0 else at[:1].upper() + at[1:])
        note = scale.note.replace("below ", "within ±").replace("log above", "log beyond")
        if index == 0:
            canvas.corner(axes, corner)
        if index == len(groups) - 1:
            reference = looks[items[0].reference].label
            words = f"← tuner better      difference in {metric}, tuner − {reference}      tuner worse →"
            axes.set_xlabel(words + (f"\n({note})" if note else ""))
        elif note:
            axes.set_xlabel(f"({note})", fontsize=8.5)
    return figure


def _panel(axes: Any, items: Sequence[Comparison], looks: Mapping[str, Look], margin: float | None) -> canvas.Scale:
    """A row of dots per comparison; returns the scale of the axis."""
    finite = [d for item in items for d in item.differences["difference"].to_numpy(float) if math.isfinite(d)]
    finite += [end for item in items for end in _span(item)] + ([-1.5 * margin, 1.5 * margin] if margin else [])
    low, high = min([*finite, 0.0]), max([*finite, 0.0])
    scale = _symmetric(finite)
    if scale.kind == "symlog":
        canvas.apply(axes.xaxis, scale, low * 1.6, high * 1.6)
        _few_ticks(axes, scale, max(-low, high))
    else:
        pad = 0.07 * (high - low) or 1.0
        canvas.apply(axes.xaxis, scale, low - pad, high + pad)
        axes.locator_params(axis="x", nbins=5)
    if margin:
        axes.axvspan(-margin, margin, color=GRID, alpha=0.75, linewidth=0, zorder=0)
    axes.axvline(0, color=FAINT, linewidth=1)
    for row, item in enumerate(items):
        _row(axes, row, item, looks[item.tuner], axes.get_xlim())
    axes.set_yticks(range(len(items)), [looks[item.tuner].label for item in items])
    axes.set_ylim(len(items) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    return scale


def _span(item: Comparison) -> list[float]:
    span = item.result.interval if item.result else None
    return [end for end in (span.low, span.high) if math.isfinite(end)] if span else []


def _symmetric(differences: Sequence[float]) -> canvas.Scale:
    """Linear, unless a few differences are so large that the others would be one dot."""
    sizes = np.abs([value for value in differences if value])
    if not sizes.size:
        return canvas.Scale("linear")
    linear = 10.0 ** math.ceil(math.log10(float(np.median(sizes))))
    return canvas.Scale("symlog", linear) if sizes.max() >= 10 * linear else canvas.Scale("linear")


def _few_ticks(axes: Any, scale: canvas.Scale, extent: float) -> None:
    decades = range(round(math.log10(scale.linear)), math.floor(math.log10(extent)) + 1)
    step = max(1, len(decades) // 2)
    powers = [10.0**decade for decade in decades][::step]
    axes.set_xticks([*[-power for power in reversed(powers)], 0.0, *powers])
    axes.minorticks_off()


def _row(axes: Any, row: int, item: Comparison, look: Look, edges: tuple[float, float]) -> None:
    differences = item.differences["difference"].to_numpy(float)
    jitter = ((np.arange(len(differences)) * 0.618) % 1 - 0.5) * 0.36
    inside = np.isfinite(differences)
    axes.plot(differences[inside], row + jitter[inside], alpha=0.75, zorder=3, **canvas.marker_style(look, 4.5))
    for sign, shape, edge in ((1, ">", edges[1]), (-1, "<", edges[0])):
        beyond = ~inside & (np.sign(np.nan_to_num(differences, posinf=1, neginf=-1)) == sign)
        axes.plot(
            np.full(beyond.sum(), edge),
            row + jitter[beyond],
            linestyle="none",
            marker=shape,
            color=INK,
            markersize=6,
            clip_on=False,
            zorder=3,
        )
    result = item.result
    words: str = item.outcome
    if result:
        middle = result.median_difference
        if result.interval and math.isfinite(middle):
            ends = np.clip([result.interval.low, result.interval.high], *edges)
            axes.plot(ends, [row, row], color=INK, linewidth=2.2, solid_capstyle="butt", zorder=4)
        if math.isfinite(middle):
            axes.plot([middle], [row], marker="|", markersize=15, markeredgewidth=2.6, color=INK, zorder=5)
        words += f", n = {result.n}"
        if item.p_holm is not None:
            words += f"\np = {text.probability(item.p_holm)} (Holm)".replace("= <", "< ")
    axes.annotate(
        words,
        (1, row),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=8.5,
        color=INK,
        annotation_clip=False,
    )


def draw_ranks(ranks: Ranks, looks: Mapping[str, Look]) -> Any:
    """Mean rank with its interval, best on top; with enough families a bar as long as the critical difference."""
    frame = ranks.table.reset_index(drop=True)
    figure = canvas.new(0.3 * len(frame) + 1.3, left=2.75, right=0.4, bottom=0.6, top=0.3)
    axes = figure.add_subplot()
    for row, item in frame.iterrows():
        look = looks[item["tuner"]]
        if math.isfinite(item["low"]):
            axes.plot([item["low"], item["high"]], [row, row], color=look.color, linewidth=2.2, solid_capstyle="butt")
        axes.plot([item["mean_rank"]], [row], **canvas.marker_style(look, 7))
    axes.set_yticks(range(len(frame)), [looks[name].label for name in frame["tuner"]])
    axes.set_ylim(len(frame) - 0.5, -0.5)
    axes.set_xlim(0.8, len(frame) + 0.2)
    if ranks.critical_difference is not None:
        axes.plot([1, 1 + ranks.critical_difference], [-0.35, -0.35], color=INK, linewidth=1.6)
        axes.annotate("critical difference", (1, -0.35), xytext=(0, 3), textcoords="offset points", fontsize=8.5)
    axes.grid(axis="y", visible=False)
    axes.set_xticks(range(1, len(frame) + 1))
    axes.set_xlabel("mean rank by test score (1 = best)")
    canvas.plain_ticks(axes.xaxis)
    return figure
