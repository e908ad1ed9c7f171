"""``evaluate`` of one run: the ledger cuts it, the trainer trains, the journal remembers."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from hptune_bench.core import seeds
from hptune_bench.core.errors import Failure, UserError, attempt, users_line, users_traceback
from hptune_bench.core.protocols import BudgetExhausted, Job, Outcome, Result, sign_of
from hptune_bench.core.space import Configuration, canonical
from hptune_bench.core.stock_rule import reported
from hptune_bench.execution.ledger import Ledger
from hptune_bench.execution.retrain import retrain
from hptune_bench.execution.setup import (
    MAX_CRASHED,
    MAX_DEATHS,
    Interrupted,
    JournalMismatch,
    RunFailed,
    RunSetup,
    first_line,
    remembering,
)
from hptune_bench.store import weights as states
from hptune_bench.store.journal import Contents, Entry
from hptune_bench.store.runstore import Log


class Evaluation:
    """``evaluate`` of one run. See ``interfaces.Evaluate``."""

    def __init__(self, setup: RunSetup, journal: Log, contents: Contents, data_seed: int) -> None:
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
                where = self.setup.store.where
                raise JournalMismatch(
                    f"{where}: trial {number} was asked as {_words(entry['request'])}, now {_words(request)}"
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
            with remembering(self.setup.store):
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
        sign = sign_of(self.setup.workload.direction)
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
            with remembering(self.setup.store):
                states.save(self.setup.store, number, outcome.state)
        entry.update(self._described(outcome, first_epoch, granted, target=request["epochs"]))
        if entry["score"] < self._best:
            entry["incumbent"] = True
            began = time.perf_counter()
            entry["test"] = dict(outcome.test())
            entry["scoring_s"] = time.perf_counter() - began
            if self.setup.workload.test_metric in entry["test"]:
                sign = sign_of(self.setup.workload.direction)
                entry["test_score"] = sign * entry["test"][self.setup.workload.test_metric]
            if not self.setup.trainer.replays:
                with remembering(self.setup.store):
                    states.save_weights(self.setup.store, outcome.weights())
        return entry

    def _repeat(self, request: Mapping[str, Any]) -> int:
        """How often the run had trained this configuration before; of the trial that is continued, where one is."""
        if request["resume"] is not None:
            return self._repeats[request["resume"] - 1]
        return self._trained[canonical(request["configuration"])]

    def _job(self, request: Mapping[str, Any], parent: Entry | None, first_epoch: int, granted: int) -> Job:
        configuration = request["configuration"]
        replays = self.setup.trainer.replays
        start = states.load(self.setup.store, parent["trial"]) if parent is not None and not replays else None
        if parent is not None and start is None and not replays:
            if parent["epochs"]:
                where = self.setup.store.where
                raise JournalMismatch(
                    f"{where}: the weights of trial {parent['trial']} are gone; delete this journal to have "
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
        sign = sign_of(workload.direction)
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
                f"{self.setup.store.where}: it holds {len(self._recorded)} trials, but the tuner now stops after "
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


def _first_epoch(parent: Entry | None, restarted: bool) -> int:
    """Where a trial starts: after the last epoch of the one that it continues exactly.

    A restart starts where its parent was asked to get, even if early stopping ended that before: so does the stock
    Hyperband, whose promoted trials get ``tuner/initial_epoch`` from the schedule.
    """
    if parent is None:
        return 0
    return parent["request"]["epochs"] if restarted else parent["first_epoch"] + parent["epochs"]


def _headline(entry: Entry) -> Entry:
    return {key: entry[key] for key in ("trial", "status", "score", "epochs", "charged", "train_s", "tuner_s")}


def _words(request: Mapping[str, Any]) -> str:
    words = f"{canonical(request['configuration'])} to epoch {request['epochs']}"
    return words + "".join(f", {key} {request[key]}" for key in ("resume", "restart") if request[key] is not None)
