"""Drawing: figures without pyplot, plain tick labels, direct labels that do not overlap, files that do not change.

matplotlib is imported inside the functions, so that importing the report costs nothing.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from hptune_bench.core import text
from hptune_bench.report.style import FAINT, FIGURE_WIDTH, PAPER, Style, rc


def new(height: float, *, left: float = 0.75, right: float = 0.25, bottom: float = 0.6, top: float = 0.3) -> Any:
    """A figure of the report's width; margins in inches (fixed ones: two drawings of one figure are never needed)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(FIGURE_WIDTH, height))
    FigureCanvasAgg(figure)
    figure.subplots_adjust(
        left=left / FIGURE_WIDTH, right=1 - right / FIGURE_WIDTH, bottom=bottom / height, top=1 - top / height
    )
    return figure


def grid(panels: int, height: float, rest: float, *, bottom: float, top: float, hspace: float) -> tuple[Any, list[Any]]:
    """A figure with so many panels, two in a row, that share their score axis; only the left ones have its labels.

    Args:
        height: inches of a row; rest: inches besides.
    """
    rows = max(1, math.ceil(panels / 2))
    figure = new(height * rows + rest, left=1.05, right=0.2, bottom=bottom, top=top)
    figure.subplots_adjust(hspace=hspace, wspace=0.14)
    found: list[Any] = []
    for index in range(panels):
        found.append(figure.add_subplot(rows, min(2, panels), index + 1, sharey=found[0] if found else None))
        found[-1].tick_params(labelleft=index % 2 == 0)
    return figure, found


def name_rows(axes: Any, labels: Sequence[str]) -> None:
    """One row for each label, the first on top, without lines between them."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def note(axes: Any, words: str, at: tuple[float, float], shift: tuple[float, float], **options: Any) -> None:
    """Words beside a point, shifted by so many points; in data coordinates unless ``xycoords`` says otherwise."""
    axes.annotate(words, at, xytext=shift, textcoords="offset points", **options)


def render(draw: Callable[[], Any]) -> tuple[bytes, str]:
    """PNG and SVG of a figure: equal input gives equal bytes (no date, no version, salted ids)."""
    import matplotlib

    settings: Any = rc()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A machine without a font for some letter shows a box in the PNG; the SVG keeps the letter.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing")
        figure = draw()
        png, svg = io.BytesIO(), io.StringIO()
        figure.savefig(png, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 4})
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    return png.getvalue(), svg.getvalue()


# --- axes ----------------------------------------------------------------------------------------------------------


def plain_ticks(axis: Any) -> None:
    """Tick labels as a reader writes them: 0.001, 25, 10,000; on a log axis 2 and 5 too where there are few decades."""
    from matplotlib.ticker import Formatter, LogLocator, NullFormatter, NullLocator

    linear = axis.get_scale() == "linear"

    class Plain(Formatter):
        def __call__(self, value: float, pos: int | None = None) -> str:
            return tick(value)

        def format_ticks(self, values: Any) -> list[str]:
            return [_even(value, values) if linear else tick(value) for value in values]

    axis.set_major_formatter(Plain())
    if axis.get_scale() == "log":
        low, high = sorted(axis.get_view_interval())
        decades = math.log10(high / low) if low > 0 else 9
        subs = (1.0, 2.0, 5.0) if decades < 2.2 else (1.0, 3.0) if decades < 3.2 else (1.0,)
        axis.set_major_locator(LogLocator(subs=subs, numticks=15))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())


def _even(value: float, ticks: Sequence[float]) -> str:
    """A tick label with as many decimals as the distance of the ticks needs: all labels of an axis have the same."""
    if not value or abs(value) >= 1e6 or len(ticks) < 2:
        return tick(value)
    places = len(tick(float(f"{ticks[1] - ticks[0]:.6g}")).partition(".")[2])
    return f"{value:,.{min(places, 6)}f}"


def tick(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e6 or abs(value) < 1e-6:
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{value:,.10g}"


@dataclass(frozen=True)
class Scale:
    """How an axis is scaled: ``linear``, ``log``, or ``symlog`` (linear between -linear and +linear, log outside)."""

    kind: str
    linear: float = 0.0

    @property
    def note(self) -> str:
        """What a reader has to know of it."""
        return f"linear below {tick(self.linear)}, log above" if self.kind == "symlog" else ""


def scale_for(values: Iterable[float], ratio: float = 20.0) -> Scale:
    """The scale that the data call for: log from ``ratio`` between the extremes on, symlog with negatives."""
    finite = np.asarray([value for value in values if math.isfinite(value)])
    if not finite.size or finite.max() <= 0:
        return Scale("linear")
    if finite.min() > 0:
        return Scale("log" if finite.max() / finite.min() >= ratio else "linear")
    size = max(abs(float(finite.min())), float(np.median(np.abs(finite))) / 10, float(finite.max()) * 1e-5)
    linear = 10.0 ** math.ceil(math.log10(size))
    return Scale("symlog", linear) if finite.max() >= ratio * linear else Scale("linear")


def apply(axis: Any, scale: Scale, low: float, high: float) -> None:
    """Scale, limits and plain tick labels of ``axes.xaxis`` or ``axes.yaxis``."""
    set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    set_limits = axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim
    if scale.kind == "symlog":
        set_scale("symlog", linthresh=scale.linear, linscale=0.6)
    elif scale.kind == "log":
        set_scale("log")
    set_limits(low, high)
    plain_ticks(axis)


def limits(values: Iterable[float], scale: Scale, margin: float = 0.06) -> tuple[float, float]:
    """Axis limits around finite values with some air; a single value gets room too."""
    finite = np.asarray([value for value in values if math.isfinite(value)])
    if not finite.size:
        return 0.1, 1.0
    low, high = float(finite.min()), float(finite.max())
    if scale.kind == "log":
        factor = max((high / low) ** margin, 1.08)
        return low / factor, high * factor
    if scale.kind == "symlog":
        return (low - 0.4 * scale.linear if low < scale.linear else low / 1.3), high * 1.5
    pad = (high - low) * margin or abs(high) * 0.05 or 0.5
    return low - pad, high + pad


def steps(axes: Any, x: np.ndarray, y: np.ndarray, style: Style, **line: Any) -> None:
    """A right-continuous step line; nothing is drawn where there is no finite value."""
    axes.plot(
        x,
        np.where(np.isfinite(y), y, np.nan),
        drawstyle="steps-post",
        solid_capstyle="butt",
        **line_style(style),
        **line,
    )


def line_style(style: Style) -> dict[str, Any]:
    """Keyword arguments of ``plot`` for a tuner's line without markers."""
    return {"color": style.color, "linestyle": style.dash, "linewidth": style.width}


def marker_style(style: Style, size: float = 6.0) -> dict[str, Any]:
    """Keyword arguments of ``plot`` for a tuner's marker without a line."""
    return {
        "linestyle": "none",
        "marker": style.marker,
        "markersize": size,
        "color": style.color,
        "markerfacecolor": PAPER if style.hollow else style.color,
        "markeredgecolor": style.color,
        "markeredgewidth": 1.4,
    }


def corner(axes: Any, words: str) -> None:
    """A word about the data that must not be missed, e.g. *simulated data*, above the axes, flush right."""
    if words:
        where: Any = ("figure fraction", "axes fraction")
        style = {"fontsize": 9, "style": "italic", "color": FAINT}
        axes.annotate(text.clean(words), (0.99, 1.02), xycoords=where, ha="right", va="bottom", **style)


def ground() -> dict[str, Any]:
    """The box behind words that lie on lines, so that both can be read."""
    return {"facecolor": PAPER, "edgecolor": "none", "pad": 1.2, "alpha": 0.85}


def legend(figure: Any, handles: Sequence[Any]) -> None:
    """A legend above the axes, in as many columns as fit beside the corner's words."""
    widths = [0.55 + 0.072 * text.columns(handle.get_label()) for handle in handles]
    columns = len(handles)
    while columns > 1 and (
        _even_width(widths, columns) > 0.87 * FIGURE_WIDTH or 0.86 * _filled_width(widths, columns) > FIGURE_WIDTH
    ):
        columns -= 1
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.01, 1.0),
        ncols=columns,
        fontsize=8.5,
        columnspacing=1.2,
        handletextpad=0.5,
    )


def _even_width(widths: Sequence[float], columns: int) -> float:
    """Inches that a legend needs whose columns are filled evenly."""
    rows = math.ceil(len(widths) / columns)
    return sum(max(widths[start : start + rows]) for start in range(0, len(widths), rows))


def _filled_width(widths: Sequence[float], columns: int) -> float:
    """Inches that it takes at most as matplotlib fills it: the first columns are longer by one.

    The widths are generous: 0.86 of this is what was measured, and what must not leave the figure.
    """
    rows, longer = divmod(len(widths), columns)
    starts = [column * rows + min(column, longer) for column in range(columns + 1)]
    return sum(max(widths[start:end]) for start, end in pairwise(starts))


def y_label(figure: Any, words: str, scale: Scale) -> None:
    """One label for the score axes of all panels of a figure."""
    note = f"\n({scale.note})" if scale.note else ""
    figure.text(0.01, 0.5, words + note, rotation=90, ha="left", va="center", fontsize=9.5, multialignment="center")


def markers(axes: Any, x: np.ndarray, y: np.ndarray, style: Style, ends: tuple[float, float], share: float) -> None:
    """Five markers along a step curve; ``share`` in [0, 1) gives each tuner places of its own between the two ends.

    The places are spread as the axis is, linear or log.
    """
    first, last = ends
    parts = (np.arange(5) + 0.25 + 0.6 * share) / 5
    log = axes.get_xscale() == "log"
    places = first * (last / first) ** parts if log and first > 0 else first + parts * (last - first)
    places = places[(places >= x[0]) & (places <= x[-1])]
    heights = y[np.searchsorted(x, places, side="right") - 1]
    keep = np.isfinite(heights)
    axes.plot(places[keep], heights[keep], zorder=4, **marker_style(style, 5.5))


def sprinkle(axes: Any, x: np.ndarray, y: np.ndarray, style: Style, share: float) -> None:
    """Five markers along a line; ``share`` in [0, 1) shifts them, so that equal curves stay tellable."""
    at = np.unique(((np.arange(5) + 0.2 + 0.6 * share) / 5 * len(x)).astype(int))
    at = at[at < len(x)]
    axes.plot(x[at], y[at], zorder=4, **marker_style(style, 5.5))
