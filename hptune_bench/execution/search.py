"""ONE run: a tuner calls ``evaluate``; the ledger cuts it, the trainer trains, the journal remembers.

A run is resumed by asking its tuner again from the start and answering from the journal until the journal ends: no
tuner state is ever pickled, and the resumed run is identical to an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hptune_bench.benchmark import RunId
from hptune_bench.errors import Failure, UserError, attempt, users_line, users_traceback
from hptune_bench.execution import seeds, states
from hptune_bench.execution.journal import Contents, Entry, Journal
from hptune_bench.execution.ledger import Ledger, Limits
from hptune_bench.interfaces import (
    BudgetExhausted,
    Data,
    Direction,
    Job,
    Outcome,
    Problem,
    Result,
    Split,
    Trainer,
    Tuner,
    Workload,
)
from hptune_bench.search_space import Configuration, canonical
from hptune_bench.tuners.stock_rule import reported

MAX_DEATHS = 2
"""Deaths of the worker in one trial that make it ``crashed``."""
MAX_CRASHED = 3
"""Crashed trials that fail the run."""

Progress = Callable[[Mapping[str, Any]], None]


class Interrupted(BaseException):
    """The campaign is being stopped; the run goes on from its journal next time."""


class RunFailed(BaseException):
    """The run cannot go on; it is recorded as failed. No library may swallow it, nor a mismatch."""


class JournalMismatch(BaseException):
    """What the tuner asks now is not what the journal says it asked before, or what it asks for is gone."""


class CannotWrite(BaseException):
    """The disk refuses what a run must remember; that is no fault of its tuner, and the run stays unfinished."""


@dataclass(frozen=True)
class RunSetup:
    """Everything that one run needs.

    Attributes:
        header: the run's definition, written as the first journal entry.
        stopping: asked between trials; True ends the run as interrupted.
    """

    run: RunId
    workload: Workload
    tuner: Tuner | None
    trainer: Trainer
    limits: Limits
    header: Mapping[str, Any]
    path: Path
    progress: Progress = lambda event: None
    stopping: Callable[[], bool] = lambda: False


def problem_of(workload: Workload, cap: float, trainings: float | None) -> Problem:
    """What a tuner may know of this workload."""
    return Problem(
        space=workload.space,
        untuned=workload.space.check(workload.untuned, f"workload {workload.name}, untuned"),
        hand_picked=workload.hand_picked,
        full_epochs=workload.full_epochs,
        cap=cap,
        sweep_order=workload.sweep_order,
        published=workload.published,
        trainings=trainings,
    )


def conduct(setup: RunSetup) -> Entry:
    """Carry one run to its end, from wherever its journal stands, and return the closing entry.

    A tuner that raises fails its run only. The closing entry is journaled; an interruption is not.

    Raises:
        Interrupted: ``setup.stopping`` said so.
        JournalMismatch: the journal belongs to another proposal sequence.
        CannotWrite: the disk is full, or the folder is gone.
        UserError: the workload's own definition is wrong, or the journal is damaged.
    """
    workload, run = setup.workload, setup.run
    began = time.perf_counter()
    durable = not setup.trainer.replays
    with remembering(setup.path):
        journal = Journal(setup.path)
    with journal:
        contents = journal.contents
        if contents.end is not None:
            return contents.end
        data_seed = seeds.data_seed(workload.family, run.seed)
        data = setup.trainer.data(data_seed)
        cap = data.facts["cap"] if "cap" in data.facts else workload.cap(data)
        trainings = None if setup.limits.epochs is None else setup.limits.epochs / workload.full_epochs
        if not contents.entries:
            rows = {name: len(split) for name, split in _splits(data).items()}
            header = {**setup.header, "kind": "run", "facts": {**data.facts, "cap": cap}, "rows": rows}
            with remembering(setup.path):
                journal.append(header, durable=durable)
        evaluation = Evaluation(setup, journal, contents, data_seed)
        status, reason, detail = "done", "", ""
        try:
            assert setup.tuner is not None
            searched = attempt(
                functools.partial(
                    setup.tuner.search,
                    problem_of(workload, cap, trainings),
                    evaluation,
                    seeds.tuner_seed(workload.name, run.tuner, run.seed),
                )
            )
            reason = "nothing left to propose"
            if isinstance(searched, Failure):  # whatever a tuner raises fails its own run and no other
                status, reason = "failed", first_line(searched.error)
                detail = "".join(traceback.format_exception(searched.error))
        except BudgetExhausted:
            reason = evaluation.ledger.ended_by or "exhausted"
        except RunFailed as failure:
            status, reason = "failed", str(failure)
        evaluation.finish_replay()
        if not contents.of_kind("retraining") and (retraining := evaluation.retrain_selected()) is not None:
            with remembering(setup.path):
                journal.append(retraining, durable=durable)
        end = {
            "kind": "end",
            "status": status,
            "reason": reason,
            "detail": detail,
            "trainer_note": setup.trainer.note,
            "unspent": evaluation.ledger.unspent,
            "wall_s": time.perf_counter() - began + evaluation.journaled_wall_s,
        }
        with remembering(setup.path):
            journal.append(end, durable=durable)
    states.discard(setup.path)
    return end


@contextlib.contextmanager
def remembering(path: Path) -> Iterator[None]:
    """Tell the disk's errors from those of tuners and trainings, which are results."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(f"{path}: cannot be written ({error.strerror})") from None


class Evaluation:
    """``evaluate`` of one run. See ``interfaces.Evaluate``."""

    def __init__(self, setup: RunSetup, journal: Journal, contents: Contents, data_seed: int) -> None:
        self.setup = setup
        self.journal = journal
        self.data_seed = data_seed
        self.ledger = Ledger(setup.limits)
        self._recorded = contents.of_kind("trial")
        self._deaths = Counter(entry["trial"] for entry in contents.of_kind("death"))
        self._timeouts = {entry["trial"]: entry for entry in contents.of_kind("timeout")}
        self._entries: list[Entry] = []
        self._trained: Counter[str] = Counter()
        self._repeats: list[int] = []
        self._best = math.inf
        self._best_entry: Entry | None = None
        self._returned = time.perf_counter()
        self.journaled_wall_s = sum(e["train_s"] + e["tuner_s"] + e["compile_s"] for e in self._recorded)

    def __call__(
        self,
        configuration: Configuration,
        epochs: int | None = None,
        resume: int | None = None,
        restart: int | None = None,
    ) -> Result:
        tuner_s = time.perf_counter() - self._returned
        try:
            return self._evaluate(configuration, epochs, resume, restart, tuner_s)
        finally:
            self._returned = time.perf_counter()

    def _evaluate(
        self, configuration: Configuration, epochs: int | None, resume: int | None, restart: int | None, tuner_s: float
    ) -> Result:
        workload = self.setup.workload
        try:
            asked = workload.space.check(configuration, f"tuner {self.setup.run.tuner}")
        except UserError as error:
            raise RunFailed(str(error)) from None
        parent = self._parent(resume if resume is not None else restart)
        first_epoch = _first_epoch(parent, restarted=restart is not None)
        target = workload.full_epochs if epochs is None else epochs
        if parent is not None and (target <= first_epoch or (resume is not None and parent["ended"])):
            return self._free(parent)
        request = {
            "configuration": asked,
            "epochs": target,
            "resume": resume,
            "restart": restart,
        }
        number = len(self._entries) + 1
        if number <= len(self._recorded):
            entry = self._recorded[number - 1]
            if entry["request"] != request:
                raise JournalMismatch(
                    f"{self.setup.path}: trial {number} was asked as {_words(entry['request'])}, now {_words(request)}"
                )
            self.ledger.wait(entry["tuner_s"])
        else:
            if self.setup.stopping():
                raise Interrupted
            self.ledger.wait(tuner_s)
            granted = self.ledger.grant(target - first_epoch)
            if granted <= 0:
                raise BudgetExhausted
            entry = self._trial(number, request, parent, first_epoch, granted, tuner_s)
            with remembering(self.setup.path):
                self.journal.append(entry, durable=not self.setup.trainer.replays)
            if not self.setup.trainer.replays:  # a thousand lines a second are none that anybody reads
                best = min(self._best, entry["score"])
                self.setup.progress({"event": "trial", **_headline(entry), "best": best})
        return self._account(entry)

    def _parent(self, number: int | None) -> Entry | None:
        if number is None:
            return None
        if not 1 <= number <= len(self._entries):
            raise RunFailed(f"the tuner continues trial {number}, which does not exist")
        return self._entries[number - 1]

    def _free(self, parent: Entry) -> Result:
        """The result of a trial that cannot go on: no cost, no record."""
        self.ledger.free()
        if self.ledger.ended_by is not None:
            raise BudgetExhausted
        return self._result(parent, epochs=0)

    def _account(self, entry: Entry) -> Result:
        self._entries.append(entry)
        self._repeats.append(self._repeat(entry["request"]))
        self._trained[canonical(entry["request"]["configuration"])] += 1
        if entry["incumbent"]:
            self._best, self._best_entry = entry["score"], entry
        self.ledger.charge(entry["charged"], entry["train_s"])
        if [e["status"] for e in self._entries].count("crashed") >= MAX_CRASHED:
            raise RunFailed(f"{MAX_CRASHED} trials crashed their worker")
        if self.ledger.ended_by is not None:
            raise BudgetExhausted
        return self._result(entry, entry["epochs"])

    def _result(self, entry: Entry, epochs: int) -> Result:
        sign = _sign(self.setup.workload.direction)
        return Result(
            trial=entry["trial"],
            status=entry["status"],
            score=entry["score"],
            reported=entry["reported"],
            best_epoch=entry["best_epoch"],
            epochs=epochs,
            curve=tuple(sign * value for value in entry["history"].get(self.setup.workload.objective, ())),
        )

    def _trial(
        self,
        number: int,
        request: Mapping[str, Any],
        parent: Entry | None,
        first_epoch: int,
        granted: int,
        tuner_s: float,
    ) -> Entry:
        """Train one trial and describe it as a journal entry."""
        entry: Entry = {
            "kind": "trial",
            "trial": number,
            "request": request,
            "status": "error",
            "score": math.inf,
            "reported": math.nan,
            "best_epoch": None,
            "first_epoch": first_epoch,
            "epochs": 0,
            "charged": 1,
            "ended": True,
            "incumbent": False,
            "tuner_s": tuner_s,
            "train_s": 0.0,
            "compile_s": 0.0,
            "cpu_s": 0.0,
            "history": {},
            "test": {},
            "test_score": None,
            "error": "",
        }
        if number in self._timeouts:
            mark = self._timeouts[number]
            return {**entry, "status": "timeout", "train_s": mark["seconds"], "error": mark["error"]}
        if self._deaths[number] >= MAX_DEATHS:
            why = f"the worker died {self._deaths[number]} times in this trial"
            return {**entry, "status": "crashed", "error": why}
        if not self.setup.trainer.replays:
            self.setup.progress(
                {
                    "event": "start",
                    "trial": number,
                    "configuration": request["configuration"],
                    "epochs": first_epoch + granted,
                }
            )
        began, cpu = time.perf_counter(), time.process_time()
        outcome = attempt(lambda: self.setup.trainer.train(self._job(request, parent, first_epoch, granted)))
        if isinstance(outcome, Failure):  # a failing configuration is a result, not the end of a campaign
            entry["error"] = first_line(outcome.error)
            entry["detail"] = users_traceback(outcome.error)
            entry["place"] = users_line(outcome.error)
            entry["train_s"], entry["cpu_s"] = time.perf_counter() - began, time.process_time() - cpu
            return entry
        if outcome.state is not None:
            with remembering(self.setup.path):
                states.save(self.setup.path, number, outcome.state)
        entry.update(self._described(outcome, first_epoch, granted, target=request["epochs"]))
        if entry["score"] < self._best:
            entry["incumbent"] = True
            began = time.perf_counter()
            entry["test"] = dict(outcome.test())
            entry["scoring_s"] = time.perf_counter() - began
            if self.setup.workload.test_metric in entry["test"]:
                sign = _sign(self.setup.workload.direction)
                entry["test_score"] = sign * entry["test"][self.setup.workload.test_metric]
            if not self.setup.trainer.replays:
                with remembering(self.setup.path):
                    states.save_weights(self.setup.path, outcome.weights())
        return entry

    def _repeat(self, request: Mapping[str, Any]) -> int:
        """How often the run had trained this configuration before; of the trial that is continued, where one is."""
        if request["resume"] is not None:
            return self._repeats[request["resume"] - 1]
        return self._trained[canonical(request["configuration"])]

    def _job(self, request: Mapping[str, Any], parent: Entry | None, first_epoch: int, granted: int) -> Job:
        configuration = request["configuration"]
        replays = self.setup.trainer.replays
        start = states.load(self.setup.path, parent["trial"]) if parent is not None and not replays else None
        if parent is not None and start is None and not replays:
            if parent["epochs"]:
                raise JournalMismatch(
                    f"{self.setup.path}: the weights of trial {parent['trial']} are gone; delete this journal to have "
                    "the run done again"
                )
            raise ValueError(f"trial {parent['trial']} left no weights to continue from")
        return Job(
            configuration=configuration,
            epochs=first_epoch + granted,
            data_seed=self.data_seed,
            training_seed=seeds.training_seed(self.data_seed, configuration, self._trained[canonical(configuration)]),
            first_epoch=first_epoch,
            start=start,
            restart=request["restart"] is not None,
            keep_state=self.setup.tuner is not None and self.setup.tuner.continues,
            time_limit_s=self.ledger.seconds_left,
            repeat=self._repeat(request),
        )

    def _described(self, outcome: Outcome, first_epoch: int, granted: int, target: int) -> Entry:
        workload = self.setup.workload
        sign = _sign(workload.direction)
        trained = len(outcome.history)
        curve = [sign * epoch[workload.objective] for epoch in outcome.history]
        cut = outcome.cut or (not outcome.ended and first_epoch + trained < target)
        finite_end = bool(curve) and math.isfinite(curve[-1])
        return {
            "status": "truncated" if cut else "completed" if finite_end else "diverged",
            "score": math.inf if outcome.best is None else curve[outcome.best],
            "reported": reported(curve),
            "best_epoch": None if outcome.best is None else first_epoch + outcome.best + 1,
            "epochs": trained,
            "charged": max(1, trained),
            "ended": outcome.ended,
            "train_s": outcome.train_s,
            "compile_s": outcome.compile_s,
            "cpu_s": outcome.cpu_s,
            "history": {
                name: [epoch[name] for epoch in outcome.history] for name in (outcome.history[0] if trained else {})
            },
        }

    def finish_replay(self) -> None:
        """Check that the tuner asked for everything that the journal holds."""
        if len(self._entries) < len(self._recorded):
            raise JournalMismatch(
                f"{self.setup.path}: it holds {len(self._recorded)} trials, but the tuner now stops after "
                f"{len(self._entries)}"
            )

    def retrain_selected(self) -> Entry | None:
        """The selected configuration trained once more with a fresh seed, off the budget (the winner's curse)."""
        best = self._best_entry
        if best is None:
            return None
        if self.setup.stopping():
            raise Interrupted
        configuration = best["request"]["configuration"]
        before = self._trained[canonical(configuration)]
        return retrain(self.setup, configuration, self.data_seed, repeat=1, salt="selected", before=before)


def retrain(
    setup: RunSetup, configuration: Configuration, data_seed: int, repeat: int, salt: str, before: int = 0
) -> Entry:
    """One full training off the budget, with a seed that no trial of any run has.

    Args:
        before: how often the run has trained this configuration.
    """
    seed = seeds.derive(salt, setup.run.tuner, seeds.training_seed(data_seed, configuration, repeat))
    job = Job(configuration, setup.workload.full_epochs, data_seed, seed, repeat=before)
    if not setup.trainer.replays:
        setup.progress({"event": "retraining", "repeat": repeat, "configuration": dict(configuration)})
    outcome = attempt(lambda: setup.trainer.train(job))
    if not setup.trainer.replays:
        setup.progress({"event": "retrained", "repeat": repeat})
    if isinstance(outcome, Failure):
        return lost_retraining(repeat, configuration, "error", first_line(outcome.error))
    entry = lost_retraining(repeat, configuration, "", "")
    sign = _sign(setup.workload.direction)
    curve = [sign * epoch[setup.workload.objective] for epoch in outcome.history]
    test = dict(outcome.test()) if outcome.best is not None else {}
    metric = setup.workload.test_metric
    return {
        **entry,
        "status": "completed" if math.isfinite(curve[-1]) else "diverged",
        "score": math.inf if outcome.best is None else curve[outcome.best],
        "best_epoch": None if outcome.best is None else outcome.best + 1,
        "epochs": len(curve),
        "train_s": outcome.train_s,
        "test": test,
        "test_score": sign * test[metric] if metric in test else None,
    }


def lost_retraining(repeat: int, configuration: Configuration, status: str, error: str) -> Entry:
    """A retraining that gave no score, as a journal entry."""
    return {
        "kind": "retraining",
        "repeat": repeat,
        "configuration": dict(configuration),
        "status": status,
        "score": math.inf,
        "best_epoch": None,
        "epochs": 0,
        "train_s": 0.0,
        "test": {},
        "test_score": None,
        "error": error,
    }


def first_line(error: BaseException) -> str:
    """An exception as class and first line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def _first_epoch(parent: Entry | None, restarted: bool) -> int:
    """Where a trial starts: after the last epoch of the one that it continues exactly.

    A restart starts where its parent was asked to get, even if early stopping ended that before: so does the stock
    Hyperband, whose promoted trials get ``tuner/initial_epoch`` from the schedule.
    """
    if parent is None:
        return 0
    return parent["request"]["epochs"] if restarted else parent["first_epoch"] + parent["epochs"]


def _splits(data: Data) -> dict[str, Split]:
    splits = {"train": data.train, "validation": data.validation}
    return splits if data.test is None else {**splits, "test": data.test}


def _sign(direction: Direction) -> int:
    return 1 if direction == "min" else -1


def _headline(entry: Entry) -> Entry:
    return {key: entry[key] for key in ("trial", "status", "score", "epochs", "charged", "train_s", "tuner_s")}


def _words(request: Mapping[str, Any]) -> str:
    words = f"{canonical(request['configuration'])} to epoch {request['epochs']}"
    return words + "".join(f", {key} {request[key]}" for key in ("resume", "restart") if request[key] is not None)
