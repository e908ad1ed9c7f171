"""Put the published table of what there is to win on each workload into ``docs/workloads.md``.

``python -m benchmarks.workloads`` rewrites what stands between the two marks, from files that ``make workloads`` wrote;
with ``--check`` it only says whether the page is what it would write.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.marked import fill

FOLDER = Path("results/published/workloads")
PAGE = Path("docs/workloads.md")


def block(folder: Path) -> str:
    """The table and how it came about, as Markdown for a page in ``docs``."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    definition, machine = manifest["benchmark"], manifest["environment"]
    methods = ", ".join(f"`{name}`" for name in definition["tuners"])
    seeds, trainings = definition["seeds"], definition["budget"]["trainings"]
    lines = [
        (folder / "tables" / "room.md").read_text(encoding="utf-8"),
        "Median test scores over seeds (validation scores where there is no test split); smaller is better. Noise is",
        "the standard deviation over retrainings of the untuned configuration on one seed's data; distances are",
        "medians over seeds of the differences on the same data. *Within the noise* is a workload on which every",
        "method that searches ends within that noise of the best: it cannot rank these methods at this budget.",
        "",
        f"Methods: {methods}; {seeds} seeds, {trainings:g} full trainings each.",
        f"Made by `{manifest['command']}` on {machine['processor']}.",
        f"[The whole report](../{folder}/report.md).",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    fill(PAGE, block(FOLDER), str(FOLDER), "benchmarks.workloads")
