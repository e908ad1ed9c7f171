"""Time: runtime ECDF, where the time went, break-even."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import AXES
from hptune_bench.analysis.costs import BreakEven
from hptune_bench.analysis.targets import Targets
from hptune_bench.core import text
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.style import FAINT, PAPER, Style

PARTS = {
    "training": ("training", "#0072b2", ""),
    "tuner_time": ("the tuner's own time", "#d55e00", "///"),
    "compile": ("compiling (off the clock)", "#a3a8b0", "..."),
    "other": ("everything else", "#dcc48e", "xxx"),
}
"""Columns of ``Costs.time``, each with words, colour and hatch."""
SPREAD_TIMES = 20
"""Last over first hitting time from which on the runtime ECDF has a log axis."""


def draw_ecdf(targets: Targets, tuners: Sequence[str], styles: Mapping[str, Style], title: str, corner: str) -> Any:
    figure = canvas.new(max(3.6, 0.17 * len(tuners) + 1.1), left=0.8, right=2.7, bottom=0.55, top=0.4)
    axes = figure.add_subplot()
    ends = []
    last = float(targets.ecdf["x"].max()) if len(targets.ecdf) else 1.0
    groups = dict(iter(targets.ecdf.groupby("tuner", sort=False)))
    times = targets.ecdf["x"].to_numpy(float)
    first = float(times[times > 0].min()) if (times > 0).any() else last
    log = last >= SPREAD_TIMES * first
    canvas.apply(axes.xaxis, canvas.Scale("log" if log else "linear"), first / 1.1 if log else 0.0, last)
    canvas.apply(axes.yaxis, canvas.Scale("linear"), -0.02, 1.02)
    for place, name in enumerate(name for name in tuners if name in groups):
        x, y = groups[name]["x"].to_numpy(float), groups[name]["fraction"].to_numpy(float)
        x, y = np.append(x, last), np.append(y, y[-1])
        canvas.steps(axes, x, y, styles[name])
        # Curves that end at the same share lie on each other: their markers tell them apart.
        canvas.markers(axes, x, y, styles[name], (first if log else 0.0, last), place / max(len(tuners), 1))
        ends.append(labels.End(float(y[-1]), styles[name]))
    axes.set_xlabel(AXES[targets.axis] + (", log axis" if log else ""))
    axes.set_ylabel("share of (seed, target) pairs reached")
    axes.set_title(title)
    canvas.corner(axes, corner)
    labels.label_ends(axes, ends)
    return figure


def draw_time(frame: pd.DataFrame, styles: Mapping[str, Style], title: str) -> Any:
    """Stacked bars: columns tuner and those of ``PARTS``, seconds (medians over runs)."""
    figure = canvas.new(0.32 * len(frame) + 1.6, left=2.75, right=0.8, bottom=0.6, top=0.62)
    axes = figure.add_subplot()
    start = np.zeros(len(frame))
    for column, (words, color, hatch) in PARTS.items():
        width = frame[column].fillna(0).clip(lower=0).to_numpy(float)
        look = {"color": color, "hatch": hatch, "edgecolor": PAPER, "linewidth": 0.6, "height": 0.66}
        axes.barh(range(len(frame)), width, left=start, label=words, **look)
        start = start + width
    for row, total in enumerate(start):
        canvas.note(axes, text.seconds(float(total)), (total, row), (4, 0), va="center", fontsize=8.5)
    axes.set_yticks(range(len(frame)), [styles[name].label for name in frame["tuner"]])
    axes.set_ylim(len(frame) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("seconds of one run on this machine (median over seeds)")
    canvas.plain_ticks(axes.xaxis)
    canvas.legend(figure, axes.get_legend_handles_labels()[0])
    axes.set_title(title)
    return figure


def break_even_data(pairs: Sequence[BreakEven]) -> pd.DataFrame:
    """Columns tuner, reference, seconds_per_epoch, tuner_time, reference_time, ratio."""
    frames = [pair.curve.assign(tuner=pair.tuner, reference=pair.reference) for pair in pairs]
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(ratio=frame["tuner_time"] / frame["reference_time"])


def draw_break_even(pairs: Sequence[BreakEven], styles: Mapping[str, Style], title: str) -> Any:
    """Time of the tuner over time of the reference, one panel per reference; below 1 the tuner is faster."""
    references = list(dict.fromkeys(pair.reference for pair in pairs))
    figure = canvas.new(2.9 * len(references), left=0.8, right=3.2, bottom=0.55, top=0.4)
    figure.subplots_adjust(hspace=0.3)
    for index, reference in enumerate(references):
        axes = figure.add_subplot(len(references), 1, index + 1)
        here = [pair for pair in pairs if pair.reference == reference]
        frame = break_even_data(here)
        ratios = frame["ratio"].to_numpy(float)
        ratios = ratios[np.isfinite(ratios) & (ratios > 0)]
        top = max(3.0, float(ratios.max()) * 1.2) if ratios.size else 3.0
        bottom = min(1 / 3, float(ratios.min()) / 1.2) if ratios.size else 1 / 3
        canvas.apply(axes.yaxis, canvas.Scale("log"), max(bottom, 1e-3), min(top, 1e3))
        x = frame["seconds_per_epoch"].to_numpy(float)
        canvas.apply(axes.xaxis, canvas.Scale("log"), float(x.min()), float(x.max()))
        axes.axhline(1, color=FAINT, linewidth=1.2)
        axes.axhspan(bottom / 10, 1, color="#dcdfe4", alpha=0.35, linewidth=0, zorder=0)
        where = {"xycoords": ("axes fraction", "data"), "va": "top", "fontsize": 8.5, "color": FAINT}
        canvas.note(axes, "tuner faster", (0, 1), (4, -4), **where)
        ends = []
        for place, pair in enumerate(here):
            curve = pair.curve
            ratio = (curve["tuner_time"] / curve["reference_time"]).to_numpy(float)
            style = styles[pair.tuner]
            seconds = curve["seconds_per_epoch"].to_numpy(float)
            axes.plot(seconds, ratio, **canvas.line_style(style))
            canvas.sprinkle(axes, seconds, ratio, style, place / len(here))
            at = pair.seconds_per_epoch
            if at and math.isfinite(at) and x.min() <= at <= x.max():
                axes.plot([at], [1.0], zorder=4, **canvas.marker_style(style, 10))
                style = replace(style, label=f"{style.label}, from {text.number(at, 2)} s")
            ends.append(labels.End(float(ratio[-1]) if len(ratio) else math.nan, style))
        axes.set_ylabel(f"time ÷ time of\n{styles[reference].label}")
        if index == len(references) - 1:
            axes.set_xlabel("seconds per epoch of your model")
        if index == 0:
            axes.set_title(title)
        labels.label_ends(axes, ends)
    return figure
