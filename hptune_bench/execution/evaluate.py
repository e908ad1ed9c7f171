"""``evaluate`` of one run: the ledger cuts it, the trainer trains, the journal remembers."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import replace

from hptune_bench.core import seeds
from hptune_bench.core.errors import Failure, UserError, attempt, users_line, users_traceback
from hptune_bench.core.protocols import BudgetExhausted, Job, Outcome, Result
from hptune_bench.core.space import Configuration, canonical
from hptune_bench.core.stock_rule import reported
from hptune_bench.execution.ledger import Ledger
from hptune_bench.execution.retrain import retrain, test_score
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
from hptune_bench.store.trial import Measures, Request, Trial


class Evaluation:
    """``evaluate`` of one run. See ``core.protocols.Evaluate``."""

    def __init__(self, setup: RunSetup, journal: Log, contents: Contents, data_seed: int) -> None:
        self.setup = setup
        self.journal = journal
        self.data_seed = data_seed
        self.ledger = Ledger(setup.limits)
        self._recorded = contents.trials
        self._deaths = Counter(entry["trial"] for entry in contents.of_kind("death"))
        self._timeouts = {entry["trial"]: entry for entry in contents.of_kind("timeout")}
        self._trials: list[Trial] = []
        self._trained: Counter[str] = Counter()
        self._repeats: list[int] = []
        self._best = math.inf
        self._incumbent: Trial | None = None
        self._returned = time.perf_counter()
        self.journaled_wall_s = sum(t.train_s + t.tuner_s + t.compile_s for t in self._recorded)

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
        request = Request(asked, workload.full_epochs if epochs is None else epochs, resume, restart)
        parent = self._parent(request.parent)
        first_epoch = _first_epoch(parent, restarted=restart is not None)
        if parent is not None and (request.epochs <= first_epoch or (resume is not None and parent.ended)):
            return self._free(parent)
        number = len(self._trials) + 1
        if number <= len(self._recorded):
            trial = self._recorded[number - 1]
            if trial.request != request:
                where = self.setup.store.where
                raise JournalMismatch(f"{where}: trial {number} was asked as {trial.request}, now {request}", number)
            self.ledger.wait(trial.tuner_s)
        else:
            if self.setup.stopping():
                raise Interrupted
            self.ledger.wait(tuner_s)
            granted = self.ledger.grant(request.epochs - first_epoch)
            if granted <= 0:
                raise BudgetExhausted
            begun = Trial(trial=number, request=request, first_epoch=first_epoch, tuner_s=tuner_s)
            trial = self._trial(begun, parent, granted)
            with remembering(self.setup.store):
                self.journal.append(trial.entry(), durable=not self.setup.trainer.replays)
            if not self.setup.trainer.replays:  # a thousand lines a second are none that anybody reads
                best = min(self._best, trial.score)
                self.setup.progress({"event": "trial", **{key: getattr(trial, key) for key in _HEADLINE}, "best": best})
        return self._account(trial)

    def _parent(self, number: int | None) -> Trial | None:
        if number is None:
            return None
        if not 1 <= number <= len(self._trials):
            raise RunFailed(f"the tuner continues trial {number}, which does not exist")
        return self._trials[number - 1]

    def _free(self, parent: Trial) -> Result:
        """The result of a trial that cannot go on: no cost, no record."""
        self.ledger.free()
        if self.ledger.ended_by is not None:
            raise BudgetExhausted
        return self._result(parent, epochs=0)

    def _account(self, trial: Trial) -> Result:
        self._trials.append(trial)
        self._repeats.append(self._repeat(trial.request))
        self._trained[canonical(trial.request.configuration)] += 1
        if trial.incumbent:
            self._best, self._incumbent = trial.score, trial
        self.ledger.charge(trial.charged, trial.train_s)
        if [t.status for t in self._trials].count("crashed") >= MAX_CRASHED:
            raise RunFailed(f"{MAX_CRASHED} trials crashed their worker")
        if self.ledger.ended_by is not None:
            raise BudgetExhausted
        return self._result(trial, trial.epochs)

    def _result(self, trial: Trial, epochs: int) -> Result:
        return Result(
            trial=trial.trial,
            status=trial.status,
            score=trial.score,
            reported=trial.reported,
            best_epoch=trial.best_epoch,
            epochs=epochs,
            curve=tuple(Measures.of(self.setup.workload).curve(trial.history)),
        )

    def _trial(self, begun: Trial, parent: Trial | None, granted: int) -> Trial:
        """Train a trial of which only the question is known."""
        number = begun.trial
        if number in self._timeouts:
            mark = self._timeouts[number]
            return replace(begun, status="timeout", train_s=mark["seconds"], error=mark["error"])
        if self._deaths[number] >= MAX_DEATHS:
            why = f"the worker died {self._deaths[number]} times in this trial"
            return replace(begun, status="crashed", error=why)
        if not self.setup.trainer.replays:
            configuration, epochs = begun.request.configuration, begun.first_epoch + granted
            start = {"event": "start", "trial": number, "configuration": configuration, "epochs": epochs}
            self.setup.progress(start)
        began, cpu = time.perf_counter(), time.process_time()
        outcome = attempt(lambda: self.setup.trainer.train(self._job(begun, parent, granted)))
        if isinstance(outcome, Failure):  # a failing configuration is a result, not the end of a campaign
            return replace(
                begun,
                train_s=time.perf_counter() - began,
                cpu_s=time.process_time() - cpu,
                error=first_line(outcome.error),
                detail=users_traceback(outcome.error),
                place=users_line(outcome.error),
            )
        if outcome.state is not None:
            with remembering(self.setup.store):
                states.save(self.setup.store, number, outcome.state)
        trial = _trained(begun, outcome)
        return self._tested(trial, outcome) if trial.score < self._best else trial

    def _tested(self, trial: Trial, outcome: Outcome) -> Trial:
        """The new incumbent, scored on the test split; its weights are kept."""
        began = time.perf_counter()
        test = dict(outcome.test())
        scoring_s = time.perf_counter() - began
        if not self.setup.trainer.replays:
            with remembering(self.setup.store):
                states.save_weights(self.setup.store, outcome.weights())
        score = test_score(self.setup.workload, test)
        return replace(trial, incumbent=True, test=test, test_score=score, scoring_s=scoring_s)

    def _repeat(self, request: Request) -> int:
        """How often the run had trained this configuration before; of the trial that is continued, where one is."""
        if request.resume is not None:
            return self._repeats[request.resume - 1]
        return self._trained[canonical(request.configuration)]

    def _job(self, begun: Trial, parent: Trial | None, granted: int) -> Job:
        request, configuration = begun.request, begun.request.configuration
        replays = self.setup.trainer.replays
        start = states.load(self.setup.store, parent.trial) if parent is not None and not replays else None
        if parent is not None and start is None and not replays:
            if parent.epochs:
                where = self.setup.store.where
                raise JournalMismatch(
                    f"{where}: the weights of trial {parent.trial} are gone; delete this journal to have "
                    "the run done again"
                )
            raise ValueError(f"trial {parent.trial} left no weights to continue from")
        return Job(
            configuration=configuration,
            epochs=begun.first_epoch + granted,
            data_seed=self.data_seed,
            training_seed=seeds.training_seed(self.data_seed, configuration, self._trained[canonical(configuration)]),
            first_epoch=begun.first_epoch,
            start=start,
            restart=request.restart is not None,
            keep_state=self.setup.tuner is not None and self.setup.tuner.continues,
            time_limit_s=self.ledger.seconds_left,
            repeat=self._repeat(request),
        )

    def finish_replay(self) -> None:
        """Check that the tuner asked for everything that the journal holds."""
        if len(self._trials) < len(self._recorded):
            raise JournalMismatch(
                f"{self.setup.store.where}: it holds {len(self._recorded)} trials, but the tuner now stops after "
                f"{len(self._trials)}",
                len(self._trials) + 1,
            )

    def retrain_selected(self) -> Entry | None:
        """The selected configuration trained once more with a fresh seed, off the budget (the winner's curse)."""
        best = self._incumbent
        if best is None:
            return None
        if self.setup.stopping():
            raise Interrupted
        configuration = best.request.configuration
        before = self._trained[canonical(configuration)]
        return retrain(self.setup, configuration, self.data_seed, repeat=1, salt="selected", before=before)


def _trained(begun: Trial, outcome: Outcome) -> Trial:
    trained, curve = len(outcome.history), outcome.objective
    cut = outcome.cut or (not outcome.ended and begun.first_epoch + trained < begun.request.epochs)
    finite_end = bool(curve) and math.isfinite(curve[-1])
    names = outcome.history[0] if trained else ()
    return replace(
        begun,
        status="truncated" if cut else "completed" if finite_end else "diverged",
        score=outcome.score,
        reported=reported(curve),
        best_epoch=None if outcome.best is None else begun.first_epoch + outcome.best + 1,
        epochs=trained,
        charged=max(1, trained),
        ended=outcome.ended,
        train_s=outcome.train_s,
        compile_s=outcome.compile_s,
        cpu_s=outcome.cpu_s,
        history={name: [epoch[name] for epoch in outcome.history] for name in names},
    )


def _first_epoch(parent: Trial | None, restarted: bool) -> int:
    """Where a trial starts: after the last epoch of the one that it continues exactly.

    A restart starts where its parent was asked to get, even if early stopping ended that before: so does the stock
    Hyperband, whose promoted trials get ``tuner/initial_epoch`` from the schedule.
    """
    if parent is None:
        return 0
    return parent.request.epochs if restarted else parent.first_epoch + parent.epochs


_HEADLINE = ("trial", "status", "score", "epochs", "charged", "train_s", "tuner_s")
"""What whoever shows the progress is told of a trial."""
