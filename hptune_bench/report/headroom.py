"""What there is to win on each workload, in units of the retraining noise, and the label of those that have nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Prose, table
from hptune_bench.report.tables import Styles, measure

LABEL = "no: within the noise"
UNKNOWN = "not known: fewer than two methods searched"


def label(found: WorkloadAnalysis) -> list[Block]:
    """One line above the results of a workload whose tuners cannot differ by more than the retraining noise."""
    traps = [warning.text for warning in found.warnings if warning.key == "within_noise"]
    return [Prose(words, strong=True) for words in traps]


def blocks(workloads: Sequence[tuple[str, WorkloadAnalysis]], styles: Styles) -> tuple[Block, ...]:
    """One table: a row per workload, given with its title. Empty where the noise was measured on none."""
    rows = []
    for title, found in workloads:
        if found.room is None:
            continue
        room = found.room
        best = room.scores[room.best]
        rows.append(
            [
                Cell(title),
                Cell(LABEL if room.within_noise else "yes" if room.comparable else UNKNOWN),
                measure(room.scores.get(room.copied or "", math.nan)),
                measure(room.scores.get(room.random or "", math.nan)),
                Cell(f"{text.number(best)} ({styles[room.best].label})", best),
                Cell(text.number(room.noise, 2), room.noise),
                _times(room.distances.get(room.copied or "", math.nan)),
                _times(room.distances.get(room.random or "", math.nan)),
            ]
        )
    if not rows:
        return ()
    columns = [
        "Workload",
        "Can tuners differ?",
        "Untuned",
        "Random search",
        "Best known",
        "Retraining noise",
        "Untuned above best, in noise",
        "Random search above best, in noise",
    ]
    note = (
        "Median test scores over seeds (validation scores where there is no test split); smaller is better. "
        "Best known = the method with the best mean over seeds. Noise = standard deviation over retrainings of the "
        "untuned configuration on one seed's data. Distances are medians over seeds of the differences on the same "
        "data. Tuners are said to differ where some method that searches ends further than the noise above the best "
        "known score."
    )
    return (table("room", "What there is to win, in units of the retraining noise", columns, rows, note, 2),)


def _times(distance: float) -> Cell:
    """A distance in units of the noise."""
    return Cell(text.number(distance, 2), distance)
