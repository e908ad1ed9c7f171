"""How much faster are two workers than one? The same runs, alternately with one worker and with more.

``python -m benchmarks.speed.scaling`` runs random search on the regression with warm compile caches; efficiency is the
speed-up divided by the number of workers. It means something on an otherwise idle machine only.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.speed.common import FOLDER, write
from hptune_bench.benchmark import Benchmark, validate
from hptune_bench.cli.observers import PlainObserver
from hptune_bench.execution.campaign import Campaign
from hptune_bench.store.results import read_results


def definition(seeds: int, trainings: int) -> Benchmark:
    return validate(
        {
            "name": "scaling",
            "seeds": seeds,
            "noise_repeats": 0,
            "stock_clock": False,
            "tuners": ["untuned_restarts"],
            "budget": {"trainings": trainings},
            "workloads": [{"name": "linear_regression"}],
        },
        "scaling",
    )


def measure(seeds: int, trainings: int, workers: int) -> dict[str, float]:
    """Trials a second between the first and the last trial: starting processes and compiling left out."""
    from rich.console import Console

    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(
            benchmark=definition(seeds, trainings),
            folder=Path(folder),
            workers=workers,
            command="",
            observer=PlainObserver(Console(quiet=True)),
        )
        campaign.run()
        found = read_results(Path(folder))
    runs = found.runs
    busy = runs["train_s"].sum() + runs["tuner_s"].sum()
    return {
        "workers": workers,
        "trials": int(runs["trials"].sum()),
        "seconds_per_trial_and_worker": busy / runs["trials"].sum(),
        "trials_per_second": workers * runs["trials"].sum() / busy,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--trainings", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    rows = []
    for repeat in range(arguments.repeats):
        for workers in (1, arguments.workers):
            rows.append({"repeat": repeat + 1, **measure(arguments.seeds, arguments.trainings, workers)})
    one = {row["repeat"]: row["trials_per_second"] for row in rows if row["workers"] == 1}
    for row in rows:
        row["efficiency"] = row["trials_per_second"] / (row["workers"] * one[row["repeat"]])
    write("scaling", rows, arguments.out)


if __name__ == "__main__":
    main()
