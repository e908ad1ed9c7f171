"""Draw every figure, fill both templates, write every file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hptune_bench.analysis import analyse
from hptune_bench.core import text
from hptune_bench.core.errors import UserError
from hptune_bench.core.files import write_atomic
from hptune_bench.report import markup, page
from hptune_bench.report.blocks import Block, Figure, Part, Table
from hptune_bench.report.context import Context, build, context
from hptune_bench.report.plots import canvas
from hptune_bench.store import layout
from hptune_bench.store.csv import disarmed
from hptune_bench.store.results import Results, merge

if TYPE_CHECKING:
    from hptune_bench.tabular.table import CurveTable


def write(campaigns: Sequence[Results], out: Path, quick: bool) -> Path:
    """See ``report.write_report``."""
    campaign = merge(campaigns)
    ctx = context(campaign, analyse(campaign, quick=quick, tables={} if quick else replayed(campaign)))
    parts = build(ctx, quick)
    svgs = {}
    for block in _blocks(parts):
        if isinstance(block, Figure):
            png, svgs[block.name] = canvas.render(block.draw)
            write_atomic(out / layout.PLOTS / f"{block.name}.png", png)
            write_atomic(out / layout.PLOTS / f"{block.name}.svg", svgs[block.name])
            write_atomic(out / layout.PLOTS / f"{block.name}.csv", csv(block.data))
        elif isinstance(block, Table):
            write_atomic(out / layout.TABLES / f"{block.name}.md", markup.markdown_table(block) + "\n")
            write_atomic(out / layout.TABLES / f"{block.name}.csv", csv(to_frame(block)))
    shown = page.Page(
        title=text.clean(ctx.analysis.title or ctx.analysis.name),
        lead=_lead(ctx),
        sections=parts,
        svgs=svgs,
        styles=ctx.styles,
    )
    write_atomic(out / layout.PAGE, page.to_html(shown))
    report = out / layout.REPORT
    write_atomic(report, page.to_markdown(shown))
    return report


def replayed(campaign: Results) -> dict[str, CurveTable]:
    """The tables that the campaign's workloads were replayed from, as far as they are still at hand, unchanged."""
    from hptune_bench.tabular.parquet import find_table, read_table
    from hptune_bench.tabular.table import digest

    folder = (campaign.manifest.get("benchmark") or {}).get("tables")
    found = {}
    for name, about in (campaign.manifest.get("workloads") or {}).items():
        if not about.get("table"):
            continue
        try:
            table = read_table(find_table(name, folder or None))
        except UserError:
            continue  # the report says that the table is missing
        if digest(table) == about["table"].get("digest"):
            found[name] = table
    return found


def _blocks(parts: Sequence[Part]) -> Iterator[Block]:
    for part in parts:
        yield from part.blocks


def _lead(ctx: Context) -> str:
    """What was run, in one line."""
    manifest = ctx.campaign.manifest
    done, planned = manifest.get("finished_runs"), manifest.get("planned_runs")
    words = [
        text.plural(len(ctx.workloads), "workload"),
        text.plural(len(ctx.styles), "method"),
        f"{done} of {planned} runs finished",
    ]
    labels = list(dict.fromkeys(found.records.data_label for found in ctx.workloads if found.records.data_label))
    if labels:
        words.append(f"{text.listing(labels)} data where marked")
    return "; ".join(words) + "."


def to_frame(shown: Table) -> pd.DataFrame:
    """The unrounded values behind a table; a column's words where it holds no numbers."""
    rows = [[entry.text if entry.value is None else entry.value for entry in row] for row in shown.rows]
    names = [name if shown.columns.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(shown.columns)]
    return pd.DataFrame(rows, columns=names)


def csv(frame: pd.DataFrame) -> str:
    """A frame as CSV; words that a spreadsheet would run as a formula get an apostrophe in front.

    Computed numbers have ``text.DIGITS`` significant digits. What the training log holds is in single precision, and
    stays as it is.
    """
    columns = [name for name in frame.columns if frame[name].dtype.kind not in "iub"]
    safe = frame.assign(**{name: frame[name].map(_written) for name in columns})
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _written(entry: object) -> object:
    if isinstance(entry, str):
        return disarmed(entry)
    if not isinstance(entry, float) or math.isnan(entry) or float(np.float32(entry)) == entry:
        return entry
    return text.steady(float(entry))
