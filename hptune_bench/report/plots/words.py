"""The notebook's picture: loss and accuracy over the number of words, from the hand-written loop's first sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import quantile_band
from hptune_bench.report.plots import canvas
from hptune_bench.report.style import FAINT, INK, LOOKS

HYPERPARAMETER = "word_count"
MANUAL = "manual_sweep"


def first_sweep(trials: pd.DataFrame, name: str = HYPERPARAMETER, tuner: str = MANUAL) -> pd.DataFrame:
    """The trials of the first ``for`` loop: from the start of each run, as long as the other hyperparameters are held.

    Returns:
        rows of ``trials`` and a column ``picked``: the value with the best score of that loop, with which the next one
        goes on. Empty where the tuner, the hyperparameter or a first loop over it is missing.
    """
    column = f"hp:{name}"
    if column not in trials or "tuner" not in trials:
        return trials.iloc[:0].assign(picked=[])
    others = [other for other in trials.columns if other.startswith("hp:") and other != column]
    parts = []
    for _, run in trials[trials["tuner"] == tuner].sort_values("trial").groupby("seed"):
        held = (run[others].astype(str) == run[others].astype(str).iloc[0]).all(axis=1).to_numpy()
        length = len(run) if held.all() else int(np.argmin(held))
        loop = run.iloc[:length].drop_duplicates(column)
        if loop[column].nunique() > 1:
            parts.append(loop.assign(picked=loop[column].iloc[int(np.argmin(loop["score"].to_numpy(float)))]))
    return pd.concat(parts, ignore_index=True) if parts else trials.iloc[:0].assign(picked=[])


def data(loop: pd.DataFrame, published: Sequence[Any], published_pick: int | None) -> pd.DataFrame:
    """One row per drawn value: columns source, metric, word_count, lower, median, upper, runs."""
    rows: list[dict[str, Any]] = []
    for metric, column in (("val_loss", "score"), ("val_accuracy", "best_val_accuracy")):
        if column in loop:
            for words, group in loop.groupby(f"hp:{HYPERPARAMETER}"):
                values = group[column].fillna(np.inf if metric == "val_loss" else -np.inf).to_numpy(float)
                lower, median, upper = quantile_band(values[:, None])[:, 0]
                rows.append(
                    {
                        "source": "hand-written loop",
                        "metric": metric,
                        HYPERPARAMETER: words,
                        "lower": lower,
                        "median": median,
                        "upper": upper,
                        "runs": len(group),
                    }
                )
        rows += [
            {"source": "published", "metric": metric, HYPERPARAMETER: point.value, "median": getattr(point, metric)}
            for point in published
        ]
    picks = loop.groupby("seed")["picked"].first() if len(loop) else pd.Series(dtype=float)
    rows += [
        {"source": "hand-written loop", "metric": "picked", HYPERPARAMETER: words, "runs": int(count)}
        for words, count in picks.value_counts().sort_index().items()
    ]
    if published_pick is not None:
        rows.append({"source": "published", "metric": "picked", HYPERPARAMETER: published_pick, "runs": 1})
    return pd.DataFrame(rows)


def draw(frame: pd.DataFrame, corner: str, published_note: str) -> Any:
    figure = canvas.new(6.4, left=0.8, right=1.75, bottom=0.55, top=0.4)
    figure.subplots_adjust(hspace=0.22)
    look = LOOKS[MANUAL]
    metrics = [metric for metric in ("val_loss", "val_accuracy") if (frame["metric"] == metric).any()]
    titles = {"val_loss": "smallest val_loss", "val_accuracy": "largest val_accuracy (share)"}
    for index, metric in enumerate(metrics):
        axes = figure.add_subplot(len(metrics), 1, index + 1)
        here = frame[frame["metric"] == metric]
        ours = here[here["source"] != "published"].sort_values(HYPERPARAMETER)
        theirs = here[here["source"] == "published"].sort_values(HYPERPARAMETER)
        x = ours[HYPERPARAMETER].to_numpy(float)
        axes.fill_between(x, ours["lower"], ours["upper"], color=look.color, alpha=0.15, linewidth=0)
        axes.plot(x, ours["median"], color=look.color, linewidth=look.width, marker=look.marker, markersize=4)
        axes.plot(
            theirs[HYPERPARAMETER],
            theirs["median"],
            color="#d55e00",
            linewidth=1.6,
            linestyle=(0, (4, 2)),
            marker="s",
            markersize=5,
            markerfacecolor="none",
        )
        axes.set_ylabel(titles[metric])
        values = [*ours["lower"], *ours["upper"], *theirs["median"]]
        scale = canvas.Scale("linear")
        canvas.apply(axes.yaxis, scale, *canvas.limits(values, scale, 0.12))
        for source, series, words in (("ours", ours, look.label), ("published", theirs, published_note)):
            if len(series):
                color = look.color if source == "ours" else "#b34700"
                above = (float(series["median"].iloc[-1]) >= float(theirs["median"].iloc[-1])) == (source == "ours")
                axes.annotate(
                    words,
                    (float(series[HYPERPARAMETER].iloc[-1]), float(series["median"].iloc[-1])),
                    xytext=(8, 0 if source == "ours" and not len(theirs) else 9 if above else -9),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                    color=color,
                    annotation_clip=False,
                )
        _picks(axes, frame, bool(index == 0))
        if index == 0:
            axes.set_title("Loss and accuracy over the number of words")
            canvas.corner(axes, corner)
        canvas.plain_ticks(axes.xaxis)
        if index == len(metrics) - 1:
            axes.set_xlabel("word_count (words kept of each review)")
    return figure


def _picks(axes: Any, frame: pd.DataFrame, named: bool) -> None:
    """A bar for each value that a run picked, as high as its share of the runs; the notebook's pick is dashed."""
    picks = frame[frame["metric"] == "picked"]
    ours = picks[picks["source"] != "published"]
    total = max(float(ours["runs"].sum()), 1.0)
    for words, runs in zip(ours[HYPERPARAMETER], ours["runs"], strict=True):
        axes.axvline(words, ymax=0.25 * runs / total, color=INK, linewidth=5, alpha=0.55, solid_capstyle="butt")
        if named:
            axes.annotate(
                f"{int(runs)}×",
                (words, 0.25 * runs / total),
                xycoords=("data", "axes fraction"),
                ha="center",
                xytext=(0, 2),
                textcoords="offset points",
                fontsize=8,
                color=INK,
            )
    for words in picks.loc[picks["source"] == "published", HYPERPARAMETER]:
        axes.axvline(words, color="#d55e00", linewidth=1.0, linestyle=(0, (2, 2)), zorder=1)
        if named:
            axes.annotate(
                "picked by eye\nin the notebook",
                (words, 0.97),
                xycoords=("data", "axes fraction"),
                va="top",
                ha="right",
                xytext=(-4, 0),
                textcoords="offset points",
                fontsize=8,
                color=FAINT,
            )
