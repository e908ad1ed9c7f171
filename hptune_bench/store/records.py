"""What is recorded: runs, trials, epochs. The contract between the half that runs and the half that reads.

Each field of the dataclasses is a column of the CSV of the same name; its metadata holds the unit and the meaning, from
which ``results/README.md`` is made. The mappings at the end of a record become one column per key, with the prefix that
their field names. Scores are minimised: a maximised metric is negated once, at the workload's edge.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hptune_bench.core.space import Value

TIME_COLUMNS = frozenset({"elapsed_s", "train_s", "tuner_s", "compile_s", "scoring_s", "wall_s", "cpu_s"})
"""Columns that differ between two runs of the same command; all others are identical byte for byte."""


def column(meaning: str, unit: str = "") -> Any:
    return field(metadata={"meaning": meaning, "unit": unit})


def spread(prefix: str, meaning: str, suffix: str = "") -> Any:
    """A mapping that becomes one column per key: prefix + key + suffix."""
    return field(default_factory=dict, metadata={"meaning": meaning, "unit": "", "prefix": prefix, "suffix": suffix})


@dataclass(frozen=True)
class RunRecord:
    """One tuner on one workload with one seed: a row of ``runs.csv``."""

    workload: str = column("name of the workload")
    tuner: str = column("name of the tuner")
    seed: int = column("number of the seed, from 1; runs of one number share their data")
    status: str = column("done, failed (the tuner raised, or three trials crashed) or interrupted")
    reason: str = column("why it ended: the budget that ended it, exhausted, or the error")
    trials: int = column("trials recorded")
    failed: int = column("trials that are neither completed nor truncated")
    epochs: int = column("epochs trained, the sum over its trials", "epochs")
    unspent: int = column("epochs of the budget that were left", "epochs")
    elapsed_s: float = column("search clock: train_s + tuner_s", "s")
    train_s: float = column("prepare, build and train", "s")
    tuner_s: float = column("the tuner's own time between two trainings", "s")
    compile_s: float = column("tracing and compiling, off the search clock", "s")
    scoring_s: float = column("scoring of incumbents on the test split, off the search clock", "s")
    wall_s: float = column("everything, from start to end", "s")
    cpu_s: float = column("CPU time of the trainings", "s")
    best_trial: int | None = column("trial with the best score (the selected configuration)")
    best_score: float = column("its score: the objective at its best epoch, smaller is better")
    best_epoch: int | None = column("its best epoch", "epoch")
    stock_would_stop_at: int | None = column("trial at which stock KerasTuner would have raised; empty if at none")
    test_score: float | None = column("test metric that comparisons use, of the selected model, smaller is better")
    facts: Mapping[str, float] = spread("fact:", "number about this data draw, e.g. the irreducible loss of a split")
    test: Mapping[str, float] = spread("test_", "metric of the selected model on the test split")
    hp: Mapping[str, Value] = spread("hp:", "hyperparameter of the selected configuration")


@dataclass(frozen=True)
class TrialRecord:
    """One configuration trained once (or continued): a row of ``trials.csv``."""

    workload: str = column("name of the workload")
    tuner: str = column("name of the tuner")
    seed: int = column("number of the seed")
    trial: int = column("number of the trial in its run, from 1")
    status: str = column("completed, truncated (by the budget), diverged, error, timeout or crashed")
    configuration: str = column("canonical JSON of the values that were read; the hp: columns are a view of it")
    score: float = column("objective at the best finite epoch, smaller is better; inf if there is none")
    reported: float = column("what stock KerasTuner would have told its oracle")
    best_epoch: int | None = column("absolute epoch of the score", "epoch")
    first_epoch: int = column("absolute epoch after which it starts; 0 where it continues no other", "epochs")
    epochs: int = column("epochs newly trained", "epochs")
    improved: int = column(
        "epochs whose objective was the best of this trial so far: KerasTuner saves weights after each"
    )
    charged: int = column("epochs charged to the budget: at least one for a failed trial", "epochs")
    spent_epochs: int = column("epochs of the budget spent by the run up to the end of this trial", "epochs")
    elapsed_s: float = column("search clock at the end of this trial", "s")
    train_s: float = column("prepare, build and train", "s")
    tuner_s: float = column("the tuner's time since the previous trial", "s")
    compile_s: float = column("tracing and compiling, off the search clock", "s")
    cpu_s: float = column("CPU time of this trial", "s")
    incumbent: bool = column("whether this trial became the best so far")
    test_score: float | None = column("objective on the test split (incumbents only; the tuner never sees it)")
    resumed_from: int | None = column("trial that this one continues exactly")
    restarted_from: int | None = column("trial whose best weights this one starts from")
    error: str = column("exception class and first line")
    best: Mapping[str, float] = spread("best_", "best value of a metric")
    best_at: Mapping[str, int] = spread("best_", "its epoch", "_epoch")
    test: Mapping[str, float] = spread("test_", "metric on the test split (incumbents only)")
    hp: Mapping[str, Value] = spread("hp:", "hyperparameter (empty where it is inactive)")


@dataclass(frozen=True)
class EpochRecord:
    """One trained epoch: a row of ``epochs.csv``."""

    workload: str = column("name of the workload")
    tuner: str = column("name of the tuner")
    seed: int = column("number of the seed")
    trial: int = column("number of the trial")
    epoch: int = column("absolute epoch of this training, from 1", "epoch")
    spent_epochs: int = column("epochs of the budget spent by the run up to here", "epochs")
    elapsed_s: float = column("search clock (a trial's training time is spread evenly over its epochs)", "s")
    best_so_far: float = column("best score of the run up to here; inf before the first finite one")
    logs: Mapping[str, float] = spread("", "the training log: loss, val_loss and metrics")


@dataclass(frozen=True)
class NoiseRecord:
    """One retraining off the budget, with a fresh seed: a row of ``noise.csv``.

    ``tuner`` is empty for the retrainings of the untuned configuration (the noise floor); otherwise the row is the
    selected configuration of that tuner's run (the winner's curse).
    """

    workload: str = column("name of the workload")
    tuner: str = column("whose selected configuration; empty: the untuned configuration")
    seed: int = column("number of the seed, which names the data")
    repeat: int = column("number of the retraining, from 1")
    status: str = column("completed, diverged or error")
    configuration: str = column("canonical JSON")
    score: float = column("objective at the best finite epoch, smaller is better")
    best_epoch: int | None = column("epoch of the score", "epoch")
    epochs: int = column("epochs trained", "epochs")
    train_s: float = column("prepare, build and train", "s")
    test_score: float | None = column("objective on the test split")
    test: Mapping[str, float] = spread("test_", "metric on the test split")


Record = RunRecord | TrialRecord | EpochRecord | NoiseRecord


def row(record: Record) -> dict[str, Any]:
    """A record as one flat CSV row: mappings spread into columns, None for what is absent."""
    flat: dict[str, Any] = {}
    for name, spreads, prefix, suffix in _items(type(record)):  # type: ignore[arg-type]
        value = getattr(record, name)
        if spreads:
            for key, entry in value.items():
                flat[f"{prefix}{key}{suffix}"] = entry
        else:
            flat[name] = value
    return flat


@functools.cache
def _items(kind: Any) -> tuple[tuple[str, bool, str, str], ...]:
    """Name of each field, whether it spreads into columns, and what stands around their names."""
    return tuple(
        (item.name, "prefix" in item.metadata, item.metadata.get("prefix", ""), item.metadata.get("suffix", ""))
        for item in dataclasses.fields(kind)
    )


def dictionary(kind: type[Record]) -> str:
    """The columns of a kind of record as a Markdown table."""
    lines = ["| column | unit | meaning |", "| --- | --- | --- |"]
    for item in dataclasses.fields(kind):
        name = item.name
        if "prefix" in item.metadata:
            name = f"{item.metadata['prefix']}<name>{item.metadata['suffix']}"
        lines.append(f"| `{name}` | {item.metadata['unit']} | {item.metadata['meaning']} |")
    return "\n".join(lines)
