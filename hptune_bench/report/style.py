"""How a tuner looks: ONE colour, line style and marker for each, the same in every figure.

No information rests on colour alone: two tuners that share a hue (a stock tuner and its repaired version) differ in
line style and marker. Colours are chosen from Okabe and Ito (2008) and Paul Tol's schemes, darkened where they have
less than 3:1 contrast on white; each has a lighter partner for dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hptune_bench.core.text import clean
from hptune_bench.core.tuner_info import TunerInfo, by_order

Dash = str | tuple[int, tuple[float, ...]]


@dataclass(frozen=True)
class Style:
    """One tuner's appearance.

    Attributes:
        label: plain words for figures and tables.
        color, dark: hex colour on a light and on a dark page.
        dash: matplotlib line style.
        marker: matplotlib marker.
        hollow: whether the marker is drawn empty.
        width: line width in points.
    """

    label: str
    color: str
    dark: str
    dash: Dash
    marker: str
    hollow: bool = False
    width: float = 1.9


INK, PAPER, GRID, FAINT = "#1b1f24", "#fefefe", "#dcdfe4", "#6a7079"
"""Text and axes; background; grid lines; secondary text. No tuner uses these exact values but the manual loop's ink."""
DARK = {INK: "#e8eaed", PAPER: "#16191d", GRID: "#363b43", FAINT: "#a3aab4"}

_DASHES: dict[str, Dash] = {
    "dash": (0, (6, 2)),
    "dot": (0, (1.2, 1.6)),
    "dashdot": (0, (6, 2, 1.2, 2)),
    "long": (0, (11, 3)),
    "dashdotdot": (0, (6, 1.6, 1.2, 1.6, 1.2, 1.6)),
}

STYLES: dict[str, Style] = {
    "ink": Style("", INK, DARK[INK], "-", "o", width=2.6),
    "blue": Style("", "#0072b2", "#56b4e9", _DASHES["dash"], "s"),
    "orange": Style("", "#d55e00", "#ff9a4d", "-", "^"),
    "green": Style("", "#008a64", "#3fd0a4", _DASHES["dashdot"], "D"),
    "purple": Style("", "#aa4499", "#e58fd6", _DASHES["dot"], "v"),
    "rust": Style("", "#8c3a00", "#ffc499", _DASHES["long"], "^", hollow=True),
    "pine": Style("", "#00573f", "#9fe8d0", _DASHES["dashdotdot"], "D", hollow=True),
    "slate": Style("", "#5b616a", "#b9c0ca", _DASHES["dash"], "P"),
    "brown": Style("", "#8a6d3b", "#d3b57f", _DASHES["dot"], "X"),
    "grey": Style("", "#7b818a", "#99a1ac", _DASHES["dot"], "o", hollow=True, width=1.4),
    "olive": Style("", "#7d7d1f", "#cfcf6b", _DASHES["dashdot"], "*", width=1.4),
}
"""By the name with which a tuner asks for it, ``TunerInfo.style``; without a label, which the tuner has."""

_FREE_COLORS = [
    ("#332288", "#a99cf0"),
    ("#882255", "#e891b9"),
    ("#117733", "#6fd08c"),
    ("#9a5b00", "#f0b75e"),
    ("#00708f", "#62cbe8"),
    ("#b3364d", "#ff96a8"),
    ("#4b6b00", "#b5d65c"),
    ("#6a3d9a", "#c9a5ec"),
]
_FREE_MARKERS = ["h", "<", ">", "p", "d", "H", "8", "1", "2", "3", "4"]


def styles(infos: Mapping[str, TunerInfo]) -> dict[str, Style]:
    """The style of each tuner, in the order of tables, then in that of appearance.

    It is the one that the tuner asks for; where it asks for none, or for one that is taken, it gets the next free
    colour, line style and marker.
    """
    found: dict[str, Style] = {}
    taken: set[str] = set()
    dashes: list[Dash] = ["-", *_DASHES.values()]
    for name, info in by_order(infos).items():
        label, index = shorten(clean(info.label)), len(found) - len(taken)
        if info.style in STYLES and info.style not in taken:
            taken.add(info.style)
            found[name] = replace(STYLES[info.style], label=label)
            continue
        color, dark = _FREE_COLORS[index % len(_FREE_COLORS)]
        # The three cycles have lengths 8, 6 and 11: no two of the first 264 of these look alike.
        marker = _FREE_MARKERS[index % len(_FREE_MARKERS)]
        found[name] = Style(label, color, dark, dashes[index % len(dashes)], marker)
    labels = [style.label for style in found.values()]
    for name, style in found.items():
        if labels.count(style.label) > 1:
            found[name] = replace(style, label=f"{style.label} ({shorten(clean(name))})")
    return found


def shorten(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def palette(shown: dict[str, Style]) -> dict[str, str]:
    """Light colour to dark colour for everything that figures draw: how the HTML page recolours them."""
    return {**{style.color: style.dark for style in shown.values()}, **DARK}


FIGURE_WIDTH = 8.3
"""Inches. At 200 dots per inch this is twice the 830 pixels that GitHub gives an image."""
DPI = 200


def rc() -> dict[str, Any]:
    """matplotlib settings of every figure. Formulas are off: a name with two ``$`` is a name."""
    return {
        "font.family": _fonts(),
        "font.size": 10,
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.facecolor": PAPER,
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        # A fixed height spares matplotlib the search for one: a tenth of the time of a figure.
        "axes.titley": 1.0,
        "axes.titlecolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "text.color": INK,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "legend.frameon": False,
        "svg.hashsalt": "hptune-bench",
        "svg.fonttype": "none",
        "path.simplify": True,
        "figure.dpi": 100,
        "savefig.dpi": DPI,
    }


def _fonts() -> list[str]:
    """DejaVu Sans, then whatever this machine has for the letters that it lacks."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    wider = ["Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans CJK SC", "NanumGothic", "Noto Sans", "Unifont"]
    return ["DejaVu Sans", *[name for name in wider if name in installed]]
