"""What there is to win on each workload, in units of the retraining noise, and the label of those that have nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Prose, table
from hptune_bench.report.cells import measure
from hptune_bench.report.context import Context, Section
from hptune_bench.report.naming import title_of

LABEL = "no: within the noise"
UNKNOWN = "not known: fewer than two methods searched"


def label(found: WorkloadAnalysis) -> list[Block]:
    """One line above the results of a workload whose tuners cannot differ by more than the retraining noise."""
    traps = [warning.text for warning in found.warnings if warning.key == "within_noise"]
    return [Prose(words, strong=True) for words in traps]


def _headroom(ctx: Context) -> Iterable[Block]:
    """One table: a row per workload. Empty where the noise was measured on none."""
    shown = [(found, found.headroom) for found in ctx.workloads if found.headroom is not None]
    if not shown:
        return
    columns = [
        Column("Workload", lambda row: title_of(row[0])),
        Column("Can tuners differ?", lambda row: _differ(row[1].within_noise, row[1].comparable)),
        Column("Untuned", _score("copied")),
        Column("Random search", _score("random")),
        Column("Best known", lambda row: _best(row[1].scores[row[1].best], ctx.label(row[1].best))),
        Column("Retraining noise", lambda row: _two_digits(row[1].noise)),
        Column("Untuned above best, in noise", _distance("copied")),
        Column("Random search above best, in noise", _distance("random")),
    ]
    note = (
        "Median test scores over seeds (validation scores where there is no test split); smaller is better. "
        "Best known = the method with the best mean over seeds. Noise = standard deviation over retrainings of the "
        "untuned configuration on one seed's data. Distances are medians over seeds of the differences on the same "
        "data. Tuners are said to differ where some method that searches ends further than the noise above the best "
        "known score."
    )
    yield table("room", "What there is to win, in units of the retraining noise", columns, shown, note, 2)


def _differ(within_noise: bool, comparable: bool) -> str:
    return LABEL if within_noise else "yes" if comparable else UNKNOWN


def _score(kind: str) -> Callable[..., Cell]:
    return lambda row: measure(row[1].scores.get(getattr(row[1], kind), math.nan))


def _distance(kind: str) -> Callable[..., Cell]:
    return lambda row: _two_digits(row[1].distances.get(getattr(row[1], kind), math.nan))


def _best(score: float, method: str) -> Cell:
    return Cell(f"{text.number(score)} ({method})", score)


def _two_digits(value: float) -> Cell:
    return Cell(text.number(value, 2), value)


SECTION = Section("What there is to win", 90, _headroom, folded=False)
