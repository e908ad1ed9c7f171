"""The largest worker of a campaign whose trials are nearly all new structures.

``python -m benchmarks.speed.memory`` runs random search on ``digits``, 300 trials by default, and looks at the resident
memory of every worker twice a second. Workers retire between runs, after 100 structures or when they have grown.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.speed.common import FOLDER, write
from hptune_bench.benchmark import validate
from hptune_bench.cli.observers import PlainObserver
from hptune_bench.execution.campaign import Campaign
from hptune_bench.store.results import read_results


def watch(stop: threading.Event, peaks: dict[int, int]) -> None:
    """Note the largest resident memory of each child process until told to stop."""
    while not stop.wait(0.5):
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                peaks[child.pid] = max(peaks.get(child.pid, 0), child.memory_info().rss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    table = {
        "name": "memory",
        "seeds": arguments.seeds,
        "noise_repeats": 0,
        "stock_clock": False,
        "tuners": ["random_search"],
        "budget": {"trials": arguments.trials},
        "workloads": [{"name": "digits"}],
    }
    stop, peaks = threading.Event(), dict[int, int]()
    watcher = threading.Thread(target=watch, args=(stop, peaks))
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(
            benchmark=validate(table, "memory"),
            folder=Path(folder),
            workers=arguments.workers,
            command="",
            observer=PlainObserver(Console(quiet=True)),
        )
        watcher.start()
        try:
            campaign.run()
        finally:
            stop.set()
            watcher.join()
        trials = read_results(Path(folder)).trials
    row = {
        "trials": len(trials),
        "configurations": trials["configuration"].nunique(),
        "workers_started": len(peaks),
        "largest_worker_gib": max(peaks.values()) / 2**30,
    }
    write("memory", [row], arguments.out)


if __name__ == "__main__":
    main()
