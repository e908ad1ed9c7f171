"""What a published campaign says of itself, beside the records that are kept of it."""

from __future__ import annotations

import json
from pathlib import Path

from hptune_bench.core.files import write_atomic

ABOUT = ("name", "title", "command", "started", "finished", "benchmark", "environment", "workers", "finished_runs")
"""What the manifest says of the campaign as a whole; its checksums are those of files that are not published."""


def write_about(campaign: Path, folder: Path) -> None:
    """Write ``campaign.json``: the manifest without what is only about files that are not published."""
    manifest = json.loads((campaign / "manifest.json").read_text(encoding="utf-8"))
    about = {key: manifest[key] for key in ABOUT}
    workloads = manifest["workloads"]
    about["fingerprints"] = {name: each["fingerprint"] for name, each in workloads.items()}
    tables = {name: each["table"]["digest"] for name, each in workloads.items() if each.get("table")}
    if tables:
        about["tables"] = tables
    write_atomic(folder / "campaign.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
