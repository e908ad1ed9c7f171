"""Runs done again, and saved models scored again.

Runs are checked twice: the *ask* check feeds the tuner the journaled results and expects the same proposals; the
*train* check trains the journaled configurations and expects the same losses, so that a difference in the last digit
(another processor) cannot cascade into other proposals.
"""

from __future__ import annotations

import functools
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hptune_bench import registry
from hptune_bench.benchmark import Benchmark, validate
from hptune_bench.core import seeds
from hptune_bench.core.budget import Limits
from hptune_bench.core.errors import Failure, UserError, attempt
from hptune_bench.core.protocols import Evaluate, Problem, Trainer
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import JournalMismatch, RunSetup
from hptune_bench.store.journal import Contents
from hptune_bench.store.layout import MANIFEST, RunId, model_path
from hptune_bench.store.packed import Journals
from hptune_bench.store.results import Results
from hptune_bench.store.runstore import MemoryStore
from hptune_bench.store.trial import Request, Trial
from hptune_bench.verify.check import Check
from hptune_bench.verify.rows import named, same

TOLERANCE = 1e-3
"""Relative difference of a loss up to which a trial on another processor or version is called equivalent."""


def definition_of(campaign: Results) -> Benchmark:
    """The benchmark that a results folder says it ran.

    Raises:
        UserError: the manifest holds no valid definition.
    """
    table = campaign.manifest.get("benchmark")
    if not isinstance(table, dict):
        raise UserError(f"{campaign.path / MANIFEST}: key 'benchmark' is missing; restore the file")
    return validate(_without_none(table), f"{campaign.path / MANIFEST}, benchmark")


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


class _Repeat:
    """A tuner that asks what a journal says was asked."""

    continues = True

    def __init__(self, requests: list[Request]) -> None:
        self._requests = requests

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        for request in self._requests:
            evaluate(request.configuration, request.epochs, request.resume, request.restart)


def sample(campaign: Results, count: int | None) -> list[RunId]:
    """The runs to do again: all finished ones, or a seeded random sample of them."""
    runs = campaign.runs
    finished = sorted(RunId(row.workload, row.tuner, row.seed) for row in named(runs) if row.status == "done")
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
    with Journals(folder) as journals:
        for run in runs:
            contents = journals.read(run.path)
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
            with registry.importing(run.workload, entries[run.workload].options):
                asked = _ask(setup, contents, benchmark.tuner_options.get(run.tuner, {}))
                trained = _train(setup, contents)
            yield asked, trained


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
        with registry.importing(entry.name, entry.options):
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
    trials = contents.trials
    store = MemoryStore([entry for entry in contents.entries if entry["kind"] != "end"])
    tuner = registry.make_tuner(setup.run.tuner, options)
    try:
        conduct(replace(setup, tuner=tuner, trainer=_Refusing(setup.trainer), store=store))
    except JournalMismatch as mismatch:
        return Check(name, "differs", str(mismatch).partition(": ")[2])
    if len(store.contents.trials) > len(trials):
        return Check(name, "differs", f"the tuner now goes on after trial {len(trials)}")
    return Check(name, "ok", f"{len(trials)} proposals are identical")


def _train(setup: RunSetup, contents: Contents) -> Check:
    name = f"{setup.run}: losses"
    trials = contents.trials
    tuner, store = _Repeat([trial.request for trial in trials]), MemoryStore()
    conduct(replace(setup, tuner=tuner, store=store))
    return _compare(name, trials, store.contents.trials)


def _compare(name: str, trials: list[Trial], again: list[Trial]) -> Check:
    """Each trial identical to the bit, equivalent within ``TOLERANCE``, or different; how many of each, and where."""
    counts: Counter[str] = Counter()
    first, worst, place = "", 0.0, ""
    for old, new in zip(trials, again, strict=False):
        if old.status in ("timeout", "crashed"):
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


def _apart(old: Trial, new: Trial) -> tuple[float, str]:
    """The largest relative difference of two trainings of one trial, inf where they cannot be compared, and its place.

    The place of a difference beyond ``TOLERANCE`` is that of the first one.
    """
    if (old.status, old.epochs) != (new.status, new.epochs):
        was, now = f"{old.status} after {old.epochs}", f"{new.status} after {new.epochs} epochs"
        return math.inf, f"trial {old.trial} was {was}, now {now}"
    worst, place = 0.0, ""
    for epoch in range(old.epochs):
        for metric, values in old.history.items():
            before, after = values[epoch], new.history[metric][epoch]
            if same(before, after):
                continue
            relative = abs(before - after) / max(abs(before), 1e-12)
            where = f"trial {old.trial}, epoch {epoch + 1}, {metric}: {before!r}, now {after!r} ({relative:.1e} apart)"
            if not relative <= TOLERANCE:
                return math.inf, where
            if relative > worst:
                worst, place = relative, where
    return worst, place
