"""From records to a report: ``report.md``, ``report.html``, ``plots/`` and ``tables/``.

Importing this costs nothing: what draws, calculates and fills templates is imported when a report is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hptune_bench.store.results import Results


def write_report(campaigns: Sequence[Results], out: Path, quick: bool = False) -> Path:
    """Write the report of one or several campaigns of one benchmark.

    Args:
        campaigns: merged before anything is computed; see ``results.merge``.
        out: folder; gets ``report.md``, ``report.html``, ``plots/`` (PNG, SVG and the CSV behind each figure) and
            ``tables/`` (Markdown, and CSV with the unrounded values). Each file is replaced in one step; equal input
            gives equal bytes.
        quick: only the first page: verdict, first figure, main table and warnings. Files of an earlier complete report
            that this one does not show stay where they are.

    Returns:
        the path of ``report.md``.

    Raises:
        UserError: the campaigns do not belong to one benchmark, or there is none.
    """
    from hptune_bench.report.write import write

    return write(campaigns, out, quick)
