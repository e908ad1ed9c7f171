"""Time to targets that were fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.anytime import AXES
from hptune_bench.analysis.targets import Targets
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Figure, Table, column, table
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, corner, file_name, name_of, seeds
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.style import Style

SPREAD_TIMES = 20
"""Last over first hitting time from which on the runtime ECDF has a log axis."""


def _targets(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    targets = found.targets
    if targets is None or not len(targets.ecdf):
        return reason(found, "targets")
    return [_figure(ctx, found, targets), _table(ctx, found, targets)]


def _figure(ctx: Context, found: WorkloadAnalysis, targets: Targets) -> Figure:
    tuners = [name for name in ctx.tuners(found) if (targets.ecdf["tuner"] == name).any()]
    last = targets.ecdf.groupby("tuner", sort=False)["fraction"].last()
    best = str(last.idxmax())
    takeaway = f"{ctx.label(best)} reaches the largest share of the targets, {text.percent(float(last[best]))}."
    return Figure(
        name=file_name("ecdf", found),
        takeaway=takeaway,
        detail=(
            f"Share of (seed, target) pairs whose {targets.score} score was reached by then: "
            f"{text.plural(len(targets.targets), 'target')} fixed beforehand, {seeds(found)}; higher is better."
        ),
        alt=f"Step curves of the share of targets reached. {takeaway}",
        data=targets.ecdf,
        draw=lambda: draw_ecdf(targets, tuners, ctx.styles, name_of(found), corner(found)),
    )


def _table(ctx: Context, found: WorkloadAnalysis, targets: Targets) -> Table:
    in_seconds = targets.axis in ("stock_s", "elapsed_s")

    def time(value: float) -> str:
        if pd.isna(value):
            return text.MISSING
        return text.seconds(value) if in_seconds else "never" if math.isinf(value) else f"{value:,.0f}"

    def expected(value: float, low: float, high: float) -> Cell:
        """An end of the interval that no run bounds is "never"."""
        return Cell(time(value) + ("" if pd.isna(low) else f" [{time(low)}, {time(high)}]"), value)

    many = "Expected time [95 % interval]" if found.records.draws is None else "Expected time"
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Target", lambda label, at: Cell(f"{text.clean(label)} ({text.number(at)})", at), "label", "target"),
        column("Reached", lambda hits, runs: Cell(f"{int(hits)} of {int(runs)}", hits / max(runs, 1)), "hits", "runs"),
        column(many, expected, "ert", "ert_low", "ert_high"),
        column("Speed-up over random search", _times, "speedup_random"),
        column("Speed-up over the hand-written loop", _times, "speedup_manual"),
    ]
    note = (
        f"Expected running time in {AXES[targets.axis]} to a {targets.score} score that was fixed beforehand: total of "
        "all runs ÷ runs that reached it (Auger and Hansen 2005); never = no run did. Speed-up above 1 = faster; the "
        "exact one over random search stands beside the truth, where there is a complete table."
    )
    words = caption(found, "Time to a target")
    return table(file_name("targets", found), words, columns, targets.table, note, text_columns=2)


def _times(value: float) -> Cell:
    """A speed-up, or why there is none."""
    if pd.isna(value):
        return Cell(text.MISSING, value)
    words = "only this one" if math.isinf(value) else "never reached" if value == 0 else f"{text.number(value, 2)}×"
    return Cell(words, value)


# --- figures ---------------------------------------------------------------------------------------------------------


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


SECTION = Section("Time to a target", 160, each(_targets))
