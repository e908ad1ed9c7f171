"""The winner's curse: the score that a search reports, and what the same configuration gives when trained again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from hptune_bench.report.plots import canvas
from hptune_bench.report.style import FAINT, INK, PAPER, Style


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
