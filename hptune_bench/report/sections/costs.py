"""Where the time went, and how slow a model must be before a tuner pays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.costs import BreakEven
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Figure, column, table
from hptune_bench.report.cells import duration, measure, percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, file_name, plain, seeds, title_of
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.style import FAINT, PAPER, Style

PARTS = {
    "training": ("training", "#0072b2", ""),
    "tuner_time": ("the tuner's own time", "#d55e00", "///"),
    "compile": ("compiling (off the clock)", "#a3a8b0", "..."),
    "other": ("everything else", "#dcc48e", "xxx"),
}
"""Columns of ``Costs.time``, each with words, colour and hatch."""


def _time(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not len(found.costs.time):
        return reason(found, "costs")
    frame = ctx.ordered(found.costs.time)
    most = frame.iloc[int(frame["share_tuner"].fillna(-1).to_numpy(float).argmax())]
    takeaway = (
        f"{ctx.label(most['tuner'])} spends the largest share of its search clock on itself: "
        f"{text.percent(float(most['share_tuner']))}."
    )
    figure = Figure(
        name=file_name("time", found),
        takeaway=takeaway,
        detail=f"Medians over {seeds(found)} on this machine, with the campaign's trainer, not plain Keras.",
        alt=f"Stacked bars of training, tuner, compiling and other seconds per method. {takeaway}",
        data=frame,
        draw=lambda: draw_time(frame, ctx.styles, title_of(found)),
    )
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Training", duration, "training"),
        column("Tuner's own time", duration, "tuner_time"),
        column("Share of tuner", percent, "share_tuner"),
        column("Tuner per trial", duration, "per_trial_tuner_s"),
        column("Compiling", duration, "compile"),
        column("Other", duration, "other"),
        column("With plain Keras", duration, "stock_s"),
    ]
    words = caption(found, "Where the time went")
    return [
        figure,
        table(file_name("time", found), words, columns, found.costs.time, "Medians over runs, this machine."),
    ]


def _break_even(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not found.costs.break_even:
        return reason(found, "break_even")

    def in_words(sentence: str) -> str:
        return text.sentence(plain(ctx, sentence))

    tuners = [name for name in ctx.main(found) if name != found.records.against]
    main = [pair for pair in found.costs.break_even if pair.tuner in tuners and len(pair.curve)]
    blocks: list[Block] = []
    if main:
        takeaway = " ".join(in_words(pair.sentence) for pair in main[:2])
        blocks.append(
            Figure(
                name=file_name("break-even", found),
                takeaway=takeaway,
                detail=(
                    "Time to the same quality (the worse of the two medians), relative to the reference; below 1 the "
                    f"tuner is faster. A marker shows where it starts to be. Medians over {seeds(found)}, without a "
                    "band: a description, no test."
                ),
                alt=f"Curves of relative time over the seconds per epoch of a model. {takeaway}",
                data=break_even_data(main),
                draw=lambda: draw_break_even(main, ctx.styles, title_of(found)),
            )
        )
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Against", ctx.label, "reference"),
        column("In words", in_words, "sentence"),
        column("Faster from", lambda at: Cell(_from(at), at), "seconds_per_epoch"),
        column("At quality", measure, "quality"),
    ]
    note = "From medians, without an interval: a description of these runs, no test."
    words = caption(found, "Break-even")
    blocks.append(table(file_name("break-even", found), words, columns, found.costs.break_even, note, text_columns=3))
    return blocks


def _from(at: float | None) -> str:
    return "never in this budget" if at is None else "always" if at == 0 else f"{text.number(at, 3)} s per epoch"


# --- figures ---------------------------------------------------------------------------------------------------------


def draw_time(frame: pd.DataFrame, styles: Mapping[str, Style], title: str) -> Any:
    """Stacked bars: columns tuner and those of ``PARTS``, seconds (medians over runs)."""
    figure = canvas.new(0.32 * len(frame) + 1.6, left=2.75, right=0.8, bottom=0.6, top=0.62)
    axes = figure.add_subplot()
    start = np.zeros(len(frame))
    for part, (words, color, hatch) in PARTS.items():
        width = frame[part].fillna(0).clip(lower=0).to_numpy(float)
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


TIME = Section("Where the time went", 220, each(_time))
BREAK_EVEN = Section("Break-even: how slow must your model be?", 230, each(_break_even))
