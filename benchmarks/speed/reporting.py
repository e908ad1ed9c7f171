"""Seconds and memory of a whole report: of a made-up campaign of a million epoch rows, and of the published one.

``python -m benchmarks.speed.reporting`` writes the made-up campaign (the tests' generator, 11 methods on two problems)
into a temporary folder and runs ``hptune-bench report`` on it in a process of its own, as a reader does: start,
reading, statistics, figures, tables, both pages. Memory is the largest resident size of that process.
``load_before``: the machine's load average when it began; above 0 the seconds on the wall are those of a shared
machine, and ``cpu_seconds`` says what the report itself took.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.common import FOLDER, write
from hptune_bench.store.results import Results, read_results
from tests.support.synthetic_campaign import synthetic_campaign

PUBLISHED = Path("results/published/post")


def make(folder: Path, rows: int) -> None:
    """Write a campaign with at least ``rows`` rows in ``epochs.csv``."""
    few = 2
    seeds = math.ceil(1.02 * few * rows / len(synthetic_campaign(seeds=few).epochs)) + 1
    campaign = synthetic_campaign(seeds=seeds)
    if len(campaign.epochs) < rows:
        raise SystemExit(f"{seeds} seeds gave only {len(campaign.epochs):,} rows")
    (folder / "manifest.json").write_text(json.dumps(campaign.manifest), encoding="utf-8")
    for name in ("runs", "trials", "epochs", "noise", "stock_clock"):
        getattr(campaign, name).to_csv(folder / f"{name}.csv", index=False)


def measure(folder: Path, out: Path) -> tuple[float, float, float]:
    """Seconds on the wall, seconds of processor and GiB of one report."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "hptune_bench", "report", str(folder), "--out", str(out)], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the report of {folder} ended with {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / 2**30


def row(what: str, folder: Path, repeats: int) -> dict[str, float | str]:
    campaign: Results = read_results(folder)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as out:
        found = [measure(folder, Path(out)) for _ in range(repeats)]
    return {
        "report of": what,
        "epoch_rows": len(campaign.epochs),
        "trials": len(campaign.trials),
        "runs": len(campaign.runs),
        "seconds": statistics.median(seconds for seconds, _, _ in found),
        "seconds_max": max(seconds for seconds, _, _ in found),
        "cpu_seconds": statistics.median(cpu for _, cpu, _ in found),
        "peak_gib": max(peak for _, _, peak in found),
        "repeats": repeats,
        "load_before": load,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        make(Path(made), arguments.rows)
        rows = [row("a made-up campaign", Path(made), arguments.repeats)]
    rows.append(row(str(PUBLISHED), PUBLISHED, arguments.repeats))
    write("reporting", rows, arguments.out)


if __name__ == "__main__":
    main()
