"""Failed trials and runs, counted, with their reasons."""

from __future__ import annotations

from collections.abc import Iterable

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.failures import KINDS, failures, reasons
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, column, table
from hptune_bench.report.cells import count, measure
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, file_name

MOST_REASONS = 25


def _failures(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not len(found.costs.waste):
        return reason(found, "costs")
    rows = failures(found.records, found.costs)
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Trials", count, "trials"),
        *(column(kind.capitalize(), count, kind) for kind in KINDS if kind in rows),
        column("Epochs wasted", _wasted, "wasted_epochs", "wasted_share"),
        column("Runs in which stock KerasTuner would have raised", _raised, "stock_crashes", "runs"),
        column("At trial (median)", lambda at: Cell(text.number(at), at), "stock_crash_trial"),
        column(f"{found.records.judged_by.capitalize()} score by then", measure, "score_at_crash"),
        column("In the end", measure, "final_score"),
    ]
    note = (
        "Sums over seeds. Stock KerasTuner raises after three failed trials in a row; here the run goes on. The last "
        "two columns: medians over the runs in which it would have raised."
    )
    return [table(file_name("failures", found), caption(found, "Failures"), columns, rows, note), *_reasons(found)]


def _wasted(epochs: float, share: float) -> Cell:
    return Cell(f"{int(epochs):,} ({text.percent(share)})", share)


def _raised(crashes: float, runs: float) -> Cell:
    return Cell(f"{int(crashes)} of {int(runs)}", crashes)


def _reasons(found: WorkloadAnalysis) -> Iterable[Block]:
    rows = reasons(found.records).head(MOST_REASONS)
    if len(rows):
        columns = [
            column("What", str, "what"),
            column("Reason", lambda words: text.clean(words)[:300], "reason"),
            column("Count", count, "count"),
        ]
        words = caption(found, "Reasons of failures")
        yield table(file_name("errors", found), words, columns, rows, text_columns=2)


SECTION = Section("Failures", 250, each(_failures))
