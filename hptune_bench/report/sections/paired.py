"""Paired differences: a dot per seed, and the tables of primary and exploratory comparisons."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.data_draws import over_data
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import Paired
from hptune_bench.analysis.verdict import word
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Figure, Table, column, table
from hptune_bench.report.cells import count, measure, percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, corner, file_name, judged_name, name_of, seeds
from hptune_bench.report.plots import canvas
from hptune_bench.report.style import FAINT, GRID, INK, Style

TABLES = {
    "primary": "Primary comparisons, fixed before any result",
    "exploratory": "Exploratory comparisons: no claim rests on them",
}


def _paired(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    groups = {
        "primary": [item for item in found.comparisons if item.primary],
        "exploratory": [item for item in found.comparisons if not item.primary],
    }
    shown = groups["primary"] or [item for item in groups["exploratory"] if item.trials is None][:8]
    shown = [item for item in shown if _tells(item) and item.reference == shown[0].reference]
    blocks: list[Block] = [_figure(ctx, found, shown)] if shown else []
    blocks += [_table(ctx, found, kind, items) for kind, items in groups.items() if items]
    return blocks or reason(found, "comparisons")


def _tells(item: Comparison) -> bool:
    """Whether at least one run of a pair found something: two failures differ by nothing, and show nothing."""
    scores = item.differences[["tuner_score", "reference_score"]].to_numpy(float)
    return bool(np.isfinite(scores).any())


def _figure(ctx: Context, found: WorkloadAnalysis, shown: Sequence[Comparison]) -> Figure:
    margin = found.noise.margin if found.noise else None
    band = "; grey: differences smaller than the retraining noise" if margin else ""
    dot = "data seed" if found.records.draws is None else "replayed seed"
    line = f"quartiles of the runs on {shown[0].where}" if shown[0].where else "its 95 % interval"
    score, takeaway = judged_name(found.records), _outcomes(ctx, shown)
    return Figure(
        name=file_name("paired", found),
        takeaway=takeaway,
        detail=(
            f"One dot per {dot} ({seeds(found)}): {score} of the tuner minus that of {ctx.label(shown[0].reference)}; "
            f"bar: median, line: {line}{band}. An arrowhead at the rim is a failed run."
        ),
        alt=f"Dot plot of paired differences. {takeaway}",
        data=data(shown),
        draw=lambda: draw(shown, ctx.styles, name_of(found), corner(found), score, margin),
    )


def _outcomes(ctx: Context, shown: Sequence[Comparison]) -> str:
    """Outcomes in one sentence: who is better, who is worse, and how many are left open."""
    groups: dict[str, list[str]] = {}
    for item in shown:
        label = f"{ctx.label(item.tuner)} at {'the full budget' if item.trials is None else item.at}"
        groups.setdefault(word(item), []).append(label)
    references = {item.reference for item in shown}
    against = f"against {ctx.label(shown[0].reference)}" if len(references) == 1 else "of these"
    against += f" on {shown[0].where}" if shown[0].where else ""
    undecided = len(groups.pop("undecided", []))
    if not groups:
        return text.sentence(f"{text.plural(undecided, 'comparison')} {against}, none decided")
    parts = [f"{outcome} {against}: {text.listing(names)}" for outcome, names in groups.items()]
    return text.sentence("; ".join([*parts, *([f"{undecided} undecided"] if undecided else [])]))


def _table(ctx: Context, found: WorkloadAnalysis, kind: str, items: Sequence[Comparison]) -> Table:
    where = next((item.where for item in items if item.where), "")
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Against", ctx.label, "reference"),
        column("At", str, "at"),
        Column(f"Outcome on {where}" if where else "Outcome", word),
        _of_result("Median difference", lambda result, _: _difference(result)),
        _of_result("P(better)", lambda result, _: percent(result.probability)),
        _of_result("Wins–ties–losses", lambda result, _: f"{result.wins}–{result.ties}–{result.losses}"),
        _of_result("p (Holm)", lambda _, item: Cell(text.probability(item.spoken.p_holm), item.spoken.p_holm)),
        _of_result("n", lambda result, _: count(result.n)),
        *([_of_result("On each data set", lambda _, item: _on_each(item))] if where else []),
    ]
    reasons = list(dict.fromkeys(item.reason for item in items if item.reason))
    records = found.records
    note = (
        f"Difference in {judged_name(records)}, method − reference, paired by "
        f"{'data' if records.draws is None else 'replayed'} seed: negative = the method is better; median "
        f"[{'quartiles' if where else 'its 95 % interval'}]; signed-rank and sign test must agree; a failed run counts "
        f"as worst. Undecided is not a tie. {_blocked(records, where)}" + " ".join(reasons)
    ).strip()
    return table(file_name(kind, found), caption(found, TABLES[kind]), columns, items, note, text_columns=4)


def _of_result(heading: str, cell: Callable[[Paired, Comparison], Cell | str]) -> Column:
    """A column of what a comparison has only where it has a result."""

    def known(item: Comparison) -> Cell | str:
        return cell(item.spoken.result, item) if item.spoken.result else text.MISSING

    return Column(heading, known)


def _difference(result: Paired) -> Cell:
    span = result.interval
    return measure(result.median_difference, *((span.low, span.high) if span else (math.nan, math.nan)))


def _blocked(records: Records, where: str) -> str:
    """What a pair, an interval and a p-value are of where replayed seeds share data sets; else nothing."""
    if records.draws is None:
        return ""
    if not where:
        return f"One pair for each of the {records.draws} data sets that the seeds share: the median there. "
    return (
        f"p is of the tuners' own chance on {where}: it says nothing about new data. Ahead, behind = in more than half "
        "of the n runs. On each data set: the median difference there. "
    )


def _on_each(item: Comparison) -> str:
    """The median difference on each data set."""
    if not item.draws:
        return text.MISSING
    found = over_data(item.differences.set_index("seed")["difference"], item.draws)
    places = text.decimals(float(np.ptp(found)) if np.isfinite(found).all() else 0.0, *found)
    return ", ".join(text.signed(value, places) if math.isfinite(value) else text.number(value) for value in found)


# --- figures ---------------------------------------------------------------------------------------------------------


def data(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """One row per dot: the comparison's ``differences``, with its tuner, reference, checkpoint, median and interval."""
    frames = []
    for item in comparisons:
        result, span = item.spoken.result, item.spoken.result.interval if item.spoken.result else None
        frames.append(
            item.differences.assign(
                tuner=item.tuner,
                reference=item.reference,
                at=item.at,
                median_difference=result.median_difference if result else math.nan,
                low=span.low if span else math.nan,
                high=span.high if span else math.nan,
            )
        )
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def draw(
    comparisons: Sequence[Comparison],
    styles: Mapping[str, Style],
    title: str,
    corner: str,
    metric: str,
    margin: float | None,
) -> Any:
    """One panel per checkpoint, each with its own axis; all comparisons are against one reference."""
    groups = {at: [item for item in comparisons if item.at == at] for at in dict.fromkeys(c.at for c in comparisons)}
    height = 0.4 * len(comparisons) + 0.75 * (len(groups) - 1) + 1.3
    figure = canvas.new(height, left=2.75, right=1.95, bottom=0.8, top=0.5)
    inner = 0.4 * len(comparisons) / len(groups)
    grid = figure.add_gridspec(
        len(groups), 1, height_ratios=[len(items) for items in groups.values()], hspace=0.75 / inner
    )
    for index, (at, items) in enumerate(groups.items()):
        axes = figure.add_subplot(grid[index, 0])
        scale = _panel(axes, items, styles, margin)
        axes.set_title(f"{title}, {at}" if index == 0 else at[:1].upper() + at[1:])
        note = scale.note.replace("below ", "within ±").replace("log above", "log beyond")
        if index == 0:
            canvas.corner(axes, corner)
        if index == len(groups) - 1:
            reference = styles[items[0].reference].label
            words = f"← tuner better      difference in {metric}, tuner − {reference}      tuner worse →"
            axes.set_xlabel(words + (f"\n({note})" if note else ""))
        elif note:
            axes.set_xlabel(f"({note})", fontsize=8.5)
    return figure


def _panel(axes: Any, items: Sequence[Comparison], styles: Mapping[str, Style], margin: float | None) -> canvas.Scale:
    """A row of dots per comparison; returns the scale of the axis."""
    finite = [d for item in items for d in item.differences["difference"].to_numpy(float) if math.isfinite(d)]
    finite += [end for item in items for end in _span(item)] + ([-1.5 * margin, 1.5 * margin] if margin else [])
    low, high = min([*finite, 0.0]), max([*finite, 0.0])
    scale = _symmetric(finite)
    if scale.kind == "symlog":
        canvas.apply(axes.xaxis, scale, low * 1.6, high * 1.6)
        _few_ticks(axes, scale, max(-low, high))
    else:
        pad = 0.07 * (high - low) or 1.0
        canvas.apply(axes.xaxis, scale, low - pad, high + pad)
        axes.locator_params(axis="x", nbins=5)
    if margin:
        axes.axvspan(-margin, margin, color=GRID, alpha=0.75, linewidth=0, zorder=0)
    axes.axvline(0, color=FAINT, linewidth=1)
    for row, item in enumerate(items):
        _row(axes, row, item, styles[item.tuner], axes.get_xlim())
    canvas.name_rows(axes, [styles[item.tuner].label for item in items])
    return scale


def _span(item: Comparison) -> list[float]:
    span = item.spoken.result.interval if item.spoken.result else None
    return [end for end in (span.low, span.high) if math.isfinite(end)] if span else []


def _symmetric(differences: Sequence[float]) -> canvas.Scale:
    """Linear, unless a few differences are so large that the others would be one dot."""
    sizes = np.abs([value for value in differences if value])
    if not sizes.size:
        return canvas.Scale("linear")
    linear = 10.0 ** math.ceil(math.log10(float(np.median(sizes))))
    return canvas.Scale("symlog", linear) if sizes.max() >= 10 * linear else canvas.Scale("linear")


def _few_ticks(axes: Any, scale: canvas.Scale, extent: float) -> None:
    decades = range(round(math.log10(scale.linear)), math.floor(math.log10(extent)) + 1)
    step = max(1, len(decades) // 2)
    powers = [10.0**decade for decade in decades][::step]
    axes.set_xticks([*[-power for power in reversed(powers)], 0.0, *powers])
    axes.minorticks_off()


def _row(axes: Any, row: int, item: Comparison, style: Style, edges: tuple[float, float]) -> None:
    differences = item.differences["difference"].to_numpy(float)
    jitter = ((np.arange(len(differences)) * 0.618) % 1 - 0.5) * 0.36
    inside = np.isfinite(differences)
    axes.plot(differences[inside], row + jitter[inside], alpha=0.75, zorder=3, **canvas.marker_style(style, 4.5))
    for sign, shape, edge in ((1, ">", edges[1]), (-1, "<", edges[0])):
        beyond = ~inside & (np.sign(np.nan_to_num(differences, posinf=1, neginf=-1)) == sign)
        arrow = {"linestyle": "none", "marker": shape, "color": INK, "markersize": 6, "clip_on": False}
        axes.plot(np.full(beyond.sum(), edge), row + jitter[beyond], zorder=3, **arrow)
    result = item.spoken.result
    words = word(item)
    if result:
        middle = result.median_difference
        if result.interval and math.isfinite(middle):
            ends = np.clip([result.interval.low, result.interval.high], *edges)
            axes.plot(ends, [row, row], color=INK, linewidth=2.2, solid_capstyle="butt", zorder=4)
        if math.isfinite(middle):
            axes.plot([middle], [row], marker="|", markersize=15, markeredgewidth=2.6, color=INK, zorder=5)
        words += f", n = {result.n}"
        if item.spoken.p_holm is not None:
            words += f"\np = {text.probability(item.spoken.p_holm)} (Holm)".replace("= <", "< ")
    where = {"xycoords": ("axes fraction", "data"), "va": "center", "annotation_clip": False}
    canvas.note(axes, words, (1, row), (6, 0), fontsize=8.5, color=INK, **where)


SECTION = Section("Paired differences, a dot per seed", 140, each(_paired))
