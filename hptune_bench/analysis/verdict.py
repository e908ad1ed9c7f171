"""Rules that turn the statistics into sentences, each with number, probability and conditions. They never overclaim."""

from __future__ import annotations

from dataclasses import dataclass

from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.costs import Costs
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.noise import Noise
from hptune_bench.analysis.statistics import Outcome
from hptune_bench.analysis.targets import Targets
from hptune_bench.analysis.warnings import Warning


@dataclass(frozen=True)
class Sentence:
    """text: plain text, no markup. about: gain, cost, tuner, trials or condition. outcome: of a comparison, else None."""

    text: str
    about: str
    outcome: Outcome | None = None


def comparison_sentence(comparison: Comparison, noise: Noise) -> Sentence:
    """One comparison in words: outcome, median difference with interval, probability, p, n, checkpoint, label."""
    raise NotImplementedError


def workload_verdict(
    records: Records,
    comparisons: tuple[Comparison, ...],
    noise: Noise,
    targets: Targets | None,
    costs: Costs | None,
    warnings: tuple[Warning, ...],
) -> tuple[Sentence, ...]:
    """At most five sentences on one workload: what is gained, what it costs, which tuner, how many trials."""
    raise NotImplementedError


def overall_verdict(
    verdicts: tuple[tuple[Records, tuple[Comparison, ...], tuple[Sentence, ...]], ...],
) -> tuple[Sentence, ...]:
    """At most five sentences over all workloads; opposite results are stated per workload, never averaged."""
    raise NotImplementedError
