"""The ten best trials, each method's best configuration, and where the best model is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.best_trials import best_trials, configuration, luckiest_runs
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Prose, Table, column, table
from hptune_bench.report.cells import count, measure
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import caption, file_name


def _best(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    records = found.records
    if not len(records.trials) or not np.isfinite(records.trials["score"].to_numpy(float)).any():
        return [Prose("No trial has a finite score.")]
    blocks: list[Block] = [_trials(ctx, found), _selected(ctx, found)]
    model = (ctx.campaign.manifest.get("best_models") or {}).get(records.name)
    if model:
        # Trainers that train no model keep none.
        kept = (
            f"is kept as {text.clean(model['file'])}, trained" if model.get("file") else "is not kept; it was trained"
        )
        blocks.append(Prose(f"The best model {kept} by {_who(ctx, model)}."))
    return blocks


def _trials(ctx: Context, found: WorkloadAnalysis) -> Table:
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Seed", count, "seed"),
        column("Trial", count, "trial"),
        column("Validation score (raw)", measure, "score"),
        column("Test score", lambda score: measure(math.nan if pd.isna(score) else score), "test_score"),
        *_settings(found.records.hyperparameters),
    ]
    note = (
        "By raw validation score over all seeds, so the luck of a data draw counts too. The test score is only known "
        "for trials that were the best so far of their run."
    )
    words = caption(found, "Ten best trials")
    return table(file_name("ten-best", found), words, columns, best_trials(found.records), note)


def _selected(ctx: Context, found: WorkloadAnalysis) -> Table:
    """The configuration that each method's luckiest run selected."""
    of_run = [
        column("Method", ctx.label, "tuner"),
        column("Seed", count, "seed"),
        column("Validation score", measure, "final_validation"),
        column("Test score", measure, "final_test"),
    ]
    of_trial = _settings(found.records.hyperparameters)
    columns = [*(_of(0, known) for known in of_run), *(_of(1, known) for known in of_trial)]
    note = "The run with the smallest validation score of each method: one run, its luck included."
    words = caption(found, "Best configuration of each method")
    return table(file_name("selected", found), words, columns, luckiest_runs(found.records, ctx.tuners(found)), note)


def _of(place: int, known: Column) -> Column:
    """A column of one of the two rows that stand side by side."""
    return Column(known.heading, lambda rows: known.cell(rows[place]))


def _settings(names: Sequence[str]) -> list[Column]:
    """A column for each hyperparameter."""

    def setting(name: str) -> Column:
        def cell(row: Any) -> Cell:
            value, exact = configuration(row, [name])[name]
            return Cell(text.value(value), exact)

        return Column(text.clean(name), cell)

    return [setting(name) for name in names]


def _who(ctx: Context, model: dict[str, Any]) -> str:
    tuner = str(model.get("tuner", ""))
    label = ctx.label(tuner) if tuner in ctx.styles else text.clean(tuner)
    return f"{label} (seed {text.clean(model.get('seed'))}, trial {text.clean(model.get('trial'))})"


SECTION = Section("Ten best trials and best configurations", 200, each(_best))
