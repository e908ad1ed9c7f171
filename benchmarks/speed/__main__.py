"""Run the speed scripts one after the other, then write ``speed.md`` and its plot from their CSV files.

``python -m benchmarks.speed`` runs all, from the repository's root; with ``--only report`` it writes the page again.
``--quick`` checks that everything works, with sizes whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd

from benchmarks.speed.common import FOLDER
from hptune_bench.analysis.stock_clock import CONSTANTS

QUICK = {
    "epochs": ["--repeats", "1", "--epochs", "5", "--reviews", "1000", "--trials", "2"],
    "post_search": ["--trials", "2", "--epochs", "3", "--repeats", "1"],
    "stock_clock": ["--searches", "1", "--trials", "2", "--epochs", "3"],
    "scaling": ["--repeats", "1", "--seeds", "2", "--trainings", "4"],
    "memory": ["--seeds", "2", "--trials", "3"],
    "reporting": ["--rows", "10000", "--repeats", "1"],
    "campaign": [],
    "replay": ["--runs", "2", "--seeds", "2"],
}
TITLES = {
    "epochs": "Milliseconds per epoch and per trial",
    "post_search": "The post's own search",
    "stock_clock": "The stock clock",
    "stock_clock_validation": "The stock clock against complete stock searches",
    "scaling": "Two workers against one",
    "memory": "The largest worker",
    "reporting": "A whole report",
    "campaign": "Where the seconds of the main job went",
    "replay": "Replay on a complete table",
}


def _stock_clock_error(frame: pd.DataFrame) -> str:
    """How far the stock clock is off: for each tuner over its searches, and in single ones."""
    totals = frame.groupby("tuner", sort=False)[["predicted_s", "measured_s"]].sum()
    off = 100 * (totals["predicted_s"] / totals["measured_s"] - 1)
    sizes, errors = frame["tuner"].value_counts(), frame["error_percent"]
    each = ", ".join(f"{error:+.0f} % ({tuner}, {sizes[tuner]} searches)" for tuner, error in off.items())
    return (
        "Seconds of processor time, each search in a process of its own; beside it, on the same core, the clock that "
        f"it is held against was measured. In single searches the clock is off by {errors.min():+.0f} % to "
        f"{errors.max():+.0f} %, in {(errors.abs() <= 15).sum()} of {len(frame)} by at most 15 %; over all searches of "
        f"a tuner by {each}."
    )


def _measured_clocks(frame: pd.DataFrame) -> pd.DataFrame:
    """Median and range of the seconds over all measurements."""
    found = frame.groupby(["workload", "method", "structure"], sort=False)[CONSTANTS]
    return found.agg(lambda s: f"{s.median():.3f} [{s.min():.3f}, {s.max():.3f}]").reset_index()


SENTENCES = {
    "stock_clock": lambda frame: (
        f"Median and range of {len(frame[['beside', 'seed']].drop_duplicates())} measurements."
    ),
    "stock_clock_validation": _stock_clock_error,
}
TABLES = {"stock_clock": _measured_clocks}


def report(folder: Path) -> None:
    """Write ``speed.md`` and ``epochs.png`` from what CSV files there are."""
    parts = ["# Speed\n\nWritten by `make speed` from the CSV files beside it.\n"]
    for name, title in TITLES.items():
        path = folder / f"{name}.csv"
        if path.exists():
            frame = pd.read_csv(path)
            table = TABLES.get(name, lambda whole: whole)(frame).to_markdown(index=False, floatfmt=".3g")
            said = f"{SENTENCES[name](frame)}\n\n" if name in SENTENCES else ""
            parts.append(f"## {title}\n\n{said}{table}\n")
    if (folder / "epochs.csv").exists():
        plot(pd.read_csv(folder / "epochs.csv"), folder / "epochs.png")
        parts.insert(1, "![Milliseconds per epoch, log scale](epochs.png)\n")
    (folder / "speed.md").write_text("\n".join(parts), encoding="utf-8")


def plot(frame: pd.DataFrame, path: Path) -> None:
    """Dots, because bars have no foot on a log axis."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import seaborn as sns

    epochs = frame[frame["what"].str.startswith("epoch of ")]
    epochs = epochs.assign(model=epochs["what"].str.removeprefix("epoch of "))
    figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
    sns.scatterplot(
        epochs, x="median_ms", y="model", hue="variant", style="variant", palette="colorblind", s=60, ax=axes
    )
    for row in epochs.itertuples():
        # The three may lie close together: one label goes above, one below, one below to the left.
        above = row.variant == "fit"
        ratio = f"{row.times_faster:.0f}" if row.times_faster >= 10 else f"{row.times_faster:.1f}"
        label = f"{row.median_ms:.3g} ms" + ("" if above else f", {ratio}x")
        side = "right" if row.variant == "compiled" else "center"
        axes.annotate(
            label, (row.median_ms, row.model), (0, 8 if above else -14), textcoords="offset points", ha=side, size=7
        )
    axes.set(xscale="log", xlabel="milliseconds per epoch (median)", ylabel="")
    axes.margins(x=0.35, y=0.25)
    axes.grid(axis="x", alpha=0.3)
    sns.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5), frameon=False, title=None)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*QUICK, "report"], action="append")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    for name, quick in QUICK.items():
        if arguments.only is None or name in arguments.only:
            command = [sys.executable, "-m", f"benchmarks.speed.{name}", "--out", str(arguments.out)]
            subprocess.run([*command, *(quick if arguments.quick else [])], check=True)
    report(arguments.out)


if __name__ == "__main__":
    main()
