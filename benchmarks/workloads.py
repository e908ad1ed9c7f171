"""Publish what there is to win on each workload, and put the table into ``docs/workloads.md``.

``python -m benchmarks.workloads`` copies the small files of ``results/workloads``, which ``make workloads`` wrote, to
``results/published/workloads`` and rewrites what stands between the two marks of the page; with ``--check`` it only
says whether the page is what the published files give.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.marked import fill
from hptune_bench.files import write_atomic

CAMPAIGN = Path("results/workloads")
FOLDER = Path("results/published/workloads")
PAGE = Path("docs/workloads.md")
FILES = ("runs.csv", "trials.csv", "noise.csv", "tables/room.md", "tables/room.csv")
ABOUT = ("name", "title", "command", "started", "finished", "benchmark", "environment", "workers", "finished_runs")
"""What the manifest says of the campaign as a whole; its checksums are those of files that are not published."""


def publish(campaign: Path, folder: Path) -> None:
    """Copy what the page is made from, and the records behind it."""
    for name in FILES:
        write_atomic(folder / name, (campaign / name).read_bytes())
    manifest = json.loads((campaign / "manifest.json").read_text(encoding="utf-8"))
    about = {key: manifest[key] for key in ABOUT}
    about["fingerprints"] = {name: each["fingerprint"] for name, each in manifest["workloads"].items()}
    write_atomic(folder / "campaign.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def block(folder: Path) -> str:
    """The table and how it came about, as Markdown for a page in ``docs``."""
    about = json.loads((folder / "campaign.json").read_text(encoding="utf-8"))
    definition, machine = about["benchmark"], about["environment"]
    methods = ", ".join(f"`{name}`" for name in definition["tuners"])
    seeds, trainings = definition["seeds"], definition["budget"]["trainings"]
    lines = [
        (folder / "tables" / "room.md").read_text(encoding="utf-8"),
        "Median test scores over seeds (validation scores where there is no test split); smaller is better. Noise is",
        "the standard deviation over retrainings of the untuned configuration on one seed's data; distances are",
        "medians over seeds of the differences on the same data. *Within the noise* is a workload on which every",
        "method that searches ends within that noise of the best: it cannot rank these methods at this budget. The",
        "seeds are few and the budget is small: the distances are rough.",
        "",
        f"Methods: {methods}; {seeds} seeds, {trainings:g} full trainings each; fewer reviews than usual.",
        f"Made by `{about['command']}` on {machine['processor']}.",
        f"The records: [{folder}](../{folder}).",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv:
        publish(CAMPAIGN, FOLDER)
    fill(PAGE, block(FOLDER), str(FOLDER), "benchmarks.workloads")
