"""A campaign: which runs are still to do, breadth first over seeds, and what follows each round."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hptune_bench import __version__, registry
from hptune_bench.benchmark import Benchmark, WorkloadEntry, expand
from hptune_bench.core.budget import Limits
from hptune_bench.core.environment import TRAINING_PACKAGES, environment, versions
from hptune_bench.core.errors import UserError
from hptune_bench.core.fingerprint import fingerprint, settings
from hptune_bench.core.protocols import Workload
from hptune_bench.execution.executors.inline import InlineExecutor
from hptune_bench.execution.executors.local import Callbacks, LocalExecutor
from hptune_bench.execution.interrupts import Interrupts
from hptune_bench.execution.retrain import lost_retraining
from hptune_bench.execution.setup import MAX_DEATHS
from hptune_bench.lint import check
from hptune_bench.store import collect, journal, layout
from hptune_bench.store import findings as remarks
from hptune_bench.store.folder import checksums, discard
from hptune_bench.store.layout import RunId
from hptune_bench.store.lock import locked
from hptune_bench.store.manifest import Newer, read_manifest, write_manifest
from hptune_bench.store.runstore import FileStore
from hptune_bench.store.upgrade import CSV_SCHEMA, SCHEMA
from hptune_bench.tabular.parquet import find_table, read_table
from hptune_bench.tabular.table import digest
from hptune_bench.training.replay import fitting
from hptune_bench.tuners.expert import checksum
from hptune_bench.workloads.own.loader import found_space

MAX_TASK_DEATHS = 3
"""Deaths of a task's worker, outside any trial, after which the task is given up."""

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG, errno.ENOTDIR}

FIRST_LOOK_S = 40
"""Seconds after which the first run to end shows what there is: nobody should wait for a whole round for that."""

LOOK_SHARE = 10
"""Rounds that end sooner after a look than this many times what it took are not shown: a look goes over all runs."""

Task = dict[str, Any]


class Observer(Protocol):
    """Whoever shows the progress of a campaign."""

    def planned(self, runs: list[RunId], done: list[RunId]) -> None: ...

    def event(self, slot: int, task: Mapping[str, Any], event: Mapping[str, Any]) -> None: ...

    def finished(self, task: Mapping[str, Any], status: str) -> None: ...

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
        inline: do everything in this process, for workloads that no other can import.
    """

    benchmark: Benchmark
    folder: Path
    workers: int
    command: str
    observer: Observer
    on_round: Callable[[bool], None] = lambda final: None
    source: str = ""
    inline: bool = False

    def __post_init__(self) -> None:
        where = self.source or f"benchmark {self.benchmark.name!r}"
        self.workloads: dict[str, Workload] = {}
        for entry in self.benchmark.workloads:
            workload = registry.make_workload(entry.name, entry.options, f"{where}, workload {entry.name!r}")
            self.workloads[entry.name] = workload
            for tuner in self.benchmark.tuners_of(entry):
                registry.check_tuner(tuner, workload, f"{where}, workload {entry.name!r}")
                options = self.benchmark.tuner_options.get(tuner)
                if options or registry.tuner_info(tuner).options:
                    registry.make_tuner(tuner, options)
        if self.benchmark.primary is not None:
            for tuner in (*self.benchmark.primary.tuners, self.benchmark.primary.against):
                registry.tuner_info(tuner, f"{where}, primary")
        self._replayed = self._find_tables(where)
        self.runs = [RunId(*run) for run in expand(self.benchmark)]
        self._deaths: Counter[str] = Counter()
        self._warnings: list[str] = []
        self._tracebacks: set[str] = set()
        self._started = _now()
        self._began = time.perf_counter()
        self._shown = False
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._earlier: dict[str, Any] = {}
        self._environment = environment()
        self._executor: LocalExecutor | InlineExecutor | None = None
        self._interrupts = Interrupts(self._stop)
        self._ended: dict[RunId, journal.Contents] = {}
        self._looked = self._look_s = 0.0

    # --- the definition ------------------------------------------------------------------------------------------

    @property
    def _trains(self) -> bool:
        """Whether anything is trained: otherwise nothing off the budget is, either."""
        return self.benchmark.trainer not in ("fake", "table")

    def _find_tables(self, where: str) -> dict[str, Replayed]:
        """What each workload is replayed from; empty where the benchmark trains.

        Raises:
            UserError: there is no table that fits, or a tuner does what no table can replay.
        """
        if self.benchmark.trainer != "table":
            return {}
        found = {}
        for entry in self.benchmark.workloads:
            for tuner in self.benchmark.tuners_of(entry):
                registry.check_replay(tuner, f"{where}, workload {entry.name!r}")
            path = find_table(entry.name, self.benchmark.tables)
            table = fitting(read_table(path), self.workloads[entry.name], str(path))
            found[entry.name] = Replayed(path.resolve(), digest(table), table.definition)
        return found

    def _limits(self, entry: WorkloadEntry) -> Limits:
        budget = self.benchmark.budget_of(entry)
        full = self.workloads[entry.name].full_epochs
        return Limits.of(budget, full)

    def _definitions(self) -> dict[str, dict[str, Any]]:
        """For each workload, what a run of it depends on: equal definitions may share a folder."""
        fake = self.benchmark.trainer == "fake"
        definitions = {
            entry.name: {
                "trainer": self.benchmark.trainer,
                "budget": dataclasses.asdict(self._limits(entry)),
                "options": dict(entry.options),
                "workload": fingerprint(self.workloads[entry.name], with_data=self._trains),
                "trial_timeout": self.benchmark.trial_timeout,
                "versions": {} if fake else versions(TRAINING_PACKAGES),
            }
            for entry in self.benchmark.workloads
        }
        for name, replayed in self._replayed.items():
            definitions[name]["table"] = replayed.digest
        return definitions

    def _of_run(self, definition: Mapping[str, Any], tuner: str) -> dict[str, Any]:
        """The definition with the tuner's options, and what the file holds that they name."""
        options = self.benchmark.tuner_options.get(tuner)
        if not options:
            return dict(definition)
        return {**definition, "tuner_options": {**options, "sha256": checksum(options)}}

    def _check_folder(self, definitions: Mapping[str, Mapping[str, Any]]) -> list[RunId]:
        """The runs that are already done.

        Raises:
            UserError: the folder holds runs of another definition; the difference is named.
        """
        done = []
        for run in self.runs:
            contents = self._remembered(run, self._intact(self.folder / run.path))
            if not contents.entries:
                continue
            wanted, found = (
                self._of_run(definitions[run.workload], run.tuner),
                contents.entries[0].get("definition", {}),
            )
            for key, value in wanted.items():
                if json.loads(json.dumps(value)) != found.get(key):
                    raise UserError(_difference(self.folder, run, key, found.get(key), value))
            if contents.end is not None:
                done.append(run)
        return done

    def _headlines(self, run: RunId) -> journal.Contents:
        """A run's journal without curves. That of an ended run never changes: it is read once per command."""
        return self._ended.get(run) or self._remembered(run, journal.read(self.folder / run.path))

    def _remembered(self, run: RunId, contents: journal.Contents) -> journal.Contents:
        headlines = contents.headlines()
        if headlines.end is not None:
            self._ended[run] = headlines
        return headlines

    def _intact(self, path: Path) -> journal.Contents:
        """A journal; a damaged one is put aside, so that its run is done again."""
        try:
            contents = journal.read(path)
        except journal.JournalDamaged as damage:
            path.replace(layout.damaged_path(path))
            FileStore(path).discard()
            self._note(f"{damage.what}; the run is done again, the damaged journal is kept beside it as .damaged")
            return journal.read(path)
        if contents.torn:
            self._note(f"{path}: its last line was torn off and is dropped")
        return contents

    def _note(self, text: str) -> None:
        self._warnings.append(text)
        self.observer.note(text)

    def _check_budgets(self) -> None:
        for entry in self.benchmark.workloads if self.benchmark.trainer != "fake" else ():
            if entry.name in self._replayed:
                self._check_table(entry.name)
            tuners = {name: registry.tuner_info(name) for name in self.benchmark.tuners_of(entry)}
            for finding in check.budget(self.workloads[entry.name], self._limits(entry), tuners):
                # The report counts the random points itself, in what really was tried.
                (self.observer.note if finding.key == "random_points" else self._note)(finding.text)

    def _check_table(self, name: str) -> None:
        made = self._replayed[name].definition.get("fingerprint")
        if made != fingerprint(
            self.workloads[name], with_data=self._replayed[name].definition.get("trainer") != "fake"
        ):
            self._note(
                f"{name}: its code or data changed after its table was made; the replay shows the workload as it was"
            )

    # --- the campaign --------------------------------------------------------------------------------------------

    def run(self, *, fresh: bool = False) -> Summary:
        """Do what is still to do, and leave tables, report and manifest.

        Raises:
            UserError: the folder is locked, not writable, or holds results of another definition.
        """
        with _disk_errors(self.folder), locked(self.folder):
            if fresh:
                discard(self.folder)
            self._definitions_now = definitions = self._definitions()
            done = self._check_folder(definitions)
            try:
                self._earlier = read_manifest(self.folder / layout.MANIFEST)
            except Newer:
                raise
            except UserError:  # none yet, or a damaged one, which this command writes again
                pass
            for path in self._beside():
                self._intact(path)
            self.observer.planned(self.runs, done)
            self._check_budgets()
            self._write_manifest("running")
            finished = set(done)
            todo = [run for run in self.runs if run not in finished]
            self._pending = Counter(run.seed for run in todo)
            try:
                with self._interrupts:
                    tasks = self._tasks(todo, definitions)
                    if tasks:
                        self._execute(tasks)
                    if not self._interrupts.count and (models := self._model_tasks(definitions)):
                        self._execute(models)
            except KeyboardInterrupt:  # at once: without a report, but with tables and manifest that say what is there
                self._collect()
                self._write_manifest("interrupted")
                raise
            return self._finish()

    def _beside(self) -> Iterator[Path]:
        """Journals that the tables are made from and that are no planned run's."""
        for name in self.workloads:
            yield self.folder / layout.noise_path(name)
        for run in set(self._all_runs()) - set(self.runs):
            yield self.folder / run.path

    def _execute(self, tasks: list[Task]) -> None:
        callbacks = Callbacks(self.observer.event, self._done, self._died, self.observer.stopping)
        self._executor = (
            InlineExecutor(callbacks)
            if self.inline
            else LocalExecutor(self.workers, self.folder / layout.LOGS, callbacks, self.benchmark.trial_timeout)
        )
        if self._interrupts.count:
            self._executor.stop()  # the signal came before there was anything to stop
        try:
            self._executor.run(tasks)
        finally:
            self._executor = None

    def _tasks(self, todo: list[RunId], definitions: Mapping[str, Mapping[str, Any]]) -> list[Task]:
        """Runs in order; the tasks off the budget after the first round, so that a first answer comes soon."""
        entries = {entry.name: entry for entry in self.benchmark.workloads}
        runs = [
            self._task("run", run.workload, definitions, tuner=run.tuner, seed=run.seed, path=run.path) for run in todo
        ]
        first = [task for task in runs if task["seed"] == min(run.seed for run in todo)] if todo else []
        extra: list[Task] = []
        for name in entries:
            if self.benchmark.noise_repeats and self._trains:
                path = layout.noise_path(name)
                held = len(journal.read(self.folder / path).of_kind("retraining"))
                if held < self.benchmark.noise_repeats:
                    repeats = self.benchmark.noise_repeats
                    extra.append(self._task("noise", name, definitions, tuner="", seed=1, path=path, repeats=repeats))
            path = layout.check_path(name)
            if self._trains and not (self.folder / path).exists():
                extra.append(self._task("check", name, definitions, tuner="", seed=1, path=path))
            path = layout.stock_clock_path(name)
            if self.benchmark.stock_clock and self._trains and not (self.folder / path).exists():
                extra.append(self._task("stock_clock", name, definitions, tuner="", seed=1, path=path))
        return first + extra + runs[len(first) :]

    def _task(self, kind: str, workload: str, definitions: Mapping[str, Mapping[str, Any]], **more: Any) -> Task:
        definition = self._of_run(definitions[workload], more["tuner"])
        return {
            "kind": kind,
            "folder": str(self.folder.resolve()),
            "workload": workload,
            "options": definition["options"],
            "space": found_space(self.workloads[workload], definition["options"]),
            "trainer": definition["trainer"],
            "table": str(self._replayed[workload].path) if workload in self._replayed else None,
            "limits": definition["budget"],
            "header": {"definition": definition, "package": __version__},
            "tuner_options": self.benchmark.tuner_options.get(more["tuner"], {}),
            **more,
        }

    def _model_tasks(self, definitions: Mapping[str, Mapping[str, Any]]) -> list[Task]:
        """Save the best model of each workload whose weights are at hand."""
        if not self._trains:
            return []
        tasks = []
        for name in self.workloads:
            best = self._best_run(name)
            if best is None:
                continue
            run, entry = best
            if layout.kept_path(self.folder / run.path, layout.BEST).exists():
                configuration = entry["request"]["configuration"]
                more = {"tuner": run.tuner, "seed": run.seed, "path": run.path, "configuration": configuration}
                tasks.append(self._task("model", name, definitions, **more))
        return tasks

    def _best_run(self, workload: str) -> tuple[RunId, journal.Entry] | None:
        """The run with the best validation score of a workload, with the trial that has it."""
        found: list[tuple[float, RunId, journal.Entry]] = []
        for run in self.runs:
            if run.workload == workload:
                trials = self._headlines(run).of_kind("trial")
                found += [(trial["score"], run, trial) for trial in trials if trial["incumbent"]]
        if not found:
            return None
        _, run, entry = min(found, key=lambda item: (item[0], item[1]))
        return run, entry

    # --- what the executor reports -------------------------------------------------------------------------------

    def _done(self, task: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        if event["status"] == "unwritable":
            raise UserError(f"{event['reason']}; mend that and give the same command to go on")
        self._seconds[task["kind"]] += event.get("seconds", 0.0)
        self.observer.finished(task, event["status"])
        if event["status"] == "error":
            self._note(f"{_name(task)}: {event['reason']}")
        if task["kind"] == "check":
            for text in remarks.findings(self.folder, [task["workload"]]):
                self.observer.note(text)
        if task["kind"] == "run" and event["status"] != "interrupted":
            self._show_raised(RunId(task["workload"], task["tuner"], task["seed"]))
            self._close_round(task["seed"])

    def _show_raised(self, run: RunId) -> None:
        """Errors in the user's code that this run met first, with his traceback."""
        for error in remarks.raised({run: self._headlines(run)}):
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
        with self._timed("tables and report"):
            self._collect()
            self._write_manifest("running")
            if complete:
                self.observer.round_done(seed)
            if any(self._pending.values()):
                self.on_round(False)
        self._looked = time.perf_counter()
        self._look_s = self._looked - began

    def _died(self, task: Mapping[str, Any], training: Mapping[str, Any] | None, seconds: float | None) -> bool:
        name = _name(task)
        if task["kind"] == "run" and (end := journal.read(self.folder / task["path"]).end) is not None:
            self._done(task, end)  # it died between its last line and its last word
            return False
        if training is not None and training["event"] == "retraining":
            return self._lost_retraining(task, training, seconds)
        if training is not None:
            trial = training["trial"]
            if seconds is None:
                self._append(task, {"kind": "death", "trial": trial})
                what = f"the worker died in trial {trial}"
            else:
                self._append(task, {"kind": "timeout", "trial": trial, "seconds": seconds, "error": _timeout(seconds)})
                what = f"trial {trial} was killed after {seconds:.0f} s"
            self.observer.note(f"{name}: {what}; the run goes on from its journal")
            return True
        if seconds is not None:
            self._note(f"{name}: given up after {seconds:.0f} s (trial_timeout)")
            return False
        self._deaths[name] += 1
        if self._deaths[name] < MAX_TASK_DEATHS:
            self.observer.note(f"{name}: the worker died; it is started again")
            return True
        reason = f"the worker died {MAX_TASK_DEATHS} times (see {self.folder / 'logs'})"
        self._note(f"{name}: given up: {reason}")
        if task["kind"] == "run":
            self._append(task, _failed(reason))
            self._close_round(task["seed"])
        return False

    def _lost_retraining(self, task: Mapping[str, Any], training: Mapping[str, Any], seconds: float | None) -> bool:
        """A worker was lost with a retraining: that is tried once more, then recorded as without a score."""
        name = f"{_name(task)}: retraining {training['repeat']}"
        self._deaths[name] += 1
        if seconds is not None:
            status, error = "timeout", _timeout(seconds)
        elif self._deaths[name] >= MAX_DEATHS:
            status, error = "crashed", f"the worker died {MAX_DEATHS} times in it"
        else:
            self.observer.note(f"{name}: the worker died; it is started again")
            return True
        self._append(task, lost_retraining(training["repeat"], training["configuration"], status, error))
        self._note(f"{name}: {error}")
        return True

    def _append(self, task: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        path = self.folder / task["path"]
        with journal.Journal(path) as log:
            if not log.contents.entries:
                log.append({**task["header"], "kind": "run", "facts": {}})
            log.append(entry)

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.stop()

    # --- what is left behind -------------------------------------------------------------------------------------

    def _described(self) -> dict[str, collect.Described]:
        return {
            name: collect.Described(workload.objective, workload.direction, workload.metrics)
            for name, workload in self.workloads.items()
        }

    def _collect(self) -> None:
        collect.collect(self.folder, self._all_runs(), self._described(), registry.stock_tuners())

    def _all_runs(self) -> list[RunId]:
        """The planned runs, and others of these workloads that an earlier, larger campaign left in the folder."""
        return sorted({*self.runs, *collect.found_runs(self.folder, self.workloads)})

    def _tuners(self) -> set[str]:
        """All that the manifest must describe: what ran, and what is compared."""
        primary = self.benchmark.primary
        named = () if primary is None else (*primary.tuners, primary.against)
        return {*named, *(run.tuner for run in self._all_runs())}

    def _finish(self) -> Summary:
        self._collect()
        ends = [self._headlines(run).end for run in self.runs]
        summary = Summary(
            planned=len(self.runs),
            done=sum(end is not None and end["status"] == "done" for end in ends),
            failed=sum(end is not None and end["status"] == "failed" for end in ends),
            interrupted=bool(self._interrupts.count),
        )
        if not summary.missing:
            for run in self.runs:
                layout.kept_path(self.folder / run.path, layout.BEST).unlink(missing_ok=True)
        status = "interrupted" if summary.missing else "finished"
        manifest = self._write_manifest(status)
        with self._timed("tables and report"):
            self.on_round(True)
        write_manifest(self.folder, {**manifest, "seconds": self._spent(), "files": checksums(self.folder)})
        return summary

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[what] += time.perf_counter() - began

    def _spent(self) -> dict[str, float]:
        """Seconds of all commands that made these results: of the workers by kind of task, of tables and report, and on
        the wall. What a killed command had spent is not known."""
        spent = {**self._seconds, "wall": time.perf_counter() - self._began}
        earlier = self._earlier.get("seconds", {})
        return {what: earlier.get(what, 0.0) + spent.get(what, 0.0) for what in {**earlier, **spent}}

    def _replay_label(self, name: str) -> dict[str, Any]:
        """What the report must say of a workload whose trainings were looked up."""
        if name not in self._replayed:
            return {}
        label = self.workloads[name].data_label
        replayed = self._replayed[name]
        return {
            "data_label": f"{label}, replayed" if label else "replayed",
            "table": {"file": replayed.path.name, "digest": replayed.digest, "definition": dict(replayed.definition)},
        }

    def _write_manifest(self, status: str) -> dict[str, Any]:
        manifest = self._manifest(status)
        write_manifest(self.folder, manifest)
        return manifest

    def _manifest(self, status: str) -> dict[str, Any]:
        definitions, spent = self._definitions_now, self._spent()
        journals = {run: self._headlines(run) for run in self.runs}
        finished = sum(contents.end is not None for contents in journals.values())
        workloads = {}
        for entry in self.benchmark.workloads:
            limits = definitions[entry.name]["budget"]
            workloads[entry.name] = {
                **settings(self.workloads[entry.name]),
                "budget": self.benchmark.budget_of(entry).model_dump(exclude_none=True),
                "budget_epochs": limits["epochs"],
                "trainer": self.benchmark.trainer,
                **_seen(entry.name, journals),
                **self._replay_label(entry.name),
                "fingerprint": definitions[entry.name]["workload"],
            }
        best_models: dict[str, Any] = {}
        best_known: dict[str, Any] = {}
        for name in self.workloads:
            if (known := collect.best_known(name, journals)) is not None:
                best_known[name] = known
            best = self._best_run(name)
            if best is not None:
                run, trial = best
                best_models[name] = {
                    "file": layout.model_path(name) if (self.folder / layout.model_path(name)).exists() else None,
                    "tuner": run.tuner,
                    "seed": run.seed,
                    "trial": trial["trial"],
                    "score": trial["score"],
                    "configuration": trial["request"]["configuration"],
                    "test": trial["test"],
                }
        definition = self.benchmark.model_dump(mode="json")
        for entry in definition["workloads"]:
            entry["tuners"] = entry["tuners"] or definition["tuners"]
        return {
            "schema": SCHEMA,
            "csv_schema": CSV_SCHEMA,
            "name": self.benchmark.name,
            "title": self.benchmark.title or self.benchmark.name,
            "status": status,
            "command": self.command,
            "started": self._earlier.get("started", self._started),
            "finished": None if status == "running" else _now(),
            "benchmark": definition,
            "environment": self._environment,
            "workers": self.workers,
            "tuners": registry.declared(self._tuners(), self._earlier.get("tuners", {})),
            "workloads": workloads,
            "seconds": spent,
            "took_s": spent["wall"],
            "planned_runs": len(self.runs),
            "finished_runs": finished,
            "warnings": [
                *self._warnings,
                *remarks.findings(self.folder, self.workloads),
                *(error.text for error in remarks.raised(journals)),
            ],
            "best_models": best_models,
            "best_known": best_known,
            "files": {},
        }


@dataclass(frozen=True)
class Replayed:
    """The table that a workload is replayed from.

    Attributes:
        digest: of all that its numbers and their meaning depend on.
        definition: what made it, see ``tabular.table.Table``.
    """

    path: Path
    digest: str
    definition: Mapping[str, Any]


def _seen(workload: str, journals: Mapping[RunId, journal.Contents]) -> dict[str, Any]:
    """What only the runs know of a workload: how it was really trained, and on how many rows."""
    mine = [contents for run, contents in journals.items() if run.workload == workload and contents.entries]
    notes = [contents.end["trainer_note"] for contents in mine if contents.end and contents.end.get("trainer_note")]
    rows = next((contents.entries[0].get("rows") for contents in mine), None)
    return {"trainer_note": notes[0] if notes else None, "rows": rows}


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


def _difference(folder: Path, run: RunId, key: str, was: Any, now: Any) -> str:
    if isinstance(was, dict) and isinstance(now, dict):
        name = next(name for name in {**was, **now} if was.get(name) != now.get(name))
        key, was, now = f"{key}: {name}", was.get(name), now.get(name)
    if key == "workload":
        key, was, now = "the workload's code or data", str(was)[:8], str(now)[:8]
    return (
        f"{folder}: holds results of another definition: {run} had {key} = {was}, now {now}; "
        "use --fresh to discard them, or --out for another folder"
    )


def _name(task: Mapping[str, Any]) -> str:
    return " ".join(str(task[key]) for key in ("kind", "workload", "tuner", "seed") if task[key] != "")


def _failed(reason: str) -> dict[str, Any]:
    return {"kind": "end", "status": "failed", "reason": reason, "detail": "", "unspent": 0, "wall_s": 0.0}


def _timeout(seconds: float) -> str:
    return f"killed after {seconds:.0f} s (trial_timeout)"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
