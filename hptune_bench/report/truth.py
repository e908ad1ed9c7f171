"""The sections of a replayed campaign: its records held against the complete table that they were replayed from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.exact_importance import ExactImportance, show
from hptune_bench.analysis.statistics import MIN_SEEDS
from hptune_bench.analysis.targets import wilson
from hptune_bench.analysis.truth import CAMPAIGNS, ENOUGH, TOP, SeedsNeeded, Truth, TunerTruth
from hptune_bench.report import text
from hptune_bench.report.blocks import Block, Cell, Figure, Items, Prose, Table, table
from hptune_bench.report.plots import truth as plots
from hptune_bench.report.style import Look

Looks = Mapping[str, Look]
SHOWN_EFFECTS = 8


def blocks(found: WorkloadAnalysis, looks: Looks, title: str, corner: str, score: str) -> list[Block]:
    """Regret, noise, the winner's curse, reference lines and advice; nothing where there is no table.

    Args:
        score: what the judging score is called.
    """
    if found.truth is None:
        return []
    true, name = found.truth, text.slug(found.records.name)
    return [
        Prose(_best(true, score)),
        *_noise(true),
        _lines(f"truth-{name}", true, looks, title, corner, score),
        _tuners(f"truth-{name}", true, looks, score),
        *([_seeds(f"seeds-{name}", true.seeds, looks)] if true.seeds else []),
    ]


def importance(found: WorkloadAnalysis, title: str, corner: str, score: str) -> list[Block]:
    """Exact importance and the answers to the questions; nothing where there is no table."""
    if found.exact is None:
        return []
    exact, name = found.exact, text.slug(found.records.name)
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
                    "a cross at the top: everything there can fail."
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
                "of a single training, noise taken off each and shown by itself; they sum to 1."
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
    parts = {
        "the data draw as such": true.noise.draw,
        "the data draw together with the configuration": true.noise.mixed,
        "the training seed": true.noise.training,
    }
    total = sum(max(value, 0.0) for value in parts.values())
    if total <= 0:
        return []
    words = text.listing([f"{text.percent(max(value, 0.0) / total)} to {name}" for name, value in parts.items()])
    between = math.sqrt(max(true.noise.between, 0.0))
    apart = f"differ by {text.number(between, 3)}" if between > 0 else "do not differ beyond that noise"
    return [
        Prose(
            f"Among the best configurations, a single training varies by {text.number(math.sqrt(total), 3)} (standard "
            f"deviation): {words}. The means of these configurations {apart}."
        )
    ]


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


def _tuners(name: str, true: Truth, looks: Looks, score: str) -> Table:
    rows = [
        [
            Cell(looks[item.tuner].label),
            Cell(text.interval(item.regret, item.regret_low, item.regret_high), item.regret),
            *(_part(item.top[share], item.runs) for share in TOP),
            _part(item.can_fail, item.runs),
            Cell(text.interval(item.curse, item.curse_low, item.curse_high), item.curse),
            Cell(_shares(item)),
            _trials(item.half),
            _trials(item.nine_tenths),
            _random(item, len(true.random)),
            Cell(f"{item.runs:,}", item.runs),
        ]
        for item in true.tuners
    ]
    columns = ["Method", "Regret", *(f"Truly in the best {text.percent(share)}" for share in TOP)]
    columns += [
        "Chose what can fail",
        "Flattery",
        "Tuner / data / training",
        "Trials to half",
        "to nine tenths",
        "Random search needs",
        "n",
    ]
    note = (
        f"Regret: true mean {score} of the choice minus the best there is, median [quartiles] over runs. Truly in the "
        "best, chose what can fail (some training of it in the table fails): share of runs [95 % interval of the "
        "tuner's own chance on the table's data]. Flattery: selected validation score minus the choice's true mean, "
        "below 0 = it looked better than it is, median [quartiles]. Tuner / data / training: shares of the variance of "
        "the final score among runs whose choice never fails (below 0: it evens out another). Trials to half and to "
        "nine tenths of what can be gained over the untuned configuration, in truth, by the median run. Random search "
        "needs: proposals after which the median random search (exactly) chooses as well as this method's median run "
        "[for the ends of that median's 95 % interval, of the tuner's own chance], and how many times its own trials "
        "that is."
    )
    return table(name, "Against the truth (replayed)", columns, rows, note)


def _shares(item: TunerTruth) -> str:
    values = list(item.sources.values())
    if not values or any(math.isnan(value) for value in values):
        return text.MISSING
    return " / ".join(f"{100 * value:.0f}" for value in values) + " %"


def _trials(count: int | None) -> Cell:
    return Cell(f"{count:,}" if count else "never", count or math.inf)


def _part(count: int, runs: int) -> Cell:
    """A share of runs, with its interval."""
    low, high = wilson(count, runs)
    return Cell(f"{text.percent(count / runs)} [{100 * low:.0f}, {100 * high:.0f}]", count / runs)


def _random(item: TunerTruth, most: int) -> Cell:
    def words(count: int | None) -> str:
        return f">{most}" if count is None else f"{count}"

    ends = f" [{words(item.equal_low)}, {words(item.equal_high)}]" if item.runs >= MIN_SEEDS else ""
    times = f" ({item.equal_random / item.trials:.1f}×)" if item.equal_random is not None else ""
    return Cell(f"{words(item.equal_random)}{times}{ends}", item.equal_random or math.inf)


def _seeds(name: str, advice: Sequence[SeedsNeeded], looks: Looks) -> Table:
    counts = [n for n in (10, 30, 100) if any(n in item.right for item in advice)]
    rows = [
        [
            Cell(looks[item.tuner].label),
            Cell(looks[item.reference].label),
            Cell(item.truth),
            Cell(text.number(item.difference, 3), item.difference),
            *(
                Cell(text.percent(item.right[n]), item.right[n]) if n in item.right else Cell(text.MISSING)
                for n in counts
            ),
            Cell(f"{item.seeds:,}" if item.seeds else f"more than {max(item.right)}", item.seeds or math.inf),
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
        "drawn at random: data that differ more need more seeds."
    )
    return table(name, "How many seeds are enough? (replayed)", columns, rows, note, text_columns=3)


def effects(exact: ExactImportance) -> pd.DataFrame:
    """Columns names, order, failing, scoring, failing_zero, scoring_zero: one row per effect and one for noise."""
    frame = exact.scoring.effects[["names", "order"]].copy()
    frame["names"] = [" x ".join(names) for names in frame["names"]]
    noise = {"names": "noise", "order": 0}
    for column, anova in (("failing", exact.failing), ("scoring", exact.scoring)):
        frame[column], frame[f"{column}_zero"] = anova.effects["share"], anova.effects["zero"]
        noise |= {column: anova.noise if anova.total > 0 else math.nan, f"{column}_zero": False}
        if anova.total <= 0:
            frame[column] = math.nan
    return pd.concat([frame, pd.DataFrame([noise])], ignore_index=True)


def _effects(name: str, exact: ExactImportance) -> Table:
    frame = effects(exact)
    size = frame[["failing", "scoring"]].fillna(0.0).max(axis=1)
    main = frame[(frame["order"] <= 1)]
    rest = frame[frame["order"] > 1].loc[lambda rows: size[rows.index].sort_values(ascending=False).index]
    shown = pd.concat([main[main["order"] == 1], rest.head(SHOWN_EFFECTS), main[main["order"] == 0]])
    rows = [
        [Cell(text.clean(row["names"]).replace(" x ", " × ")), *(_share(row, part) for part in ("failing", "scoring"))]
        for _, row in shown.iterrows()
    ]
    note = (
        "Share of the variance of a single training. Failing: it diverged or learned no more than a constant (0 "
        "or 1). Scoring: its rank among those that did not fail, in which a failed one counts as the mean "
        "rank. = 0: zero within noise (F test against the data draws, 5 %). Exact inside this space."
    )
    return table(name, "Exact importance (replayed)", ["Hyperparameters", "Failing", "Scoring"], rows, note)


def _share(row: pd.Series, part: str) -> Cell:
    value = float(row[part])
    if math.isnan(value):
        return Cell(text.MISSING)
    return Cell(f"{round(100 * value, 1) + 0.0:.1f} %", value, mark="= 0" if bool(row[f"{part}_zero"]) else "")


# --- figures -------------------------------------------------------------------------------------------------------


def _lines(name: str, true: Truth, looks: Looks, title: str, corner: str, score: str) -> Figure:
    takeaway = f"The best mean {score} there is: {text.number(true.best_score)}"
    if true.tuners:
        best = min(true.tuners, key=lambda item: item.regret)
        at = text.number(true.best_score + best.regret)
        takeaway += f"; the median run of {looks[best.tuner].label} ends nearest, at {at}"
    runs = max((item.runs for item in true.tuners), default=0)
    grid = f"; dash-dotted: the hand-picked grid of {true.grid_size} points in random order" if len(true.grid) else ""
    return Figure(
        name=name,
        takeaway=text.sentence(takeaway),
        detail=(
            f"True mean {score} of the best trial so far, free of a trial's own luck, over "
            f"{text.plural(runs, 'replayed run')} each: above the median run, below the mean, which a few runs lift "
            f"that chose what can fail. Grey, exact: dashed: random search{grid}; dotted: the best there is. Failed "
            "trainings count as the worst score of one that did not; the score axes leave out what lay above them in "
            "the first tenth."
        ),
        alt=f"True mean of each method over epochs, beside exact expectations. {takeaway}",
        data=plots.line_data(true),
        draw=lambda: plots.draw_lines(true, looks, title, corner, score),
    )
