"""Labels in the right margin that name each curve where it ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hptune_bench.report.plots.canvas import line_style, marker_style
from hptune_bench.report.style import FAINT, INK, Style


@dataclass(frozen=True)
class End:
    """Where a curve ends, for its label in the right margin.

    Attributes:
        y: in data units; NaN: it never had a value. x: where it ends before the right edge; None: at the edge.
    """

    y: float
    style: Style
    x: float | None = None


def label_ends(axes: Any, ends: Sequence[End], size: float = 9.0) -> None:
    """Names each curve in the right margin, in the order in which the curves end, with a sample of its line.

    Labels are moved apart where they would overlap; a thin line leads from the end of the curve to its label.
    """
    if not ends:
        return
    figure = axes.figure
    height = axes.get_position().height * figure.get_figheight()
    width = axes.get_position().width * figure.get_figwidth()
    size = min(size, 72 * height / len(ends) / 1.05)
    gap = size * 1.3 / 72 / height
    places = [_place(axes, end.y) for end in ends]
    order = sorted(range(len(ends)), key=lambda index: places[index])
    spread = apart([places[index] for index in order], gap)
    sample = 0.34 / width
    lead = 0.16 / width
    for index, at in zip(order, spread, strict=True):
        end = ends[index]
        line = {"transform": axes.transAxes, "clip_on": False}
        if math.isfinite(end.y):
            axes.plot([1.0, 1.0 + lead], [places[index], at], color=FAINT, linewidth=0.6, **line)
            if end.x is not None:
                axes.plot([end.x, axes.get_xlim()[1]], [end.y, end.y], color=FAINT, linewidth=0.6, zorder=1)
        axes.plot([1.0 + lead, 1.0 + lead + sample], [at, at], **line_style(end.style), **line)
        axes.plot([1.0 + lead + sample / 2], [at], **marker_style(end.style, 4.5), **line)
        place = 1.0 + lead + sample + 0.06 / width, at
        align = {"va": "center_baseline", "ha": "left", "fontsize": size, "color": INK}
        axes.text(*place, end.style.label, transform=axes.transAxes, **align)


def _place(axes: Any, y: float) -> float:
    """A data value as a share of the axes' height; a curve without a value is listed at the top."""
    if not math.isfinite(y):
        return 1.0
    _, share = axes.transAxes.inverted().transform(axes.transData.transform((axes.get_xlim()[1], y)))
    return float(min(max(share, 0.0), 1.0))


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Ascending places moved as little as possible (least squares) so that neighbours are ``gap`` apart.

    The order is kept; all stay inside [0, 1] as long as there is room. (Pool adjacent violators on ``place - i gap``.)
    """
    blocks: list[tuple[float, int]] = []
    for index, place in enumerate(places):
        mean, count = place - index * gap, 1
        while blocks and blocks[-1][0] > mean:
            other, weight = blocks.pop()
            mean, count = (mean * count + other * weight) / (count + weight), count + weight
        blocks.append((mean, count))
    top = 1.0 - (len(places) - 1) * gap
    flat = [min(max(mean, 0.0), max(top, 0.0)) for mean, count in blocks for _ in range(count)]
    return [mean + index * gap for index, mean in enumerate(flat)]
