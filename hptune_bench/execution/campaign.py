"""A campaign: the plan's tasks given to an executor, breadth first over seeds, and what follows each round."""

from __future__ import annotations

import contextlib
import errno
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hptune_bench.benchmark import Benchmark
from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Workload
from hptune_bench.execution.bookkeeping import Books
from hptune_bench.execution.executors import base
from hptune_bench.execution.executors.base import Done, Event, Executor, Said, Stopping, Task, Workplace
from hptune_bench.execution.executors.local import LocalExecutor
from hptune_bench.execution.interrupts import Interrupts
from hptune_bench.execution.plan import after_table, another, plan_of
from hptune_bench.execution.policy import Policy
from hptune_bench.execution.tasks import CheckTask, RunTask
from hptune_bench.store import findings, journal, layout
from hptune_bench.store.folder import discard
from hptune_bench.store.layout import RunId
from hptune_bench.store.lock import locked
from hptune_bench.store.pack import unpack

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG, errno.ENOTDIR}

FIRST_LOOK_S = 40
"""Seconds after which the first run to end shows what there is: nobody should wait for a whole round for that."""

LOOK_SHARE = 10
"""Rounds that end sooner after a look than this many times what it took are not shown: a look goes over all runs."""


class Observer(Protocol):
    """Whoever shows the progress of a campaign."""

    def planned(self, runs: Sequence[RunId], done: list[RunId]) -> None: ...

    def event(self, said: Said) -> None: ...

    def finished(self, task: Task, status: str) -> None: ...

    def round_done(self, seed: int) -> None: ...

    def note(self, text: str) -> None: ...

    def traceback(self, text: str) -> None: ...

    def stopping(self) -> None: ...


@dataclass(frozen=True)
class Summary:
    """How a campaign ended: numbers of runs, and whether it was interrupted."""

    planned: int
    done: int
    failed: int
    interrupted: bool

    @property
    def missing(self) -> int:
        """Runs that are not finished."""
        return self.planned - self.done - self.failed


@dataclass
class Campaign:
    """One benchmark in one results folder.

    Attributes:
        on_round: called after each round and at the end, with the tables up to date; ``final`` says which.
        source: where the definition comes from, for errors; empty: its name.
        executor: makes whoever does the work.
        here: workloads that only this process has, by name.
    """

    benchmark: Benchmark
    folder: Path
    workers: int
    command: str
    observer: Observer
    on_round: Callable[[bool], None] = lambda final: None
    source: str = ""
    executor: Callable[[Workplace], Executor] = LocalExecutor
    here: Mapping[str, Workload] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plan = plan_of(self.benchmark, self.source, self.here)
        self._books = Books(self.plan, self.folder, self.command, self.workers, self.observer.note)
        self._policy = Policy(self.folder / layout.LOGS)
        self._tracebacks: set[str] = set()
        self._began = time.perf_counter()
        self._shown = False
        self._looked = self._look_s = 0.0
        self._executor: Executor | None = None
        self._interrupts = Interrupts(self._stop)

    def run(self, *, fresh: bool = False) -> Summary:
        """Do what is still to do, and leave tables, report and manifest.

        Raises:
            UserError: the folder is locked, not writable, or holds results of another definition.
        """
        with _disk_errors(self.folder), locked(self.folder):
            if fresh:
                discard(self.folder)
            unpack(self.folder)
            done = self._books.open()
            self.observer.planned(self.plan.runs, done)
            for text, lasting in self.plan.remarks():
                (self._books.warn if lasting else self.observer.note)(text)
            known = self._books.fingerprints()
            with self._interrupts:  # before anything is written: a workload that changed is refused
                self._execute(self.plan.proofs(known))
            self._books.write_manifest("running")
            finished = set(done)
            todo = [run for run in self.plan.runs if run not in finished]
            self._pending = Counter(run.seed for run in todo)
            try:
                with self._interrupts:
                    if not self._interrupts.count:
                        self._execute(self.plan.tasks(todo, self.folder, known))
                    if not self._interrupts.count:
                        self._execute(list(self._model_tasks()))
            except KeyboardInterrupt:  # at once: without a report, but with tables and manifest that say what is there
                self._books.collect()
                self._books.write_manifest("interrupted")
                raise
            return self._finish()

    def _model_tasks(self) -> Iterator[Task]:
        """Save the best model of each workload whose weights are at hand."""
        for name in self.plan.workloads if self.plan.trains else ():
            best = self._books.best_run(name)
            if best is not None and layout.kept_path(self.folder / best[0].path, layout.BEST).exists():
                yield self.plan.model_task(best[0], best[1]["request"]["configuration"])

    def _execute(self, tasks: list[Task]) -> None:
        if not tasks:
            return
        self._executor = self._executor or self.executor(Workplace(self.folder, self.workers, self._books.held))
        if self._interrupts.count:
            self._executor.stop()  # the signal came before there was anything to stop
        with contextlib.closing(self._books), contextlib.closing(self._executor.run(tasks)) as events:
            for event in events:
                self._follow(event)

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.stop()

    # --- what follows from events --------------------------------------------------------------------------------

    def _follow(self, event: Event | Stopping) -> None:
        if isinstance(event, Stopping):
            self.observer.stopping()
        elif isinstance(event, Said):
            self.observer.event(event)
        elif isinstance(event, base.Logged):
            self._books.append(event.task, event.entry, event.durable)
        elif isinstance(event, base.Made):
            self._books.keep(event.name, event.content)
        elif isinstance(event, Done):
            self._done(event)
        elif isinstance(event, base.Died):
            self._died(event)

    def _done(self, event: Done) -> None:
        task = event.task
        self._books.leave(task, ended=event.status in ("done", "failed"))
        if event.status == "unwritable":
            raise UserError(f"{event.reason}; mend that and give the same command to go on")
        if event.status == "changed":
            self._changed(event)
        if event.status == "refused":
            raise UserError(event.reason)
        self._books.seconds[task.kind] += event.seconds
        self.observer.finished(task, event.status)
        if event.status == "error":
            self._books.warn(f"{task}: {event.reason}")
        if task.kind == CheckTask.kind:
            for text in findings.findings(self.folder, [task.workload]):
                self.observer.note(text)
        if task.kind == RunTask.kind and event.status != "interrupted":
            self._show_raised(RunId(task.workload, task.tuner, task.seed))
            self._close_round(task.seed)

    def _changed(self, event: Done) -> None:
        """A workload does not do what it did."""
        if event.task.workload not in self.plan.replayed:
            what = f"{event.task.workload} had the workload's code or data = {event.reason}"
            raise another(self.folder, what)
        self._books.warn(after_table(event.task.workload))

    def _died(self, event: base.Died) -> None:
        task = event.task
        self._books.leave(task)
        end = journal.read(self.folder / task.journal).end if isinstance(task, RunTask) else None
        if end is not None:  # it died between its last line and its last word
            self._done(Done(task, end["status"], end["reason"]))
            return
        verdict = self._policy.judge(event)
        if verdict.entry is not None:
            self._books.append(task, verdict.entry)
            self._books.leave(task)
        (self._books.warn if verdict.warns else self.observer.note)(verdict.text)
        if verdict.again:
            assert self._executor is not None
            self._executor.again(task)
        elif task.kind == RunTask.kind:
            self._close_round(task.seed)

    def _show_raised(self, run: RunId) -> None:
        """Errors in the user's code that this run met first, with his traceback."""
        for error in findings.raised({run: self._books.headlines(run)}):
            if error.detail not in self._tracebacks:
                self._tracebacks.add(error.detail)
                self.observer.note(error.text)
                self.observer.traceback(error.detail)

    def _close_round(self, seed: int) -> None:
        self._pending[seed] -= 1
        complete = self._pending[seed] == 0
        began = time.perf_counter()
        if not complete and (self._shown or began - self._began < FIRST_LOOK_S):
            return
        if any(self._pending.values()) and began - self._looked < LOOK_SHARE * self._look_s:
            return
        self._shown = True
        with self._books.timed("tables and report"):
            self._books.collect()
            self._books.write_manifest("running")
            if complete:
                self.observer.round_done(seed)
            if any(self._pending.values()):
                self.on_round(False)
        self._looked = time.perf_counter()
        self._look_s = self._looked - began

    def _finish(self) -> Summary:
        self._books.collect()
        ends = Counter(end["status"] for run in self.plan.runs if (end := self._books.headlines(run).end) is not None)
        summary = Summary(len(self.plan.runs), ends["done"], ends["failed"], bool(self._interrupts.count))
        if not summary.missing:
            self._books.drop_weights()
        manifest = self._books.write_manifest("interrupted" if summary.missing else "finished")
        with self._books.timed("tables and report"):
            self.on_round(True)
        self._books.seal(manifest)
        return summary


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """A disk that is full, broken or not ours is the user's to mend; what was written until then stays."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK:
            raise
        raise UserError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); mend that and give the same command "
            "to go on"
        ) from None
