"""The one entry point: everything the report needs, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hptune_bench.analysis.anytime import AXES, Axis, Curves, Score, curves
from hptune_bench.analysis.comparisons import Comparison, compare, summary
from hptune_bench.analysis.costs import Costs, costs
from hptune_bench.analysis.frames import Records, by_workload
from hptune_bench.analysis.headroom import Room, room
from hptune_bench.analysis.importance import MIN_TRIALS, Importance, importance
from hptune_bench.analysis.noise import Noise, noise
from hptune_bench.analysis.questions import Question, questions
from hptune_bench.analysis.ranks import Ranks, ranks
from hptune_bench.analysis.tabular.importance import ExactImportance, exact_importance
from hptune_bench.analysis.tabular.truth import Truth, truth, with_table_noise
from hptune_bench.analysis.targets import Targets, targets
from hptune_bench.analysis.verdict import Judged, Sentence, overall_verdict, workload_verdict
from hptune_bench.analysis.warnings import Warning, warnings
from hptune_bench.store.results import Results
from hptune_bench.tabular.table import Table

QUICK_AXES: tuple[Axis, ...] = ("stock_s", "spent_epochs")
SCORES: tuple[Score, ...] = ("validation", "test")


@dataclass(frozen=True)
class WorkloadAnalysis:
    """One workload. What could not be computed is None (or empty), with one sentence in ``reasons`` under the field's
    name.

    Attributes:
        records: the cleaned frames, e.g. for dots and scatter plots.
        curves: by (axis, score); missing keys were not recorded.
        summary: see ``comparisons.summary``.
        verdict: at most five sentences.
        truth, exact: where the workload was replayed and its table is at hand; else None.
    """

    records: Records
    curves: Mapping[tuple[Axis, Score], Curves]
    comparisons: tuple[Comparison, ...]
    summary: pd.DataFrame
    noise: Noise
    room: Room | None
    targets: Targets | None
    costs: Costs | None
    questions: tuple[Question, ...]
    importance: Importance | None
    warnings: tuple[Warning, ...]
    verdict: tuple[Sentence, ...]
    reasons: Mapping[str, str]
    truth: Truth | None = None
    exact: ExactImportance | None = None


@dataclass(frozen=True)
class Analysis:
    """A campaign.

    Attributes:
        workloads: by name, in the order of the manifest.
        verdict: at most five sentences over all workloads.
        warnings: of all workloads and of the campaign (unfinished, the runner's own), first-page ones first.
        reasons: see ``WorkloadAnalysis``.
    """

    name: str
    title: str
    workloads: Mapping[str, WorkloadAnalysis]
    ranks: Ranks | None
    verdict: tuple[Sentence, ...]
    warnings: tuple[Warning, ...]
    reasons: Mapping[str, str]


def analyse(campaign: Results, quick: bool = False, tables: Mapping[str, Table] | None = None) -> Analysis:
    """Everything the report needs. Odd campaigns (one tuner, one seed, unfinished, all runs failed, missing files) are
    no error: the parts that cannot be computed are None or empty, with a reason.

    Args:
        quick: leave out what only the folded parts of a report show: importance, questions, break-even, ranks, and
            the curves over trials and over the search clock.
        tables: of the replayed workloads, by name: with them, records are held against the truth.
    """
    manifest = campaign.manifest
    known = manifest.get("best_known") or {}
    workloads = {
        records.name: _workload(records, known.get(records.name) or {}, quick, (tables or {}).get(records.name))
        for records in by_workload(campaign)
    }
    every = [w for analysis in workloads.values() for w in analysis.warnings] + _campaign_warnings(campaign)
    placed = ranks(tuple(w.records for w in workloads.values())) if not quick else None
    reasons = {}
    if placed is None:
        reasons["ranks"] = (
            "left out of the quick analysis" if quick else "no two tuners finished a common seed on every workload"
        )
    return Analysis(
        name=str(manifest.get("name") or "campaign"),
        title=str(manifest.get("title") or manifest.get("name") or "campaign"),
        workloads=workloads,
        ranks=placed,
        verdict=overall_verdict(
            tuple(Judged(w.records, w.comparisons, w.noise, w.costs, w.warnings, w.verdict) for w in workloads.values())
        ),
        warnings=tuple(sorted(every, key=lambda w: not w.first_page)),
        reasons=reasons,
    )


def _workload(records: Records, best_known: Mapping[str, Any], quick: bool, table: Table | None) -> WorkloadAnalysis:
    reasons: dict[str, str] = {}
    axes = QUICK_AXES if quick else tuple(AXES)
    drawn = {(axis, score): c for axis in axes for score in SCORES if (c := curves(records, axis, score)) is not None}
    if not any(axis == "stock_s" for axis, _ in drawn):
        reasons["stock_clock"] = "the stock clock was not measured, so there are no seconds of plain Keras"
    if records.judged_by != "test":
        reasons["test"] = "no test score was recorded, so tuners are judged by the validation score that they tuned on"
    found = noise(records)
    if table is not None:
        found = with_table_noise(found, records, table)
    if found.margin is None:
        reasons["margin"] = found.margin_source
    compared = compare(records, found.margin)
    if not compared:
        reasons["comparisons"] = "a comparison needs two tuners"
    timed = targets(records, best_known.get("test_score"))
    if timed is None:
        reasons["targets"] = "no finished search, or no room between the untuned and the best score to set targets in"
    spent = costs(records, compared, break_even=not quick)
    if spent is None:
        reasons["costs"] = "no trial was recorded"
    if quick:
        reasons |= dict.fromkeys(("questions", "importance"), "left out of the quick analysis")
    asked = () if quick else questions(records, found.validation_sd if found.validation_sd > 0 else None)
    weighed = None if quick else importance(records)
    if not asked:
        reasons.setdefault("questions", "no search has trained a configuration to its end")
    if weighed is None:
        reasons.setdefault(
            "importance", f"an estimate needs {MIN_TRIALS} full trainings that differ in value and score"
        )
    apart = room(records, found, best_known.get("tuner"))
    if apart is None:
        reasons["room"] = found.margin_source if found.margin is None else "no run has finished"
    traps = warnings(records, compared, apart)
    true = exact = None
    if records.about.get("table") and table is None:
        reasons["truth"] = (
            "left out of the quick analysis"
            if quick
            else "the table that this was replayed from is not at hand, so nothing is held against the truth"
        )
    if table is not None and not quick:
        true = truth(records, table, found.margin)
        exact = exact_importance(table, true.scores, records.about.get("untuned") or {})
    return WorkloadAnalysis(
        records=records,
        curves=drawn,
        comparisons=compared,
        summary=summary(records),
        noise=found,
        room=apart,
        targets=timed,
        costs=spent,
        questions=asked,
        importance=weighed,
        warnings=traps,
        verdict=workload_verdict(records, compared, found, spent, traps),
        reasons=reasons,
        truth=true,
        exact=exact,
    )


def _campaign_warnings(campaign: Results) -> list[Warning]:
    manifest = campaign.manifest
    found = [Warning("runner", "", str(text)) for text in manifest.get("warnings") or ()]
    planned, finished = manifest.get("planned_runs"), manifest.get("finished_runs")
    if isinstance(planned, int) and isinstance(finished, int) and finished < planned:
        text = f"The campaign is not finished: {finished} of {planned} runs are done."
        found.append(Warning("unfinished", "", text, True))
    return found
