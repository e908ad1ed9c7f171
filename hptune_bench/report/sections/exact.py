"""What matters, exactly: the answers to the questions and the importance that a complete table gives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.statistics import Interval
from hptune_bench.analysis.tabular.effects import effects, largest
from hptune_bench.analysis.tabular.importance import ExactImportance
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Figure, Items, Table, column, table
from hptune_bench.report.cells import ranged_percent
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import corner, file_name, judged_name, name_of
from hptune_bench.report.plots import truth as plots
from hptune_bench.report.sections.truth import LEFT_OUT

SHOWN_INTERACTIONS = 8


def _exact(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    """Nothing where there is no table."""
    if found.exact is None:
        return
    if found.exact.questions:
        yield Items(tuple(question.verdict for question in found.exact.questions))
        yield _levels(found, found.exact)
    frame = effects(found.exact)
    takeaway = _strongest(found.exact)
    yield Figure(
        name=file_name("exact-importance", found),
        takeaway=takeaway,
        detail=(
            "Functional ANOVA of the complete table (replayed), uniform weight on levels: shares of the variance of a "
            "single training, noise taken off each and shown by itself; they sum to 1. Line: smallest to largest share "
            "with all data sets or without one of them."
        ),
        alt=f"Bars of the share of variance of each hyperparameter, each pair and noise. {takeaway}",
        data=frame,
        draw=lambda: plots.draw_importance(frame, name_of(found), corner(found)),
    )
    yield _table(file_name("exact-importance", found), frame)


def _levels(found: WorkloadAnalysis, exact: ExactImportance) -> Figure:
    score, verdicts = judged_name(found.records), [question.verdict for question in exact.questions]
    return Figure(
        name=file_name("exact-levels", found),
        takeaway=verdicts[0],
        detail=(
            f"Best true mean {score} at each level with everything else tuned, over all replicates of the table "
            "(replayed); bar: smallest to largest mean over one data draw; shaded: the untuned value; a cross at the "
            "top: everything there can fail. One training varies (standard deviation, among the best 5 %) with its "
            "seed, and with what a data draw does to it alone."
        ),
        alt=f"Best score at each level of each hyperparameter. {' '.join(verdicts)}",
        data=plots.level_data(exact.questions),
        draw=lambda: plots.draw_levels(exact.questions, name_of(found), corner(found), score),
    )


def _strongest(exact: ExactImportance) -> str:
    parts = []
    for words, anova in (("whether a training fails", exact.failing), ("how well it scores", exact.scoring)):
        if anova.total <= 0:
            parts.append(f"nothing decides {words}, because it never varies")
            continue
        first = anova.effects.iloc[int(anova.effects["share"].to_numpy(float).argmax())]
        name = " with ".join(first["names"])
        parts.append(f"{name} explains most of {words} ({text.percent(float(first['share']))})")
    return text.sentence("; ".join(parts))


def _table(name: str, effects: pd.DataFrame) -> Table:
    columns = [
        column("Hyperparameters", lambda names: text.clean(names).replace(" x ", " × "), "names"),
        Column("Failing", _share("failing")),
        Column("Scoring", _share("scoring")),
    ]
    note = (
        "Share of the variance of a single training. Failing: it diverged or learned no more than a constant (0 "
        "or 1). Scoring: its rank among those that did not fail, in which a failed one counts as the mean "
        "rank. = 0: zero within noise (F test against the data draws, 5 % for the whole column, after Holm). Exact "
        f"inside this space; {LEFT_OUT}."
    )
    return table(name, "Exact importance (replayed)", columns, largest(effects, SHOWN_INTERACTIONS), note)


def _share(part: str) -> Callable[[pd.Series], Cell]:
    def cell(row: pd.Series) -> Cell:
        low, high = float(row[f"{part}_low"]), float(row[f"{part}_high"])
        ends = None if math.isnan(low) else Interval(low, high)
        return ranged_percent(float(row[part]), ends, 1, mark="= 0" if bool(row[f"{part}_zero"]) else "")

    return cell


SECTION = Section("What matters, exactly", 50, each(_exact), folded=False)
