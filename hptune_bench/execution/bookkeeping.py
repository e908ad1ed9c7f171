"""What a campaign keeps in its results folder: journals, tables, files that tasks make, and the manifest."""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hptune_bench import registry
from hptune_bench.core.environment import environment
from hptune_bench.core.errors import UserError
from hptune_bench.core.files import write_atomic
from hptune_bench.core.fingerprint import declared, recorded, settings
from hptune_bench.execution.executors.base import Task
from hptune_bench.execution.plan import Plan
from hptune_bench.execution.tasks import RunTask
from hptune_bench.store import collect, findings, journal, layout
from hptune_bench.store.folder import checksums
from hptune_bench.store.layout import RunId
from hptune_bench.store.manifest import Newer, read_manifest, write_manifest
from hptune_bench.store.runstore import FileStore
from hptune_bench.store.trial import Measures
from hptune_bench.store.upgrade import CSV_SCHEMA, SCHEMA


class Books:
    """The results folder of a campaign, which nobody else writes to but workers that share its disk.

    Attributes:
        seconds: spent by this command, by kind of task or of work.
    """

    def __init__(self, plan: Plan, folder: Path, command: str, workers: int, note: Callable[[str], None]) -> None:
        self.plan, self.folder = plan, folder
        self._command, self._workers, self._say = command, workers, note
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._began, self._started = time.perf_counter(), _now()
        self._environment = environment()
        self._warnings: list[str] = []
        self._earlier: dict[str, Any] = {}
        self._ended: dict[RunId, journal.Contents] = {}
        self._logs: dict[str, journal.Journal] = {}

    def warn(self, text: str) -> None:
        """Say something that the report must say, too."""
        self._warnings.append(text)
        self._say(text)

    @contextlib.contextmanager
    def timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[what] += time.perf_counter() - began

    # --- journals ------------------------------------------------------------------------------------------------

    def open(self) -> list[RunId]:
        """Look through what the folder holds, and return the runs that are done.

        Raises:
            UserError: it holds runs of another definition, or was made by a newer version.
        """
        try:
            self._earlier = read_manifest(self.folder / layout.MANIFEST)
        except Newer:
            raise
        except UserError:  # none yet, or a damaged one, which this command writes again
            pass
        done = []
        for run in self.plan.runs:
            contents = self._remembered(run, self._intact(self.folder / run.path))
            if contents.entries:
                self.plan.check_same(self.folder, run, contents.entries[0], self._earlier.get("workloads", {}))
            if contents.end is not None:
                done.append(run)
        # Journals that the tables are made from and that are no planned run's.
        for name in self.plan.workloads:
            self._intact(self.folder / layout.noise_path(name))
        for run in set(self._all_runs()) - set(self.plan.runs):
            self._intact(self.folder / run.path)
        return done

    def fingerprints(self) -> dict[str, dict[str, Any]]:
        """What workloads did when their first runs began, as far as it is recorded."""
        return {name: found for name in self.plan.workloads if (found := _fingerprint(self.folder, name)) is not None}

    def _intact(self, path: Path) -> journal.Contents:
        """A journal; a damaged one is put aside, so that its run is done again."""
        try:
            contents = journal.read(path)
        except journal.JournalDamaged as damage:
            path.replace(layout.damaged_path(path))
            FileStore(path).discard()
            self.warn(f"{damage.what}; the run is done again, the damaged journal is kept beside it as .damaged")
            return journal.read(path)
        if contents.torn:
            self.warn(f"{path}: its last line was torn off and is dropped")
        return contents

    def headlines(self, run: RunId) -> journal.Contents:
        """A run's journal without curves. That of an ended run never changes: it is read once per command."""
        return self._ended.get(run) or self._remembered(run, journal.read(self.folder / run.path))

    def _remembered(self, run: RunId, contents: journal.Contents) -> journal.Contents:
        headlines = contents.headlines()
        if headlines.end is not None:
            self._ended[run] = headlines
        return headlines

    def _all_runs(self) -> list[RunId]:
        """The planned runs, and others of these workloads that an earlier, larger campaign left in the folder."""
        return sorted({*self.plan.runs, *collect.found_runs(self.folder, self.plan.workloads)})

    def append(self, task: Task, entry: Mapping[str, Any], durable: bool = True) -> None:
        """Add an entry to the journal of a task whose worker does not write there, or no longer."""
        assert isinstance(task, RunTask)
        if task.journal not in self._logs:
            self._logs[task.journal] = journal.Journal(self.folder / task.journal)
            if not self._logs[task.journal].contents.entries and entry["kind"] != "run":
                self._logs[task.journal].append({**task.header, "kind": "run", "facts": {}})
        self._logs[task.journal].append(entry, durable=durable)

    def close(self) -> None:
        """Let go of all journals: others may want them."""
        while self._logs:
            self._logs.popitem()[1].close()

    def leave(self, task: Task, *, ended: bool = False) -> None:
        """Let go of a task's journal; of one that has ended, the states that came with its entries, too."""
        if (log := self._logs.pop(task.journal or "", None)) is not None:
            log.close()
            if ended:
                FileStore(log.path).discard()

    def held(self, task: Task) -> dict[str, bytes]:
        """See ``Workplace.held``: a task's journal, and what was kept beside it."""
        if task.journal is None:
            return {}
        path = self.folder / task.journal
        kept = [path, layout.kept_path(path, layout.BEST), *layout.states_folder(path).glob("*.npz")]
        return {each.relative_to(self.folder).as_posix(): each.read_bytes() for each in kept if each.exists()}

    # --- files ---------------------------------------------------------------------------------------------------

    def keep(self, name: str, content: bytes) -> None:
        """Write a file that a task made.

        Raises:
            UserError: it would not lie in the folder.
        """
        path = self.folder / name
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise UserError(f"{path}: a worker wants to write outside of the results folder; look at its log")
        write_atomic(path, content)

    def collect(self) -> None:
        """Make the tables."""
        measures = {name: Measures.of(workload) for name, workload in self.plan.workloads.items()}
        collect.collect(self.folder, self._all_runs(), measures, registry.stock_tuners())

    def drop_weights(self) -> None:
        """Delete what only the best models were made from."""
        for run in self.plan.runs:
            layout.kept_path(self.folder / run.path, layout.BEST).unlink(missing_ok=True)

    def best_run(self, workload: str) -> tuple[RunId, journal.Entry] | None:
        """The run with the best validation score of a workload, with the trial that has it."""
        runs = [run for run in self.plan.runs if run.workload == workload]
        found = [(run, trial) for run in runs for trial in self.headlines(run).of_kind("trial") if trial["incumbent"]]
        return min(found, key=lambda item: (item[1]["score"], item[0]), default=None)

    # --- the manifest --------------------------------------------------------------------------------------------

    def write_manifest(self, status: str) -> dict[str, Any]:
        manifest = self._manifest(status)
        write_manifest(self.folder, manifest)
        return manifest

    def seal(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest for the last time: with checksums of all that there is."""
        files = checksums(self.folder)
        write_manifest(self.folder, {**manifest, "seconds": self._spent(), "files": files})

    def _spent(self) -> dict[str, float]:
        """Seconds of all commands that made these results: of the workers by kind of task, of tables and report, and on
        the wall. What a killed command had spent is not known."""
        spent = {**self.seconds, "wall": time.perf_counter() - self._began}
        earlier = self._earlier.get("seconds", {})
        return {what: earlier.get(what, 0.0) + spent.get(what, 0.0) for what in {**earlier, **spent}}

    def _manifest(self, status: str) -> dict[str, Any]:
        plan, spent = self.plan, self._spent()
        journals = {run: self.headlines(run) for run in plan.runs}
        known = {name: collect.best_known(name, journals) for name in plan.workloads}
        best = {name: self._best_model(name) for name in plan.workloads}
        definition = plan.benchmark.model_dump(mode="json")
        for entry in definition["workloads"]:
            entry["tuners"] = entry["tuners"] or definition["tuners"]
        return {
            "schema": SCHEMA,
            "csv_schema": CSV_SCHEMA,
            "name": plan.benchmark.name,
            "title": plan.benchmark.title or plan.benchmark.name,
            "status": status,
            "command": self._command,
            "started": self._earlier.get("started", self._started),
            "finished": None if status == "running" else _now(),
            "benchmark": definition,
            "environment": self._environment,
            "workers": self._workers,
            "tuners": registry.declared(self._tuners(), self._earlier.get("tuners", {})),
            "workloads": _workloads(plan, journals, self.fingerprints()),
            "seconds": spent,
            "took_s": spent["wall"],
            "planned_runs": len(plan.runs),
            "finished_runs": sum(contents.end is not None for contents in journals.values()),
            "warnings": [
                *self._warnings,
                *findings.findings(self.folder, plan.workloads),
                *(error.text for error in findings.raised(journals)),
            ],
            "best_models": {name: model for name, model in best.items() if model is not None},
            "best_known": {name: score for name, score in known.items() if score is not None},
            "files": {},
        }

    def _tuners(self) -> set[str]:
        """All that the manifest must describe: what ran, and what is compared."""
        primary = self.plan.benchmark.primary
        named = () if primary is None else (*primary.tuners, primary.against)
        return {*named, *(run.tuner for run in self._all_runs())}

    def _best_model(self, name: str) -> dict[str, Any] | None:
        best = self.best_run(name)
        if best is None:
            return None
        run, trial = best
        return {
            "file": layout.model_path(name) if (self.folder / layout.model_path(name)).exists() else None,
            "tuner": run.tuner,
            "seed": run.seed,
            "trial": trial["trial"],
            "score": trial["score"],
            "configuration": trial["request"]["configuration"],
            "test": trial["test"],
        }


def _fingerprint(folder: Path, workload: str) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / layout.fingerprint_path(workload)).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # none yet, or one that proves nothing: it is made again
        return None
    return found if recorded(found) is not None else None


def _workloads(
    plan: Plan, journals: Mapping[RunId, journal.Contents], fingerprints: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        entry.name: {
            **settings(plan.workloads[entry.name]),
            "budget": plan.benchmark.budget_of(entry).model_dump(exclude_none=True),
            "budget_epochs": plan.definitions[entry.name]["budget"]["epochs"],
            "trainer": plan.benchmark.trainer,
            **_seen(entry.name, journals),
            **_replay_label(plan, entry.name),
            "fingerprint": fingerprints.get(entry.name) or declared(plan.workloads[entry.name]).record(),
        }
        for entry in plan.benchmark.workloads
    }


def _seen(workload: str, journals: Mapping[RunId, journal.Contents]) -> dict[str, Any]:
    """What only the runs know of a workload: how it was really trained, and on how many rows."""
    mine = [contents for run, contents in journals.items() if run.workload == workload and contents.entries]
    notes = [contents.end["trainer_note"] for contents in mine if contents.end and contents.end.get("trainer_note")]
    rows = next((contents.entries[0].get("rows") for contents in mine), None)
    return {"trainer_note": notes[0] if notes else None, "rows": rows}


def _replay_label(plan: Plan, name: str) -> dict[str, Any]:
    """What the report must say of a workload whose trainings were looked up."""
    if name not in plan.replayed:
        return {}
    label, replayed = plan.workloads[name].data_label, plan.replayed[name]
    return {
        "data_label": f"{label}, replayed" if label else "replayed",
        "table": {"file": replayed.path.name, "digest": replayed.digest, "definition": dict(replayed.definition)},
    }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
