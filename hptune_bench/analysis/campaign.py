"""The one entry point: everything the report needs, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hptune_bench.analysis.frames import by_workload
from hptune_bench.analysis.overall import overall_verdict
from hptune_bench.analysis.ranks import Ranks, ranks
from hptune_bench.analysis.statistic import QUICK, Given
from hptune_bench.analysis.warnings import Warning
from hptune_bench.store.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from hptune_bench.analysis.anytime import Axis, Curves, Score
    from hptune_bench.analysis.comparisons import Comparison
    from hptune_bench.analysis.costs import Costs
    from hptune_bench.analysis.frames import Records
    from hptune_bench.analysis.headroom import Headroom
    from hptune_bench.analysis.importance import Importance
    from hptune_bench.analysis.noise import Noise
    from hptune_bench.analysis.questions import Question
    from hptune_bench.analysis.tabular.importance import ExactImportance
    from hptune_bench.analysis.tabular.truth import Truth
    from hptune_bench.analysis.targets import Targets
    from hptune_bench.analysis.verdict import Sentence
    from hptune_bench.tabular.table import CurveTable


class Known:
    """The types of the statistics that several sections share."""

    curves: Mapping[tuple[Axis, Score], Curves]
    comparisons: tuple[Comparison, ...]
    summary: pd.DataFrame
    noise: Noise
    headroom: Headroom | None
    targets: Targets | None
    costs: Costs | None
    questions: tuple[Question, ...]
    importance: Importance | None
    warnings: tuple[Warning, ...]
    verdict: tuple[Sentence, ...]
    truth: Truth | None
    exact: ExactImportance | None


@dataclass(frozen=True)
class WorkloadAnalysis(Known):
    """One workload.

    Attributes:
        records: the cleaned frames, e.g. for dots and scatter plots.
        results: each statistic by its name (see ``statistic``); they are attributes, too: ``found.costs``.
        reasons: one sentence on each result that could not be had, under its name.
    """

    records: Records
    results: Mapping[str, Any]
    reasons: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        results = self.__dict__.get("results", {})
        if name not in results:
            raise AttributeError(f"there is no statistic {name!r}")
        return results[name]


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


def analyse(campaign: Results, quick: bool = False, tables: Mapping[str, CurveTable] | None = None) -> Analysis:
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
        records.name: _workload(Given(records, known.get(records.name) or {}, quick, (tables or {}).get(records.name)))
        for records in by_workload(campaign)
    }
    every = [w for analysis in workloads.values() for w in analysis.warnings] + _campaign_warnings(campaign)
    placed = ranks(tuple(w.records for w in workloads.values())) if not quick else None
    reasons = {}
    if placed is None:
        reasons["ranks"] = QUICK if quick else "no two tuners finished a common seed on every workload"
    return Analysis(
        name=str(manifest.get("name") or "campaign"),
        title=str(manifest.get("title") or manifest.get("name") or "campaign"),
        workloads=workloads,
        ranks=placed,
        verdict=overall_verdict(tuple(workloads.values())),
        warnings=tuple(sorted(every, key=lambda w: not w.first_page)),
        reasons=reasons,
    )


def _workload(given: Given) -> WorkloadAnalysis:
    reasons = given.reasons()
    if given.records.judged_by != "test":
        reasons["test"] = "no test score was recorded, so tuners are judged by the validation score that they tuned on"
    return WorkloadAnalysis(given.records, given.results(), reasons)


def _campaign_warnings(campaign: Results) -> list[Warning]:
    manifest = campaign.manifest
    found = [Warning("runner", "", str(text)) for text in manifest.get("warnings") or ()]
    planned, finished = manifest.get("planned_runs"), manifest.get("finished_runs")
    if isinstance(planned, int) and isinstance(finished, int) and finished < planned:
        text = f"The campaign is not finished: {finished} of {planned} runs are done."
        found.append(Warning("unfinished", "", text, True))
    return found
