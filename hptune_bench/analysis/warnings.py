"""Trap warnings, computed from the records."""

from __future__ import annotations

from dataclasses import dataclass

from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.questions import Question


@dataclass(frozen=True)
class Warning:
    """key: a stable name of the trap. text: one or two sentences. first_page: belongs on the first page."""

    key: str
    workload: str
    text: str
    first_page: bool = False


def warnings(
    records: Records, comparisons: tuple[Comparison, ...], questions: tuple[Question, ...]
) -> tuple[Warning, ...]:
    """Traps that this workload's records show: random points only, same proposals, exhausted, unspent, failures, disturbed
    clocks, too few seeds, failed runs, unfinished runs, best values at an edge."""
    raise NotImplementedError
