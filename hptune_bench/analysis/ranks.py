"""Ranks over workloads: descriptive below eight data families, because a few workloads carry no test."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hptune_bench.analysis.frames import Records

MIN_FAMILIES = 8


@dataclass(frozen=True)
class Ranks:
    """Mean rank of each tuner by test score (1 = best), ranked inside each (workload, seed), averaged over seeds, then over the
    workloads of a data family, then over families.

    Attributes:
        table: columns tuner, mean_rank, low, high (bootstrap of seeds inside each workload), workloads; ascending.
        over_time: columns workload, tuner, spent_epochs, mean_rank (steps).
        families: independent data families. critical_difference: Nemenyi (alpha 0.05), None below MIN_FAMILIES families.
        reason: why there is no critical difference, else "".
        by_family: columns family, then one column per tuner: mean rank; the blocks of a critical-difference diagram.
    """

    table: pd.DataFrame
    over_time: pd.DataFrame
    families: int
    critical_difference: float | None
    reason: str
    by_family: pd.DataFrame


def ranks(workloads: tuple[Records, ...]) -> Ranks | None:
    """Only tuners that ran on every workload and (workload, seed) blocks with all of them; None below two such tuners."""
    raise NotImplementedError
