"""The one entry point: everything the report needs, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from hptune_bench.analysis.anytime import Axis, Curves, Score
from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.costs import Costs
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.importance import Importance
from hptune_bench.analysis.noise import Noise
from hptune_bench.analysis.questions import Question
from hptune_bench.analysis.ranks import Ranks
from hptune_bench.analysis.targets import Targets
from hptune_bench.analysis.verdict import Sentence
from hptune_bench.analysis.warnings import Warning
from hptune_bench.results import Campaign


@dataclass(frozen=True)
class WorkloadAnalysis:
    """One workload. What could not be computed is None (or empty), with one sentence in ``reasons`` under the field's
    name.

    Attributes:
        records: the cleaned frames, e.g. for dots and scatter plots.
        curves: by (axis, score); missing keys were not recorded.
        summary: see ``comparisons.summary``.
        verdict: at most five sentences.
    """

    records: Records
    curves: Mapping[tuple[Axis, Score], Curves]
    comparisons: tuple[Comparison, ...]
    summary: pd.DataFrame
    noise: Noise | None
    targets: Targets | None
    costs: Costs | None
    questions: tuple[Question, ...]
    importance: Importance | None
    warnings: tuple[Warning, ...]
    verdict: tuple[Sentence, ...]
    reasons: Mapping[str, str]


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


def analyse(campaign: Campaign, quick: bool = False) -> Analysis:
    """Never raises on odd campaigns (one tuner, one seed, unfinished, all failed, missing files): parts become None.

    Args:
        quick: leave out what only the folded parts of a report show (importance, questions, targets, break-even).
    """
    raise NotImplementedError
