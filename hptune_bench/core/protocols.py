"""The contracts between the rooms: what a tuner may know, what a workload says, what a trainer does.

Nothing here imports TensorFlow, and nothing here computes: these are the nouns that the other modules share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from hptune_bench.core.nested import mapped, rows_of
from hptune_bench.core.space import Configuration, Space, Value

TrialStatus = Literal["completed", "truncated", "diverged", "error", "timeout", "crashed"]
TRIAL_STATUSES: tuple[TrialStatus, ...] = ("completed", "truncated", "diverged", "error", "timeout", "crashed")

Number = TypeVar("Number", float, Any)
State = Mapping[str, np.ndarray]
"""A trial's resumable state: flat names to arrays, so that ``np.savez`` can keep it and nothing is pickled."""


class BudgetExhausted(BaseException):
    """Raised by ``evaluate`` when the budget is spent.

    A ``BaseException``, so that a library's ``except Exception`` cannot swallow it and go on for free.
    """


# --- what a tuner sees ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """All that a tuner may know of a workload.

    Attributes:
        space: the search space.
        untuned: the configuration as a reader would copy it.
        hand_picked: for each hyperparameter, the values that a person would try, in the order of trying.
        full_epochs: epochs of a full training.
        cap: score of the best constant predictor: what a model that has learned nothing gets.
        sweep_order: the order in which the post sweeps the hyperparameters; None where it fixes none.
        published: the configuration that the post prints as its winner, if any.
        trainings: the budget in full trainings, the one number that a person knows before writing a grid; None where
            the budget is not counted in epochs.
    """

    space: Space
    untuned: Configuration
    hand_picked: Mapping[str, tuple[Value, ...]]
    full_epochs: int
    cap: float
    sweep_order: tuple[str, ...] | None = None
    published: Configuration | None = None
    trainings: float | None = None


@dataclass(frozen=True)
class Result:
    """What one call of ``evaluate`` tells the tuner. Scores are minimised: a maximised metric is negated before.

    Attributes:
        trial: number of the trial inside the run, from 1; the handle for ``resume`` and ``restart``.
        status: see ``TRIAL_STATUSES``.
        score: objective at the best finite epoch; +inf if no epoch was finite.
        reported: what stock KerasTuner would have told its oracle (may be NaN).
        best_epoch: absolute epoch (from 1) of the score; None if there is none.
        epochs: epochs newly trained by this call.
        curve: the objective after each newly trained epoch, NaN and inf included.
    """

    trial: int
    status: TrialStatus
    score: float
    reported: float
    best_epoch: int | None
    epochs: int
    curve: tuple[float, ...]


class Evaluate(Protocol):
    """``evaluate`` as a tuner sees it: it trains, charges the budget and writes the journal.

    ``epochs`` is the cumulative epoch to train to (None: ``full_epochs``). ``resume`` names an earlier trial that this
    one continues exactly; ``restart`` one whose best-epoch weights it starts from with a fresh optimizer.

    Raises:
        BudgetExhausted: from the call that spends the last unit of the budget.
    """

    def __call__(
        self,
        configuration: Configuration,
        epochs: int | None = None,
        resume: int | None = None,
        restart: int | None = None,
    ) -> Result: ...


class Tuner(Protocol):
    """A tuner is a function that calls ``evaluate`` until it is told to stop.

    ``continues`` is True where ``resume`` or ``restart`` is used: then the state of every trial is kept until the run
    ends.
    """

    continues: bool

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None: ...


# --- what a workload says ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Rows of a split: inputs ``x`` and targets ``y``, each an array, a dict or a tuple of arrays; their weights."""

    x: Any
    y: Any
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        return rows_of(self.y)

    @property
    def parts(self) -> tuple[Any, ...]:
        """What a step of Keras takes: (x, y), or (x, y, weight)."""
        return (self.x, self.y) if self.weight is None else (self.x, self.y, self.weight)

    def take(self, rows: slice | np.ndarray) -> Split:
        """Some rows."""
        return Split(*(mapped(lambda array: array[rows], part) for part in self.parts))


@dataclass(frozen=True)
class Data:
    """The three splits for one data seed.

    Attributes:
        test: never seen by tuners or callbacks; None where a user gives none.
        facts: numbers about this draw that reports need, e.g. ``{"validation_noise": mean(delta**2)}``; names are
            ``<split>_noise`` for the irreducible loss of a split.
        extra: whatever ``prepare`` needs and a model never sees (token ids, vocabulary).
    """

    train: Split
    validation: Split
    test: Split | None
    facts: Mapping[str, float] = field(default_factory=dict)
    extra: Any = None

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that there are, by name."""
        held = {"train": self.train, "validation": self.validation}
        return held if self.test is None else {**held, "test": self.test}


@dataclass(frozen=True)
class Fit:
    """How a workload trains: the arguments of ``model.fit`` and the one callback that the post uses.

    Attributes:
        patience: epochs without improvement of ``monitor`` before Keras' EarlyStopping ends the training; None: off.
    """

    batch_size: int = 32
    patience: int | None = None
    monitor: str = "val_loss"


Direction = Literal["min", "max"]
Engine = Literal["loop", "xla", "stock"]


def oriented(metric: str, direction: str) -> str:
    """What a score is called: scores are minimised, so that of a maximised metric is the metric negated."""
    return metric if direction == "min" else f"negated {metric}"


def minimised(value: Number, direction: str) -> Number:
    """A score, or an array of them, so that smaller is better; of a minimised score the value as it was logged."""
    return value if direction == "min" else -value


class Workload(Protocol):
    """What is tuned: data, model, search space. One file per workload under ``workloads/``.

    Attributes:
        name: identifier in files and commands.
        title: a few words for headings.
        teaches: one paragraph: what this workload can and cannot show.
        data_label: how figures and tables call the data, e.g. ``simulated``; empty where nothing needs saying.
        family: workloads made from one data source share a family and count once in comparisons over workloads.
        space, untuned, hand_picked, sweep_order, published, full_epochs: see ``Problem``.
        engine: the compiled trainer's engine for this workload.
        objective: name in the training log that is tuned, e.g. ``val_loss``; direction: ``min`` or ``max``.
        metrics: other names of the log whose best value and epoch are kept, each with its direction.
        test_metric: the metric on the test side that comparisons use (``test_score``), e.g. ``loss``; oriented like the
            objective.
        options: what makes this instance differ from the plain workload (part of the fingerprint).
    """

    name: str
    title: str
    teaches: str
    data_label: str
    family: str
    space: Space
    untuned: Configuration
    hand_picked: Mapping[str, tuple[Value, ...]]
    sweep_order: tuple[str, ...] | None
    published: Configuration | None
    full_epochs: int
    engine: Engine
    objective: str
    direction: Direction
    metrics: Mapping[str, Direction]
    test_metric: str
    options: Mapping[str, Any]

    def load(self, seed: int) -> Data:
        """The splits of one data seed: equal seeds give equal bytes."""

    def prepare(self, configuration: Configuration, data: Data) -> Data:
        """Preprocessing that depends on hyperparameters; returns ``data`` itself where there is none."""

    def build(self, configuration: Configuration, data: Data) -> Any:
        """A compiled ``keras.Model``; ``data`` is what ``prepare`` returned (only its train split may be used)."""

    def fit(self, configuration: Configuration) -> Fit:
        """Batch size and early stopping of this configuration."""

    def cap(self, data: Data) -> float:
        """Objective on the validation split of the constant predictor that is best on the training split."""

    def truth(self, model: Any, data: Data) -> Mapping[str, float]:
        """Further test metrics where the law behind the data is known, e.g. ``excess_loss``; else empty.

        Called by the trainer's ``test`` with the best-epoch weights in place and the prepared data.
        """


# --- what a trainer does -------------------------------------------------------------------------------------------

TRAINERS = ("compiled", "stock", "table", "fake")
"""Their names; ``training.make_trainer`` makes them."""


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes:
        configuration: the active hyperparameters.
        epochs: absolute epoch to train to.
        data_seed: names the splits and, with the absolute epoch, the batch order.
        training_seed: initial weights and dropout.
        first_epoch: epochs already trained (0 for a fresh training).
        start: the state of the trial that is continued; None for a fresh training.
        restart: start from the best-epoch weights in ``start`` with a fresh optimizer and fresh patience, instead of
            continuing exactly.
        keep_state: whether ``Outcome.state`` is wanted.
        time_limit_s: stop after the epoch that passes this many seconds of training; None: no limit.
        record: train every epoch, without early stopping, and score the test split after each: what a complete table
            holds. The epochs are those of an ordinary training, to the bit.
        repeat: how often this run has trained this configuration before; only a replay needs to know.
    """

    configuration: Configuration
    epochs: int
    data_seed: int
    training_seed: int
    first_epoch: int = 0
    start: State | None = None
    restart: bool = False
    keep_state: bool = False
    time_limit_s: float | None = None
    record: bool = False
    repeat: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a training gave.

    Attributes:
        history: one mapping per newly trained epoch: ``loss``, ``val_loss`` and the metrics, as floats.
        objective: the workload's objective after each newly trained epoch, NaN and inf included. It is minimised from
            here on: a maximised metric is negated.
        ended: the workload's early stopping ended it, so that continuing is pointless.
        cut: ``time_limit_s`` ended it before ``Job.epochs``.
        best: index into ``objective`` of the smallest finite one (earliest of equals); None if none was finite.
        train_s: seconds of prepare, build and training, compiling excluded.
        compile_s: seconds of tracing and compiling, paid once per structure and process.
        cpu_s: CPU seconds of this process for all of it.
        state: resumable state after the last epoch, if it was asked for.
        test: scores the best-epoch weights on the test split: metric name (without prefix) to value; empty without a
            test split. Valid until the trainer's next call.
        weights: the best-epoch weights in the order of ``keras.Model.get_weights``. Valid until the next call.
        tests: with ``Job.record``, what ``test`` would give after each epoch; else empty.
    """

    history: tuple[Mapping[str, float], ...]
    objective: tuple[float, ...]
    ended: bool
    cut: bool
    best: int | None
    train_s: float
    compile_s: float
    cpu_s: float
    state: State | None
    test: Callable[[], Mapping[str, float]]
    weights: Callable[[], list[np.ndarray]]
    tests: tuple[Mapping[str, float], ...] = ()

    @property
    def score(self) -> float:
        """The best objective; +inf if no epoch was finite."""
        return math.inf if self.best is None else self.objective[self.best]


class Trainer(Protocol):
    """Trains jobs of one workload in this process; owns the clock (a replay simulates it).

    Attributes:
        name: ``stock``, ``compiled``, ``table`` or ``fake``.
        note: one line where it does not do what was asked, e.g. why it fell back to ``stock``; else None.
        replays: nothing is trained and every outcome can be had again at once, so that nothing has to survive a kill:
            no state and no weights are kept, and the journal need not reach the disk line by line.
    """

    name: str
    note: str | None
    replays: bool

    def train(self, job: Job) -> Outcome: ...

    def data(self, data_seed: int) -> Data: ...
