"""Publish what there is to win on each workload and what the notebook's mistakes do, into ``docs/workloads.md``.

``python -m benchmarks.workloads`` copies the small files of ``results/workloads`` and ``results/as_written``, which
``make workloads`` wrote, to ``results/published`` and rewrites what stands between the two marks of the page; with
``--check`` it only says whether the page is what the published files give.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.marked import fill
from benchmarks.publication import write_about
from hptune_bench.core.files import write_atomic

RESULTS, PUBLISHED = Path("results"), Path("results/published")
PAGE = Path("docs/workloads.md")
TABLES = {"workloads": "room", "as_written": "mistakes"}
"""Which table of which campaign is shown."""
RECORDS = ("runs.csv", "trials.csv", "noise.csv")


def publish(name: str) -> None:
    """Copy what the page is made from, and the records behind it."""
    campaign, folder = RESULTS / name, PUBLISHED / name
    for file in (*RECORDS, *(f"tables/{TABLES[name]}.{kind}" for kind in ("md", "csv"))):
        write_atomic(folder / file, (campaign / file).read_bytes())
    write_about(campaign, folder)


def block() -> str:
    """The tables and how they came about, as Markdown for a page in ``docs``."""
    lines = [
        *shown("workloads"),
        "",
        "Median test scores over seeds (validation scores where there is no test split); smaller is better. Noise is",
        "the standard deviation over retrainings of the untuned configuration on one seed's data; distances are",
        "medians over seeds of the differences on the same data. *Within the noise* is a workload on which every",
        "method that searches ends within that noise of the best: it cannot rank these methods at this budget. The",
        "seeds are few and the budget is small: the distances are rough.",
        "",
        "The loop as the notebook wrote it (`review_sentiment_as_written`) beside the same loop done right",
        "(`review_sentiment`), losses; positive = better than the copied configuration, 95 % intervals of medians of",
        "paired differences:",
        "",
        *shown("as_written"),
    ]
    return "\n".join(lines) + "\n"


def shown(name: str) -> list[str]:
    """A table and where it comes from."""
    folder = PUBLISHED / name
    about = json.loads((folder / "campaign.json").read_text(encoding="utf-8"))
    definition, machine = about["benchmark"], about["environment"]
    methods = ", ".join(f"`{name}`" for name in definition["tuners"])
    seeds, trainings = definition["seeds"], definition["budget"]["trainings"]
    return [
        (folder / "tables" / f"{TABLES[name]}.md").read_text(encoding="utf-8"),
        f"Methods: {methods}; {seeds} seeds, {trainings:g} full trainings each; fewer reviews than usual.",
        f"Made by `{about['command']}` on {machine['processor']}.",
        f"The records: [{folder}](../{folder}).",
    ]


if __name__ == "__main__":
    if "--check" not in sys.argv:
        for each in TABLES:
            publish(each)
    fill(PAGE, block(), str(PUBLISHED), "benchmarks.workloads")
