"""The main table: scores, time, trials, epochs and failures of every method side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.comparisons import FULL
from hptune_bench.analysis.data_draws import testable, these
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.raw_losses import raw_losses
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Prose, Table, column, table
from hptune_bench.report.cells import count, duration, measure
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import caption, file_name, metric_name, objective_name, title_of
from hptune_bench.report.sections.headroom import label

ALIKE = "≈"


def _side_by_side(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if not len(found.summary):
        return [Prose(f"{title_of(found)}: no run has finished yet.")]
    return [*label(found), _main(ctx, found)]


def _main(ctx: Context, found: WorkloadAnalysis) -> Table:
    """Test score, validation score, epochs, time and failures, at the first checkpoint and at the full budget."""
    summary = found.summary
    by_key = {(row["tuner"], row["at"]): row for _, row in summary.iterrows()}
    times = [*[at for at in dict.fromkeys(summary["at"]) if at != FULL][:1], FULL]
    has_stock = bool(summary["stock_s"].notna().any())
    clock = "stock_s" if has_stock else "elapsed_s"
    raw = raw_losses(found.records)

    def at(time: str, cell: Callable[[Any], Cell]) -> Callable[[str], Cell]:
        return lambda tuner: cell(by_key.get((tuner, time)))

    def full(make: Callable[..., Cell], *names: str) -> Callable[[str], Cell | str]:
        return lambda tuner: column("", make, *names).cell(by_key[tuner, FULL])

    columns = [
        Column("Method", ctx.label),
        *(Column(f"Test score, {time}", at(time, _test)) for time in times),
        *(Column(f"Time, {time}", at(time, lambda r: duration(math.nan if r is None else r[clock]))) for time in times),
        *(Column(f"Validation score, {time}", at(time, _validation)) for time in times),
        *(Column(f"Raw {side} loss", _loss(losses)) for side, losses in raw.items()),
        Column("Trials", full(count, "trials")),
        Column("Epochs", full(count, "epochs")),
        Column("Failed trials", full(count, "failed_trials")),
        Column("Seeds", full(_runs, "finished", "failed_runs", "unfinished")),
    ]
    tuners = [tuner for tuner in ctx.tuners(found) if (tuner, FULL) in by_key]
    words = caption(found, "The methods side by side")
    return table(file_name("summary", found), words, columns, tuners, _note(found.records, bool(raw), has_stock))


def _note(records: Records, raw: bool, has_stock: bool) -> str:
    validation = "excess loss on the validation split" if records.excess else objective_name(records)
    over = "seeds" if records.draws is None else f"replayed seeds on {text.plural(records.draws, 'data set')}"
    alike = "not distinguishable from the best at this number of seeds, which does not mean equal"
    if not testable(records.draws):
        alike = (
            f"not told from the best by the runs on {these(records.draws or 1)}; which differ on new data, they cannot "
            "tell"
        )
    excess = (
        "Excess loss = raw loss (median at the full budget) minus the noise in that split, which no model can learn: 0 "
        "is the law that made the data, and what was selected as best can fall below it by luck. "
    )
    clock = (
        "what the search costs a reader with plain Keras on this machine"
        if has_stock
        else "search clock of this trainer (the cost with plain Keras was not measured)"
    )
    return (
        f"Median over {over} [lower quartile, upper quartile]; smaller is better. Test score = {metric_name(records)} "
        f"of the selected model; validation score = {validation}. {excess if raw else ''}Bold = best; {ALIKE} = "
        f"{alike}. Time = {clock}."
    )


def _loss(losses: Mapping[str, float]) -> Callable[[str], Cell]:
    return lambda tuner: measure(losses.get(tuner, math.nan))


def _test(row: Any) -> Cell:
    best = row is not None and bool(row["best"])
    alike = row is not None and not best and bool(row["not_distinguishable"])
    return _score(row, "test", strong=best, mark=ALIKE if alike else "")


def _validation(row: Any) -> Cell:
    return _score(row, "validation")


def _score(row: Any, which: str, **marks: Any) -> Cell:
    """The median with its quartiles, which a single run has not."""
    if row is None or pd.isna(row[f"{which}_median"]):
        return Cell(text.MISSING)
    value, low, high = (float(row[f"{which}_{part}"]) for part in ("median", "low", "high"))
    return measure(value, *((low, high) if row["runs"] >= 2 else (math.nan, math.nan)), **marks)


def _runs(finished: int, failed: int, unfinished: int) -> Cell:
    words = f"{int(finished)}"
    words += f" ({int(failed)} failed)" if failed else ""
    words += f" ({int(unfinished)} unfinished)" if unfinished else ""
    return Cell(words, int(finished))


SECTION = Section("The methods side by side", 30, each(_side_by_side), folded=False, quick=True)
