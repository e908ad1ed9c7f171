"""The search space: the score over each hyperparameter, and the ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Column, Figure, column, table
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import caption, corner, file_name, score_label, seeds
from hptune_bench.report.plots import canvas
from hptune_bench.report.style import FAINT, INK, Style, shorten

MAX_DOTS = 2000
"""More trials than these are thinned (every k-th) in the picture, never in its CSV."""
MAX_TICKS = 11
"""A stepped range with at most so many values has a tick at each of them, if their labels have room."""
ROOM = 48
"""Characters of tick labels, one between two, that stand beside each other below a panel."""
EXPLODED = 30
"""Spreads of the best nine tenths of the scores above the best one, beyond which a trial is drawn as exploded."""


def _dots(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    records = found.records
    spaces = [hp for hp in records.about.get("space", ()) if f"hp:{hp['name']}" in records.trials]
    tuners = ctx.main(found)
    frame = dots(records.trials, tuners, [hp["name"] for hp in spaces])
    if not spaces or not len(frame):
        return
    bad = int((~np.isfinite(without_exploded(frame["validation"].to_numpy(float)))).sum())
    exploded = f"{text.percent(bad / len(frame))} have no finite score, or an exploded one (crosses at the top)"
    takeaway = f"{text.plural(len(frame), 'trial')} of {text.listing([ctx.label(name) for name in tuners])}"
    takeaway += f"; {exploded}." if bad else "."
    every = max(1, math.ceil(len(frame) / MAX_DOTS))
    thin = f" One trial in {every} is drawn; all are in the CSV." if every > 1 else ""
    copied, label = records.about.get("untuned") or {}, score_label(found, "validation")
    yield Figure(
        name=file_name("space", found),
        takeaway=takeaway,
        detail=f"One dot per trial, {seeds(found)}; dotted: the untuned value.{thin}",
        alt=f"Scatter plots of the validation score over each hyperparameter. {takeaway}",
        data=frame,
        draw=lambda: draw_dots(frame, spaces, copied, ctx.styles, label, corner(found)),
    )


def _space(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    about = found.records.about
    if not about.get("space"):
        return

    def known(kind: str) -> Mapping[str, Any]:
        return about.get(kind) or {}

    columns = [
        column("Hyperparameter", text.clean, "name"),
        column("Kind", str, "kind"),
        Column("Range", _range),
        column("As copied", lambda name: text.value(known("untuned").get(name)), "name"),
        column(
            "Values tried by hand", lambda name: _values(known("hand_picked").get(name, ())) or text.MISSING, "name"
        ),
        column("The post's winner", lambda name: text.value(known("published").get(name)), "name"),
    ]
    yield table(file_name("space", found), caption(found, "Search space"), columns, about["space"], text_columns=6)


def _values(values: Iterable[Any]) -> str:
    return ", ".join(text.value(value) for value in values)


def _range(hp: Mapping[str, Any]) -> str:
    """The range of one hyperparameter of the manifest in a few words, with the conditions it is there under."""
    only = "; ".join(f"{each['parent']} in {_values(each['values'])}" for each in hp.get("conditions", ()))
    return _bounds(hp) + (f" (only with {only})" if only else "")


def _bounds(hp: Mapping[str, Any]) -> str:
    if hp["kind"] == "Boolean":
        return "False or True"
    if hp["kind"] == "Choice":
        return _values(hp["values"])
    step = f", step {text.number(hp['step'])}" if hp.get("step") not in (None, 1) else ""
    return f"{text.number(hp['low'])} to {text.number(hp['high'])}{step}{', log' if hp.get('log') else ''}"


# --- figures ---------------------------------------------------------------------------------------------------------


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
    thinned = frame.iloc[:: max(1, math.ceil(len(frame) / MAX_DOTS))]
    y = without_exploded(thinned["validation"].to_numpy(float))
    scale = canvas.scale_for(y)
    low, high = canvas.limits(y, scale, 0.08)
    figure, panels = canvas.grid(len(shown), 2.75, 0.4, bottom=0.6, top=0.7, hspace=0.42)
    for axes, hp in zip(panels, shown, strict=True):
        x, levels = _positions(thinned[f"hp:{hp['name']}"], hp)
        for name, group in thinned.groupby("tuner", sort=False):
            at = thinned.index.get_indexer(group.index)
            _trials(axes, x[at], y[at], styles[str(name)], on_top(scale, low, high), len(thinned) > 600)
        _across(axes, hp, levels)
        canvas.apply(axes.yaxis, scale, low, above_all(scale, low, high))
        copied = _positions(pd.Series([untuned.get(hp["name"])]), hp)[0][0] if hp["name"] in untuned else math.nan
        if math.isfinite(copied):
            axes.axvline(copied, color=FAINT, linewidth=1, linestyle=(0, (1.2, 1.6)), zorder=1)
    canvas.y_label(figure, y_label, scale)
    _legend(figure, [name for name in styles if (thinned["tuner"] == name).any()], styles)
    if panels:
        canvas.corner(panels[min(1, len(panels) - 1)], corner)
    return figure


def _trials(axes: Any, x: np.ndarray, y: np.ndarray, style: Style, crosses: float, heavy: bool) -> None:
    """One tuner's trials: dots, and crosses at the top for those without a finite score."""
    finite = np.isfinite(y)
    dots = canvas.marker_style(style, 3.6) | {"markeredgewidth": 0.8, "alpha": 0.6, "rasterized": heavy}
    axes.plot(x[finite], y[finite], **dots)
    x = x[~finite]
    marks = {"linestyle": "none", "marker": "x", "markersize": 3.6, "color": style.color, "alpha": 0.6}
    axes.plot(x, np.full(len(x), crosses), rasterized=heavy, **marks)


def _across(axes: Any, hp: Mapping[str, Any], levels: list[str] | None) -> None:
    """The axis of one hyperparameter: on a log scale, with the names of its levels, or with plain ticks."""
    if hp.get("log"):
        canvas.apply(axes.xaxis, canvas.Scale("log"), hp["low"] / 1.15, hp["high"] * 1.15)
    elif levels is not None:
        axes.set_xticks(range(len(levels)), levels)
        axes.set_xlim(-0.6, len(levels) - 0.4)
    else:
        canvas.plain_ticks(axes.xaxis)
        if hp.get("step") and 1 < (count := round((hp["high"] - hp["low"]) / hp["step"]) + 1) <= MAX_TICKS:
            values = np.linspace(hp["low"], hp["high"], count)
            if fit([canvas.tick(value) for value in values]):
                axes.set_xticks(values)
    axes.set_xlabel(shorten(str(hp["name"])) + (" (log axis)" if hp.get("log") else ""), labelpad=2)


def _legend(figure: Any, names: Sequence[str], styles: Mapping[str, Style]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=styles[name].label, **canvas.marker_style(styles[name], 5)) for name in names]
    handles += [
        Line2D([], [], linestyle="none", marker="x", color=INK, label="no finite score, or exploded"),
        Line2D([], [], linestyle=(0, (1.2, 1.6)), color=FAINT, label="untuned value"),
    ]
    canvas.legend(figure, handles)


def fit(labels: Sequence[str]) -> bool:
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


def on_top(scale: canvas.Scale, low: float, high: float) -> float:
    """Where a trial without a finite score is drawn: just above all others."""
    return _beyond(scale, low, high, 0.5)


def above_all(scale: canvas.Scale, low: float, high: float) -> float:
    """Upper limit that leaves room for such trials."""
    return _beyond(scale, low, high, 1.0)


def _spread(count: int) -> np.ndarray:
    """Fixed offsets in [-0.5, 0.5) that keep equal values from hiding each other; none for a single value."""
    return (np.arange(count) * 0.618 + 0.5) % 1 - 0.5


def _beyond(scale: canvas.Scale, low: float, high: float, share: float) -> float:
    if scale.kind == "linear":
        return high + 0.1 * share * (high - low)
    return high * (3.0 if scale.kind == "symlog" else (high / low) ** 0.1) ** share


DOTS = Section("Score over each hyperparameter", 180, each(_dots))
SPACE = Section("Search space", 190, each(_space))
