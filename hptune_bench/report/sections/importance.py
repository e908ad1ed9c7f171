"""The post's questions and which hyperparameters matter, estimated from the trials that the searches made.

Where a complete table is at hand both are known exactly, and an estimate beside that helps nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.data_draws import testable
from hptune_bench.analysis.importance import Importance
from hptune_bench.analysis.questions import Question
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Figure, Table, column, table
from hptune_bench.report.cells import count, measure, percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, corner, file_name, score_label, seeds
from hptune_bench.report.plots import importance as plots

ASKED = {
    "normalize": "Is normalising needed?",
    "neurons": "Are {} units right?",
    "optimizer": "Is {} the better optimizer?",
    "learning_rate": "Is a learning rate of {} right?",
    "word_count": "Are {} words right?",
    "vocab_count": "Is a vocabulary of {} right?",
}
ANSWERS = {
    "better": "another value than the copied one can do better for {}",
    "needed": "the copied value is needed for {}",
    "open": "no other value is shown to do better for {}",
}


def _questions(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.exact is not None:
        return []
    if not found.questions:
        return reason(found, "questions")
    columns = [
        column("Question", _question, "name", "untuned"),
        column("As copied", text.value, "untuned"),
        column("Typically best", lambda level: level or text.MISSING, "best_marginal"),
        column("Best reachable", lambda level: level or text.MISSING, "best_reachable"),
        column("Answer", str, "verdict"),
        column("Trials", count, "trials"),
    ]
    note = (
        "Typically best = smallest median score over everything else; best reachable = where the best single trials "
        "lie. The two can disagree. From the trials that the searches happened to make: an estimate."
    )
    words = caption(found, "Was the copied value right?")
    return [table(file_name("questions", found), words, columns, found.questions, note, text_columns=5)]


def _question(name: str, untuned: Any) -> str:
    words = ASKED.get(name, f"{text.clean(name)}: is {{}} right?")
    return words.format(text.value(untuned)) if untuned is not None or "{}" not in words else name


def _importance(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.exact is not None:
        return []
    blocks = _estimate(found, found.importance) if found.importance is not None and len(found.importance.main) else []
    blocks = blocks or reason(found, "importance")
    if found.questions:
        blocks.append(_levels(found))
    if any(len(question.matched) for question in found.questions):
        blocks.append(_matched(found))
    return blocks


def _estimate(found: WorkloadAnalysis, shown: Importance) -> list[Block]:
    first = shown.main.iloc[0]
    takeaway = (
        f"{text.clean(first['hyperparameter'])} matters most: about {text.percent(float(first['share']))} of the "
        "variance on its own (an estimate)."
    )
    parts = {"main": shown.main, "pairs": shown.pairs, "heat": shown.heat}
    figure = Figure(
        name=file_name("importance", found),
        takeaway=takeaway,
        detail=f"{text.sentence(shown.method)} From {seeds(found)}.",
        alt=f"Bars of the share of variance of each hyperparameter, heat map of the strongest pair. {takeaway}",
        data=pd.concat([frame.assign(part=name) for name, frame in parts.items()], ignore_index=True),
        draw=lambda: plots.draw_importance(shown, corner(found)),
    )
    rows = [(text.clean(row["hyperparameter"]), row["share"]) for _, row in shown.main.iterrows()]
    rows += [
        (f"{text.clean(row['a'])} × {text.clean(row['b'])}", row["share"]) for _, row in shown.pairs.head(5).iterrows()
    ]
    columns = [
        Column("Hyperparameter", lambda row: row[0]),
        Column("Share of variance", lambda row: measure(row[1])),
    ]
    words = caption(found, "Importance, an estimate")
    return [figure, table(file_name("importance", found), words, columns, rows, text.sentence(shown.method))]


def _levels(found: WorkloadAnalysis) -> Figure:
    takeaway = _answers(found.questions)
    lines = "lines: 95 % interval, cut at the rim; " if testable(found.records.draws) else ""
    return Figure(
        name=file_name("levels", found),
        takeaway=takeaway,
        detail=(
            f"Hollow: median over {seeds(found)} of the typical score at this level; filled: median of the best score "
            f"found there; {lines}shaded: the untuned value."
        ),
        alt=f"Typical and best score at each level of each hyperparameter. {takeaway}",
        data=plots.question_data(found.questions),
        draw=lambda: plots.draw_questions(found.questions, score_label(found, "validation"), corner(found)),
    )


def _answers(questions: Sequence[Question]) -> str:
    """The answers in one line; each is given in full in the table of the first page."""
    names: dict[str, list[str]] = {}
    for question in questions:
        names.setdefault(question.answer, []).append(text.clean(question.name))
    known = [words.format(text.listing(names[kind])) for kind, words in ANSWERS.items() if kind in names]
    return text.sentence("; ".join(known))


def _matched(found: WorkloadAnalysis) -> Table:
    frames = [question.matched.assign(name=question.name) for question in found.questions]
    columns = [
        column("Hyperparameter", text.clean, "name"),
        column("Level − copied level", lambda level, against: Cell(f"{level} − {against}"), "level", "against"),
        column("Median difference", measure, "median_difference", "low", "high"),
        column("Level better", percent, "wins"),
        column("Pairs", count, "pairs"),
    ]
    rows = [row for frame in frames for _, row in frame.iterrows()]
    note = (
        "Pairs of trials of one seed that differ in this hyperparameter only, level − copied level; negative = better."
    )
    words = caption(found, "Matched pairs")
    return table(file_name("matched", found), words, columns, rows, note, text_columns=2)


QUESTIONS = Section("The post's questions", 60, each(_questions), folded=False)
IMPORTANCE = Section("Which hyperparameters matter", 170, each(_importance))
