"""What each method asks of a person, counted from the example scripts."""

from __future__ import annotations

from collections.abc import Iterable

from hptune_bench.casestudy.effort import efforts, scripts
from hptune_bench.report.blocks import Block, Cell, column, table
from hptune_bench.report.cells import count
from hptune_bench.report.context import Context, Section

LABELS = {"plain": "no tuning: the plain script"}


def _effort(ctx: Context) -> Iterable[Block]:
    known = ["plain", *ctx.infos]
    sources = scripts()
    names = sorted(sources, key=lambda name: (known.index(name) if name in known else len(known), name))
    found = efforts({name: sources[name] for name in names})
    if not found:
        return
    labels = {**{name: style.label for name, style in ctx.styles.items()}, **LABELS}
    columns = [
        column("Method", lambda method: str(labels.get(method, method)), "method"),
        column("Lines of code", count, "lines"),
        column("Lines changed from the plain script", _changed, "added", "removed"),
        column("Values to choose", count, "choices"),
        column("Times to look", count, "looks"),
    ]
    note = "Counted from the example scripts in benchmarks/examples/effort/, which all tune the post's regression."
    yield table("effort", "What each method asks of a person", columns, found, note)


def _changed(added: int, removed: int) -> Cell:
    return Cell(f"+{added} −{removed}", added + removed)


SECTION = Section("Effort", 240, _effort)
