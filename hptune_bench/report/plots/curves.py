"""Best score so far: one panel per workload or per axis, medians as steps, quartiles as bands, the untuned line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import AXES, Curves
from hptune_bench.core.text import columns
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.style import INK, STYLES, Style

MAX_BANDS = 5
"""More bands than these hide each other: then only the medians are drawn (the bands are in the CSV)."""
SPREAD_ENDS = 10
"""Longest search over shortest one from which on seconds are drawn on a log axis."""


UNTUNED = replace(STYLES["grey"], label="untuned", marker="")
"""The horizontal line of the configuration as copied."""


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: heading of the panel. corner: word about the data, e.g. *simulated data*.
        curves: what to draw; tuners: which of its tuners, in order.
        untuned: score of the configuration as copied (NaN: unknown). y_label: with its unit.
    """

    title: str
    corner: str
    curves: Curves
    tuners: tuple[str, ...]
    untuned: float
    y_label: str


def data(panels: Sequence[Panel]) -> pd.DataFrame:
    """What the figure draws: one row per step of a median curve and one per untuned line."""
    frames = []
    for panel in panels:
        bands = panel.curves.bands[panel.curves.bands["tuner"].isin(panel.tuners)]
        frames.append(bands.assign(panel=panel.title, axis=panel.curves.axis, score=panel.curves.score))
        if math.isfinite(panel.untuned):
            row = {"panel": panel.title, "axis": panel.curves.axis, "score": panel.curves.score}
            frames.append(pd.DataFrame([{**row, "tuner": "untuned line", "median": panel.untuned}]))
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["panel", "axis", "score"])
    return frame[["panel", "axis", "score", *[name for name in frame if name not in ("panel", "axis", "score")]]]


def draw(panels: Sequence[Panel], styles: Mapping[str, Style], height: float = 3.6) -> Any:
    most = max((len(panel.tuners) + 1 for panel in panels), default=1)
    height = max(height, 0.17 * most + 1.1)
    longest = max((columns(styles[name].label) for panel in panels for name in panel.tuners), default=10)
    right = min(3.4, 0.7 + 0.068 * max(longest, 16))
    figure = canvas.new(height * len(panels), left=0.8, right=right, bottom=0.55, top=0.4)
    if len(panels) > 1:
        figure.subplots_adjust(hspace=0.95 / (height - 0.95))
    for index, panel in enumerate(panels):
        _panel(figure.add_subplot(len(panels), 1, index + 1), panel, styles)
    return figure


def _panel(axes: Any, panel: Panel, styles: Mapping[str, Style]) -> None:
    bands = {name: frame for name, frame in panel.curves.bands.groupby("tuner", sort=False) if name in panel.tuners}
    shown = [name for name in panel.tuners if name in bands]
    last = max((float(frame["x"].max()) for frame in bands.values()), default=1.0)
    across, first = _across(panel, list(bands.values()))
    banded = len(shown) <= MAX_BANDS
    values = _shown_values(panel, list(bands.values()), _start(across, first, last), banded)
    scale = canvas.scale_for(values)
    low, high = canvas.limits(values, scale)
    canvas.apply(axes.xaxis, across, first, last)
    canvas.apply(axes.yaxis, scale, low, high)
    for name in shown:
        frame, style = bands[name], styles[name]
        x = np.append(frame["x"].to_numpy(float), last if len(frame) == 1 else frame["x"].max())
        lower, median, upper = (
            np.append(column, column[-1])
            for column in (frame[key].to_numpy(float) for key in ("lower", "median", "upper"))
        )
        if banded:
            top = np.where(np.isfinite(upper), upper, high * 10 if high > 0 else high + 1)
            known = np.isfinite(lower)
            edges = (np.where(known, lower, np.nan), np.where(known, top, np.nan))
            axes.fill_between(x, *edges, step="post", color=style.color, alpha=0.13, linewidth=0)
        canvas.steps(axes, x, median, style, zorder=3)
        canvas.markers(axes, x, median, style, (first, last), shown.index(name) / max(len(shown), 1))
    if math.isfinite(panel.untuned):
        axes.axhline(panel.untuned, color=UNTUNED.color, linewidth=UNTUNED.width, linestyle=UNTUNED.dash, zorder=2)
    axes.set_xlabel(AXES[panel.curves.axis] + (", log axis" if across.kind == "log" else ""))
    axes.set_ylabel(panel.y_label + (f"\n({scale.note})" if scale.note else ""))
    axes.set_title(panel.title)
    canvas.corner(axes, panel.corner)
    ends = [_end(bands[name], styles[name]) for name in shown]
    untuned = [labels.End(panel.untuned, UNTUNED)] if math.isfinite(panel.untuned) else []
    labels.label_ends(axes, ends + untuned)
    if not any(np.isfinite(frame["median"].to_numpy(float)).any() for frame in bands.values()):
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no run has a finite score", transform=axes.transAxes, ha="center", color=INK)


def _end(band: pd.DataFrame, style: Style) -> labels.End:
    """The end of a median curve; where the median run failed, the label says so."""
    y = float(band["median"].iloc[-1])
    failed = style if math.isfinite(y) else replace(style, label=f"{style.label}: failed")
    return labels.End(y, failed, x=float(band["x"].max()))


def _across(panel: Panel, bands: list[pd.DataFrame]) -> tuple[canvas.Scale, float]:
    """Scale of the horizontal axis, and where it starts.

    Seconds are drawn on a log axis where one method's search lasts ten times as long as another's: on a linear one the
    shorter of the two would be a line at the edge.
    """
    ends = [float(frame["x"].max()) for frame in bands]
    firsts = [x for frame in bands for x in frame["x"].to_numpy(float)[:1] if x > 0]
    if panel.curves.axis not in ("stock_s", "elapsed_s") or not firsts or max(ends) < SPREAD_ENDS * min(ends):
        return canvas.Scale("linear"), 0.0
    return canvas.Scale("log"), min(firsts)


def _start(across: canvas.Scale, first: float, last: float) -> float:
    """From where on the score axis has to show everything: after a tenth of a linear axis, six of a log one."""
    return 0.1 * last if across.kind == "linear" else first * (last / first) ** 0.6


def _shown_values(panel: Panel, bands: list[pd.DataFrame], start: float, banded: bool) -> list[float]:
    """What the score axis has to show: all that is still on the board from ``start`` on, quartiles if they are drawn.

    The first random trial may be a thousand times worse than all that follows; with it in sight nothing else is.
    """
    values = [panel.untuned]
    for frame in bands:
        at = max(int(np.searchsorted(frame["x"].to_numpy(float), start, side="right")) - 1, 0)
        values += list(frame["median"].to_numpy(float)[at:])
        if banded:
            values += list(frame["lower"].to_numpy(float)[at:])
            values.append(float(frame["upper"].iloc[-1]))
    return values
