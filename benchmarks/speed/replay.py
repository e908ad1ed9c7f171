"""Replay: proposals per second in one process, and a thousand seeds of three tuners through the command line.

Needs the table of the workload (``hptune-bench table linear_regression``). Nothing is trained.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.common import FOLDER, write
from hptune_bench import registry
from hptune_bench.core.budget import Limits
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import RunSetup
from hptune_bench.store import journal
from hptune_bench.store.layout import RunId
from hptune_bench.store.runstore import FileStore
from hptune_bench.training import make_trainer

WORKLOAD = "linear_regression"
TUNERS = ("random_search", "manual_sweep", "manual_grid")
TRAININGS = 20
BENCHMARK = """
name = "speed"
seeds = {seeds}
trainer = "table"
tuners = {tuners}
[[workloads]]
name = "{workload}"
budget = {{ trainings = {trainings} }}
"""


def one_process(tuner: str, runs: int) -> dict[str, object]:
    """Whole runs, journals included, one after the other; the first is not counted."""
    workload = registry.make_workload(WORKLOAD, {})
    trainer, searcher = make_trainer("table", workload), registry.make_tuner(tuner)
    trials = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, runs + 2):
            if seed == 2:
                began, cpu = time.perf_counter(), time.process_time()
            setup = RunSetup(
                run=RunId(WORKLOAD, tuner, seed),
                workload=workload,
                tuner=searcher,
                trainer=trainer,
                limits=Limits(epochs=TRAININGS * workload.full_epochs),
                header={"definition": {}},
                store=FileStore(Path(folder) / f"{seed}.jsonl"),
            )
            conduct(setup)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        for seed in range(2, runs + 2):
            trials += len(journal.read(Path(folder) / f"{seed}.jsonl").of_kind("trial"))
    return {
        "what": f"{tuner}, one process",
        "runs": runs,
        "proposals": trials,
        "wall_s": wall,
        "per_second": trials / wall,
        "per_cpu_second": trials / cpu,
    }


def campaign(seeds: int) -> dict[str, object]:
    """The command as a user gives it, with its CSV files and without a report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b.toml"
        tuners = str(list(TUNERS)).replace("'", '"')
        text = BENCHMARK.format(seeds=seeds, tuners=tuners, workload=WORKLOAD, trainings=TRAININGS)
        path.write_text(text, encoding="utf-8")
        out = Path(folder) / "out"
        command = [sys.executable, "-m", "hptune_bench", "run", str(path), "--out", str(out), "--no-report"]
        began = time.perf_counter()
        subprocess.run([*command, "--workers", "2"], check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - began
        with (out / "trials.csv").open(encoding="utf-8") as stream:
            trials = sum(1 for _ in stream) - 1
    what = f"campaign of {len(TUNERS)} tuners, two workers, with CSV files"
    return {
        "what": what,
        "runs": seeds * len(TUNERS),
        "proposals": trials,
        "wall_s": wall,
        "per_second": trials / wall,
        "per_cpu_second": None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=1000)
    arguments = parser.parse_args()
    rows = [one_process(tuner, arguments.runs) for tuner in TUNERS]
    write("replay", [*rows, campaign(arguments.seeds)], arguments.out)


if __name__ == "__main__":
    main()
