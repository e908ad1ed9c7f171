"""A trial, and a retraining: what is recorded of them, from the journal to the tables.

The fields are the keys of a journal entry, in the order in which they are written; each says what it may hold and,
where it is a column of the tables, its unit and meaning. ``TRIALS`` and ``NOISE`` are those tables.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hptune_bench.core.protocols import TRIAL_STATUSES, Direction, TrialStatus, Workload, minimised
from hptune_bench.core.space import Configuration, canonical
from hptune_bench.store import shapes
from hptune_bench.store.columns import RUN, Column, columns, recorded
from hptune_bench.store.layout import RunId


@dataclass(frozen=True)
class Request:
    """What a tuner asked for: see ``protocols.Evaluate``. ``epochs`` is the absolute epoch to train to."""

    configuration: Configuration = recorded(shapes.configuration)
    epochs: int = recorded(shapes.whole)
    resume: int | None = recorded(shapes.or_none(shapes.whole))
    restart: int | None = recorded(shapes.or_none(shapes.whole))

    @property
    def parent(self) -> int | None:
        """The trial that it continues in either way."""
        return self.restart if self.resume is None else self.resume

    def __str__(self) -> str:
        words = f"{canonical(self.configuration)} to epoch {self.epochs}"
        more = {"resume": self.resume, "restart": self.restart}
        return words + "".join(f", {key} {trial}" for key, trial in more.items() if trial is not None)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration trained once (or continued). Without more it is one that failed before its first epoch.

    Attributes:
        ended: continuing it is pointless.
        history: for each name of the training log its value after each newly trained epoch, as logged.
        detail, place: of an error in a user's own code, his traceback and the line; None: no such error.
        scoring_s: seconds of scoring an incumbent on the test split; None: it is none.
    """

    trial: int = recorded(shapes.whole, "number of the trial in its run, from 1")
    request: Request = recorded(shapes.exactly(Request))
    status: TrialStatus = recorded(
        shapes.one_of(*TRIAL_STATUSES),
        "completed, truncated (by the budget), diverged, error, timeout or crashed",
        default="error",
    )
    score: float = recorded(
        shapes.number, "objective at the best finite epoch, smaller is better; inf if there is none", default=math.inf
    )
    reported: float = recorded(shapes.number, "what stock KerasTuner would have told its oracle", default=math.nan)
    best_epoch: int | None = recorded(
        shapes.or_none(shapes.whole), "absolute epoch of the score", "epoch", default=None
    )
    first_epoch: int = recorded(
        shapes.whole, "absolute epoch after which it starts; 0 where it continues no other", "epochs", default=0
    )
    epochs: int = recorded(shapes.whole, "epochs newly trained", "epochs", default=0)
    charged: int = recorded(
        shapes.whole, "epochs charged to the budget: at least one for a failed trial", "epochs", default=1
    )
    ended: bool = recorded(shapes.flag, default=True)
    incumbent: bool = recorded(shapes.flag, "whether this trial became the best so far", default=False)
    tuner_s: float = recorded(shapes.number, "the tuner's time since the previous trial", "s", default=0.0)
    train_s: float = recorded(shapes.number, "prepare, build and train", "s", default=0.0)
    compile_s: float = recorded(shapes.number, "tracing and compiling, off the search clock", "s", default=0.0)
    cpu_s: float = recorded(shapes.number, "CPU time of this trial", "s", default=0.0)
    history: Mapping[str, Sequence[float]] = recorded(shapes.history, default_factory=dict)
    test: Mapping[str, float] = recorded(shapes.numbers, default_factory=dict)
    test_score: float | None = recorded(
        shapes.or_none(shapes.number),
        "objective on the test split (incumbents only; the tuner never sees it)",
        default=None,
    )
    error: str = recorded(shapes.text, "exception class and first line", default="")
    detail: str | None = recorded(shapes.text, optional=True, default=None)
    place: str | None = recorded(shapes.text, optional=True, default=None)
    scoring_s: float | None = recorded(shapes.number, optional=True, default=None)

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Trial:
        """The trial that a checked journal entry holds."""
        known = {name: entry[name] for name in _TRIAL if name in entry}
        return cls(**{**known, "request": Request(**entry["request"])})

    def entry(self) -> dict[str, Any]:
        """It as a journal entry."""
        return _entry("trial", {**vars(self), "request": dict(vars(self.request))}, Trial)

    def row(self, run: RunId, measures: Measures, spent: int, elapsed: float) -> dict[str, Any]:
        """The values of ``TRIALS``.

        Args:
            spent: epochs of the budget that its run had spent at its end.
            elapsed: search clock at its end, in seconds.
        """
        configuration, curve = self.request.configuration, measures.curve(self.history)
        best = measures.best(self.history)
        return {
            **vars(run),
            **vars(self),
            "configuration": canonical(configuration),
            "improved": improvements(curve),
            "spent_epochs": spent,
            "elapsed_s": elapsed,
            "resumed_from": self.request.resume,
            "restarted_from": self.request.restart,
            "best": {name: value for name, (value, _) in best.items()},
            "best_at": {name: self.first_epoch + index + 1 for name, (_, index) in best.items()},
            "hp": configuration,
        }


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """One full training off the budget, with a fresh seed. Without more it is one that gave no score."""

    repeat: int = recorded(shapes.whole, "number of the retraining, from 1")
    configuration: Configuration = recorded(shapes.configuration, "canonical JSON")
    status: str = recorded(shapes.text, "completed, diverged or error")
    score: float = recorded(shapes.number, "objective at the best finite epoch, smaller is better", default=math.inf)
    best_epoch: int | None = recorded(shapes.or_none(shapes.whole), "epoch of the score", "epoch", default=None)
    epochs: int = recorded(shapes.whole, "epochs trained", "epochs", default=0)
    train_s: float = recorded(shapes.number, "prepare, build and train", "s", default=0.0)
    test: Mapping[str, float] = recorded(shapes.numbers, default_factory=dict)
    test_score: float | None = recorded(shapes.or_none(shapes.number), "objective on the test split", default=None)
    error: str = recorded(shapes.text, default="")

    def entry(self) -> dict[str, Any]:
        """It as a journal entry."""
        return _entry("retraining", vars(self), Retraining)


@dataclass(frozen=True)
class Measures:
    """What the training log of a workload measures: the objective, and the metrics whose best value is kept."""

    objective: str
    direction: Direction
    metrics: Mapping[str, Direction]

    @classmethod
    def of(cls, workload: Workload) -> Measures:
        return cls(workload.objective, workload.direction, workload.metrics)

    def curve(self, history: Mapping[str, Sequence[float]]) -> list[float]:
        """The objective after each epoch, minimised."""
        return [minimised(value, self.direction) for value in history.get(self.objective, ())]

    def best(self, history: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, int]]:
        """Of the objective and each metric its best finite value and the index of that; absent where none is finite."""
        found = {
            name: best_of(history.get(name, ()), direction)
            for name, direction in {self.objective: self.direction, **self.metrics}.items()
        }
        return {name: best for name, best in found.items() if best is not None}


def best_of(values: Sequence[float], direction: Direction) -> tuple[float, int] | None:
    """The best finite value and its index (the earliest of equals); None where nothing is finite."""
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    if not finite:
        return None
    best = min(finite, key=lambda index: minimised(values[index], direction))
    return values[best], best


def improvements(curve: Sequence[float]) -> int:
    """How many values are better than all before them; the first finite one is."""
    best, count = math.inf, 0
    for value in curve:
        if value < best:
            best, count = value, count + 1
    return count


def _entry(kind: str, values: Mapping[str, Any], described: type) -> dict[str, Any]:
    """The values as a journal entry; optional ones are absent where they are None."""
    names = (field.name for field in dataclasses.fields(described))
    return {"kind": kind, **{name: values[name] for name in names if name not in OPTIONAL or values[name] is not None}}


_TRIAL = tuple(field.name for field in dataclasses.fields(Trial))
OPTIONAL = frozenset(field.name for field in dataclasses.fields(Trial) if field.metadata["optional"])
"""Keys of a trial's entry that may be absent."""

TRIALS = (
    *RUN,
    *columns(Trial, "trial", "status"),
    Column("configuration", str, "canonical JSON of the values that were read; the hp: columns are a view of it"),
    *columns(Trial, "score", "reported", "best_epoch", "first_epoch", "epochs"),
    Column(
        "improved",
        int,
        "epochs whose objective was the best of this trial so far: KerasTuner saves weights after each",
    ),
    *columns(Trial, "charged"),
    Column("spent_epochs", int, "epochs of the budget spent by the run up to the end of this trial", "epochs"),
    Column("elapsed_s", float, "search clock at the end of this trial", "s"),
    *columns(Trial, "train_s", "tuner_s", "compile_s", "cpu_s", "incumbent", "test_score"),
    Column("resumed_from", int, "trial that this one continues exactly"),
    Column("restarted_from", int, "trial whose best weights this one starts from"),
    *columns(Trial, "error"),
    Column("best", float, "best value of a metric", around=("best_", "")),
    Column("best_at", int, "its epoch", around=("best_", "_epoch")),
    Column("test", float, "metric on the test split (incumbents only)", around=("test_", "")),
    Column("hp", str, "hyperparameter (empty where it is inactive)", around=("hp:", "")),
)
"""``trials.csv``: one trial a row."""

NOISE = (
    RUN[0],
    Column("tuner", str, "whose selected configuration; empty: the untuned configuration"),
    Column("seed", int, "number of the seed, which names the data"),
    *columns(Retraining, "repeat", "status", "configuration", "score", "best_epoch", "epochs", "train_s", "test_score"),
    Column("test", float, "metric on the test split", around=("test_", "")),
)
"""``noise.csv``: one retraining a row, of the untuned configuration (the noise floor) or of that which a run selected
(the winner's curse)."""
