"""Trap warnings, computed from the records."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hptune_bench.analysis.comparisons import Comparison
from hptune_bench.analysis.data_draws import testable
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.headroom import Headroom
from hptune_bench.analysis.statistic import Statistic
from hptune_bench.analysis.statistics import ALPHA, MIN_SEEDS
from hptune_bench.core.tuner_info import by_order

FAILED_SHARE = 0.2
UNSPENT_SHARE = 0.1
CLOCK_RATIO = 1.25
EDGE_SHARE = 0.5
EDGE_VALUES = 5
"""Of so many values most are not ends; of two or three a search always, or often, selects an end."""
REPEAT_SHARE = 0.2


@dataclass(frozen=True)
class Warning:
    """A trap that the records show.

    Attributes:
        key: stable name of the trap. workload: name, or "" for the whole campaign.
        text: one or two sentences. first_page: belongs on the first page.
    """

    key: str
    workload: str
    text: str
    first_page: bool = False


def warnings(records: Records, comparisons: tuple[Comparison, ...], headroom: Headroom | None) -> tuple[Warning, ...]:
    """Traps of one workload, the gravest first."""
    found = (_random_points, _unfinished, _failed_runs, _stock_crashes, _same_proposals, _repeats, _exhausted)
    more = (_unspent, _failed_trials, _disturbed, _edges)
    texts = [*_few_seeds(records, comparisons), *_nothing_to_win(headroom)]
    for trap in (*found, *more):
        texts += trap(records)
    return tuple(Warning(key, records.name, text, first) for key, text, first in texts)


Found = Iterator[tuple[str, str, bool]]


def _random_points(records: Records) -> Found:
    """Tuners that begin with random points and do not get beyond them."""
    starting = [
        name for name in by_order(records.infos) if name in records.tuners and records.infos[name].random_points
    ]
    for tuner in starting if records.hyperparameters else ():
        initial = records.infos[tuner].first_random_points(len(records.hyperparameters))
        used = float(records.runs.loc[records.runs["tuner"] == tuner, "trials"].astype(float).median())
        name = f"{tuner} has not left its {initial} random points: it IS random search"
        if used <= initial:
            yield "random_points", f"Within this budget ({used:.0f} trials) {name}.", True
        elif records.checkpoint_trials is not None and records.checkpoint_trials <= initial:
            yield "random_points", f"At {records.checkpoint_trials} trials {name}.", not records.infos[tuner].repairs


def _few_seeds(records: Records, comparisons: tuple[Comparison, ...]) -> Found:
    pairs = [c.result.n for c in comparisons if c.primary and c.result is not None]
    if not pairs or not testable(records.draws):
        return  # the verdict begins with what few data sets cannot say
    n, family = min(pairs), len(pairs)
    if n < MIN_SEEDS:
        common = "one common seed" if n == 1 else f"{n} common seeds"
        yield "few_seeds", f"Only {common}: no test is possible below {MIN_SEEDS}, so nothing is decided.", True
    elif 2 / 2**n * family >= ALPHA:
        seeds, more = (
            ("seeds", "run more seeds") if records.draws is None else ("data sets", "more data draws are needed")
        )
        text = f"With {n} {seeds} and {family} primary comparisons even the clearest single difference cannot be"
        yield "few_seeds", f"{text} significant after Holm's correction; {more}.", True


def _nothing_to_win(headroom: Headroom | None) -> Found:
    if headroom is None:
        return
    noise = f"the retraining noise ({headroom.noise:.2g})"
    if headroom.within_noise:
        text = f"Tuners cannot be told apart here: every method that searches ends within {noise} of the best known"
        yield "within_noise", f"{text} score (the furthest at {max(headroom.search, 0):.2g} times the noise).", True
    elif headroom.copied and headroom.distances.get(headroom.copied, math.inf) < 2:
        text = f"Between the untuned configuration ({headroom.scores[headroom.copied]:.4g}) and the best known score"
        best = f"({headroom.scores[headroom.best]:.4g}, {headroom.best})"
        yield "nothing_to_win", f"{text} {best} lies less than twice {noise}: tuning hardly pays here.", True


def _unfinished(records: Records) -> Found:
    missing = int((~records.runs["finished"]).sum())
    if missing:
        yield "unfinished", f"{missing} of {len(records.runs)} runs have not finished; they are in no comparison.", True


def _failed_runs(records: Records) -> Found:
    runs = records.runs
    for tuner, failed in runs.groupby("tuner")["failed_run"]:
        if failed.any():
            text = f"{int(failed.sum())} of {len(failed)} runs of {tuner} failed; they count as the worst outcome."
            yield "failed_runs", text, True


def _stock_crashes(records: Records) -> Found:
    for tuner, stops in records.runs.groupby("tuner")["stock_would_stop_at"]:
        if stops.notna().any():
            text = (
                f"Stock KerasTuner would have ended {stops.notna().sum()} of {len(stops)} runs of {tuner} with an error"
            )
            yield "stock_crashes", f"{text} (median: at trial {stops.median():.0f}); here they went on.", False


def _sequences(records: Records) -> dict[str, dict[int, list[str]]]:
    searches = records.trials[records.trials["tuner"].isin(records.searches)]
    result: dict[str, dict[int, list[str]]] = {}
    for (tuner, seed), run in searches.groupby(["tuner", "seed"]):
        result.setdefault(str(tuner), {})[int(str(seed))] = run["configuration"].tolist()
    return result


def _same_proposals(records: Records) -> Found:
    """Two tuners that proposed the same configurations in the same order are one tuner."""
    sequences = _sequences(records)
    for a, b in itertools.combinations([t for t in records.tuners if t in sequences], 2):
        common = sequences[a].keys() & sequences[b].keys()
        same = [s for s in common if _same(sequences[a][s], sequences[b][s])]
        if same:
            text = f"{a} and {b} proposed the same configurations in {len(same)} of {len(common)} seeds: they are no"
            yield "same_proposals", f"{text} independent evidence.", False


def _same(a: list[str], b: list[str]) -> bool:
    shared = min(len(a), len(b))
    return shared >= 3 and a[:shared] == b[:shared]


def _repeats(records: Records) -> Found:
    fresh = records.trials[records.trials["resumed_from"].isna() & records.trials["restarted_from"].isna()]
    for tuner in records.tuners:
        trials = fresh[fresh["tuner"] == tuner]
        if tuner not in records.searches or trials.empty:
            continue
        repeated = float(trials.duplicated(["seed", "configuration"]).mean())
        if repeated > REPEAT_SHARE:
            yield (
                "repeats",
                f"{100 * repeated:.0f} % of the trials of {tuner} repeat a configuration it had already paid for.",
                False,
            )


def _exhausted(records: Records) -> Found:
    runs = records.runs[~records.runs["tuner"].isin(records.trained_once)]
    for tuner, reasons in runs.groupby("tuner")["reason"]:
        early = reasons.str.startswith("exhausted")
        if early.any():
            text = f"{tuner} ran out of proposals before its budget in {int(early.sum())} of {len(early)} runs."
            yield "exhausted", text, False


def _unspent(records: Records) -> Found:
    runs = records.runs[~records.runs["tuner"].isin(records.trained_once) & records.runs["finished"]]
    share = runs["unspent"].astype(float) / (runs["unspent"].astype(float) + runs["epochs"].astype(float))
    for tuner, value in share.groupby(runs["tuner"]).median().items():
        if value > UNSPENT_SHARE:
            yield (
                "unspent",
                f"{tuner} left {100 * value:.0f} % of its budget unspent (median): its result is not at equal cost.",
                False,
            )


def _failed_trials(records: Records) -> Found:
    runs = records.runs
    totals = runs[["failed", "trials"]].astype(float).groupby(runs["tuner"]).sum()
    for tuner, row in totals.iterrows():
        if row["trials"] and row["failed"] / row["trials"] >= FAILED_SHARE:
            share = row["failed"] / row["trials"]
            yield (
                "failed_trials",
                f"{100 * share:.0f} % of the trials of {tuner} failed (diverged, error, timeout or crash).",
                False,
            )


def _disturbed(records: Records) -> Found:
    """A pinned single-threaded training uses as much CPU as wall time; much less means that something else ran."""
    runs = records.runs
    busy = pd.to_numeric(runs["cpu_s"], errors="coerce")
    wall = runs["train_s"].astype(float) + runs["compile_s"].astype(float)
    ratio = (wall / busy)[busy > 1.0]
    disturbed = int((ratio > CLOCK_RATIO).sum())
    if disturbed:
        text = (
            f"In {disturbed} of {len(runs)} runs training took over {CLOCK_RATIO:g} times its CPU time: the machine was"
        )
        yield "disturbed_clocks", f"{text} busy, so read their seconds with care (epochs are not affected).", False


def _edges(records: Records) -> Found:
    """Selected values at the very end of a numeric range in half of the runs or more."""
    runs = records.runs[records.runs["tuner"].isin(records.searches) & records.runs["best_trial"].notna()]
    for hp in records.about.get("space") or ():
        column = f"hp:{hp['name']}"
        if hp.get("kind") not in ("Int", "Float") or column not in runs:
            continue
        values = pd.to_numeric(runs[column], errors="coerce").dropna()
        few = hp["kind"] == "Int" and (hp["high"] - hp["low"]) / (hp.get("step") or 1) + 1 < EDGE_VALUES
        if len(values) < MIN_SEEDS or few:
            continue
        place, step = _position(values, hp), 0.02
        for side, share in (("low", float((place <= step).mean())), ("high", float((place >= 1 - step).mean()))):
            if share >= EDGE_SHARE:
                text = f"{100 * share:.0f} % of the searches select {hp['name']} at its {side} end ({hp[side]:g}):"
                yield "edge", f"{text} a better value may lie outside the range.", False


def _position(values: pd.Series, hp: dict[str, float]) -> pd.Series:
    low, high = float(hp["low"]), float(hp["high"])
    if hp.get("log") and low > 0:
        return (np.log(values) - math.log(low)) / math.log(high / low) if high > low else values * 0
    return (values - low) / (high - low) if high > low else values * 0


STATISTICS = (Statistic("warnings", lambda given: warnings(given.records, given["comparisons"], given["headroom"])),)
