"""Does a results folder still hold? Files, rows, tables and report against each other; and runs done again.

``check_files`` needs no TensorFlow. ``rerun`` checks runs twice: the *ask* check feeds the tuner the journaled results
and expects the same proposals; the *train* check trains the journaled configurations and expects the same losses, so
that a difference in the last digit (another processor) cannot cascade into other proposals.
"""

from __future__ import annotations

import functools
import hashlib
import math
import random
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hptune_bench import registry
from hptune_bench.benchmark import Benchmark, validate
from hptune_bench.core import seeds
from hptune_bench.core.budget import Limits
from hptune_bench.core.environment import environment
from hptune_bench.core.errors import Failure, UserError, attempt
from hptune_bench.core.protocols import Evaluate, Problem, Trainer
from hptune_bench.core.tuner_info import TunerInfo
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import JournalMismatch, RunSetup
from hptune_bench.store import collect, journal
from hptune_bench.store.folder import checksums
from hptune_bench.store.journal import Contents, Entry
from hptune_bench.store.layout import CSVS, NOISE, REPORT, RUNS, STOCK_CLOCK, RunId, model_path
from hptune_bench.store.manifest import tuners_of
from hptune_bench.store.results import Results, read_results
from hptune_bench.store.runstore import MemoryStore
from hptune_bench.store.trial import Measures

Status = Literal["ok", "differs", "not checked"]

TOLERANCE = 1e-3
"""Relative difference of a loss up to which a trial on another processor or version is called equivalent."""


@dataclass(frozen=True)
class Check:
    """One thing that was checked, and what came of it in one sentence."""

    name: str
    status: Status
    detail: str


def check_files(folder: Path, *, report: bool = True) -> Iterator[Check]:
    """Files against the manifest, rows against their invariants, tables and report against what they come from.

    Args:
        report: rebuild the report too (some ten seconds).

    Raises:
        UserError: the folder is no results folder.
    """
    campaign = read_results(folder)
    yield _checksums(folder, campaign)
    yield from _invariants(campaign)
    yield _tables(folder, definition_of(campaign), tuners_of(campaign.manifest))
    if report:
        yield _report(folder, campaign)


def definition_of(campaign: Results) -> Benchmark:
    """The benchmark that a results folder says it ran.

    Raises:
        UserError: the manifest holds no valid definition.
    """
    table = campaign.manifest.get("benchmark")
    if not isinstance(table, dict):
        raise UserError(f"{campaign.path / 'manifest.json'}: key 'benchmark' is missing; restore the file")
    return validate(_without_none(table), f"{campaign.path / 'manifest.json'}, benchmark")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _checksums(folder: Path, campaign: Results) -> Check:
    listed: Mapping[str, str] = campaign.manifest.get("files") or {}
    if not listed:
        return Check("checksums", "not checked", "the manifest lists no files: the campaign is unfinished")
    found = checksums(folder)
    wrong = [name for name, digest in listed.items() if found.get(name) != digest]
    extra = sorted(set(found) - set(listed))
    if wrong:
        what = "is missing" if wrong[0] not in found else "is not what was written"
        return Check("checksums", "differs", f"{wrong[0]} {what} ({len(wrong)} of {len(listed)} files)")
    if extra:
        return Check("checksums", "differs", f"{extra[0]} is not in the manifest ({len(extra)} such files)")
    return Check("checksums", "ok", f"{len(listed)} files are what the manifest says")


def _invariants(campaign: Results) -> Iterator[Check]:
    """What must hold between the rows, whatever the journals say."""
    runs, trials, epochs = campaign.runs, campaign.trials, campaign.epochs
    if runs.empty or trials.empty:
        yield Check("rows", "not checked", "there are no trials yet")
        return
    key = ["workload", "tuner", "seed"]
    workloads = campaign.manifest["workloads"]
    problems: dict[str, list[str]] = {
        "budget": [],
        "best so far": [],
        "scores": [],
        "test split": [],
        "clocks": [],
    }
    by_run: dict[Any, Any] = dict(iter(trials.groupby(key, sort=False)))
    epochs_by_run: dict[Any, Any] = {} if epochs.empty else dict(iter(epochs.groupby(key, sort=False)))
    for run in _rows(runs):
        name = (run.workload, run.tuner, run.seed)
        label = " / ".join(str(part) for part in name)
        mine = by_run.get(name)
        limit = workloads[run.workload]["budget_epochs"]
        if mine is None:
            if run.trials:
                problems["budget"].append(f"{label}: {run.trials} trials are missing")
            continue
        spent = int(mine["charged"].sum())
        if limit is not None and spent > limit:
            problems["budget"].append(f"{label}: {spent} epochs charged, the budget is {limit}")
        if int(mine["epochs"].sum()) != run.epochs or len(mine) != run.trials:
            problems["budget"].append(f"{label}: trials.csv does not add up to runs.csv")
        if limit is not None and run.status == "done" and run.unspent != limit - spent:
            problems["budget"].append(f"{label}: unspent is {run.unspent}, but {limit} - {spent} are left")
        if list(mine["spent_epochs"]) != list(mine["charged"].cumsum()):
            problems["budget"].append(f"{label}: spent_epochs is not the running sum of charged")
        best = math.inf
        for trial in _rows(mine):
            if bool(trial.incumbent) != (trial.score < best):
                problems["best so far"].append(f"{label}, trial {trial.trial}: incumbent is wrong")
            if not trial.incumbent and not math.isnan(trial.test_score):
                problems["test split"].append(f"{label}, trial {trial.trial}: a test score without being the incumbent")
            best = min(best, trial.score)
        if not _same(best, run.best_score):
            problems["best so far"].append(f"{label}: best_score is {run.best_score}, the best trial has {best}")
        if list(mine["elapsed_s"]) != sorted(mine["elapsed_s"]):
            problems["clocks"].append(f"{label}: elapsed_s runs backwards")
        mine_epochs = epochs_by_run.get(name)
        if mine_epochs is not None:
            _curves(label, mine, mine_epochs, workloads[run.workload], problems)
    for what, found in problems.items():
        detail = found[0] + (f" ({len(found)} such rows)" if len(found) > 1 else "") if found else "every row holds"
        yield Check(f"rows: {what}", "differs" if found else "ok", detail)


def _curves(label: str, trials: Any, epochs: Any, workload: Mapping[str, Any], problems: dict[str, list[str]]) -> None:
    sign = 1 if workload["direction"] == "min" else -1
    if list(epochs["best_so_far"]) != list(epochs["best_so_far"].cummin()):
        problems["best so far"].append(f"{label}: best_so_far rises")
    values = sign * epochs[workload["objective"]]
    smallest = values.where(values.abs() != math.inf).groupby(epochs["trial"]).min()
    counts = epochs.groupby("trial").size()
    for trial in _rows(trials):
        if counts.get(trial.trial, 0) != trial.epochs:
            problems["scores"].append(f"{label}, trial {trial.trial}: epochs.csv has another number of epochs")
        found = smallest.get(trial.trial, math.nan)
        if not _same(math.inf if math.isnan(found) else found, trial.score):
            problems["scores"].append(f"{label}, trial {trial.trial}: score {trial.score}, its curve's minimum {found}")


def _rows(frame: Any) -> Iterable[Any]:
    """Rows with attributes; the stubs of pandas know nothing of their types."""
    return frame.itertuples(index=False)


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _tables(folder: Path, benchmark: Benchmark, tuners: Mapping[str, TunerInfo]) -> Check:
    """The CSV files, rebuilt from the journals elsewhere and compared byte for byte."""
    stock = {name for name, info in tuners.items() if info.stock}
    described = {}
    for entry in benchmark.workloads:
        workload = registry.make_workload(entry.name, entry.options)
        described[entry.name] = Measures.of(workload)
    with tempfile.TemporaryDirectory() as other:
        target = Path(other)
        for name in (RUNS, NOISE, STOCK_CLOCK):
            if (folder / name).exists():
                (target / name).symlink_to((folder / name).resolve(), target_is_directory=True)
        try:
            collect.collect(target, collect.found_runs(folder, described), described, stock)
        except UserError as damage:
            what = damage.what if isinstance(damage, journal.JournalDamaged) else str(damage)
            return Check("tables from journals", "differs", what.replace(str(target), str(folder)))
        for name in CSVS:
            if _digest(folder / name) != _digest(target / name):
                return Check("tables from journals", "differs", f"{name} is not what the journals give")
    return Check("tables from journals", "ok", f"{', '.join(name for name in CSVS if (folder / name).exists())} agree")


def _report(folder: Path, campaign: Results) -> Check:
    from hptune_bench.report import write_report

    if not (folder / REPORT).exists():
        return Check("report from tables", "not checked", "there is no report yet")
    with tempfile.TemporaryDirectory() as other:
        target = Path(other)
        write_report([campaign], target)
        made = [path for path in sorted(target.rglob("*")) if path.is_file()]
        differing = [path for path in made if _digest(path) != _digest(folder / path.relative_to(target))]
        if differing:
            name = differing[0].relative_to(target)
            return Check("report from tables", "differs", f"{name} ({len(differing)} of {len(made)} files)")
    return Check("report from tables", "ok", f"{len(made)} files agree")


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def check_environment(campaign: Results) -> Check:
    """What differs between the machine that made the results and this one; a difference is no failure."""
    then: Mapping[str, Any] = campaign.manifest.get("environment", {})
    passing = {"load average at the start", "commit", "uncommitted changes"}
    here = environment()
    differing = [key for key in here if key not in passing and str(then.get(key)) != str(here[key])]
    if not differing:
        return Check("environment", "ok", "the same machine and versions")
    parts = [f"{key}: {then.get(key, 'unknown')}, here {here[key]}" for key in differing]
    return Check("environment", "not checked", "; ".join(parts))


# --- runs done again -----------------------------------------------------------------------------------------------


class _Repeat:
    """A tuner that asks what a journal says was asked."""

    continues = True

    def __init__(self, requests: list[Mapping[str, Any]]) -> None:
        self._requests = requests

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        for request in self._requests:
            evaluate(request["configuration"], request["epochs"], request["resume"], request["restart"])


def sample(campaign: Results, count: int | None) -> list[RunId]:
    """The runs to do again: all finished ones, or a seeded random sample of them."""
    runs = campaign.runs
    finished = sorted(RunId(row.workload, row.tuner, row.seed) for row in _rows(runs) if row.status == "done")
    if count is None or count >= len(finished):
        return finished
    return sorted(random.Random(0).sample(finished, count))


def rerun(folder: Path, campaign: Results, runs: Iterable[RunId]) -> Iterator[tuple[Check, Check]]:
    """The ask check and the train check of each run. Imports TensorFlow; trains everything that the runs trained.

    Raises:
        UserError: the manifest holds no valid definition.
        journal.JournalDamaged: a journal is not intact.
    """
    from hptune_bench.core.tensorflow import configure_tensorflow
    from hptune_bench.tabular.parquet import find_table
    from hptune_bench.training import make_trainer

    configure_tensorflow()
    benchmark = definition_of(campaign)
    entries = {entry.name: entry for entry in benchmark.workloads}
    workloads = {name: registry.make_workload(name, entry.options) for name, entry in entries.items()}
    replayed = {name: find_table(name, benchmark.tables) for name in workloads if benchmark.trainer == "table"}
    trainers = {
        name: make_trainer(benchmark.trainer, workload, replayed.get(name)) for name, workload in workloads.items()
    }
    for run in runs:
        contents = journal.read(folder / run.path)
        definition = contents.entries[0]["definition"]
        setup = RunSetup(
            run=run,
            workload=workloads[run.workload],
            tuner=None,
            trainer=trainers[run.workload],
            limits=Limits(**definition["budget"]),
            header={"definition": definition},
            store=MemoryStore(),
        )
        yield _ask(setup, contents, benchmark.tuner_options.get(run.tuner, {})), _train(setup, contents)


def saved_models(folder: Path, campaign: Results) -> Iterator[Check]:
    """The best model of each workload, loaded in Keras' safe mode, against the test scores that it is said to have.

    Raises:
        UserError: the manifest holds no valid definition.
    """
    from hptune_bench.core.tensorflow import configure_tensorflow
    from hptune_bench.training.common import test_scores

    configure_tensorflow()
    import keras

    best_models: Mapping[str, Any] = campaign.manifest.get("best_models") or {}
    for entry in definition_of(campaign).workloads:
        best = best_models.get(entry.name) or {}
        path = folder / model_path(entry.name)
        if not best.get("file") or not path.exists():
            continue
        workload = registry.make_workload(entry.name, entry.options)
        data = workload.load(seeds.data_seed(workload.family, int(best["seed"])))
        prepared = workload.prepare(best["configuration"], data)
        name = f"{entry.name}: best model"
        model = attempt(functools.partial(keras.models.load_model, path, safe_mode=True))
        if isinstance(model, Failure):
            detail = f"{path.name} cannot be loaded in Keras' safe mode ({type(model.error).__name__})"
            yield Check(name, "not checked", detail)
            continue
        found = test_scores(workload, model, prepared)
        worst = max((abs(found[key] - then) / max(abs(then), 1e-12) for key, then in best["test"].items()), default=0.0)
        words = "to the bit" if worst == 0 else f"within {worst:.1e}"
        if worst <= TOLERANCE:
            yield Check(name, "ok", f"its test scores come out {words}")
        else:
            yield Check(name, "differs", f"its test scores are {worst:.1e} from those in the manifest")


class _NoTraining(Exception):
    """The tuner went beyond the journal."""


class _Refusing:
    """A trainer that trains nothing: in the ask check every answer comes from the journal."""

    name = "none"
    note: str | None = None
    replays = False

    def __init__(self, trainer: Trainer) -> None:
        self.data = trainer.data

    def train(self, job: object) -> Any:
        raise _NoTraining


def _ask(setup: RunSetup, contents: Contents, options: Mapping[str, Any]) -> Check:
    name = f"{setup.run}: proposals"
    trials = contents.of_kind("trial")
    store = MemoryStore([entry for entry in contents.entries if entry["kind"] != "end"])
    tuner = registry.make_tuner(setup.run.tuner, options)
    try:
        conduct(replace(setup, tuner=tuner, trainer=_Refusing(setup.trainer), store=store))
    except JournalMismatch as mismatch:
        return Check(name, "differs", str(mismatch).partition(": ")[2])
    if len(store.contents.of_kind("trial")) > len(trials):
        return Check(name, "differs", f"the tuner now goes on after trial {len(trials)}")
    return Check(name, "ok", f"{len(trials)} proposals are identical")


def _train(setup: RunSetup, contents: Contents) -> Check:
    name = f"{setup.run}: losses"
    trials = contents.of_kind("trial")
    tuner, store = _Repeat([trial["request"] for trial in trials]), MemoryStore()
    conduct(replace(setup, tuner=tuner, store=store))
    return _compare(name, trials, store.contents.of_kind("trial"))


def _compare(name: str, trials: list[Entry], again: list[Entry]) -> Check:
    """Each trial identical to the bit, equivalent within ``TOLERANCE``, or different; how many of each, and where."""
    counts: Counter[str] = Counter()
    first, worst, place = "", 0.0, ""
    for old, new in zip(trials, again, strict=False):
        if old["status"] in ("timeout", "crashed"):
            counts["not comparable"] += 1
            continue
        relative, where = _apart(old, new)
        kind = "identical" if relative == 0 else "equivalent" if relative <= TOLERANCE else "different"
        counts[kind] += 1
        if kind == "different" and not first:
            first = where
        elif kind == "equivalent" and relative > worst:
            worst, place = relative, where
    words = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    if first:
        return Check(name, "differs", f"{words}; first different: {first}")
    if len(again) < len(trials):
        return Check(name, "differs", f"only {len(again)} of {len(trials)} trials could be trained again")
    if worst:
        return Check(name, "ok", f"equivalent: {words}; furthest apart: {place}")
    return Check(name, "ok", f"identical: {counts['identical']} trials to the bit")


def _apart(old: Entry, new: Entry) -> tuple[float, str]:
    """The largest relative difference of two trainings of one trial, inf where they cannot be compared, and its place.

    The place of a difference beyond ``TOLERANCE`` is that of the first one.
    """
    if (old["status"], old["epochs"]) != (new["status"], new["epochs"]):
        was, now = f"{old['status']} after {old['epochs']}", f"{new['status']} after {new['epochs']} epochs"
        return math.inf, f"trial {old['trial']} was {was}, now {now}"
    worst, place = 0.0, ""
    for epoch in range(old["epochs"]):
        for metric, values in old["history"].items():
            then, now = values[epoch], new["history"][metric][epoch]
            if _same(then, now):
                continue
            relative = abs(then - now) / max(abs(then), 1e-12)
            where = f"trial {old['trial']}, epoch {epoch + 1}, {metric}: {then!r}, now {now!r} ({relative:.1e} apart)"
            if not relative <= TOLERANCE:
                return math.inf, where
            if relative > worst:
                worst, place = relative, where
    return worst, place
