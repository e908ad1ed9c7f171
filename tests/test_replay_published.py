"""What is published of a replay: the report without dead links, small files only, nothing of an earlier one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.replay import MOST_BYTES, publish, without_dead_links

REPORT = """# Replay

7 methods.

![A](plots/a.png)

**Seen.** Words. [Data](plots/a.csv) · [SVG](plots/a.svg)

**Seen, too.** Words. [Data](plots/large.csv) · [SVG](plots/large.svg)

<sub>A note. [Unrounded](tables/t.csv)</sub>
"""


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    folder = tmp_path / "replay"
    keys = ("name", "title", "command", "started", "finished", "benchmark", "environment", "workers", "finished_runs")
    manifest = {key: key for key in keys} | {"files": {"epochs.csv": "0"}, "seconds": {}}
    manifest["workloads"] = {"toy": {"fingerprint": "f", "table": {"digest": "d"}}}
    contents = {
        "report.md": REPORT,
        "report.html": "<p>",
        "runs.csv": "seed\n1\n",
        "epochs.csv": "epoch\n1\n",
        "manifest.json": json.dumps(manifest),
        "plots/a.png": "png",
        "plots/a.csv": "x\n1\n",
        "plots/a.svg": "<svg>",
        "plots/large.csv": "x" * (MOST_BYTES + 1),
        "tables/t.csv": "y\n1\n",
        "tables/t.md": "| y |",
        "runs/toy/untuned/s01.jsonl": "{}",
    }
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def test_what_people_read_is_kept_and_nothing_else(campaign: Path, tmp_path: Path) -> None:
    out = tmp_path / "published" / "replay"
    (out / "plots").mkdir(parents=True)
    (out / "plots" / "of-an-earlier-one.png").write_text("old", encoding="utf-8")
    publish(campaign, out)
    kept = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    wanted = {"campaign.json", "report.md", "runs.csv", "plots/a.csv", "plots/a.png", "tables/t.csv", "tables/t.md"}
    assert kept == wanted
    about = json.loads((out / "campaign.json").read_text(encoding="utf-8"))
    assert about["tables"] == {"toy": "d"}
    assert about["fingerprints"] == {"toy": "f"}
    assert "files" not in about


def test_every_link_of_the_published_report_leads_somewhere(campaign: Path, tmp_path: Path) -> None:
    out = tmp_path / "published" / "replay"
    publish(campaign, out)
    report = (out / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# Replay\n\nPublished without journals")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", report) if not target.startswith("..")]
    assert sorted(targets) == ["plots/a.csv", "plots/a.png", "tables/t.csv"]
    assert "**Seen, too.** Words.\n" in report


def test_a_link_that_is_kept_keeps_its_place() -> None:
    text = without_dead_links(REPORT, {"plots/large.csv"})
    assert "**Seen.** Words.\n" in text
    assert "**Seen, too.** Words. [Data](plots/large.csv)\n" in text


def test_what_has_not_run_is_not_published(campaign: Path, tmp_path: Path) -> None:
    (campaign / "report.md").unlink()
    with pytest.raises(SystemExit, match="run make replay"):
        publish(campaign, tmp_path / "out")
    assert not (tmp_path / "out").exists()
