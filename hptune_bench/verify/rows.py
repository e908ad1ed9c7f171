"""What must hold between the rows of the tables, whatever the journals say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hptune_bench.core.protocols import minimised
from hptune_bench.store.results import Results
from hptune_bench.verify.check import Check

Problem = tuple[str, str]
"""Of which kind it is, and what is wrong."""
KINDS = ("budget", "best so far", "scores", "test split", "clocks")


def checks(campaign: Results) -> Iterator[Check]:
    """One check for each kind."""
    runs, trials, epochs = campaign.runs, campaign.trials, campaign.epochs
    if runs.empty or trials.empty:
        yield Check("rows", "not checked", "there are no trials yet")
        return
    key = ["workload", "tuner", "seed"]
    trials_of: dict[Any, Any] = dict(iter(trials.groupby(key, sort=False)))
    epochs_of: dict[Any, Any] = {} if epochs.empty else dict(iter(epochs.groupby(key, sort=False)))
    problems: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for run in named(runs):
        name, about = (run.workload, run.tuner, run.seed), campaign.manifest["workloads"][run.workload]
        for kind, what in _of_run(run, trials_of.get(name), epochs_of.get(name), about):
            problems[kind].append(f"{' / '.join(map(str, name))}{what}")
    for kind, found in problems.items():
        detail = found[0] + (f" ({len(found)} such rows)" if len(found) > 1 else "") if found else "every row holds"
        yield Check(f"rows: {kind}", "differs" if found else "ok", detail)


def _of_run(run: Any, trials: Any, epochs: Any, about: Mapping[str, Any]) -> Iterator[Problem]:
    if trials is None:
        if run.trials:
            yield "budget", f": {run.trials} trials are missing"
        return
    yield from _budget(run, trials, about["budget_epochs"])
    yield from _incumbents(run, trials)
    if list(trials["elapsed_s"]) != sorted(trials["elapsed_s"]):
        yield "clocks", ": elapsed_s runs backwards"
    if epochs is not None:
        yield from _curves(trials, epochs, minimised(epochs[about["objective"]], about["direction"]))


def _budget(run: Any, trials: Any, limit: int | None) -> Iterator[Problem]:
    spent = int(trials["charged"].sum())
    if limit is not None and spent > limit:
        yield "budget", f": {spent} epochs charged, the budget is {limit}"
    if int(trials["epochs"].sum()) != run.epochs or len(trials) != run.trials:
        yield "budget", ": trials.csv does not add up to runs.csv"
    if limit is not None and run.status == "done" and run.unspent != limit - spent:
        yield "budget", f": unspent is {run.unspent}, but {limit} - {spent} are left"
    if list(trials["spent_epochs"]) != list(trials["charged"].cumsum()):
        yield "budget", ": spent_epochs is not the running sum of charged"


def _incumbents(run: Any, trials: Any) -> Iterator[Problem]:
    best = math.inf
    for trial in named(trials):
        if bool(trial.incumbent) != (trial.score < best):
            yield "best so far", f", trial {trial.trial}: incumbent is wrong"
        if not trial.incumbent and not math.isnan(trial.test_score):
            yield "test split", f", trial {trial.trial}: a test score without being the incumbent"
        best = min(best, trial.score)
    if not same(best, run.best_score):
        yield "best so far", f": best_score is {run.best_score}, the best trial has {best}"


def _curves(trials: Any, epochs: Any, objective: Any) -> Iterator[Problem]:
    if list(epochs["best_so_far"]) != list(epochs["best_so_far"].cummin()):
        yield "best so far", ": best_so_far rises"
    smallest = objective.where(objective.abs() != math.inf).groupby(epochs["trial"]).min()
    counts = epochs.groupby("trial").size()
    for trial in named(trials):
        if counts.get(trial.trial, 0) != trial.epochs:
            yield "scores", f", trial {trial.trial}: epochs.csv has another number of epochs"
        found = smallest.get(trial.trial, math.nan)
        if not same(math.inf if math.isnan(found) else found, trial.score):
            yield "scores", f", trial {trial.trial}: score {trial.score}, its curve's minimum {found}"


def named(frame: Any) -> Iterable[Any]:
    """Rows with attributes; the stubs of pandas know nothing of their types."""
    return frame.itertuples(index=False)


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
