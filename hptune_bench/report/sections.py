"""What the report says, in order: from the analysis to sections of prose, tables and figures."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import Analysis, WorkloadAnalysis
from hptune_bench.analysis.anytime import AXES, Axis, Score
from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.data_draws import testable, these
from hptune_bench.analysis.frames import judging
from hptune_bench.analysis.questions import Question
from hptune_bench.analysis.ranks import Ranks
from hptune_bench.analysis.statistics import ALPHA
from hptune_bench.analysis.verdict import word
from hptune_bench.casestudy import mistakes_section as mistakes
from hptune_bench.casestudy import words_plot as words
from hptune_bench.casestudy.effort import efforts
from hptune_bench.casestudy.sweep import first_sweep
from hptune_bench.core import text
from hptune_bench.core.tuner_info import TunerInfo, by_order, with_role
from hptune_bench.report import headroom as room
from hptune_bench.report import markup, tables, truth
from hptune_bench.report.blocks import Block, Code, Figure, Heading, Items, Prose, Section
from hptune_bench.report.plots import curse, curves, pairs, space, times
from hptune_bench.report.style import Style, styles
from hptune_bench.store.results import Results, took

FIRST_AXES: tuple[Axis, ...] = ("stock_s", "spent_epochs", "elapsed_s", "trials")
"""What the first figure is drawn against: the first of these that was recorded."""
FIRST_PANELS = 4
"""Workloads in the first figure; the others' curves are among the folded ones."""
EXAMPLES = Path(__file__).resolve().parents[2] / "benchmarks" / "examples" / "effort"
"""The example scripts from which effort is counted; absent from an installed package."""


@dataclass(frozen=True)
class Context:
    """What every section needs.

    Attributes:
        styles: of every tuner of the campaign, in reporting order.
    """

    campaign: Results
    analysis: Analysis
    styles: dict[str, Style]

    @property
    def workloads(self) -> list[WorkloadAnalysis]:
        return list(self.analysis.workloads.values())

    @property
    def infos(self) -> dict[str, TunerInfo]:
        """What the campaign's tuners declare, those that did not run included, in the order of tables."""
        return by_order({name: info for found in self.workloads for name, info in found.records.infos.items()})

    def tuners(self, found: WorkloadAnalysis) -> list[str]:
        return [name for name in self.styles if name in found.records.tuners]

    def searchers(self, found: WorkloadAnalysis) -> list[str]:
        """The tuners that search: all but those that train one configuration once."""
        return [name for name in self.tuners(found) if name not in found.records.trained_once]

    def main(self, found: WorkloadAnalysis) -> list[str]:
        """The reference and the primary tuners; where a campaign has none of them, the first six that search."""
        records = found.records
        wanted = [name for name in self.searchers(found) if name in (records.against, *records.primary)]
        return wanted or self.searchers(found)[:6] or self.tuners(found)[:6]


def context(campaign: Results, analysis: Analysis) -> Context:
    ran = {name: found.records.infos[name] for found in analysis.workloads.values() for name in found.records.tuners}
    return Context(campaign, analysis, styles(ran))


def build(ctx: Context, quick: bool) -> list[Section]:
    """The sections in order; with ``quick`` the first page only."""
    first_page = [
        Section("Verdict", (Items(in_words(ctx, [sentence.text for sentence in ctx.analysis.verdict])),)),
        Section("Best loss so far", _first_plot(ctx)),
        Section("The methods side by side", _each(ctx, _main_table)),
    ]
    notes = Section("Warnings", _warnings(ctx))
    if quick:
        return [part for part in (*first_page, notes) if part.blocks]
    parts = [
        *first_page,
        Section("Against the truth", _each(ctx, _truth)),
        Section("What matters, exactly", _each(ctx, _exact)),
        Section("The post's questions", _each(ctx, _questions)),
        Section("The notebook's picture", _each(ctx, _words)),
        Section("What the notebook's mistakes do", mistakes.blocks({f.records.name: f.records for f in ctx.workloads})),
        Section("What there is to win", room.blocks([(_title(found), found) for found in ctx.workloads], ctx.styles)),
        notes,
        Section("The same curves over epochs, search clock and trials", _each(ctx, _other_axes), folded=True),
        Section("Test score of the chosen model", _each(ctx, _test_curves), folded=True),
        Section("Every method, and what KerasTuner's defaults cost", _each(ctx, _all_methods), folded=True),
        Section("Paired differences, a dot per seed", _each(ctx, _paired), folded=True),
        Section("Ranks", _ranks(ctx), folded=True),
        Section("Time to a target", _each(ctx, _targets), folded=True),
        Section("Which hyperparameters matter", _each(ctx, _importance), folded=True),
        Section("Score over each hyperparameter", _each(ctx, _dots), folded=True),
        Section("Search space", _each(ctx, _space), folded=True),
        Section("Ten best trials and best configurations", _each(ctx, _best), folded=True),
        Section("The winner's curse", _each(ctx, _curse), folded=True),
        Section("Where the time went", _each(ctx, _time), folded=True),
        Section("Break-even: how slow must your model be?", _each(ctx, _break_even), folded=True),
        Section("Effort", _effort(ctx), folded=True),
        Section("Failures", _each(ctx, _failures), folded=True),
        Section("Machine and versions", (tables.environment(_environment(ctx)),), folded=True),
        Section("How to rerun", _rerun(ctx), folded=True),
    ]
    return [part for part in parts if part.blocks]


def in_words(ctx: Context, sentences: Iterable[str]) -> tuple[str, ...]:
    """Sentences that are read one after the other: what kind of data a workload has is said once."""
    said: set[str] = set()
    return tuple(text.sentence(plain(ctx, sentence, said)) for sentence in sentences)


def plain(ctx: Context, sentence: str, said: set[str] | None = None) -> str:
    """A sentence with the labels of tuners and the titles of workloads in place of their identifiers.

    Identifiers with an underscore and KerasTuner's tuners are replaced everywhere, a workload in front of a colon too.
    Others could be ordinary words: they are replaced after ``on`` and in lists, where the workload has a title.
    Parts of paths and names of files stay as they are, so that a reader finds what they name.

    Args:
        said: workloads whose kind of data has been named; those named here are added. None: always name it.
    """
    labels = {name: info.label for name, info in ctx.infos.items()}
    labels |= {name: style.label for name, style in ctx.styles.items()}
    labels = {name: f"the {label}" if label.startswith("hand-written") else label for name, label in labels.items()}
    workloads = {found.records.name: found for found in ctx.workloads}
    known = sorted(
        (n for n in {**labels, **workloads} if "_" in n or (n in labels and ctx.infos[n].stock)), key=len, reverse=True
    )

    def words_for(name: str) -> str:
        if name not in workloads:
            return labels[name]
        title = _name_of(workloads[name]) if said is not None and name in said else _title(workloads[name])
        if said is not None:
            said.add(name)
        return title

    start = ""
    about, colon, rest = sentence.partition(":")
    if colon and about in workloads:
        start, sentence = words_for(about), colon + rest
    names = rf"(?<![\w/])({'|'.join(map(re.escape, known))})"
    if words := [name for name, found in workloads.items() if name not in known and found.records.title != name]:
        names += rf"|(?:(?<=\bon )|(?<=, )|(?<=\band )|(?<=\bor ))({'|'.join(map(re.escape, words))})"
    return start + re.sub(rf"(?:{names})(?![\w/]|\.\w)", lambda match: words_for(match[0]), sentence)


Maker = Callable[[Context, WorkloadAnalysis], Iterable[Block]]


def _each(ctx: Context, make: Maker) -> tuple[Block, ...]:
    """The blocks of every workload, each under its title."""
    blocks: list[Block] = []
    for found in ctx.workloads:
        mine = list(make(ctx, found))
        if mine:
            blocks.append(Heading(_title(found)))
        blocks += mine
    return tuple(blocks)


def _name_of(found: WorkloadAnalysis) -> str:
    """The workload's title, for headings."""
    title = text.clean(found.records.title)
    return title[:1].upper() + title[1:]


def _title(found: WorkloadAnalysis) -> str:
    label = found.records.data_label
    return _name_of(found) + (f" ({label} data)" if label else "")


def _corner(found: WorkloadAnalysis) -> str:
    return f"{found.records.data_label} data" if found.records.data_label else ""


def _name(kind: str, found: WorkloadAnalysis) -> str:
    return f"{kind}-{markup.slug(found.records.name)}"


def _seeds(found: WorkloadAnalysis) -> str:
    runs = found.records.runs
    seeds = text.plural(int(runs["seed"].nunique() if len(runs) else 0), "seed")
    return seeds if found.records.draws is None else f"{seeds} on {text.plural(found.records.draws, 'data set')}"


def _axis(found: WorkloadAnalysis, wanted: Iterable[Axis], score: Score) -> Axis | None:
    return next((axis for axis in wanted if (axis, score) in found.curves), None)


def _score_label(found: WorkloadAnalysis, score: Score) -> str:
    records = found.records
    if score == "test":
        return f"{tables.metric_name(records)} on the test split"
    objective = tables.objective_name(records)
    return f"{objective} above its noise floor" if records.excess else objective


def _untuned(found: WorkloadAnalysis, score: Score) -> float:
    """Median score of the copied configuration over the seeds; NaN if it was not among the tuners.

    Not that of its retrainings: they share the data of one seed, and the other medians do not.
    """
    summary = found.summary
    rows = (
        summary[(summary["tuner"] == found.records.with_role("copied")) & (summary["at"] == tables.FULL)]
        if len(summary)
        else summary
    )
    return float(rows[f"{score}_median"].iloc[0]) if len(rows) else math.nan


def _reason(found: WorkloadAnalysis, part: str) -> list[Block]:
    """Why a part is missing, as a paragraph; nothing where no reason was given."""
    return [Prose(text.sentence(found.reasons[part]))] if part in found.reasons else []


# --- first page ----------------------------------------------------------------------------------------------------


def _panel(ctx: Context, found: WorkloadAnalysis, axis: Axis, score: Score, tuners: Sequence[str], title: str) -> Any:
    return curves.Panel(
        title,
        _corner(found),
        found.curves[axis, score],
        tuple(tuners),
        _untuned(found, score),
        _score_label(found, score),
    )


def _curves_figure(ctx: Context, name: str, panels: Sequence[Any], seeds: str) -> Figure:
    several = len({panel.title for panel in panels if not panel.title.startswith("Over ")}) > 1
    takeaway = " ".join(_ending(ctx, panel, several) for panel in (panels if several else panels[:1]))
    names = ", ".join(dict.fromkeys(ctx.styles[tuner].label for panel in panels for tuner in panel.tuners))
    what = {"validation": "best validation score so far", "test": "test score of the best trial so far"}
    many = max(len(panel.tuners) for panel in panels) > curves.MAX_BANDS
    band = "quartiles are in the CSV" if many else "band: lower to upper quartile"
    band = "a single seed has no band" if seeds == "1 seed" else band
    even = any((panel.curves.bands["runs"] % 2 == 0).any() for panel in panels)
    lower = " (of an even number the lower of the two in the middle, so not quite the tables' median)" if even else ""
    excess = any(panel.curves.excess for panel in panels)
    zero = (
        " Above its noise floor: minus the noise in that split, so 0 is the law that made the data; the best of many "
        "trials can fall below it by luck."
        if excess
        else ""
    )
    scores = " and ".join(dict.fromkeys(what[panel.curves.score] for panel in panels))
    return Figure(
        name=name,
        takeaway=text.sentence(takeaway),
        detail=(
            f"Line: median of the {scores} over {seeds}{lower}; {band}; right-continuous steps: nothing is known "
            "before a trial ends. Smaller is better. Dotted line: untuned. The score axis leaves out how the curves "
            f"start.{zero}"
        ),
        alt=f"Step curves of {names}. {takeaway}",
        data=curves.data(panels),
        draw=lambda: curves.draw(panels, ctx.styles),
    )


def _ending(ctx: Context, panel: Any, several: bool) -> str:
    """Who ends where, in one sentence."""
    bands = panel.curves.bands
    finals = {
        name: float(bands.loc[bands["tuner"] == name, "median"].iloc[-1])
        for name in panel.tuners
        if (bands["tuner"] == name).any()
    }
    finite = {name: value for name, value in finals.items() if math.isfinite(value)}
    prefix = f"{panel.title}: " if several else ""
    if not finite:
        return f"{prefix}no method's median run ends with a finite score."
    ordered = sorted(finite, key=lambda name: finite[name])
    show = text.alike([*finite.values(), panel.untuned])
    ends = "ends lowest at" if len(ordered) > 1 else "ends at"
    words = f"{ctx.styles[ordered[0]].label} {ends} {show(finite[ordered[0]])}"
    loop = with_role({name: ctx.infos[name] for name in finite}, "loop")
    reference = loop if loop is not None and ordered[0] != loop else ordered[-1]
    if reference != ordered[0]:
        words += f", {ctx.styles[reference].label} at {show(finite[reference])}"
    if math.isfinite(panel.untuned):
        words += f", untuned is {show(panel.untuned)}"
    return f"{prefix}{words}."


def _ordered(ctx: Context, frame: pd.DataFrame) -> pd.DataFrame:
    """A frame with one row per tuner in reporting order."""
    place = {name: index for index, name in enumerate(ctx.styles)}
    return frame.sort_values("tuner", key=lambda names: names.map(place), kind="stable").reset_index(drop=True)


def _first_plot(ctx: Context) -> tuple[Block, ...]:
    panels, seeds = [], []
    for found in ctx.workloads[:FIRST_PANELS]:
        axis = _axis(found, FIRST_AXES, "validation")
        if axis:
            panels.append(_panel(ctx, found, axis, "validation", ctx.main(found), _name_of(found)))
            seeds.append(_seeds(found))
    if not panels:
        return (Prose("No trial has finished yet, so there is no curve to draw."),)
    return (_curves_figure(ctx, "best-so-far", panels, " / ".join(dict.fromkeys(seeds))),)


def _main_table(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if not len(found.summary):
        return [Prose(f"{_title(found)}: no run has finished yet.")]
    return [*room.label(found), tables.main(_name("summary", found), found, ctx.styles, ctx.tuners(found))]


def _truth(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    score = tables.judged_name(found.records)
    return truth.blocks(found, ctx.styles, _name_of(found), _corner(found), score) or _reason(found, "truth")


def _exact(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    score = tables.judged_name(found.records)
    return truth.importance(found, _name_of(found), _corner(found), score)


def _questions(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.exact is not None:
        return []  # answered exactly
    if not found.questions:
        return _reason(found, "questions")
    return [tables.questions(_name("questions", found), found.records, found.questions)]


def _words(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    from hptune_bench.casestudy import review_published

    loop = first_sweep(found.records.trials)
    if not len(loop):
        return []
    # Only the notebook's own problem has a published curve beside it.
    known = found.records.name.startswith("review_sentiment")
    published = review_published.WORD_COUNT_LOOP if known else ()
    pick = review_published.SECOND_LOOP_WORD_COUNT if known else None
    frame = words.data(loop, published, pick)
    picks = sorted(int(value) for value in loop.groupby("seed")["picked"].first())
    ours = frame[(frame["metric"] == "val_loss") & (frame["source"] != "published")]
    takeaway = (
        f"The loss falls until about {_flat(ours)} words and is flat after that, so what a single run picks is "
        f"partly luck: {_spread(picks)}."
    )
    data = f"{found.records.data_label} data, " if found.records.data_label else ""
    rows = found.records.about.get("rows") or {}
    size = f"{rows['train']:,} training reviews" if rows.get("train") else "the reviews of this campaign"
    vocab = loop["hp:vocab_count"].iloc[0] if "hp:vocab_count" in loop else None
    held = f" at vocabulary {text.number(vocab)}" if vocab is not None else ""
    detail = (
        f"First loop of the hand-written method ({data}{size}{held}): median and quartiles over {_seeds(found)}; bars "
        "below: how many runs picked that value."
    )
    if known:
        detail += (
            f" Dashed: the notebook's published curve ({review_published.REVIEWS:,} real reviews, vocabulary "
            f"{review_published.VOCAB_COUNT}), read off its figure; a "
            "fresh sample for every point, and more data."
        )
    return [
        Figure(
            name=_name("words", found),
            takeaway=takeaway,
            detail=detail,
            alt=f"Loss and accuracy over word_count, this campaign beside the notebook. {takeaway}",
            data=frame,
            draw=lambda: words.draw(frame, _corner(found)),
        )
    ]


def _flat(ours: pd.DataFrame) -> str:
    """The smallest number of words whose median lies within a tenth of the fall from the minimum."""
    series = ours.sort_values(words.HYPERPARAMETER)
    medians = series["median"].to_numpy(float)
    finite = np.isfinite(medians)
    if not finite.any():
        return "?"
    lowest, highest = medians[finite].min(), medians[finite].max()
    at = int(np.argmax(medians <= lowest + 0.1 * (highest - lowest)))
    return text.number(float(series[words.HYPERPARAMETER].iloc[at]))


def _spread(picks: list[int]) -> str:
    if len(set(picks)) == 1:
        return f"{'all runs' if len(picks) > 1 else 'the run'} picked {picks[0]}"
    return f"{len(picks)} runs picked {len(set(picks))} different values from {picks[0]} to {picks[-1]}"


def _warnings(ctx: Context) -> tuple[Block, ...]:
    several = len(ctx.workloads) > 1
    ordered = sorted(ctx.analysis.warnings, key=lambda warning: not warning.first_page)
    sentences = [f"{w.workload}: {w.text}" if several and w.workload else w.text for w in ordered]
    return (Items(in_words(ctx, sentences)),) if sentences else ()


# --- folded --------------------------------------------------------------------------------------------------------


def _other_axes(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    first = _axis(found, FIRST_AXES, "validation")
    axes = [axis for axis in AXES if (axis, "validation") in found.curves and axis != first]
    panels = [_panel(ctx, found, axis, "validation", ctx.main(found), f"Over {AXES[axis]}") for axis in axes]
    return [_curves_figure(ctx, _name("axes", found), panels, _seeds(found))] if panels else _reason(found, "curves")


def _test_curves(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    axes: list[Axis] = [axis for axis in ("stock_s", "spent_epochs") if (axis, "test") in found.curves]
    panels = [_panel(ctx, found, axis, "test", ctx.main(found), f"Over {AXES[axis]}") for axis in axes]
    return [_curves_figure(ctx, _name("test", found), panels, _seeds(found))] if panels else _reason(found, "curves")


def _all_methods(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    blocks: list[Block] = []
    axis = _axis(found, ("spent_epochs", "trials", "elapsed_s"), "validation")
    if axis:
        panel = _panel(ctx, found, axis, "validation", ctx.searchers(found), _name_of(found))
        blocks.append(_curves_figure(ctx, _name("all", found), [panel], _seeds(found)))
    if found.costs is not None and len(found.costs.defaults):
        blocks.append(tables.defaults(_name("defaults", found), found.records, found.costs, ctx.styles))
    return blocks


def _paired(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    primary = [item for item in found.comparisons if item.primary]
    exploratory = [item for item in found.comparisons if not item.primary]
    blocks: list[Block] = []
    shown = primary or [item for item in exploratory if item.trials is None][:8]
    shown = [item for item in shown if _tells(item) and item.reference == shown[0].reference]
    if shown:
        margin = found.noise.margin if found.noise else None
        band = "; grey: differences smaller than the retraining noise" if margin else ""
        blocks.append(
            Figure(
                name=_name("paired", found),
                takeaway=_outcomes(ctx, shown),
                detail=(
                    f"One dot per {_dot(found)} ({_seeds(found)}): {tables.judged_name(found.records)} of the tuner "
                    f"minus that of {ctx.styles[shown[0].reference].label}; bar: median, line: "
                    f"{_line_of(shown[0])}{band}. An arrowhead at the rim is a failed run."
                ),
                alt=f"Dot plot of paired differences. {_outcomes(ctx, shown)}",
                data=pairs.data(shown),
                draw=lambda: pairs.draw(
                    shown,
                    ctx.styles,
                    _name_of(found),
                    _corner(found),
                    tables.judged_name(found.records),
                    margin,
                ),
            )
        )
    if primary:
        words_ = "Primary comparisons, fixed before any result"
        blocks.append(tables.comparisons(_name("primary", found), found.records, primary, ctx.styles, words_))
    if exploratory:
        words_ = "Exploratory comparisons: no claim rests on them"
        blocks.append(tables.comparisons(_name("exploratory", found), found.records, exploratory, ctx.styles, words_))
    return blocks or _reason(found, "comparisons")


def _dot(found: WorkloadAnalysis) -> str:
    return "data seed" if found.records.draws is None else "replayed seed"


def _line_of(item: Comparison) -> str:
    """What the line beside a median shows."""
    return f"quartiles of the runs on {item.where}" if item.where else "its 95 % interval"


def _tells(item: Comparison) -> bool:
    """Whether at least one run of a pair found something: two failures differ by nothing, and show nothing."""
    scores = item.differences[["tuner_score", "reference_score"]].to_numpy(float)
    return bool(np.isfinite(scores).any())


def _smallest(ctx: Context, ranks_: pd.Series) -> str:
    """Who has the smallest of these ranks, indexed by tuner; ties share it."""
    names = [ctx.styles[str(name)].label for name in ranks_.index[ranks_ <= ranks_.min() + 1e-12]]
    return "all alike" if len(names) == len(ranks_) > 1 else text.listing(names)


def _outcomes(ctx: Context, shown: Sequence[Comparison]) -> str:
    """Outcomes in one sentence: who is better, who is worse, and how many are left open."""
    groups: dict[str, list[str]] = {}
    for item in shown:
        label = f"{ctx.styles[item.tuner].label} at {'the full budget' if item.trials is None else item.at}"
        groups.setdefault(word(item), []).append(label)
    references = {item.reference for item in shown}
    against = f"against {ctx.styles[shown[0].reference].label}" if len(references) == 1 else "of these"
    against += f" on {shown[0].where}" if shown[0].where else ""
    undecided = len(groups.pop("undecided", []))
    if not groups:
        return text.sentence(f"{text.plural(undecided, 'comparison')} {against}, none decided")
    parts = [f"{outcome} {against}: {text.listing(names)}" for outcome, names in groups.items()]
    return text.sentence("; ".join([*parts, *([f"{undecided} undecided"] if undecided else [])]))


def _ranks(ctx: Context) -> tuple[Block, ...]:
    found = ctx.analysis.ranks
    if found is None or not len(found.table):
        return (Prose(text.sentence(ctx.analysis.reasons["ranks"])),) if "ranks" in ctx.analysis.reasons else ()
    if np.ptp(found.table["mean_rank"]) == 0:
        return (Prose("All methods share one mean rank: there is no order to show."),)
    best = found.table.iloc[0]
    overlap = int((found.table["low"].iloc[1:] <= best["high"]).sum())
    takeaway = text.sentence(
        f"{ctx.styles[best['tuner']].label} has the smallest mean rank, {text.number(best['mean_rank'], 3)}"
        + (f"; the intervals of {overlap} of {len(found.table) - 1} others overlap with its own" if overlap else "")
    )
    over = "line: 95 % interval over the seeds of each workload"
    if found.few_draws is not None:
        over = f"no interval, because the ranks hold on {these(found.few_draws)} only; seeds of each workload"
    workloads = text.plural(len(ctx.workloads), "workload")
    seeds = " / ".join(dict.fromkeys(_seeds(w) for w in ctx.workloads))
    score = judging(w.records for w in ctx.workloads)
    replayed = "replayed data" if any(w.records.about.get("table") for w in ctx.workloads) else ""
    figure = Figure(
        name="ranks",
        takeaway=takeaway,
        detail=(
            f"Mean rank by {score} inside each (workload, seed), over {workloads}; {over} ({seeds}). "
            f"{text.sentence(found.reason)}".strip()
        ),
        alt=f"Dot plot of mean ranks. {takeaway}",
        data=found.table,
        draw=lambda: pairs.draw_ranks(found, ctx.styles, replayed),
    )
    return (figure, *_diagram(ctx, found), *_ranks_over_time(ctx, found), tables.ranks(found, ctx.styles, score))


def _diagram(ctx: Context, found: Ranks) -> Iterable[Block]:
    if found.diagram is None:
        return
    drawn = found.diagram
    names = [ctx.styles[str(name)].label for name in drawn.average.index]
    if drawn.friedman_p >= ALPHA:
        takeaway = f"Over {found.families} data families no test tells the methods apart."
    else:
        behind = [
            ctx.styles[str(name)].label for name, p in drawn.p_values[drawn.average.index[0]].items() if p < ALPHA
        ]
        takeaway = f"{names[0]} has the best average rank" + (
            f", ahead of {text.listing(behind)} beyond the critical difference."
            if behind
            else "; it is not shown to be ahead of any other."
        )
    yield Figure(
        name="critical-difference",
        takeaway=text.sentence(takeaway),
        detail=(
            f"Average rank, each of n = {found.families} data families ranking the methods once; a bar joins methods "
            f"closer than the critical difference of {text.number(drawn.critical_difference, 3)} (Nemenyi, alpha "
            f"0.05); Friedman's test (Iman and Davenport): p {_is(text.probability(drawn.friedman_p))}."
        ),
        alt=f"Critical-difference diagram of {text.listing(names)}, best first. {takeaway}",
        data=drawn.p_values.loc[drawn.average.index, drawn.average.index]
        .rename(columns=lambda name: f"p against {name}")
        .assign(average_rank=drawn.average)
        .rename_axis("tuner")
        .reset_index(),
        draw=lambda: pairs.draw_diagram(drawn, ctx.styles),
    )


def _is(number: str) -> str:
    return number.replace("<", "< ") if number.startswith("<") else f"= {number}"


def _ranks_over_time(ctx: Context, found: Ranks) -> Iterable[Block]:
    frame = found.over_time
    shown = [w for w in ctx.workloads if (frame["workload"] == w.records.name).any()][:FIRST_PANELS]
    if not shown:
        return
    last = frame.groupby(["workload", "tuner"], sort=False)["mean_rank"].last()
    ends = [f"{_title(w)}: {_smallest(ctx, last[w.records.name])}" for w in shown]
    takeaway = f"Smallest mean rank at the end of the budget: {'; '.join(ends)}."
    shown_frame = frame[frame["workload"].isin([w.records.name for w in shown])]
    band = "without an interval, because so few data sets have none"
    if shown_frame["low"].notna().any():
        few = shown_frame.groupby("workload")["tuner"].nunique().max() <= curves.MAX_BANDS
        band = "band: its 95 % interval" if few else "its 95 % interval is in the CSV"
    yield Figure(
        name="ranks-over-time",
        takeaway=takeaway,
        detail=(
            f"Searches ranked inside each seed by the {judging(w.records for w in shown)} of the best trial so far, "
            "mean over "
            f"{' / '.join(dict.fromkeys(_seeds(w) for w in shown))} ({band}); those without a result yet share the "
            "last place."
        ),
        alt=f"Step curves of the mean rank of each search over trained epochs. {takeaway}",
        data=frame,
        draw=lambda: pairs.draw_ranks_over_time(frame, ctx.styles, {w.records.name: _title(w) for w in shown}),
    )


def _targets(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    targets = found.targets
    if targets is None or not len(targets.ecdf):
        return _reason(found, "targets")
    tuners = [name for name in ctx.tuners(found) if (targets.ecdf["tuner"] == name).any()]
    last = targets.ecdf.groupby("tuner", sort=False)["fraction"].last()
    best = str(last.idxmax())
    takeaway = f"{ctx.styles[best].label} reaches the largest share of the targets, {text.percent(float(last[best]))}."
    figure = Figure(
        name=_name("ecdf", found),
        takeaway=takeaway,
        detail=(
            f"Share of (seed, target) pairs whose {targets.score} score was reached by then: "
            f"{text.plural(len(targets.targets), 'target')} fixed beforehand, {_seeds(found)}; higher is better."
        ),
        alt=f"Step curves of the share of targets reached. {takeaway}",
        data=targets.ecdf,
        draw=lambda: times.draw_ecdf(targets, tuners, ctx.styles, _name_of(found), _corner(found)),
    )
    return [figure, tables.targets(_name("targets", found), found.records, targets, ctx.styles)]


def _importance(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.exact is not None:
        return []  # an estimate beside what is known exactly helps nobody
    blocks: list[Block] = []
    shown = found.importance
    if shown is not None and len(shown.main):
        first = shown.main.iloc[0]
        takeaway = (
            f"{text.clean(first['hyperparameter'])} matters most: about {text.percent(float(first['share']))} of the "
            "variance on its own (an estimate)."
        )
        blocks.append(
            Figure(
                name=_name("importance", found),
                takeaway=takeaway,
                detail=f"{text.sentence(shown.method)} From {_seeds(found)}.",
                alt=f"Bars of the share of variance of each hyperparameter, heat map of the strongest pair. {takeaway}",
                data=pd.concat(
                    [shown.main.assign(part="main"), shown.pairs.assign(part="pairs"), shown.heat.assign(part="heat")],
                    ignore_index=True,
                ),
                draw=lambda: space.draw_importance(shown, _corner(found)),
            )
        )
        blocks.append(tables.importance(_name("importance", found), found.records, shown))
    else:
        blocks += _reason(found, "importance")
    if found.questions:
        takeaway = _answers(found.questions)
        blocks.append(
            Figure(
                name=_name("levels", found),
                takeaway=takeaway,
                detail=(
                    f"Hollow: median over {_seeds(found)} of the typical score at this level; filled: median of the "
                    f"best score found there; {_level_lines(found)}shaded: the untuned value."
                ),
                alt=f"Typical and best score at each level of each hyperparameter. {takeaway}",
                data=space.question_data(found.questions),
                draw=lambda: space.draw_questions(found.questions, _score_label(found, "validation"), _corner(found)),
            )
        )
        if any(len(question.matched) for question in found.questions):
            blocks.append(tables.matched(_name("matched", found), found.records, found.questions))
    return blocks


def _level_lines(found: WorkloadAnalysis) -> str:
    return "lines: 95 % interval, cut at the rim; " if testable(found.records.draws) else ""


def _answers(questions: Sequence[Question]) -> str:
    """The answers in one line; each is given in full in the table of the first page."""
    names: dict[str, list[str]] = {}
    for question in questions:
        names.setdefault(question.answer, []).append(text.clean(question.name))
    words_ = {
        "better": "another value than the copied one can do better for {}",
        "needed": "the copied value is needed for {}",
        "open": "no other value is shown to do better for {}",
    }
    return text.sentence("; ".join(words_[kind].format(text.listing(names[kind])) for kind in words_ if kind in names))


def _dots(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    records = found.records
    spaces = [hp for hp in records.about.get("space", ()) if f"hp:{hp['name']}" in records.trials]
    if not spaces or not len(records.trials):
        return []
    tuners = ctx.main(found)
    frame = space.dots(records.trials, tuners, [hp["name"] for hp in spaces])
    if not len(frame):
        return []
    bad = int((~np.isfinite(space.without_exploded(frame["validation"].to_numpy(float)))).sum())
    takeaway = f"{text.plural(len(frame), 'trial')} of {text.listing([ctx.styles[name].label for name in tuners])}" + (
        f"; {text.percent(bad / len(frame))} have no finite score, or an exploded one (crosses at the top)."
        if bad
        else "."
    )
    every = max(1, math.ceil(len(frame) / space.MAX_DOTS))
    thin = f" One trial in {every} is drawn; all are in the CSV." if every > 1 else ""
    return [
        Figure(
            name=_name("space", found),
            takeaway=takeaway,
            detail=f"One dot per trial, {_seeds(found)}; dotted: the untuned value.{thin}",
            alt=f"Scatter plots of the validation score over each hyperparameter. {takeaway}",
            data=frame,
            draw=lambda: space.draw_dots(
                frame,
                spaces,
                records.about.get("untuned") or {},
                ctx.styles,
                _score_label(found, "validation"),
                _corner(found),
            ),
        )
    ]


def _space(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    return [tables.space(_name("space", found), found.records)] if found.records.about.get("space") else []


def _best(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    records = found.records
    if not len(records.trials) or not np.isfinite(records.trials["score"].to_numpy(float)).any():
        return [Prose("No trial has a finite score.")]
    blocks: list[Block] = [
        tables.ten_best(_name("ten-best", found), records, ctx.styles),
        tables.selected(_name("selected", found), records, ctx.styles, ctx.tuners(found)),
    ]
    model = (ctx.campaign.manifest.get("best_models") or {}).get(records.name)
    if model:
        # Trainers that train no model keep none.
        where = (
            f"is kept as {text.clean(model['file'])}, trained" if model.get("file") else "is not kept; it was trained"
        )
        blocks.append(Prose(f"The best model {where} by {_who(ctx, model)}."))
    return blocks


def _who(ctx: Context, model: dict[str, Any]) -> str:
    tuner = str(model.get("tuner", ""))
    label = ctx.styles[tuner].label if tuner in ctx.styles else text.clean(tuner)
    return f"{label} (seed {text.clean(model.get('seed'))}, trial {text.clean(model.get('trial'))})"


def _curse(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    noise = found.noise
    if noise is None:
        return _reason(found, "noise")
    blocks: list[Block] = []
    frame = noise.curse
    # A replay retrains nothing: it would look the same few trainings up again. Its table has the truth.
    if len(frame) and not found.records.about.get("table"):
        frame = _ordered(ctx, frame)
        searches = frame[~frame["tuner"].isin(found.records.trained_once)]
        flattered = int((searches["low"] > 0).sum())
        takeaway = (
            f"{flattered} of {text.plural(len(searches), 'method')} that search reported a better score than the same "
            "configuration gives when it is trained again, beyond a 95 % interval."
        )
        untuned = _untuned(found, "validation")
        label = f"{_score_label(found, 'validation')} (smaller is better)"
        blocks.append(
            Figure(
                name=_name("curse", found),
                takeaway=takeaway,
                detail=(
                    f"Medians over {_seeds(found)}, the intervals are in the table; one retraining of each run's "
                    "choice, off the budget, same data. A line joins the two, it is no interval."
                ),
                alt=f"Selected and retrained validation score of each method. {takeaway}",
                data=frame,
                draw=lambda: curse.draw(frame, untuned, ctx.styles, _name_of(found), _corner(found), label),
            )
        )
        blocks.append(tables.curse(_name("curse", found), found.records, noise, ctx.styles))
    blocks.append(Prose(text.sentence(noise.margin_source)))
    if len(noise.overtuning):
        shown = tables.overtuning(_name("overtuning", found), found.records, noise, ctx.styles, ctx.searchers(found))
        blocks += [shown] if shown.rows else []
    return blocks


def _time(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not len(found.costs.time):
        return _reason(found, "costs")
    frame = _ordered(ctx, found.costs.time)
    most = frame.iloc[int(frame["share_tuner"].fillna(-1).to_numpy(float).argmax())]
    takeaway = (
        f"{ctx.styles[most['tuner']].label} spends the largest share of its search clock on itself: "
        f"{text.percent(float(most['share_tuner']))}."
    )
    return [
        Figure(
            name=_name("time", found),
            takeaway=takeaway,
            detail=f"Medians over {_seeds(found)} on this machine, with the campaign's trainer, not plain Keras.",
            alt=f"Stacked bars of training, tuner, compiling and other seconds per method. {takeaway}",
            data=frame,
            draw=lambda: times.draw_time(frame, ctx.styles, _title(found)),
        ),
        tables.time_spent(_name("time", found), found.records, found.costs, ctx.styles),
    ]


def _break_even(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not found.costs.break_even:
        return _reason(found, "break_even")
    all_pairs = found.costs.break_even
    tuners = [name for name in ctx.main(found) if name != found.records.against]
    main = [pair for pair in all_pairs if pair.tuner in tuners and len(pair.curve)]
    blocks: list[Block] = []
    if main:
        takeaway = " ".join(text.sentence(plain(ctx, pair.sentence)) for pair in main[:2])
        blocks.append(
            Figure(
                name=_name("break-even", found),
                takeaway=takeaway,
                detail=(
                    "Time to the same quality (the worse of the two medians), relative to the reference; below 1 the "
                    f"tuner is faster. A marker shows where it starts to be. Medians over {_seeds(found)}, without a "
                    "band: a description, no test."
                ),
                alt=f"Curves of relative time over the seconds per epoch of a model. {takeaway}",
                data=times.break_even_data(main),
                draw=lambda: times.draw_break_even(main, ctx.styles, _title(found)),
            )
        )
    words_ = [text.sentence(plain(ctx, pair.sentence)) for pair in all_pairs]
    return [*blocks, tables.break_even(_name("break-even", found), found.records, all_pairs, words_, ctx.styles)]


def _effort(ctx: Context) -> tuple[Block, ...]:
    known = ["plain", *ctx.infos]
    paths = sorted(EXAMPLES.glob("*.py"), key=lambda p: (known.index(p.stem) if p.stem in known else 99, p.stem))
    found = efforts({path.stem: path.read_text(encoding="utf-8") for path in paths})
    return (tables.efforts(found, ctx.styles),) if found else ()


def _failures(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not len(found.costs.waste):
        return _reason(found, "costs")
    reasons = tables.errors(_name("errors", found), found.records)
    return [
        tables.failures(_name("failures", found), found.records, found.costs, ctx.styles),
        *([reasons] if reasons else []),
    ]


def _environment(ctx: Context) -> list[tuple[str, Any]]:
    manifest = ctx.campaign.manifest
    rows: list[tuple[str, Any]] = [
        ("benchmark", manifest.get("name", "")),
        ("status", manifest.get("status", "")),
        ("runs", f"{manifest.get('finished_runs', '?')} of {manifest.get('planned_runs', '?')} finished"),
        ("started", manifest.get("started", "")),
        ("finished", manifest.get("finished") or "not yet"),
    ]
    rows += list((manifest.get("environment") or {}).items())
    for name, about in (manifest.get("workloads") or {}).items():
        sizes = ", ".join(f"{count:,} {split}" for split, count in (about.get("rows") or {}).items())
        note = f"; {about['trainer_note']}" if about.get("trainer_note") else ""
        rows.append((f"{name}: rows", sizes or "unknown"))
        rows.append((f"{name}: trainer", f"{about.get('trainer', '?')}, engine {about.get('engine', '?')}{note}"))
        rows.append((f"{name}: budget of a run", _budget(about)))
        rows.append((f"{name}: fingerprint", str(about.get("fingerprint", ""))[:16]))
    return rows


def _budget(about: dict[str, Any]) -> str:
    words_ = ", ".join(f"{text.number(count)} {unit}" for unit, count in (about.get("budget") or {}).items())
    epochs = about.get("budget_epochs")
    return f"{words_} = {epochs:,} epochs" if epochs else words_ or "unknown"


def _rerun(ctx: Context) -> tuple[Block, ...]:
    manifest = ctx.campaign.manifest
    blocks: list[Block] = [
        Code("\n".join(line for line in str(manifest.get("command", "")).splitlines() if line.strip()))
    ]
    spent = took(manifest)
    if spent is not None:
        workers = manifest.get("workers")
        with_ = f" with {text.plural(int(workers), 'worker')}" if workers else ""
        blocks.append(Prose(f"Expect about {text.seconds(spent)}: so long it took on the machine above{with_}."))
    blocks.append(
        Prose(
            "Every number here comes from runs.csv, trials.csv and noise.csv of the results folder; the numbers "
            "behind each figure are in plots/, those of each table, unrounded, in tables/. The same command gives the "
            "same bytes, times aside."
        )
    )
    return tuple(blocks)
