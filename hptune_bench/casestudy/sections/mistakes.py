"""What the notebook's mistakes do to its conclusion, in sentences and a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hptune_bench.analysis.frames import Records
from hptune_bench.casestudy.mistakes import AS_WRITTEN, DEAD, DONE_RIGHT, DeadLoop, Gain, Mistakes, mistakes
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Prose, table
from hptune_bench.report.cells import measure, part
from hptune_bench.report.context import Context, Section


def _mistakes(ctx: Context) -> Iterable[Block]:
    return blocks({found.records.name: found.records for found in ctx.workloads})


def blocks(records: Mapping[str, Records]) -> tuple[Block, ...]:
    """Empty unless the campaign has both workloads and both methods."""
    if AS_WRITTEN not in records or DONE_RIGHT not in records:
        return ()
    found = mistakes(records[AS_WRITTEN], records[DONE_RIGHT])
    if found is None:
        return ()
    unknown = Cell("not known: no test split")
    rows = [
        ("What the loop seems to gain over the copied configuration: validation score", found.claimed, found.selected),
        ("What it gains on data it has not seen: test score", unknown, found.true),
        (f"What the second loop, over {DEAD}, seems to gain over the first", found.dead.gain, found.live.gain),
        ("Seeds in which that loop found something better", _share(found.dead), _share(found.live)),
        (f"The {DEAD} that was picked (times)", _picked(found.dead), _picked(found.live)),
    ]
    columns = [
        Column("", lambda row: row[0]),
        Column("As written", lambda row: _cell(row[1])),
        Column("Done right", lambda row: _cell(row[2])),
    ]
    note = (
        f"The hand-written loop, {text.plural(found.claimed.pairs, 'seed')}: medians of paired differences on equal "
        "data with their 95 % interval (none below six seeds); positive = better than the copied configuration."
    )
    caption = "The loop as the notebook wrote it, and done right"
    return Prose(sentence(found), strong=True), table("mistakes", caption, columns, rows, note)


def sentence(found: Mistakes) -> str:
    """What the mistakes do to the conclusion, with its numbers."""
    dead = found.dead
    return (
        f"As written, nothing reads {DEAD}, and yet the loop over it found something better in {dead.improved} of "
        f"{dead.runs} seeds, by {_words(dead.gain)} in the median, and picked {text.plural(len(dead.picked), 'value')} "
        f"of it: each is the luck of a fresh sample. With it the loop seems to gain {_words(found.claimed)} over the "
        f"copied configuration; done right it gains {_words(found.selected)} in validation score and "
        f"{_words(found.true)} on test data that no method saw, where there is such data."
    )


def _words(gain: Gain) -> str:
    if gain.interval is None:
        return f"{text.number(gain.value)} (too few seeds or data sets for an interval)"
    return text.interval(gain.value, gain.interval.low, gain.interval.high)


def _cell(entry: Gain | Cell) -> Cell:
    if isinstance(entry, Cell):
        return entry
    span = entry.interval
    return measure(entry.value, *((span.low, span.high) if span else ()))


def _share(loop: DeadLoop) -> Cell:
    return part(loop.improved, loop.runs)


def _picked(loop: DeadLoop) -> Cell:
    return Cell(", ".join(f"{value} ({count})" for value, count in loop.picked.items()))


SECTION = Section("What the notebook's mistakes do", 80, _mistakes, folded=False)
