"""The notebook's picture: loss and accuracy over the number of words, beside its published curve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.anytime import quantile_band
from hptune_bench.casestudy import review_published
from hptune_bench.casestudy.sweep import WORDS, first_sweep, flat_from
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Figure
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import corner, file_name, seeds
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.style import FAINT, INK, STYLES, Style

FAMILY = "reviews"
"""The family of the notebook's own problem: only it has a published curve beside it."""
HYPERPARAMETER = WORDS
OURS = replace(STYLES["ink"], label="hand-written loop")
PUBLISHED = Style("notebook 2021 (published)", "#d55e00", "#ff9a4d", (0, (4, 2)), "s", hollow=True, width=1.6)
TITLES = {"val_loss": "smallest val_loss", "val_accuracy": "largest val_accuracy (share)"}


def _words(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    records = found.records
    loop = first_sweep(records.trials)
    if not len(loop):
        return
    known = records.about.get("family") == FAMILY
    published = review_published.WORD_COUNT_LOOP if known else ()
    frame = data(loop, published, review_published.SECOND_LOOP_WORD_COUNT if known else None)
    picks = sorted(int(value) for value in loop.groupby("seed")["picked"].first())
    flat = flat_from(frame[(frame["metric"] == "val_loss") & (frame["source"] != "published")])
    takeaway = (
        f"The loss falls until about {'?' if flat is None else text.number(flat)} words and is flat after that, so "
        f"what a single run picks is partly luck: {_spread(picks)}."
    )
    kind = f"{records.data_label} data, " if records.data_label else ""
    rows = records.about.get("rows") or {}
    size = f"{rows['train']:,} training reviews" if rows.get("train") else "the reviews of this campaign"
    vocab = loop["hp:vocab_count"].iloc[0] if "hp:vocab_count" in loop else None
    held = f" at vocabulary {text.number(vocab)}" if vocab is not None else ""
    detail = (
        f"First loop of the hand-written method ({kind}{size}{held}): median and quartiles over {seeds(found)}; bars "
        "below: how many runs picked that value."
    )
    if known:
        detail += (
            f" Dashed: the notebook's published curve ({review_published.REVIEWS:,} real reviews, vocabulary "
            f"{review_published.VOCAB_COUNT}), read off its figure; a fresh sample for every point, and more data."
        )
    yield Figure(
        name=file_name("words", found),
        takeaway=takeaway,
        detail=detail,
        alt=f"Loss and accuracy over word_count, this campaign beside the notebook. {takeaway}",
        data=frame,
        draw=lambda: draw(frame, corner(found)),
    )


def _spread(picks: list[int]) -> str:
    if len(set(picks)) == 1:
        return f"{'all runs' if len(picks) > 1 else 'the run'} picked {picks[0]}"
    return f"{len(picks)} runs picked {len(set(picks))} different values from {picks[0]} to {picks[-1]}"


# --- figures ---------------------------------------------------------------------------------------------------------


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


def draw(frame: pd.DataFrame, corner: str) -> Any:
    figure = canvas.new(6.2, left=0.8, right=2.55, bottom=0.55, top=0.4)
    figure.subplots_adjust(hspace=0.22)
    metrics = [metric for metric in TITLES if (frame["metric"] == metric).any()]
    for index, metric in enumerate(metrics):
        axes = figure.add_subplot(len(metrics), 1, index + 1)
        here = frame[frame["metric"] == metric].sort_values(HYPERPARAMETER)
        ours, theirs = here[here["source"] != "published"], here[here["source"] == "published"]
        bounds = (ours[end].to_numpy(float) for end in ("lower", "upper"))
        axes.fill_between(ours[HYPERPARAMETER].to_numpy(float), *bounds, color=INK, alpha=0.15, linewidth=0)
        for series, style in ((ours, OURS), (theirs, PUBLISHED)):
            line = (series[HYPERPARAMETER].to_numpy(float), series["median"].to_numpy(float))
            axes.plot(*line, **canvas.line_style(style))
            axes.plot(*line, **canvas.marker_style(style, 5))
        scale = canvas.Scale("linear")
        low, high = canvas.limits([*ours["lower"], *ours["upper"], *theirs["median"]], scale, 0.1)
        picks = frame[frame["metric"] == "picked"]
        canvas.apply(axes.yaxis, scale, low - (0.4 * (high - low) if index == 0 else 0), high)
        axes.set_ylabel(TITLES[metric])
        axes.set_xlim(0, float(frame[HYPERPARAMETER].max()) + 4)
        canvas.plain_ticks(axes.xaxis)
        ends = [(series, style) for series, style in ((ours, OURS), (theirs, PUBLISHED)) if len(series)]
        labels.label_ends(
            axes,
            [labels.End(float(s["median"].iloc[-1]), style, x=float(s[HYPERPARAMETER].iloc[-1])) for s, style in ends],
        )
        for words in picks.loc[picks["source"] == "published", HYPERPARAMETER]:
            axes.axvline(words, color=PUBLISHED.color, linewidth=1.0, linestyle=(0, (2, 2)), zorder=1)
            if index == 0:
                _note(axes, (words, 0.97), "picked by eye\nin the notebook", (-4, 0), "right", "top")
        if index == 0:
            axes.set_title("Loss and accuracy over the number of words")
            canvas.corner(axes, corner)
            _picks(axes, picks[picks["source"] != "published"])
        if index == len(metrics) - 1:
            axes.set_xlabel("word_count (words kept of each review)")
    return figure


def _picks(axes: Any, picks: pd.DataFrame) -> None:
    """A bar for each value that a run picked, as high as its share of the runs."""
    total = max(float(picks["runs"].sum()), 1.0)
    for words, runs in zip(picks[HYPERPARAMETER], picks["runs"], strict=True):
        axes.axvline(words, ymax=0.16 * runs / total, color=INK, linewidth=5, alpha=0.55, solid_capstyle="butt")
        _note(axes, (words, 0.16 * runs / total), f"{int(runs)}×", (0, 2), "center", "bottom")
    if len(picks):
        _note(axes, (0.01, 0.02), "runs that picked\nthis value:", (0, 0), "left", "bottom", "axes fraction")


def _note(
    axes: Any, at: tuple[float, float], words: str, shift: tuple[int, int], ha: str, va: str, across: str = "data"
) -> None:
    where = {"xycoords": (across, "axes fraction"), "ha": ha, "va": va}
    canvas.note(axes, words, at, shift, fontsize=8, color=FAINT, bbox=canvas.ground(), zorder=5, **where)


SECTION = Section("The notebook's picture", 70, each(_words), folded=False)
