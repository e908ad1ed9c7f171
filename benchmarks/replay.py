"""Publish the replay of the post's problems: the report, and what it can be checked by.

``python -m benchmarks.replay`` copies from ``results/replay``, which ``make replay`` wrote, to
``results/published/replay``: the report as Markdown, its figures as PNG, its tables, the numbers behind both as far as
they are small, and one row per run. Journals, trials and epochs stay: the same command makes them again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Set
from pathlib import Path

from benchmarks.publication import write_about
from hptune_bench.core.files import write_atomic

RESULTS, PUBLISHED = Path("results/replay"), Path("results/published/replay")
REPORT = "report.md"
KEPT = (REPORT, "runs.csv", "plots/*.png", "plots/*.csv", "tables/*.md", "tables/*.csv")
MOST_BYTES = 300_000
"""Of a CSV file behind a figure: what is larger holds every trial."""
NOTE = (
    "Published without journals, trials and epochs: `make replay` makes them again, from the tables in "
    "[results/published/tables](../tables). How to read it: [docs/tables.md](../../../docs/tables.md)."
)


def kept(campaign: Path) -> dict[str, Path]:
    """The files that are published, by their path in the folder.

    Raises:
        SystemExit: there is no complete report.
    """
    found = {str(path.relative_to(campaign)): path for pattern in KEPT for path in sorted(campaign.glob(pattern))}
    missing = {REPORT, "runs.csv"} - set(found)
    if missing or not (campaign / "manifest.json").exists():
        sys.exit(f"{campaign} holds no finished campaign with a report: run make replay")
    return {
        name: path
        for name, path in found.items()
        if not (name.startswith("plots/") and path.suffix == ".csv" and path.stat().st_size > MOST_BYTES)
    }


def without_dead_links(report: str, names: Set[str]) -> str:
    """The report without the links to files that are not published, and with ``NOTE`` below its first line."""

    def link(match: re.Match[str]) -> str:
        return match[0] if match["target"] in names else ""

    text = re.sub(r"(?: ·)? \[(?:Data|SVG|Unrounded)\]\((?P<target>[^)]+)\)", link, report)
    title, _, rest = text.partition("\n\n")
    return f"{title}\n\n{NOTE}\n\n{rest}"


def publish(campaign: Path, folder: Path) -> None:
    """Copy what is kept; files of an earlier publication that are no longer there go."""
    files = kept(campaign)
    for name, path in files.items():
        content = path.read_bytes()
        if name == REPORT:
            content = without_dead_links(content.decode("utf-8"), files.keys()).encode("utf-8")
        write_atomic(folder / name, content)
    write_about(campaign, folder)
    for path in folder.glob("*/*"):
        if str(path.relative_to(folder)) not in files:
            path.unlink()


if __name__ == "__main__":
    publish(RESULTS, PUBLISHED)
