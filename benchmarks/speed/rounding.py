"""How far trainings move apart when nothing but rounding changes: what `verify --rerun` calls equivalent rests on it.

    python -m benchmarks.speed.rounding

The same trainings (random configurations, both problems of the post, fixed seeds) with the kernels of a campaign and
with others, as another processor would choose them: TensorFlow's oneDNN, and programs compiled for fewer processor
features. Each way is a process of its own. Writes `results/published/speed/rounding.csv`: for each problem, way and
epoch the largest relative difference of a loss, and the largest share of rows that a metric which counts rows
(an accuracy) has moved by.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

OUT = Path("results/published/speed/rounding.csv")
WAYS: dict[str, dict[str, str]] = {
    "campaign": {},
    "onednn": {"HPTUNE_BENCH_KERNELS": "installed"},
    "avx2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
    "avx": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX"},
}
CONFIGURATIONS = {"linear_regression": 24, "review_sentiment": 8}
SEED = 1


def trained() -> None:
    """In a process of its own: train, and print the curves as JSON."""
    import numpy as np

    from hptune_bench.core import seeds
    from hptune_bench.core.protocols import Job
    from hptune_bench.core.tensorflow import configure_tensorflow
    from hptune_bench.registry import make_workload
    from hptune_bench.training import make_trainer

    # A cache of its own: programs that were compiled for all features of this processor must not serve.
    cache = Path(tempfile.mkdtemp())
    configure_tensorflow(cache, as_installed=os.environ.get("HPTUNE_BENCH_KERNELS") == "installed")
    curves: dict[str, list[Any]] = {}
    for name, count in CONFIGURATIONS.items():
        workload = make_workload(name, {})
        trainer = make_trainer("compiled", workload)
        rng = np.random.default_rng(seeds.derive("rounding", name))
        data_seed = seeds.data_seed(workload.family, SEED)
        for number in range(count):
            configuration = workload.space.sample(rng)
            seed = seeds.training_seed(data_seed, configuration, number)
            outcome = trainer.train(Job(configuration, workload.full_epochs, data_seed, seed))
            curves.setdefault(name, []).append([dict(epoch) for epoch in outcome.history])
    print(json.dumps(curves))


def main() -> None:
    """Train in every way, compare with the first."""
    found = {}
    for way, environment in WAYS.items():
        command = [sys.executable, "-m", "benchmarks.speed.rounding", "--train"]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        found[way] = json.loads(done.stdout.splitlines()[-1])
        print(way, "done", flush=True)
    rows = []
    for way in list(WAYS)[1:]:
        for name, curves in found["campaign"].items():
            longest = max(map(len, curves))
            for epoch in range(longest):
                losses, shares, parted = [0.0], [0.0], 0
                for one, two in zip(curves, found[way][name], strict=True):
                    parted += len(one) != len(two)
                    if epoch < min(len(one), len(two)):
                        for metric, value in one[epoch].items():
                            apart = abs(value - two[epoch][metric])
                            if metric.endswith("accuracy"):
                                shares.append(apart)
                            elif apart == apart and apart != float("inf"):
                                losses.append(apart / max(abs(value), 1e-12))
                rows.append([name, way, epoch + 1, f"{max(losses):.2e}", f"{max(shares):.2e}", parted])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with OUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["workload", "way", "epoch", "largest_loss_difference", "largest_share_of_rows", "parted"])
        writer.writerows(rows)


if __name__ == "__main__":
    trained() if "--train" in sys.argv else main()
