"""Comparisons: paired differences with a dot per seed, and mean ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.ranks import Diagram, Ranks
from hptune_bench.analysis.statistics import ALPHA
from hptune_bench.analysis.verdict import word
from hptune_bench.core import text
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.plots.curves import MAX_BANDS
from hptune_bench.report.style import FAINT, GRID, INK, Style

MAX_RANK_TICKS = 10
"""Up to so many tuners each rank has a tick."""


def data(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row per dot: the comparison's ``differences``, with its tuner, reference, checkpoint, median and interval."""
    frames = []
    for item in comparisons:
        result, span = item.spoken.result, item.spoken.result.interval if item.spoken.result else None
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
    styles: Mapping[str, Style],
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
        scale = _panel(axes, items, styles, margin)
        axes.set_title(f"{title}, {at}" if index == 0 else at[:1].upper() + at[1:])
        note = scale.note.replace("below ", "within ±").replace("log above", "log beyond")
        if index == 0:
            canvas.corner(axes, corner)
        if index == len(groups) - 1:
            reference = styles[items[0].reference].label
            words = f"← tuner better      difference in {metric}, tuner − {reference}      tuner worse →"
            axes.set_xlabel(words + (f"\n({note})" if note else ""))
        elif note:
            axes.set_xlabel(f"({note})", fontsize=8.5)
    return figure


def _panel(axes: Any, items: Sequence[Comparison], styles: Mapping[str, Style], margin: float | None) -> canvas.Scale:
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
        _row(axes, row, item, styles[item.tuner], axes.get_xlim())
    canvas.name_rows(axes, [styles[item.tuner].label for item in items])
    return scale


def _span(item: Comparison) -> list[float]:
    span = item.spoken.result.interval if item.spoken.result else None
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


def _row(axes: Any, row: int, item: Comparison, style: Style, edges: tuple[float, float]) -> None:
    differences = item.differences["difference"].to_numpy(float)
    jitter = ((np.arange(len(differences)) * 0.618) % 1 - 0.5) * 0.36
    inside = np.isfinite(differences)
    axes.plot(differences[inside], row + jitter[inside], alpha=0.75, zorder=3, **canvas.marker_style(style, 4.5))
    for sign, shape, edge in ((1, ">", edges[1]), (-1, "<", edges[0])):
        beyond = ~inside & (np.sign(np.nan_to_num(differences, posinf=1, neginf=-1)) == sign)
        arrow = {"linestyle": "none", "marker": shape, "color": INK, "markersize": 6, "clip_on": False}
        axes.plot(np.full(beyond.sum(), edge), row + jitter[beyond], zorder=3, **arrow)
    result = item.spoken.result
    words = word(item)
    if result:
        middle = result.median_difference
        if result.interval and math.isfinite(middle):
            ends = np.clip([result.interval.low, result.interval.high], *edges)
            axes.plot(ends, [row, row], color=INK, linewidth=2.2, solid_capstyle="butt", zorder=4)
        if math.isfinite(middle):
            axes.plot([middle], [row], marker="|", markersize=15, markeredgewidth=2.6, color=INK, zorder=5)
        words += f", n = {result.n}"
        if item.spoken.p_holm is not None:
            words += f"\np = {text.probability(item.spoken.p_holm)} (Holm)".replace("= <", "< ")
    where = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
    canvas.note(axes, words, (1, row), (6, 0), fontsize=8.5, color=INK, **where)


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
