"""The report's tables: from the analysis' frames to cells with words, units and a value to sort by."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.anytime import AXES
from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.costs import BreakEven, Costs
from hptune_bench.analysis.data_draws import over_data, testable, these
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.importance import Importance
from hptune_bench.analysis.noise import Noise
from hptune_bench.analysis.questions import Question
from hptune_bench.analysis.ranks import Ranks
from hptune_bench.analysis.statistics import median
from hptune_bench.analysis.targets import Targets
from hptune_bench.analysis.verdict import word
from hptune_bench.casestudy.effort import Effort
from hptune_bench.core import text
from hptune_bench.core.protocols import oriented
from hptune_bench.report import markup
from hptune_bench.report.blocks import Cell, Table, table
from hptune_bench.report.style import Style

ALIKE = "≈"
FULL = "full budget"
EFFORT_LABELS = {"plain": "no tuning: the plain script"}
Styles = Mapping[str, Style]


def count(value: Any) -> Cell:
    """A whole number; a dash where it is unknown."""
    known = value is not None and not pd.isna(value)
    return Cell(f"{int(value):,}" if known else text.MISSING, value if known else None)


def measure(value: float, low: float | None = None, high: float | None = None, **marks: Any) -> Cell:
    return Cell(text.interval(value, low, high) if low is not None else text.number(value), value, **marks)


def duration(value: float) -> Cell:
    return Cell(text.seconds(value), value)


def to_markdown(shown: Table) -> str:
    """GitHub's table: escaped cells, best in bold."""
    from tabulate import tabulate

    def cell(entry: Cell, flush: bool) -> str:
        words = markup.markdown(entry.text)
        if flush:
            # Numbers with their unit, and intervals, stay on one line; a line may break between the two.
            words = words.replace(" ", "\u00a0").replace("\u00a0\\[", " \\[")
        return (f"**{words}**" if entry.strong else words) + (f" {entry.mark}" if entry.mark else "")

    return str(
        tabulate(
            [[cell(entry, flush) for entry, flush in zip(row, shown.numeric, strict=True)] for row in shown.rows],
            headers=[markup.markdown(name) for name in shown.columns],
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if flush else "left" for flush in shown.numeric] if shown.rows else None,
        )
    )


def to_frame(shown: Table) -> pd.DataFrame:
    """The unrounded values behind a table; a column's words where it holds no numbers."""
    rows = [[entry.text if entry.value is None else entry.value for entry in row] for row in shown.rows]
    names = [name if shown.columns.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(shown.columns)]
    return pd.DataFrame(rows, columns=names)


# --- the main table ------------------------------------------------------------------------------------------------


def _over(records: Records) -> str:
    """What a median is over."""
    return "seeds" if records.draws is None else f"replayed seeds on {text.plural(records.draws, 'data set')}"


def metric_name(records: Records) -> str:
    """The test score in plain words."""
    words = {"excess_loss": "excess loss", "test_score": "test score"}
    metric = words.get(records.test_metric, f"test {records.test_metric.replace('_', ' ')}")
    return oriented(metric, records.about.get("direction", "min"))


def objective_name(records: Records) -> str:
    """The validation score by the name that it has in the training log."""
    objective = text.clean(records.about.get("objective", "validation score"))
    return oriented(objective, records.about.get("direction", "min"))


def judged_name(records: Records) -> str:
    """The score that judges in plain words."""
    return metric_name(records) if records.judged_by == "test" else "validation score"


def main(name: str, found: WorkloadAnalysis, styles: Styles, tuners: Sequence[str]) -> Table:
    """Test score, validation score, epochs, time and failures, at the checkpoint and at the full budget."""
    records, summary = found.records, found.summary
    checkpoints = [at for at in dict.fromkeys(summary["at"]) if at != FULL] if len(summary) else []
    early = checkpoints[0] if checkpoints else None
    by_key = {(row["tuner"], row["at"]): row for _, row in summary.iterrows()}
    has_stock = bool(len(summary) and summary["stock_s"].notna().any())
    clock = "stock_s" if has_stock else "elapsed_s"
    raw = _raw(records)
    scores = [*([early] if early else []), FULL]
    columns = ["Method", *[f"Test score, {at}" for at in scores], *[f"Time, {at}" for at in scores]]
    columns += [f"Validation score, {at}" for at in scores]
    columns += [*[f"Raw {side} loss" for side in raw], "Trials", "Epochs", "Failed trials", "Seeds"]
    rows = []
    for tuner in tuners:
        full = by_key.get((tuner, FULL))
        if full is None:
            continue
        first = by_key.get((tuner, early)) if early else None
        both = ([first] if early else []) + [full]
        cells = [Cell(styles[tuner].label), *[_score(row, "test") for row in both]]
        cells += [duration(row[clock] if row is not None else math.nan) for row in both]
        cells += [_score(row, "validation") for row in both]
        cells += [measure(losses.get(tuner, math.nan)) for losses in raw.values()]
        cells += [count(full["trials"]), count(full["epochs"]), count(full["failed_trials"]), _seeds(full)]
        rows.append(cells)
    validation = (
        "validation score = excess loss on the validation split"
        if records.excess
        else f"validation score = {objective_name(records)}"
    )
    alike = "not distinguishable from the best at this number of seeds, which does not mean equal"
    if not testable(records.draws):
        alike = (
            f"not told from the best by the runs on {these(records.draws or 1)}; which differ on new data, they cannot "
            "tell"
        )
    note = (
        f"Median over {_over(records)} [lower quartile, upper quartile]; smaller is better. Test score = "
        f"{metric_name(records)} of the selected model; {validation}. {_excess_words(raw)}"
        f"Bold = best; {ALIKE} = {alike}. "
        f"Time = {_clock_words(has_stock)}."
    )
    return table(name, _caption(records, "The methods side by side"), columns, rows, note)


def _excess_words(raw: Mapping[str, Any]) -> str:
    """What an excess loss is, where there is one."""
    if not raw:
        return ""
    return (
        "Excess loss = raw loss (median at the full budget) minus the noise in that split, which no model can learn: 0 "
        "is the law that made the data, and what was selected as best can fall below it by luck. "
    )


def _clock_words(has_stock: bool) -> str:
    return (
        "what the search costs a reader with plain Keras on this machine"
        if has_stock
        else ("search clock of this trainer (the cost with plain Keras was not measured)")
    )


def _caption(records: Records, words: str) -> str:
    return words + (f" ({text.clean(records.data_label)} data)" if records.data_label else "")


def _raw(records: Records) -> dict[str, dict[str, float]]:
    """Median raw loss per tuner where scores are excess losses: the numbers comparable with the post's.

    By side (``test``, ``validation``); a side without excess losses, or without the raw ones, is left out.
    """
    sides = {
        "test": "test_loss" if records.test_metric == "excess_loss" else "",
        "validation": "best_score" if records.excess else "",
    }
    runs = records.runs[records.runs["finished"]]
    losses = {
        side: pd.to_numeric(runs[column], errors="coerce").fillna(math.inf).mask(runs["failed_run"], math.inf)
        for side, column in sides.items()
        if column in runs
    }
    return {
        side: {str(tuner): float(median(mine.to_numpy(float))) for tuner, mine in values.groupby(runs["tuner"])}
        for side, values in losses.items()
    }


def _score(row: Any, which: str) -> Cell:
    if row is None or pd.isna(row[f"{which}_median"]):
        return Cell(text.MISSING)
    value, low, high = (float(row[f"{which}_{part}"]) for part in ("median", "low", "high"))
    if row["runs"] < 2:
        low = high = math.nan
    best = which == "test" and bool(row["best"])
    alike = which == "test" and not best and bool(row["not_distinguishable"])
    return measure(value, low, high, strong=best, mark=ALIKE if alike else "")


def _seeds(row: Any) -> Cell:
    words = f"{int(row['finished'])}"
    if row["failed_runs"]:
        words += f" ({int(row['failed_runs'])} failed)"
    if row["unfinished"]:
        words += f" ({int(row['unfinished'])} unfinished)"
    return Cell(words, int(row["finished"]))


# --- comparisons ---------------------------------------------------------------------------------------------------


def comparisons(name: str, records: Records, items: Sequence[Comparison], styles: Styles, caption: str) -> Table:
    where = next((item.where for item in items if item.where), "")
    columns = ["Method", "Against", "At", f"Outcome on {where}" if where else "Outcome", "Median difference"]
    columns += ["P(better)", "Wins–ties–losses", "p (Holm)", "n", *(["On each data set"] if where else [])]
    rows = []
    for item in items:
        result = item.spoken.result
        head = [Cell(styles[item.tuner].label), Cell(styles[item.reference].label), Cell(item.at), Cell(word(item))]
        if result is None:
            rows.append([*head, *[Cell(text.MISSING)] * (len(columns) - len(head))])
            continue
        span = result.interval
        rows.append(
            [
                *head,
                measure(result.median_difference, span.low if span else math.nan, span.high if span else math.nan),
                Cell(text.percent(result.probability), result.probability),
                Cell(f"{result.wins}–{result.ties}–{result.losses}"),
                Cell(text.probability(item.spoken.p_holm), item.spoken.p_holm),
                count(result.n),
                *([Cell(_on_each(item))] if where else []),
            ]
        )
    reasons = list(dict.fromkeys(item.reason for item in items if item.reason))
    pairs = "data" if records.draws is None else "replayed"
    note = (
        f"Difference in {judged_name(records)}, method − reference, paired by {pairs} seed: negative = the method is "
        f"better; median [{'quartiles' if where else 'its 95 % interval'}]; signed-rank and sign test must agree; a "
        f"failed run counts as worst. Undecided is not a tie. {_blocked(records, where)}" + " ".join(reasons)
    ).strip()
    return table(name, _caption(records, caption), columns, rows, note, text_columns=4)


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


def ranks(found: Ranks, styles: Styles, score: str) -> Table:
    """Mean ranks with their interval; ``score``: what the judging score is called."""
    rows = [
        [Cell(styles[row["tuner"]].label), measure(row["mean_rank"], row["low"], row["high"]), count(row["workloads"])]
        for _, row in found.table.iterrows()
    ]
    interval = " [95 % interval over seeds]" if found.few_draws is None else f" over {these(found.few_draws)}"
    note = f"1 = best {score}; mean{interval}. {found.reason}".strip()
    return table("ranks", "Mean ranks over workloads", ["Method", "Mean rank", "Workloads"], rows, note)


# --- the post's questions ------------------------------------------------------------------------------------------


def questions(name: str, records: Records, items: Sequence[Question]) -> Table:
    rows = [
        [
            Cell(_question(item)),
            Cell(text.value(item.untuned)),
            Cell(item.best_marginal or text.MISSING),
            Cell(item.best_reachable or text.MISSING),
            Cell(item.verdict),
            count(item.trials),
        ]
        for item in items
    ]
    note = (
        "Typically best = smallest median score over everything else; best reachable = where the best single trials "
        "lie. The two can disagree. From the trials that the searches happened to make: an estimate."
    )
    columns = ["Question", "As copied", "Typically best", "Best reachable", "Answer", "Trials"]
    return table(name, _caption(records, "Was the copied value right?"), columns, rows, note, text_columns=5)


def _question(item: Question) -> str:
    asked = {
        "normalize": "Is normalising needed?",
        "neurons": "Are {} units right?",
        "optimizer": "Is {} the better optimizer?",
        "learning_rate": "Is a learning rate of {} right?",
        "word_count": "Are {} words right?",
        "vocab_count": "Is a vocabulary of {} right?",
    }
    words = asked.get(item.name, f"{text.clean(item.name)}: is {{}} right?")
    return words.format(text.value(item.untuned)) if item.untuned is not None or "{}" not in words else item.name


def matched(name: str, records: Records, items: Sequence[Question]) -> Table:
    rows = [
        [
            Cell(text.clean(item.name)),
            Cell(f"{row['level']} − {row['against']}"),
            measure(row["median_difference"], row["low"], row["high"]),
            Cell(text.percent(row["wins"]), row["wins"]),
            count(row["pairs"]),
        ]
        for item in items
        for _, row in item.matched.iterrows()
    ]
    columns = ["Hyperparameter", "Level − copied level", "Median difference", "Level better", "Pairs"]
    note = (
        "Pairs of trials of one seed that differ in this hyperparameter only, level − copied level; negative = better."
    )
    return table(name, _caption(records, "Matched pairs"), columns, rows, note, text_columns=2)


def importance(name: str, records: Records, found: Importance) -> Table:
    rows = [[Cell(text.clean(row["hyperparameter"])), measure(row["share"])] for _, row in found.main.iterrows()]
    rows += [
        [Cell(f"{text.clean(row['a'])} × {text.clean(row['b'])}"), measure(row["share"])]
        for _, row in found.pairs.head(5).iterrows()
    ]
    note = text.sentence(found.method)
    return table(
        name, _caption(records, "Importance, an estimate"), ["Hyperparameter", "Share of variance"], rows, note
    )


# --- the space and what was found ----------------------------------------------------------------------------------


def describe(hp: Mapping[str, Any]) -> str:
    """The range of one hyperparameter of the manifest in a few words."""
    if hp["kind"] == "Boolean":
        return "False or True"
    if hp["kind"] == "Choice":
        return ", ".join(text.value(value) for value in hp["values"])
    step = f", step {text.number(hp['step'])}" if hp.get("step") not in (None, 1) else ""
    return f"{text.number(hp['low'])} to {text.number(hp['high'])}{step}{', log' if hp.get('log') else ''}"


def space(name: str, records: Records) -> Table:
    about = records.about
    rows = []
    for hp in about.get("space", ()):
        only = "; ".join(
            f"{condition['parent']} in {', '.join(text.value(value) for value in condition['values'])}"
            for condition in hp.get("conditions", ())
        )
        hand = (about.get("hand_picked") or {}).get(hp["name"], ())
        rows.append(
            [
                Cell(text.clean(hp["name"])),
                Cell(hp["kind"]),
                Cell(describe(hp) + (f" (only with {only})" if only else "")),
                Cell(text.value((about.get("untuned") or {}).get(hp["name"]))),
                Cell(", ".join(text.value(value) for value in hand) or text.MISSING),
                Cell(text.value((about.get("published") or {}).get(hp["name"]))),
            ]
        )
    columns = ["Hyperparameter", "Kind", "Range", "As copied", "Values tried by hand", "The post's winner"]
    return table(name, _caption(records, "Search space"), columns, rows, text_columns=6)


def _settings(row: Any, names: Sequence[str]) -> list[Cell]:
    """Values of the configuration: from its JSON, because a CSV column cannot tell ``True`` from ``1.0``."""
    try:
        known = json.loads(row["configuration"]) if "configuration" in row else {}
    except (TypeError, ValueError):
        known = {}
    return [Cell(text.value(known.get(name, row.get(f"hp:{name}"))), known.get(name)) for name in names]


def ten_best(name: str, records: Records, styles: Styles) -> Table:
    names = records.hyperparameters
    best = (
        records.trials[np.isfinite(records.trials["score"])].sort_values(["score", "tuner", "seed", "trial"]).head(10)
    )
    rows = [
        [
            Cell(styles[row["tuner"]].label),
            count(row["seed"]),
            count(row["trial"]),
            measure(row["score"]),
            measure(row["test_score"] if not pd.isna(row["test_score"]) else math.nan),
            *_settings(row, names),
        ]
        for _, row in best.iterrows()
    ]
    note = (
        "By raw validation score over all seeds, so the luck of a data draw counts too. The test score is only known "
        "for trials that were the best so far of their run."
    )
    columns = ["Method", "Seed", "Trial", "Validation score (raw)", "Test score", *[text.clean(n) for n in names]]
    return table(name, _caption(records, "Ten best trials"), columns, rows, note)


def selected(name: str, records: Records, styles: Styles, tuners: Sequence[str]) -> Table:
    """The configuration that each method's luckiest run selected."""
    names = records.hyperparameters
    rows = []
    for tuner in tuners:
        runs = records.runs[(records.runs["tuner"] == tuner) & np.isfinite(records.runs["best_score"])]
        if not len(runs):
            continue
        run = runs.sort_values(["final_validation", "seed"]).iloc[0]
        trials = records.trials
        trial = trials[
            (trials["tuner"] == tuner) & (trials["seed"] == run["seed"]) & (trials["trial"] == run["best_trial"])
        ]
        settings = _settings(trial.iloc[0] if len(trial) else run, names)
        rows.append(
            [
                Cell(styles[tuner].label),
                count(run["seed"]),
                measure(run["final_validation"]),
                measure(run["final_test"]),
                *settings,
            ]
        )
    columns = ["Method", "Seed", "Validation score", "Test score", *[text.clean(n) for n in names]]
    note = "The run with the smallest validation score of each method: one run, its luck included."
    return table(name, _caption(records, "Best configuration of each method"), columns, rows, note)


# --- noise, time, failures -----------------------------------------------------------------------------------------


def curse(name: str, records: Records, found: Noise, styles: Styles) -> Table:
    rows = [
        [
            Cell(styles[row["tuner"]].label),
            measure(row["selected_validation"]),
            measure(row["retrained_validation"]),
            measure(row["optimism"], row["low"], row["high"]),
            measure(row["selected_test"]),
            measure(row["retrained_test"]),
            measure(row["test_shift"]),
            count(row["n"]),
        ]
        for _, row in found.curse.iterrows()
    ]
    columns = [
        "Method",
        "Validation, selected",
        "Validation, retrained",
        "Flattery",
        "Test, selected",
        "Test, retrained",
        "Test shift",
        "n",
    ]
    note = "Flattery = median paired difference, retrained − selected: above 0 the search reported too good a score."
    return table(name, _caption(records, "The winner's curse"), columns, rows, note)


def overtuning(name: str, records: Records, found: Noise, styles: Styles, tuners: Sequence[str]) -> Table:
    rows = []
    for tuner in tuners:
        values = found.overtuning.loc[found.overtuning["tuner"] == tuner, "overtuning"].dropna().to_numpy(float)
        if values.size:
            hurt = int((values > 0).sum())
            rows.append(
                [
                    Cell(styles[tuner].label),
                    Cell(f"{hurt} of {values.size}", hurt / values.size),
                    measure(float(median(values))),
                    measure(float(values.max())),
                ]
            )
    columns = ["Method", "Runs whose earlier choice was better on the test split", "Median loss by it", "Largest"]
    return table(
        name,
        _caption(records, "Overtuning"),
        columns,
        rows,
        "How much better the best earlier choice of the same run was on the test split.",
    )


def time_spent(name: str, records: Records, found: Costs, styles: Styles) -> Table:
    rows = [
        [
            Cell(styles[row["tuner"]].label),
            duration(row["training"]),
            duration(row["tuner_time"]),
            Cell(text.percent(row["share_tuner"]), row["share_tuner"]),
            duration(row["per_trial_tuner_s"]),
            duration(row["compile"]),
            duration(row["other"]),
            duration(row["stock_s"]),
        ]
        for _, row in found.time.iterrows()
    ]
    columns = [
        "Method",
        "Training",
        "Tuner's own time",
        "Share of tuner",
        "Tuner per trial",
        "Compiling",
        "Other",
        "With plain Keras",
    ]
    return table(name, _caption(records, "Where the time went"), columns, rows, "Medians over runs, this machine.")


def break_even(
    name: str, records: Records, pairs: Sequence[BreakEven], sentences: Sequence[str], styles: Styles
) -> Table:
    rows = [
        [
            Cell(styles[pair.tuner].label),
            Cell(styles[pair.reference].label),
            Cell(sentence),
            Cell(_from(pair.seconds_per_epoch), pair.seconds_per_epoch),
            measure(pair.quality),
        ]
        for pair, sentence in zip(pairs, sentences, strict=True)
    ]
    columns = ["Method", "Against", "In words", "Faster from", "At quality"]
    note = "From medians, without an interval: a description of these runs, no test."
    return table(name, _caption(records, "Break-even"), columns, rows, note, text_columns=3)


def _from(at: float | None) -> str:
    return "never in this budget" if at is None else "always" if at == 0 else f"{text.number(at, 3)} s per epoch"


def targets(name: str, records: Records, found: Targets, styles: Styles) -> Table:
    seconds = found.axis in ("stock_s", "elapsed_s")
    rows = [
        [
            Cell(styles[row["tuner"]].label),
            Cell(f"{text.clean(row['label'])} ({text.number(row['target'])})", row["target"]),
            Cell(f"{int(row['hits'])} of {int(row['runs'])}", row["hits"] / max(row["runs"], 1)),
            Cell(_expected(row, seconds), row["ert"]),
            Cell(_times(row["speedup_random"]), row["speedup_random"]),
            Cell(_times(row["speedup_manual"]), row["speedup_manual"]),
        ]
        for _, row in found.table.iterrows()
    ]
    columns = [
        "Method",
        "Target",
        "Reached",
        "Expected time [95 % interval]" if records.draws is None else "Expected time",
        "Speed-up over random search",
        "Speed-up over the hand-written loop",
    ]
    note = (
        f"Expected running time in {AXES[found.axis]} to a {found.score} score that was fixed beforehand: total of all "
        "runs ÷ runs that reached it (Auger and Hansen 2005); never = no run did. Speed-up above 1 = faster; the exact "
        "one over random search stands beside the truth, where there is a complete table."
    )
    return table(name, _caption(records, "Time to a target"), columns, rows, note, text_columns=2)


def _time(value: float, seconds: bool) -> str:
    if pd.isna(value):
        return text.MISSING
    return text.seconds(value) if seconds else "never" if math.isinf(value) else f"{value:,.0f}"


def _expected(row: pd.Series, seconds: bool) -> str:
    """An expected running time and its interval; an end that no run bounds is "never"."""
    if pd.isna(row["ert_low"]):
        return _time(row["ert"], seconds)
    return f"{_time(row['ert'], seconds)} [{_time(row['ert_low'], seconds)}, {_time(row['ert_high'], seconds)}]"


def _times(value: float) -> str:
    if pd.isna(value):
        return text.MISSING
    return "only this one" if math.isinf(value) else "never reached" if value == 0 else f"{text.number(value, 2)}×"


def defaults(name: str, records: Records, found: Costs, styles: Styles) -> Table:
    rows = [
        [
            Cell(styles[row["tuner"]].label),
            measure(row["median_difference"], row["low"], row["high"]),
            Cell(str(row["outcome"])),
            Cell(text.percent(row["wasted_share_stock"]), row["wasted_share_stock"]),
            Cell(text.percent(row["wasted_share_repaired"]), row["wasted_share_repaired"]),
            count(row["stock_crashes"]),
            count(row["n"]),
        ]
        for _, row in found.defaults.iterrows()
    ]
    columns = [
        "Method",
        "Stock − repaired (test score)",
        "Stock is",
        "Epochs wasted, stock",
        "Epochs wasted, repaired",
        "Runs that stock would have crashed",
        "n",
    ]
    chance = ""
    if not testable(records.draws):
        chance = f"Interval and outcome: of the tuners' own chance on {these(records.draws or 1)}. "
    note = f"{chance}Above 0 = the defaults cost quality. Wasted = spent on trials that failed or diverged."
    return table(name, _caption(records, "What KerasTuner's defaults cost"), columns, rows, note)


def _median(values: pd.Series) -> float:
    return float(median(values.to_numpy(float)))


def failures(name: str, records: Records, found: Costs, styles: Styles) -> Table:
    # What a reader of stock KerasTuner would have been left with, and what going on gave.
    crashed = found.at_crash.astype({"score_at_crash": float, "final_score": float})
    crashed = crashed.groupby("tuner")[["score_at_crash", "final_score"]].agg(_median)
    kinds = [kind for kind in ("diverged", "error", "timeout", "crashed") if (records.trials["status"] == kind).any()]
    rows = []
    for _, row in found.waste.iterrows():
        mine = records.trials[records.trials["tuner"] == row["tuner"]]
        rows.append(
            [
                Cell(styles[row["tuner"]].label),
                count(row["trials"]),
                *[count(int((mine["status"] == kind).sum())) for kind in kinds],
                Cell(f"{int(row['wasted_epochs']):,} ({text.percent(row['wasted_share'])})", row["wasted_share"]),
                Cell(f"{int(row['stock_crashes'])} of {int(row['runs'])}", row["stock_crashes"]),
                Cell(text.number(row["stock_crash_trial"]), row["stock_crash_trial"]),
                *[measure(float(crashed[part].get(row["tuner"], math.nan))) for part in crashed.columns],
            ]
        )
    columns = [
        "Method",
        "Trials",
        *[kind.capitalize() for kind in kinds],
        "Epochs wasted",
        "Runs in which stock KerasTuner would have raised",
        "At trial (median)",
        f"{records.judged_by.capitalize()} score by then",
        "In the end",
    ]
    note = (
        "Sums over seeds. Stock KerasTuner raises after three failed trials in a row; here the run goes on. The last "
        "two columns: medians over the runs in which it would have raised."
    )
    return table(name, _caption(records, "Failures"), columns, rows, note)


def errors(name: str, records: Records) -> Table | None:
    """The reasons of failed trials and runs, counted; None where there are none."""
    rows = []
    trials, runs = records.trials, records.runs
    if len(trials):
        bad = trials[trials["error"].fillna("").astype(str) != ""]
        for (status, error), group in bad.groupby(["status", "error"]):
            rows.append([Cell(f"trial {status}"), Cell(text.clean(error)[:300]), count(len(group))])
    if len(runs):
        for reason, group in runs[runs["status"] == "failed"].groupby("reason"):
            rows.append([Cell("run failed"), Cell(text.clean(reason)[:300]), count(len(group))])
    rows.sort(key=lambda row: -float(row[2].value or 0))
    if not rows:
        return None
    return table(name, _caption(records, "Reasons of failures"), ["What", "Reason", "Count"], rows[:25], text_columns=2)


def efforts(items: Sequence[Effort], styles: Styles) -> Table:
    rows = [
        [
            Cell(
                EFFORT_LABELS.get(item.method) or (styles[item.method].label if item.method in styles else item.method)
            ),
            count(item.lines),
            Cell(f"+{item.added} −{item.removed}", item.lines_changed),
            count(item.choices),
            count(item.looks),
        ]
        for item in items
    ]
    columns = ["Method", "Lines of code", "Lines changed from the plain script", "Values to choose", "Times to look"]
    note = "Counted from the example scripts in benchmarks/examples/effort/, which all tune the post's regression."
    return table("effort", "What each method asks of a person", columns, rows, note)


def environment(rows: Sequence[tuple[str, Any]]) -> Table:
    cells = [[Cell(text.clean(key)), Cell(text.clean(entry))] for key, entry in rows]
    return table("environment", "Machine and versions", ["What", "Value"], cells, text_columns=2)
