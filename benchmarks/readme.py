"""Put the published result into README.md: the verdict, the picture and the tables of ``results/published/post``.

``python -m benchmarks.readme`` rewrites what stands between the two marks, from files that ``make publish`` wrote; with
``--check`` it only says whether README.md is what it would write.
"""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.marked import fill

FOLDER = Path("results/published/post")
README = Path("README.md")
COLUMNS = ("Method", "Test score", "Time, full", "Seeds")


def block(folder: Path) -> str:
    """The verdict, the first picture and one table per workload, as Markdown for the repository's root."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    report = (folder / "report.md").read_text(encoding="utf-8")
    verdict = report.partition("## Verdict")[2].partition("\n## ")[0].strip()
    machine = manifest["environment"]
    parts = [
        f"{verdict}\n",
        f"![Best validation loss so far, by method]({folder / 'plots' / 'best-so-far.png'})\n",
    ]
    for name, about in manifest["workloads"].items():
        label = f" ({about['data_label']} data)" if about["data_label"] else ""
        parts.append(f"**{about['title']}{label}**: {about['test_metric'].replace('_', ' ')} on the test split\n")
        parts.append(table((folder / "tables" / f"summary-{name}.md").read_text(encoding="utf-8")))
    parts.append(
        "Median over seeds [quartiles]; smaller is better; bold = best; ≈ = not distinguishable from the best. "
        "Time = what the search costs with plain Keras on this machine. "
        f"Made by `{manifest['command']}` on {machine['processor']} with {manifest['workers']} workers. "
        f"[The whole report]({folder / 'report.md'}).\n"
    )
    return "\n".join(parts)


def table(markdown: str) -> str:
    """The columns of a summary table that a first look needs."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in markdown.strip().splitlines()]
    kept = [index for index, title in enumerate(rows[0]) if title.startswith(COLUMNS)]
    lines = [rows[0], ["---"] * len(rows[0]), *rows[2:]]
    return "\n".join(f"| {' | '.join(line[index] for index in kept)} |" for line in lines) + "\n"


if __name__ == "__main__":
    fill(README, block(FOLDER), str(FOLDER), "benchmarks.readme")
