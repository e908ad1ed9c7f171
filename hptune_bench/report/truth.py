"""The sections of a replayed campaign: its records held against the complete table that they were replayed from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.noise_sources import SOURCES, noise_figures
from hptune_bench.analysis.seeds_needed import CAMPAIGNS, ENOUGH, SeedsNeeded
from hptune_bench.analysis.statistics import Interval
from hptune_bench.analysis.tabular.importance import ExactImportance, show
from hptune_bench.analysis.tabular.truth import TOP, Quarters, Truth, TunerTruth
from hptune_bench.core import text
from hptune_bench.report import markup
from hptune_bench.report.blocks import Block, Cell, Figure, Items, Prose, Table, table
from hptune_bench.report.plots import truth as plots
from hptune_bench.report.plots.curves import MAX_BANDS
from hptune_bench.report.style import Style

Styles = Mapping[str, Style]
SHOWN_EFFECTS = 8
LEFT_OUT = "[smallest, largest with all data sets or without one of them]"


def blocks(found: WorkloadAnalysis, styles: Styles, title: str, corner: str, score: str) -> list[Block]:
    """Regret, noise, the winner's curse, reference lines and advice; nothing where there is no table.

    Args:
        score: what the judging score is called.
    """
    if found.truth is None:
        return []
    true, name = found.truth, markup.slug(found.records.name)
    return [
        Prose(_best(true, score)),
        *_noise(true),
        _lines(f"truth-{name}", true, styles, title, corner, score),
        _tuners(f"truth-{name}", true, styles, score),
        _sources(f"sources-{name}", true, styles),
        *([_seeds(f"seeds-{name}", true.seeds, styles)] if true.seeds else []),
    ]


def importance(found: WorkloadAnalysis, title: str, corner: str, score: str) -> list[Block]:
    """Exact importance and the answers to the questions; nothing where there is no table."""
    if found.exact is None:
        return []
    exact, name = found.exact, markup.slug(found.records.name)
    parts: list[Block] = []
    if exact.questions:
        verdicts = tuple(question.verdict for question in exact.questions)
        parts.append(Items(verdicts))
        parts.append(
            Figure(
                name=f"exact-levels-{name}",
                takeaway=verdicts[0],
                detail=(
                    f"Best true mean {score} at each level with everything else tuned, over all replicates of the "
                    "table (replayed); bar: smallest to largest mean over one data draw; shaded: the untuned value; "
                    "a cross at the top: everything there can fail. One training varies (standard deviation, among "
                    "the best 5 %) with its seed, and with what a data draw does to it alone."
                ),
                alt=f"Best score at each level of each hyperparameter. {' '.join(verdicts)}",
                data=plots.level_data(exact.questions),
                draw=lambda: plots.draw_levels(exact.questions, title, corner, score),
            )
        )
    takeaway = _strongest(exact)
    parts.append(
        Figure(
            name=f"exact-importance-{name}",
            takeaway=takeaway,
            detail=(
                "Functional ANOVA of the complete table (replayed), uniform weight on levels: shares of the variance "
                "of a single training, noise taken off each and shown by itself; they sum to 1. Line: smallest to "
                "largest share with all data sets or without one of them."
            ),
            alt=f"Bars of the share of variance of each hyperparameter, each pair and noise. {takeaway}",
            data=effects(exact),
            draw=lambda: plots.draw_importance(effects(exact), title, corner),
        )
    )
    parts.append(_effects(f"exact-importance-{name}", exact))
    return parts


# --- sentences -----------------------------------------------------------------------------------------------------


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


def _ranged(value: float, ends: Interval | None) -> str:
    """A number with its range where there is one."""
    return text.interval(value, ends.low, ends.high) if ends else text.number(value, 3)


def _percent(share: float, ends: Interval | None, places: int = 0) -> str:
    """A share as per cent with its range where there is one; no sign on zero."""

    def shown(value: float) -> str:
        return f"{round(100 * value, places) + 0.0:.{places}f}"

    brackets = f" [{shown(ends.low)}, {shown(ends.high)}]" if ends else ""
    return f"{shown(share)} %{brackets}"


def _strongest(exact: ExactImportance) -> str:
    parts = []
    for words, anova in (("whether a training fails", exact.failing), ("how well it scores", exact.scoring)):
        if anova.total <= 0:
            parts.append(f"nothing decides {words}, because it never varies")
            continue
        first = anova.effects.iloc[int(anova.effects["share"].to_numpy(float).argmax())]
        name = " with ".join(first["names"])
        parts.append(f"{name} explains most of {words} ({text.percent(float(first['share']))})")
    return text.sentence("; ".join(parts))


# --- tables --------------------------------------------------------------------------------------------------------


def _tuners(name: str, true: Truth, styles: Styles, score: str) -> Table:
    rows = [
        [
            Cell(styles[item.tuner].label),
            Cell(text.interval(item.regret, item.regret_low, item.regret_high), item.regret),
            *(_part(item.top[share], item.runs) for share in TOP),
            _part(item.can_fail, item.runs),
            Cell(text.interval(item.curse, item.curse_low, item.curse_high), item.curse),
            _trials(item.half),
            _trials(item.nine_tenths),
            _random(item, len(true.random)),
            Cell(f"{item.runs:,}", item.runs),
        ]
        for item in true.tuners
    ]
    columns = ["Method", "Regret", *(f"Truly in the best {text.percent(share)}" for share in TOP)]
    columns += ["Chose what can fail", "Flattery", "Trials to half", "to nine tenths", "Random search needs", "n"]
    note = (
        f"Median [quartiles] over runs. Regret: true mean {score} of the choice minus the best there is. Truly in the "
        "best, chose what can fail (some training of it in the table fails): number of runs. Flattery: selected "
        "validation score minus the choice's true mean, below 0 = it looked better than it is. Trials to half and to "
        "nine tenths of what can be gained over the untuned configuration, in truth: half of the runs have it then [a "
        "quarter, three quarters]. Random search needs: proposals after which the median random search (exactly) "
        "chooses as well as this method's median run [as the runs at the quartiles], and how many times its own trials "
        "that is."
    )
    return table(name, "Against the truth (replayed)", columns, rows, note)


def _sources(name: str, true: Truth, styles: Styles) -> Table:
    rows = [
        [
            Cell(styles[item.tuner].label),
            *(_source(item, source) for source in SOURCES),
            Cell(f"{item.runs - item.can_fail:,}", item.runs - item.can_fail),
        ]
        for item in true.tuners
    ]
    note = (
        "Shares of the variance of the final score among the n runs whose choice never fails: which configuration the "
        "tuner chose, the data set, and the training seed with the luck of the selection. They sum to 1; below 0: it "
        f"evens out another. {LEFT_OUT}: no interval, which so few data sets do not give."
    )
    columns = ["Method", "The tuner's choice", "Data set", "Training seed", "n"]
    return table(name, "Why runs of one method end differently (replayed)", columns, rows, note)


def _source(item: TunerTruth, source: str) -> Cell:
    share = item.sources.get(source, math.nan)
    if math.isnan(share):
        return Cell(text.MISSING)
    return Cell(_percent(share, item.source_ranges.get(source)), share)


def _trials(quarters: Quarters | None) -> Cell:
    if quarters is None:
        return Cell(text.MISSING)
    early, half, late = (f"{count:,.0f}" if math.isfinite(count) else "never" for count in quarters)
    return Cell(f"{half} [{early}, {late}]", quarters[1])


def _part(count: int, runs: int) -> Cell:
    return Cell(f"{count:,} of {runs:,}", count / runs)


def _random(item: TunerTruth, most: int) -> Cell:
    def words(count: int | None) -> str:
        return f">{most}" if count is None else f"{count}"

    times = f" ({item.equal_random / item.trials:.1f}×)" if item.equal_random is not None else ""
    ends = f"[{words(item.equal_low)}, {words(item.equal_high)}]"
    return Cell(f"{words(item.equal_random)}{times} {ends}", item.equal_random or math.inf)


def _seeds(name: str, advice: Sequence[SeedsNeeded], styles: Styles) -> Table:
    counts = [n for n in (10, 30, 100) if any(n in item.right for item in advice)]
    rows = [
        [
            Cell(styles[item.tuner].label),
            Cell(styles[item.reference].label),
            Cell(item.truth),
            Cell(_ranged(item.difference, item.difference_range), item.difference),
            *(_right(item, n) for n in counts),
            Cell(_enough(item), item.seeds),
        ]
        for item in advice
    ]
    columns = ["Method", "Against", "Truth", "Median difference", *(f"Right at {n} seeds" for n in counts)]
    columns.append("Seeds needed")
    note = (
        "Truth: the outcome over all replayed seeds; equivalent where the median difference is smaller than the "
        f"retraining noise. Right: share of {CAMPAIGNS} resampled campaigns whose verdict is that. Seeds needed: from "
        f"so many on, {text.percent(ENOUGH)} of campaigns are, corrected for the number of primary comparisons "
        "where it is one of them (those come first). As if the data of each seed were one of the table's data sets, "
        f"drawn at random: data that differ more need more seeds. {LEFT_OUT}, where the truth may be another."
    )
    return table(name, "How many seeds are enough? (replayed)", columns, rows, note, text_columns=3)


def _right(item: SeedsNeeded, count: int) -> Cell:
    if count not in item.right:
        return Cell(text.MISSING)
    return Cell(_percent(item.right[count], item.right_range.get(count)), item.right[count])


def _enough(item: SeedsNeeded) -> str:
    most = max(item.right)

    def shown(count: float) -> str:
        return f"{count:,.0f}" if math.isfinite(count) else f">{most}"

    ends = item.seeds_range
    return shown(item.seeds) + (f" [{shown(ends.low)}, {shown(ends.high)}]" if ends else "")


def effects(exact: ExactImportance) -> pd.DataFrame:
    """Columns names, order, and for failing and scoring: share, _low, _high, _zero: one row per effect and one for
    noise."""
    frame = exact.scoring.effects[["names", "order"]].copy()
    frame["names"] = [" x ".join(names) for names in frame["names"]]
    noise = {"names": "noise", "order": 0}
    for column, anova in (("failing", exact.failing), ("scoring", exact.scoring)):
        mine = [column, f"{column}_low", f"{column}_high"]
        frame[mine], frame[f"{column}_zero"] = anova.effects[["share", "low", "high"]], anova.effects["zero"]
        ends = anova.noise_range or Interval(math.nan, math.nan)
        noise |= dict(zip(mine, (anova.noise, ends.low, ends.high), strict=True)) | {f"{column}_zero": False}
        if anova.total <= 0:
            frame[mine] = math.nan
            noise |= dict.fromkeys(mine, math.nan)
    return pd.concat([frame, pd.DataFrame([noise])], ignore_index=True)


def _effects(name: str, exact: ExactImportance) -> Table:
    frame = effects(exact)
    size = frame[["failing", "scoring"]].fillna(0.0).max(axis=1)
    main = frame[(frame["order"] <= 1)]
    rest = frame[frame["order"] > 1].loc[lambda rows: size[rows.index].sort_values(ascending=False).index]
    shown = pd.concat([main[main["order"] == 1], rest.head(SHOWN_EFFECTS), main[main["order"] == 0]])
    rows = [
        [
            Cell(text.clean(row["names"]).replace(" x ", " × ")),
            *(_share(row, part) for part in ("failing", "scoring")),
        ]
        for _, row in shown.iterrows()
    ]
    note = (
        "Share of the variance of a single training. Failing: it diverged or learned no more than a constant (0 "
        "or 1). Scoring: its rank among those that did not fail, in which a failed one counts as the mean "
        "rank. = 0: zero within noise (F test against the data draws, 5 % for the whole column, after Holm). Exact "
        f"inside this space; {LEFT_OUT}."
    )
    return table(name, "Exact importance (replayed)", ["Hyperparameters", "Failing", "Scoring"], rows, note)


def _share(row: pd.Series, part: str) -> Cell:
    value = float(row[part])
    if math.isnan(value):
        return Cell(text.MISSING)
    low, high = float(row[f"{part}_low"]), float(row[f"{part}_high"])
    ends = None if math.isnan(low) else Interval(low, high)
    return Cell(_percent(value, ends, 1), value, mark="= 0" if bool(row[f"{part}_zero"]) else "")


# --- figures -------------------------------------------------------------------------------------------------------


def _lines(name: str, true: Truth, styles: Styles, title: str, corner: str, score: str) -> Figure:
    takeaway = f"The best mean {score} there is: {text.number(true.best_score)}"
    if true.tuners:
        best = min(true.tuners, key=lambda item: item.regret)
        at = text.number(true.best_score + best.regret)
        takeaway += f"; the median run of {styles[best.tuner].label} ends nearest, at {at}"
    runs = max((item.runs for item in true.tuners), default=0)
    band = "quartiles are in the CSV" if len(true.tuners) > MAX_BANDS else "band: lower to upper quartile"
    grid = f"; dash-dotted: the hand-picked grid of {true.grid_size} points in random order" if len(true.grid) else ""
    return Figure(
        name=name,
        takeaway=text.sentence(takeaway),
        detail=(
            f"True mean {score} of the best trial so far, free of a trial's own luck, over "
            f"{text.plural(runs, 'replayed run')} each: above the median run ({band}), below the mean, which a few "
            f"runs lift that chose what can fail. Grey, exact: dashed: random search{grid}; dotted: the best there is. "
            "Failed trainings count as the worst score of one that did not; the score axes leave out what lay above "
            "them in the first tenth."
        ),
        alt=f"True mean of each method over epochs, beside exact expectations. {takeaway}",
        data=plots.line_data(true),
        draw=lambda: plots.draw_lines(true, styles, title, corner, score),
    )
