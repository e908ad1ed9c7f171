"""Runs done again, and saved models scored again.

Runs are checked twice: the *ask* check feeds the tuner the journaled results and expects the same proposals; the
*train* check trains the journaled configurations and expects the same losses, so that a difference in the last digit
(another processor) cannot cascade into other proposals.
"""

from __future__ import annotations

import functools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hptune_bench import registry
from hptune_bench.benchmark import Benchmark, validate
from hptune_bench.core import seeds
from hptune_bench.core.budget import Limits
from hptune_bench.core.errors import Failure, UserError, attempt
from hptune_bench.core.protocols import Evaluate, Problem, Trainer, Workload
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import JournalMismatch, RunSetup
from hptune_bench.store.journal import Contents, Entry
from hptune_bench.store.layout import MANIFEST, RunId, model_path
from hptune_bench.store.packed import Journals
from hptune_bench.store.results import Results
from hptune_bench.store.runstore import MemoryStore
from hptune_bench.store.trial import Request, Trial
from hptune_bench.verify.check import Check, Grade, graded
from hptune_bench.verify.grades import Likeness, likeness
from hptune_bench.verify.rows import named

TOLERANCE = 1e-3
"""Relative difference of a test score up to which a saved model is the one that the manifest speaks of."""
SHAKEN, ROUNDING = 8, 1e-6
"""How often a tuner that proposes something else is asked again, with scores that are off by so much (relative)."""


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
    mismatch = _asked(setup, contents.entries, options)
    if mismatch is None:
        return graded(name, Grade.IDENTICAL, f"{len(contents.trials)} proposals")
    # Scores from another processor differ in their last digits: does the tuner then propose what the journal has?
    for seed in range(SHAKEN):
        other = _asked(setup, _shaken(contents.entries, setup.workload.objective, seed), options)
        if other is None or other.trial > mismatch.trial:
            detail = f"at trial {mismatch.trial} rounding decides what {setup.run.tuner} proposes"
            return graded(name, Grade.DIVERGED, f"{detail}; the {mismatch.trial - 1} before it are identical")
    return graded(name, Grade.DIFFERENT, str(mismatch).partition(": ")[2])


def _asked(setup: RunSetup, entries: Sequence[Entry], options: Mapping[str, Any]) -> JournalMismatch | None:
    """Where the tuner, told what a journal says, does not ask what it says; None where it asks the same."""
    store = MemoryStore([entry for entry in entries if entry["kind"] != "end"])
    held = len(store.contents.trials)
    tuner = registry.make_tuner(setup.run.tuner, options)
    try:
        conduct(replace(setup, tuner=tuner, trainer=_Refusing(setup.trainer), store=store))
    except JournalMismatch as mismatch:
        return mismatch
    if len(store.contents.trials) > held:
        return JournalMismatch(f"{setup.run}: the tuner now goes on after trial {held}", held + 1)
    return None


def _shaken(entries: Sequence[Entry], objective: str, seed: int) -> list[Entry]:
    """The entries with scores that are off by rounding errors."""
    rng = np.random.default_rng(seed)

    def off(value: float) -> float:
        return float(value * (1 + ROUNDING * rng.uniform(-1, 1)))

    shaken = []
    for entry in entries:
        if entry["kind"] == "trial":
            history = {**entry["history"]}
            history |= {objective: [off(value) for value in history.get(objective, ())]} if history else {}
            more = {"score": off(entry["score"]), "reported": off(entry["reported"]), "history": history}
            entry = {**entry, **more}
        shaken.append(entry)
    return shaken


def _train(setup: RunSetup, contents: Contents) -> Check:
    trials = contents.trials
    tuner, store = _Repeat([trial.request for trial in trials]), MemoryStore()
    conduct(replace(setup, tuner=tuner, store=store))
    return compare(f"{setup.run}: losses", trials, store.contents.trials, setup.workload)


def compare(name: str, trials: Sequence[Trial], again: Sequence[Trial], workload: Workload) -> Check:
    """How like the trials of a run and the same trials trained again are: how many of each grade, and where."""
    comparable = [pair for pair in zip(trials, again, strict=False) if pair[0].status not in ("timeout", "crashed")]
    found = [likeness(old, new, workload) for old, new in comparable]
    if len(again) < len(trials):
        reason = f"only {len(again)} of {len(trials)} trials could be trained again"
        return graded(name, Grade.DIFFERENT, reason)
    counts = Counter(each.grade for each in found)
    words = [f"{counts[grade]} {grade}" for grade in Grade if counts[grade]]
    if left_out := len(trials) - len(comparable):
        words.append(f"{left_out} not comparable")
    worst = max(found, key=lambda each: (each.grade, each.size), default=Likeness(Grade.IDENTICAL))
    if worst.grade == Grade.DIFFERENT:
        worst = next(each for each in found if each.grade == Grade.DIFFERENT)
    where = {
        Grade.IDENTICAL: " to the bit",
        Grade.EQUIVALENT: f"; furthest apart: {worst.where}",
        Grade.DIVERGED: f"; {worst.where}",
        Grade.DIFFERENT: f"; first different: {worst.where}",
    }
    return graded(name, worst.grade, f"trials: {', '.join(words)}{where[worst.grade]}")
