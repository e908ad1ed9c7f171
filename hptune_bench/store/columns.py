"""What a row of a CSV file is: the contract between the half that runs and the half that reads.

A column says its unit and its meaning, from which ``docs/results.md`` is made. Columns that spread hold mappings: each
key is a column of its own, named between a prefix and a suffix. Scores are minimised: a maximised metric is negated.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIME_COLUMNS = frozenset({"elapsed_s", "train_s", "tuner_s", "compile_s", "scoring_s", "wall_s", "cpu_s"})
"""Columns that differ between two runs of the same command; all others are identical byte for byte."""


@dataclass(frozen=True)
class Column:
    """One column of a CSV file.

    Attributes:
        kind: text, whole number, number or truth value; of a column that spreads, what its values are.
        unit: empty where it has none.
        around: prefix and suffix of the names that it spreads into; None where it is one column.
    """

    name: str
    kind: type
    meaning: str
    unit: str = ""
    around: tuple[str, str] | None = None


def recorded(holds: Any, meaning: str = "", unit: str = "", optional: bool = False, **default: Any) -> Any:
    """A field of an entry in a journal, that can also be a column.

    Args:
        holds: what it may hold there, see ``shapes``.
        optional: None is not written.
    """
    about = {"holds": holds, "meaning": meaning, "unit": unit, "optional": optional}
    return dataclasses.field(metadata=about, **default)


def columns(kind: type, *names: str) -> tuple[Column, ...]:
    """The columns that fields of an entry are."""
    hints, fields = typing.get_type_hints(kind), {item.name: item for item in dataclasses.fields(kind)}
    return tuple(
        Column(name, _plain(hints[name]), fields[name].metadata["meaning"], fields[name].metadata["unit"])
        for name in names
    )


def _plain(hint: Any) -> type:
    return next((kind for kind in (bool, int, float) if hint in (kind, kind | None)), str)


def row(table: tuple[Column, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    """One flat row of a CSV file: mappings spread into columns, None for what is absent."""
    flat: dict[str, Any] = {}
    for column in table:
        value = values[column.name]
        if column.around is None:
            flat[column.name] = value
        else:
            prefix, suffix = column.around
            for key, item in value.items():
                flat[f"{prefix}{key}{suffix}"] = item
    return flat


def dictionary(table: tuple[Column, ...]) -> str:
    """The columns of a table as Markdown."""
    lines = ["| column | unit | meaning |", "| --- | --- | --- |"]
    for column in table:
        name = column.name if column.around is None else "<name>".join(column.around)
        lines.append(f"| `{name}` | {column.unit} | {column.meaning} |")
    return "\n".join(lines)


RUN = (
    Column("workload", str, "name of the workload"),
    Column("tuner", str, "name of the tuner"),
    Column("seed", int, "number of the seed"),
)
"""Whose a row is."""

RUNS = (
    *RUN[:2],
    Column("seed", int, "number of the seed, from 1; runs of one number share their data"),
    Column("status", str, "done, failed (the tuner raised, or three trials crashed) or interrupted"),
    Column("reason", str, "why it ended: the budget that ended it, exhausted, or the error"),
    Column("trials", int, "trials recorded"),
    Column("failed", int, "trials that are neither completed nor truncated"),
    Column("epochs", int, "epochs trained, the sum over its trials", "epochs"),
    Column("unspent", int, "epochs of the budget that were left", "epochs"),
    Column("elapsed_s", float, "search clock: train_s + tuner_s", "s"),
    Column("train_s", float, "prepare, build and train", "s"),
    Column("tuner_s", float, "the tuner's own time between two trainings", "s"),
    Column("compile_s", float, "tracing and compiling, off the search clock", "s"),
    Column("scoring_s", float, "scoring of incumbents on the test split, off the search clock", "s"),
    Column("wall_s", float, "everything, from start to end", "s"),
    Column("cpu_s", float, "CPU time of the trainings", "s"),
    Column("best_trial", int, "trial with the best score (the selected configuration)"),
    Column("best_score", float, "its score: the objective at its best epoch, smaller is better"),
    Column("best_epoch", int, "its best epoch", "epoch"),
    Column("stock_would_stop_at", int, "trial at which stock KerasTuner would have raised; empty if at none"),
    Column("test_score", float, "test metric that comparisons use, of the selected model, smaller is better"),
    Column("facts", float, "number about this data draw, e.g. the irreducible loss of a split", around=("fact:", "")),
    Column("test", float, "metric of the selected model on the test split", around=("test_", "")),
    Column("hp", str, "hyperparameter of the selected configuration", around=("hp:", "")),
)
"""``runs.csv``: one tuner on one workload with one seed a row."""

EPOCHS = (
    *RUN,
    Column("trial", int, "number of the trial"),
    Column("epoch", int, "absolute epoch of this training, from 1", "epoch"),
    Column("spent_epochs", int, "epochs of the budget spent by the run up to here", "epochs"),
    Column("elapsed_s", float, "search clock (a trial's training time is spread evenly over its epochs)", "s"),
    Column("best_so_far", float, "best score of the run up to here; inf before the first finite one"),
    Column("logs", float, "the training log: loss, val_loss and metrics", around=("", "")),
)
"""``epochs.csv``: one trained epoch a row."""

STOCK_CLOCK = (RUN[0], Column("overhead_s", float, "per trial", "s"), Column("epoch_s", float, "per epoch", "s"))
"""Of ``stock_clock.csv``, made of measurements as they are, what must be there; ``docs/results.md`` has the rest."""
