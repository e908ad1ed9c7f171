"""Time to targets that were fixed beforehand."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.anytime import AXES
from hptune_bench.analysis.targets import Targets
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Figure, Table, column, table
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, corner, file_name, name_of, seeds
from hptune_bench.report.plots import times


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
        draw=lambda: times.draw_ecdf(targets, tuners, ctx.styles, name_of(found), corner(found)),
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


SECTION = Section("Time to a target", 160, each(_targets))
