"""Where the seconds of a whole campaign went: training, tuners, compiling, work off the budget, everything else.

``python -m benchmarks.speed.campaign`` reads what the last ``make bench`` left, or else the published campaign; another
folder of a finished, uninterrupted campaign can be named. Capacity is workers times wall time; "everything else" is
what is left of it after all that has a name: ledger, journals, records, starting processes, importing TensorFlow, idle
workers at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.speed.common import FOLDER, write
from hptune_bench.store.results import read_results

MAIN_JOB = (Path("results/post"), Path("results/published/post"))


def shares(folder: Path) -> list[dict[str, float | str]]:
    """One row per part: what, seconds, share of the capacity."""
    campaign = read_results(folder)
    spent, runs = campaign.manifest["seconds"], campaign.runs
    capacity = spent["wall"] * campaign.manifest["workers"]
    selected = campaign.noise[campaign.noise["tuner"].notna()]
    parts = {
        "training": runs["train_s"].sum(),
        "tuners": runs["tuner_s"].sum(),
        "compiling": runs["compile_s"].sum(),
        "noise floor and retrainings, off the budget": spent.get("noise", 0.0) + selected["train_s"].sum(),
        "incumbents on the test split, off the budget": runs["scoring_s"].sum(),
        "stock clock, off the budget": spent.get("stock_clock", 0.0),
        "checks and best models, off the budget": spent.get("check", 0.0) + spent.get("model", 0.0),
        "tables and report": spent["tables and report"],
    }
    parts["everything else"] = capacity - sum(parts.values())
    rows = [{"what": what, "seconds": seconds, "share": seconds / capacity} for what, seconds in parts.items()]
    return [*rows, {"what": "workers x wall time", "seconds": capacity, "share": 1.0}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    last = next((folder for folder in MAIN_JOB if (folder / "manifest.json").exists()), MAIN_JOB[0])
    parser.add_argument("folder", type=Path, nargs="?", default=last)
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    write("campaign", shares(arguments.folder), arguments.out)


if __name__ == "__main__":
    main()
