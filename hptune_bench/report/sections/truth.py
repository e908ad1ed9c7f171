"""A replayed campaign against the complete table that it was replayed from: regret, noise, reference lines, advice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.noise_sources import SOURCES, noise_figures
from hptune_bench.analysis.seeds_needed import CAMPAIGNS, ENOUGH, SeedsNeeded
from hptune_bench.analysis.statistics import Interval
from hptune_bench.analysis.tabular.importance import show
from hptune_bench.analysis.tabular.truth import LINES, TOP, Quarters, Truth, TunerTruth
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Column, Figure, Prose, Table, column, table
from hptune_bench.report.cells import count, part, ranged_percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import corner, file_name, judged_name, name_of
from hptune_bench.report.plots import canvas, labels
from hptune_bench.report.plots.curves import MAX_BANDS
from hptune_bench.report.style import FAINT, Style

CAUSES = ("The tuner's choice", "Data set", "Training seed")
LEFT_OUT = "[smallest, largest with all data sets or without one of them]"
PANELS = {"median": "the median run", "true": "mean over runs"}


def _truth(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    """Nothing but the reason where there is no table."""
    if found.truth is None:
        return reason(found, "truth")
    true, score = found.truth, judged_name(found.records)
    return [
        Prose(_best(true, score)),
        *_noise(true),
        _lines(ctx, found, true, score),
        _tuners(ctx, file_name("truth", found), true, score),
        _sources(ctx, file_name("sources", found), true),
        *([_seeds(ctx, file_name("seeds", found), found.seeds_needed)] if found.seeds_needed else []),
    ]


def _best(true: Truth, score: str) -> str:
    values = ", ".join(f"{name} = {show(value)}" for name, value in true.best.items())
    sizes = " and ".join(f"{text.percent(share)} are {true.top_sizes[share]:,}" for share in TOP)
    count, draws, trainings = true.scores.judged.shape
    return (
        f"The table holds {count:,} configurations, each trained {trainings} times on each of {draws} data draws. The "
        f"best mean {score} is {text.number(true.best_score)}, of {values}. The best {sizes} configurations. "
        f"{text.percent(true.failing)} of all trainings fail: they diverge, or learn no more than a constant (the best "
        f"constant predictor, within 1 %). Replayed seeds beyond {draws} repeat these data draws: what follows is "
        "exact about them, and says little about others."
    )


def _noise(true: Truth) -> list[Block]:
    if true.noise is None:
        return []
    found, ranges = noise_figures(true.noise), true.noise_ranges
    if found["sd"] <= 0:
        return []
    sources = {
        "draw": "the data draw as such",
        "mixed": "the data draw together with the configuration",
        "training": "the training seed",
    }
    words = text.listing(
        [f"{_percent(found[name], ranges.get(name))} to {name_of}" for name, name_of in sources.items()]
    )
    apart = "do not differ beyond that noise"
    if found["between"] > 0:
        apart = f"differ by {_ranged(found['between'], ranges.get('between'))}"
    how = f" In brackets: {LEFT_OUT[1:-1]}." if ranges else ""
    return [
        Prose(
            f"Among the best configurations, a single training varies by {_ranged(found['sd'], ranges.get('sd'))} "
            f"(standard deviation): {words}. The means of these configurations {apart}.{how}"
        )
    ]


def _percent(share: float, ends: Interval | None) -> str:
    return text.ranged_percent(share, (ends.low, ends.high) if ends else None)


def _ranged(value: float, ends: Interval | None) -> str:
    """A number with its range where there is one."""
    return text.interval(value, ends.low, ends.high) if ends else text.number(value, 3)


def _lines(ctx: Context, found: WorkloadAnalysis, true: Truth, score: str) -> Figure:
    takeaway = f"The best mean {score} there is: {text.number(true.best_score)}"
    if true.tuners:
        best = min(true.tuners, key=lambda item: item.regret)
        at = text.number(true.best_score + best.regret)
        takeaway += f"; the median run of {ctx.label(best.tuner)} ends nearest, at {at}"
    runs = max((item.runs for item in true.tuners), default=0)
    band = "quartiles are in the CSV" if len(true.tuners) > MAX_BANDS else "band: lower to upper quartile"
    grid = f"; dash-dotted: the hand-picked grid of {true.grid_size} points in random order" if len(true.grid) else ""
    return Figure(
        name=file_name("truth", found),
        takeaway=text.sentence(takeaway),
        detail=(
            f"True mean {score} of the best trial so far, free of a trial's own luck, over "
            f"{text.plural(runs, 'replayed run')} each: above the median run ({band}), below the mean, which a few "
            f"runs lift that chose what can fail. Grey, exact: dashed: random search{grid}; dotted: the best there is. "
            "Failed trainings count as the worst score of one that did not; the score axes leave out what lay above "
            "them in the first tenth."
        ),
        alt=f"True mean of each method over epochs, beside exact expectations. {takeaway}",
        data=line_data(true),
        draw=lambda: draw_lines(true, ctx.styles, name_of(found), corner(found), score),
    )


def _tuners(ctx: Context, name: str, true: Truth, score: str) -> Table:
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Regret", _interval, "regret", "regret_low", "regret_high"),
        *(_among(f"Truly in the best {text.percent(share)}", share) for share in TOP),
        column("Chose what can fail", part, "can_fail", "runs"),
        column("Flattery", _interval, "curse", "curse_low", "curse_high"),
        column("Trials to half", _trials, "half"),
        column("to nine tenths", _trials, "nine_tenths"),
        Column("Random search needs", lambda item: _random(item, len(true.random))),
        column("n", count, "runs"),
    ]
    note = (
        f"Median [quartiles] over runs. Regret: true mean {score} of the choice minus the best there is. Truly in the "
        "best, chose what can fail (some training of it in the table fails): number of runs. Flattery: selected "
        "validation score minus the choice's true mean, below 0 = it looked better than it is. Trials to half and to "
        "nine tenths of what can be gained over the untuned configuration, in truth: half of the runs have it then [a "
        "quarter, three quarters]. Random search needs: proposals after which the median random search (exactly) "
        "chooses as well as this method's median run [as the runs at the quartiles], and how many times its own trials "
        "that is."
    )
    return table(name, "Against the truth (replayed)", columns, true.tuners, note)


def _interval(value: float, low: float, high: float) -> Cell:
    return Cell(text.interval(value, low, high), value)


def _among(heading: str, share: float) -> Column:
    return Column(heading, lambda item: part(item.top[share], item.runs))


def _sources(ctx: Context, name: str, true: Truth) -> Table:
    columns = [
        column("Method", ctx.label, "tuner"),
        *(Column(heading, _source(source)) for heading, source in zip(CAUSES, SOURCES, strict=True)),
        Column("n", lambda item: count(item.runs - item.can_fail)),
    ]
    note = (
        "Shares of the variance of the final score among the n runs whose choice never fails: which configuration the "
        "tuner chose, the data set, and the training seed with the luck of the selection. They sum to 1; below 0: it "
        f"evens out another. {LEFT_OUT}: no interval, which so few data sets do not give."
    )
    return table(name, "Why runs of one method end differently (replayed)", columns, true.tuners, note)


def _source(source: str) -> Callable[[TunerTruth], Cell]:
    return lambda item: ranged_percent(item.sources.get(source, math.nan), item.source_ranges.get(source))


def _trials(quarters: Quarters | None) -> Cell:
    if quarters is None:
        return Cell(text.MISSING)
    early, half, late = (f"{count:,.0f}" if math.isfinite(count) else "never" for count in quarters)
    return Cell(f"{half} [{early}, {late}]", quarters[1])


def _random(item: TunerTruth, most: int) -> Cell:
    def words(count: int | None) -> str:
        return f">{most}" if count is None else f"{count}"

    times = f" ({item.equal_random / item.trials:.1f}×)" if item.equal_random is not None else ""
    ends = f"[{words(item.equal_low)}, {words(item.equal_high)}]"
    return Cell(f"{words(item.equal_random)}{times} {ends}", item.equal_random or math.inf)


def _seeds(ctx: Context, name: str, advice: Sequence[SeedsNeeded]) -> Table:
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Against", ctx.label, "reference"),
        column("Truth", str, "truth"),
        column("Median difference", lambda v, ends: Cell(_ranged(v, ends), v), "difference", "difference_range"),
        *(Column(f"Right at {n} seeds", _right(n)) for n in (10, 30, 100) if any(n in item.right for item in advice)),
        Column("Seeds needed", lambda item: Cell(_enough(item), item.seeds)),
    ]
    note = (
        "Truth: the outcome over all replayed seeds; equivalent where the median difference is smaller than the "
        f"retraining noise. Right: share of {CAMPAIGNS} resampled campaigns whose verdict is that. Seeds needed: from "
        f"so many on, {text.percent(ENOUGH)} of campaigns are, corrected for the number of primary comparisons "
        "where it is one of them (those come first). As if the data of each seed were one of the table's data sets, "
        f"drawn at random: data that differ more need more seeds. {LEFT_OUT}, where the truth may be another."
    )
    return table(name, "How many seeds are enough? (replayed)", columns, advice, note, text_columns=3)


def _right(count: int) -> Callable[[SeedsNeeded], Cell]:
    return lambda item: ranged_percent(item.right.get(count, math.nan), item.right_range.get(count))


def _enough(item: SeedsNeeded) -> str:
    most = max(item.right)

    def shown(count: float) -> str:
        return f"{count:,.0f}" if math.isfinite(count) else f">{most}"

    ends = item.seeds_range
    return shown(item.seeds) + (f" [{shown(ends.low)}, {shown(ends.high)}]" if ends else "")


# --- figures ---------------------------------------------------------------------------------------------------------


def line_data(true: Truth) -> pd.DataFrame:
    """Columns line, epochs, true, median, lower, upper: see ``Truth.lines``; what is exact has no quartiles."""
    columns = ["line", "epochs", *LINES]
    parts = [true.lines.rename(columns={"tuner": "line"})[columns]]
    for name, frame in (("exact: random search", true.random), ("exact: hand-picked grid", true.grid)):
        if len(frame):
            parts.append(frame.assign(line=name).reindex(columns=columns))
    best = {"line": ["exact: best"], "epochs": [0.0], "true": [true.best_score], "median": [true.best_score]}
    return pd.concat([*parts, pd.DataFrame(best)], ignore_index=True)


def draw_lines(true: Truth, styles: Mapping[str, Style], title: str, corner: str, score: str) -> Any:
    """Truth about each tuner's incumbent over epochs, of the median run and on average; grey: what is exact."""
    figure = canvas.new(7.2, left=0.95, right=2.6, bottom=0.55, top=0.4)
    grid = figure.add_gridspec(len(PANELS), 1, hspace=0.3)
    for place, (kind, words) in enumerate(PANELS.items()):
        axes = figure.add_subplot(grid[place, 0])
        _lines_panel(axes, true, styles, kind, score)
        axes.set_title(f"{title}, {words}" if place == 0 else words[:1].upper() + words[1:])
        if place == 0:
            canvas.corner(axes, corner)
    axes.set_xlabel("trained epochs")
    return figure


def _lines_panel(axes: Any, true: Truth, styles: Mapping[str, Style], column: str, score: str) -> None:
    last = float(true.lines["epochs"].max()) if len(true.lines) else 10.0
    start = 0.1 * last  # the first trials may be a thousand times worse than all that follows
    exact = [frame[frame["epochs"] <= last] for frame in (true.random, true.grid)]
    values = [true.best_score]
    for frame in (true.lines, *exact):
        values += list(frame.loc[frame["epochs"] >= start, column].dropna())
    scale = canvas.scale_for(values)
    canvas.apply(axes.yaxis, scale, *canvas.limits(values, scale))
    for frame, dash in zip(exact, ((0, (6, 2)), (0, (6, 2, 1.2, 2))), strict=True):
        axes.plot(frame["epochs"], frame[column], color=FAINT, linestyle=dash, linewidth=1.6, zorder=2)
    axes.axhline(true.best_score, color=FAINT, linestyle=(0, (1.2, 1.6)), linewidth=1.4, zorder=2)
    ends = []
    for name, rows in true.lines.groupby("tuner", sort=False):
        known = rows.dropna(subset=[column])
        if known.empty:
            continue
        style = styles[str(name)]
        if column == "median" and len(true.tuners) <= MAX_BANDS:
            x, lower, upper = (rows[each].to_numpy(float) for each in ("epochs", "lower", "upper"))
            edges = lower, np.where(np.isnan(upper), axes.get_ylim()[1], upper)
            axes.fill_between(x, *edges, step="post", color=style.color, alpha=0.13, linewidth=0)
        canvas.steps(axes, known["epochs"].to_numpy(float), known[column].to_numpy(float), style, zorder=3)
        ends.append(labels.End(float(known[column].iloc[-1]), style, x=float(known["epochs"].iloc[-1])))
    axes.set_xlim(0, last)
    axes.set_ylabel(f"true mean {score}" + (f"\n({scale.note})" if scale.note else ""))
    canvas.plain_ticks(axes.xaxis)
    labels.label_ends(axes, ends)


SECTION = Section("Against the truth", 40, each(_truth), folded=False)
