"""What a campaign has to do: its runs, what each of them depends on, and the tasks that are left."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hptune_bench import __version__, registry
from hptune_bench.benchmark import Benchmark, WorkloadEntry, expand
from hptune_bench.core.budget import Limits
from hptune_bench.core.environment import TRAINING_PACKAGES, versions
from hptune_bench.core.errors import UserError
from hptune_bench.core.fingerprint import declared, differ, recorded, settings_digest
from hptune_bench.core.protocols import Workload
from hptune_bench.execution.executors.base import Task
from hptune_bench.execution.tasks import (
    CheckTask,
    FingerprintTask,
    ModelTask,
    NoiseTask,
    RunTask,
    StockClockTask,
    found_space,
)
from hptune_bench.lint import check
from hptune_bench.store import journal, layout
from hptune_bench.store.layout import RunId
from hptune_bench.tabular.parquet import find_table, read_table
from hptune_bench.tabular.table import digest
from hptune_bench.training.table import fitting

PATIENCE = 100
"""Trial timeouts after which a task is killed that trains no trial: a check, or the measurement of stock Keras."""


@dataclass(frozen=True)
class Replayed:
    """The table that a workload is replayed from.

    Attributes:
        digest: of all that its numbers and their meaning depend on.
        definition: what made it, see ``tabular.table.CurveTable``.
    """

    path: Path
    digest: str
    definition: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A benchmark with everything that it names.

    Attributes:
        replayed: what each workload is replayed from; empty where the benchmark trains.
    """

    benchmark: Benchmark
    workloads: Mapping[str, Workload]
    replayed: Mapping[str, Replayed]
    runs: tuple[RunId, ...]

    @property
    def trains(self) -> bool:
        """Whether anything is trained: otherwise nothing off the budget is, either."""
        return self.benchmark.trainer not in ("fake", "table")

    def limits(self, entry: WorkloadEntry) -> Limits:
        return Limits.of(self.benchmark.budget_of(entry), self.workloads[entry.name].full_epochs)

    @functools.cached_property
    def definitions(self) -> Mapping[str, Mapping[str, Any]]:
        """For each workload, what a run of it depends on: equal definitions may share a folder."""
        fake = self.benchmark.trainer == "fake"
        definitions = {
            entry.name: {
                "trainer": self.benchmark.trainer,
                "budget": dataclasses.asdict(self.limits(entry)),
                "options": dict(entry.options),
                "settings": declared(self.workloads[entry.name]).exact["settings"],
                "trial_timeout": self.benchmark.trial_timeout,
                "versions": {} if fake else versions(TRAINING_PACKAGES),
            }
            for entry in self.benchmark.workloads
        }
        for name, replayed in self.replayed.items():
            definitions[name]["table"] = replayed.digest
        return definitions

    def definition(self, workload: str, tuner: str) -> Mapping[str, Any]:
        """That of a run, with the tuner's options, and what the file holds that they name."""
        options = self.benchmark.tuner_options.get(tuner)
        definition = self.definitions[workload]
        return {**definition, "tuner_options": registry.with_digest(options)} if options else definition

    def check_same(self, folder: Path, run: RunId, header: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """Raises UserError where a journal's header is that of another definition; the difference is named.

        ``before`` is what the manifest says of workloads: old headers told them by a hash of source code, which says
        nothing about what the code does.
        """
        found = header.get("definition", {})
        if "settings" not in found and run.workload in before:
            found = {**found, "settings": settings_digest(before[run.workload])}
        for key, value in self.definition(run.workload, run.tuner).items():
            if key == "settings" and key not in found:
                continue
            if json.loads(json.dumps(value)) != found.get(key):
                raise another(folder, _difference(run, key, found.get(key), value))

    def remarks(self) -> Iterator[tuple[str, bool]]:
        """What the definition alone lets expect, and whether the report must say so, too."""
        for entry in self.benchmark.workloads if self.benchmark.trainer != "fake" else ():
            name, workload = entry.name, self.workloads[entry.name]
            if name in self.replayed:
                made = self.replayed[name].definition.get("fingerprint")
                if recorded(made) is not None and differ(made, declared(workload).record()) is not None:
                    yield after_table(name), True
            for doubt in getattr(workload, "doubts", ()):
                yield f"{name}: {doubt}", True
            tuners = {tuner: registry.tuner_info(tuner) for tuner in self.benchmark.tuners_of(entry)}
            for finding in check.budget(workload, self.limits(entry), tuners):
                # The report counts the random points itself, in what really was tried.
                yield finding.text, finding.key != "random_points"

    # --- tasks ---------------------------------------------------------------------------------------------------

    def proofs(self, known: Mapping[str, Mapping[str, Any]]) -> list[Task]:
        """Have proved that workloads still do what they did, before anything is added to their results.

        Args:
            known: the record of each workload that has one.
        """
        return [self._fingerprint(name, known[name]) for name in self.workloads if name in known and self.trains]

    def _fingerprint(self, name: str, known: Mapping[str, Any] | None, seed: int = 1) -> Task:
        return FingerprintTask(**self._about(name, "", seed), timeout=self._patience, known=known)

    @property
    def _patience(self) -> float | None:
        return None if self.benchmark.trial_timeout is None else PATIENCE * self.benchmark.trial_timeout

    def tasks(self, todo: Sequence[RunId], folder: Path, known: Collection[str] = ()) -> list[Task]:
        """Runs in order, each workload's fingerprint before its first; the tasks off the budget after the first round,
        so that a first answer comes soon.

        Args:
            known: workloads whose fingerprints are proved, or need no proof.
        """
        runs: list[Task] = []
        told = set(known if self.trains else self.workloads)
        for name, table in self.replayed.items() if todo else ():
            made = recorded(table.definition.get("fingerprint"))
            if made is not None and "data" in made.exact:
                runs.append(self._fingerprint(name, made.record(), todo[0].seed))
        for run in todo:
            if run.workload not in told:
                told.add(run.workload)
                runs.append(self._fingerprint(run.workload, None, run.seed))
            runs.append(self._run_task(run))
        first = [task for task in runs if task.seed == todo[0].seed]
        extra = [task for name in self.workloads for task in self._off_budget(name, folder)] if self.trains else []
        return [*first, *extra, *runs[len(first) :]]

    def _run_task(self, run: RunId) -> Task:
        return RunTask(**self._about(run.workload, run.tuner, run.seed), **self._search(run))

    def _off_budget(self, name: str, folder: Path) -> Iterator[Task]:
        about, repeats = self._about(name, "", 1), self.benchmark.noise_repeats
        held = len(journal.read(folder / layout.noise_path(name)).of_kind("retraining"))
        if held < repeats:
            yield NoiseTask(**about, **self._search(RunId(name, "", 1)), repeats=repeats)
        about["timeout"] = self._patience
        if not (folder / layout.check_path(name)).exists():
            yield CheckTask(**about)
        if self.benchmark.stock_clock and not (folder / layout.stock_clock_path(name)).exists():
            yield StockClockTask(**about)

    def model_task(self, run: RunId, configuration: Mapping[str, Any]) -> Task:
        """Have the best model of a workload saved, which that run found."""
        return ModelTask(**self._about(run.workload, run.tuner, run.seed), configuration=configuration)

    def _about(self, name: str, tuner: str, seed: int) -> dict[str, Any]:
        definition = self.definitions[name]
        return {
            "workload": name,
            "tuner": tuner,
            "seed": seed,
            "trial_timeout": self.benchmark.trial_timeout,
            "options": definition["options"],
            "space": found_space(self.workloads[name], definition["options"]),
            "trainer": definition["trainer"],
            "table": str(self.replayed[name].path) if name in self.replayed else None,
        }

    def _search(self, run: RunId) -> dict[str, Any]:
        definition = self.definition(run.workload, run.tuner)
        return {
            "limits": definition["budget"],
            "header": {"definition": definition, "package": __version__},
            "tuner_options": self.benchmark.tuner_options.get(run.tuner, {}),
        }


def plan_of(benchmark: Benchmark, source: str = "", here: Mapping[str, Workload] | None = None) -> Plan:
    """Find everything that a benchmark names.

    Args:
        source: where the definition comes from, for errors; empty: its name.
        here: workloads that only this process has, by name.

    Raises:
        UserError: no such workload, tuner or table, or they do not go together.
    """
    where = source or f"benchmark {benchmark.name!r}"
    workloads, replayed = {}, {}
    for entry in benchmark.workloads:
        place = f"{where}, workload {entry.name!r}"
        workload = (here or {}).get(entry.name) or registry.make_workload(entry.name, entry.options, place)
        workloads[entry.name] = workload
        for tuner in benchmark.tuners_of(entry):
            registry.check_tuner(tuner, workload, place)
            options = benchmark.tuner_options.get(tuner)
            if options or registry.tuner_info(tuner).options:
                registry.make_tuner(tuner, options)
    if benchmark.primary is not None:
        for tuner in (*benchmark.primary.tuners, benchmark.primary.against):
            registry.tuner_info(tuner, f"{where}, primary")
    for entry in benchmark.workloads if benchmark.trainer == "table" else ():
        for tuner in benchmark.tuners_of(entry):
            registry.check_replay(tuner, f"{where}, workload {entry.name!r}")
        path = find_table(entry.name, benchmark.tables)
        table = fitting(read_table(path), workloads[entry.name], str(path))
        replayed[entry.name] = Replayed(path.resolve(), digest(table), table.definition)
    return Plan(benchmark, workloads, replayed, tuple(RunId(*run) for run in expand(benchmark)))


def after_table(name: str) -> str:
    """What is said of a workload that is not what its table shows."""
    return f"{name}: its code or data changed after its table was made; the replay shows the workload as it was"


def another(folder: Path, what: str) -> UserError:
    """Why nothing can be added to the results in a folder."""
    return UserError(
        f"{folder}: holds results of another definition: {what}; "
        "use --fresh to discard them, or --out for another folder"
    )


def _difference(run: RunId, key: str, was: Any, now: Any) -> str:
    if isinstance(was, dict) and isinstance(now, dict):
        name = next(name for name in {**was, **now} if was.get(name) != now.get(name))
        key, was, now = f"{key}: {name}", was.get(name), now.get(name)
    if key == "settings":
        key, was, now = "the workload's code or data", str(was)[:8], str(now)[:8]
    return f"{run} had {key} = {was}, now {now}"
