"""What a complete table says for certain: the best score there is, where noise comes from, what luck is worth.

Shapes: C configurations, D data draws, T trainings of each on each draw. A score is smaller = better; +inf = failed.
The truth about a configuration is its mean score over all D x T replicates.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import quantile_band, step_values
from hptune_bench.analysis.data_draws import draw_of
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.noise_sources import Components, components_and_ranges, sources_and_ranges
from hptune_bench.analysis.statistic import Given, Statistic
from hptune_bench.analysis.statistics import Interval, median, quartiles
from hptune_bench.analysis.tabular.expectations import _lines_of, by_draws, proposal_weights, random_order
from hptune_bench.analysis.tabular.scores import (
    Scores,
    leading,
    safe_means,
    scores_of,
    true_means,
    truly_best,
)
from hptune_bench.core.space import Configuration
from hptune_bench.tabular.grid import Snapper
from hptune_bench.tabular.table import CurveTable

TOP = (0.01, 0.05)
"""A run found something truly good if its choice is among these shares of all configurations."""


# --- replayed runs against the truth -------------------------------------------------------------------------------


def places(
    table: CurveTable, configurations: Sequence[Configuration], space: Sequence[Mapping[str, Any]]
) -> np.ndarray:
    """Numbers (n,) of the grid points at which a replay looks these configurations up."""
    snapper = Snapper(table.levels, {str(hp["name"]): bool(hp.get("log")) for hp in space})
    return np.array([snapper.index(configuration) for configuration in configurations], dtype=int)


Quarters = tuple[float, float, float]


@dataclass(frozen=True)
class TunerTruth:
    """Replayed runs of one tuner on one workload against the truth; medians over runs.

    Attributes:
        runs: finished runs that found something.
        regret: true mean of the choice - best true mean there is, of the score that judges; regret_low, regret_high:
            quartiles.
        top: how many runs chose truly among the best 1 % and 5 %, by share.
        can_fail: how many runs chose a configuration of which some training in the table fails.
        curse: selected validation score - the choice's true mean on validation: negative = it flattered itself;
            curse_low, curse_high: quartiles.
        sources: shares of the variance of the final score, see ``run_sources``, over the runs whose choice never fails.
        source_ranges: smallest and largest of them with all data draws and without each.
        half, nine_tenths: trials after which a quarter, a half and three quarters of the runs have half and nine tenths
            of the reachable gain: the way from the untuned configuration's true mean to the best; inf: never in this
            budget; None: there is nothing to gain.
        equal_random: proposals after which the median random search (exactly) chooses as well as the median run;
            None: more than ``MOST_SHOWN``. equal_low, equal_high: the same for the runs at the quartiles.
        trials: median trials of a run.
    """

    tuner: str
    runs: int
    regret: float
    regret_low: float
    regret_high: float
    top: Mapping[float, int]
    can_fail: int
    curse: float
    curse_low: float
    curse_high: float
    sources: Mapping[str, float]
    source_ranges: Mapping[str, Interval]
    half: Quarters | None
    nine_tenths: Quarters | None
    equal_random: int | None
    equal_low: int | None
    equal_high: int | None
    trials: float


def equal_draws(curve: np.ndarray, level: float) -> int | None:
    """First number of draws (from 1) whose expected best is at or below the level."""
    reached = np.asarray(curve) <= level
    return int(reached.argmax()) + 1 if reached.any() else None


def trials_to(gain: np.ndarray, share: float) -> Quarters:
    """Trials after which a quarter, a half and three quarters of the runs have that share of the gain; inf: never.

    Args:
        gain: (runs, trials), share of the reachable gain that each run's incumbent truly has after each trial.
    """

    def first(reached: np.ndarray) -> float:
        return int(reached.argmax()) + 1 if reached.any() else math.inf

    early, late = quantile_band(gain, (0.75, 0.25))
    return first(early >= share), first(median(gain.T) >= share), first(late >= share)


# --- one workload of a replayed campaign ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """Everything that a table says about one replayed workload.

    Attributes:
        scores: of the table.
        best, best_score: the truly best configuration and its mean score (that judges): y*.
        top_sizes: how many configurations are truly among the best, by share.
        failing: share of all trainings of the table that failed.
        noise: of the score that judges, over the configurations among the best 5 % (at least ten) that never fail;
            None where there are fewer than two.
        noise_ranges: smallest and largest of its ``noise_figures`` with all data draws and without each.
        random: exact expectation and median of random search, see ``by_draws``.
        grid: the same of the hand-picked grid in random order, columns as in ``random``.
        grid_size: its points.
        lines: the true mean of each tuner's incumbent after so many epochs: columns tuner, epochs, true (mean over
            runs; NaN while some run has found nothing), median, lower and upper (median and quartiles over runs; NaN
            while so many have found nothing).
        tuners: in reporting order.
    """

    scores: Scores
    best: Configuration
    best_score: float
    top_sizes: Mapping[float, int]
    failing: float
    noise: Components | None
    noise_ranges: Mapping[str, Interval]
    random: pd.DataFrame
    grid: pd.DataFrame
    grid_size: int
    lines: pd.DataFrame
    tuners: tuple[TunerTruth, ...]


MOST_SHOWN = 100
"""Draws of the reference lines."""


def truth(records: Records, table: CurveTable) -> Truth:
    """Hold a replayed workload's records against its table."""
    scores = scores_of(table)
    space = records.about.get("space") or ()
    judged = scores.finite(scores.judged)
    means, validation_means = safe_means(scores), true_means(scores.finite(scores.validation))
    best = int(means.argmin())
    chosen = leading(means)
    enough = len(chosen) > 1 and min(scores.judged.shape[1:]) > 1
    noise, noise_ranges = components_and_ranges(scores.judged[chosen]) if enough else (None, {})
    weights = proposal_weights(table, space)
    line = by_draws(scores, weights, MOST_SHOWN)
    grid = _grid(scores, _hand_picked(records, table))
    parsed = {text: json.loads(text) for text in records.trials["configuration"].unique()}
    number = dict(zip(parsed, places(table, list(parsed.values()), space), strict=True)) if parsed else {}
    untuned = places(table, [records.about["untuned"]], space)[0] if records.about.get("untuned") else None
    tuners = tuple(
        found
        for tuner in records.tuners
        if (found := _tuner(records, tuner, scores, means, validation_means, number, untuned, line)) is not None
    )
    return Truth(
        scores=scores,
        best=table.configurations[best],
        best_score=float(means[best]),
        top_sizes={share: int(truly_best(means, share).sum()) for share in TOP},
        failing=float(scores.fails.mean()),
        noise=noise,
        noise_ranges=noise_ranges,
        random=line,
        grid=grid,
        grid_size=len(_hand_picked(records, table)),
        lines=_lines(records, number, true_means(judged)),
        tuners=tuners,
    )


def _hand_picked(records: Records, table: CurveTable) -> np.ndarray:
    """Grid points of the nested loops over the hand-picked values, each once."""
    picked = records.about.get("hand_picked") or {}
    if set(picked) != set(table.levels) or not all(picked.values()):
        return np.empty(0, dtype=int)
    names = list(table.levels)
    product = [dict(zip(names, values, strict=True)) for values in itertools.product(*(picked[n] for n in names))]
    return np.unique(places(table, product, records.about.get("space") or ()))


def _grid(scores: Scores, points: np.ndarray) -> pd.DataFrame:
    """As ``by_draws``, of these configurations in random order."""
    if not len(points):
        return pd.DataFrame(columns=["draws", "epochs", "validation", "true", "median"], dtype=float)
    by_draw = np.moveaxis(scores.finite(scores.validation)[points], 1, 0)
    most, repeats = min(len(points), MOST_SHOWN), scores.validation.shape[2]
    chance = np.stack([random_order(values, most).reshape(most, -1) for values in by_draw], axis=1)
    means = np.repeat(true_means(scores.finite(scores.judged))[points], repeats)
    return _lines_of(chance, by_draw.reshape(len(by_draw), -1), means, float(scores.epochs[points].mean()))


def _tuner(
    records: Records,
    tuner: str,
    scores: Scores,
    means: np.ndarray,
    validation_means: np.ndarray,
    number: Mapping[str, int],
    untuned: int | None,
    line: pd.DataFrame,
) -> TunerTruth | None:
    runs = records.runs[(records.runs["tuner"] == tuner) & records.runs["finished"] & ~records.runs["failed_run"]]
    trials = records.trials[(records.trials["tuner"] == tuner) & records.trials["seed"].isin(runs["seed"])]
    kept = trials[trials["incumbent"] & np.isfinite(trials["score"])]
    last = kept.groupby("seed").last()
    if last.empty:
        return None
    chosen = last["configuration"].map(number).to_numpy(dtype=int)
    finals = records.finals(tuner).reindex(last.index).to_numpy(dtype=float)
    judged = scores.finite(scores.judged)
    safe, fails = true_means(judged), np.asarray(scores.fails.any(axis=(1, 2)))[chosen]
    regret = safe[chosen] - means.min()
    known = np.isfinite(finals) & ~fails
    draw = draw_of(last.index, scores.judged.shape[1])[known]
    curse = last["validation"].to_numpy(dtype=float) - validation_means[chosen]
    sources, source_ranges = sources_and_ranges(finals[known], chosen[known], draw, judged)
    curve = line["median"].to_numpy()
    choices, regrets, curses = quartiles(safe[chosen]), quartiles(regret), quartiles(curse)
    gain = _gains(kept, number, safe, untuned, means.min(), int(trials["trial"].max()))
    return TunerTruth(
        tuner=tuner,
        runs=len(last),
        regret=float(median(regret)),
        regret_low=regrets.low,
        regret_high=regrets.high,
        top={share: int(truly_best(means, share)[chosen].sum()) for share in TOP},
        can_fail=int(fails.sum()),
        curse=float(median(curse)),
        curse_low=curses.low,
        curse_high=curses.high,
        sources=sources,
        source_ranges=source_ranges,
        half=trials_to(gain, 0.5) if gain is not None else None,
        nine_tenths=trials_to(gain, 0.9) if gain is not None else None,
        equal_random=equal_draws(curve, float(median(safe[chosen]))),
        equal_low=equal_draws(curve, choices.high),
        equal_high=equal_draws(curve, choices.low),
        trials=float(trials.groupby("seed")["trial"].max().median()),
    )


LINES = ("true", "median", "lower", "upper")


def _lines(records: Records, number: Mapping[str, int], means: np.ndarray) -> pd.DataFrame:
    parts = []
    for tuner in records.tuners:
        trials = records.trials[records.trials["tuner"] == tuner]
        kept = trials[trials["incumbent"] & np.isfinite(trials["score"])]
        if kept.empty:
            continue
        grid = np.unique(trials["spent_epochs"].to_numpy(dtype=float))
        rows = [
            step_values(
                run["spent_epochs"].to_numpy(dtype=float),
                means[run["configuration"].map(number).to_numpy(dtype=int)],
                grid,
            )
            for _, run in kept.groupby("seed")
        ]
        lower, upper = quantile_band(np.array(rows), (0.25, 0.75))
        lines = np.array([np.mean(rows, axis=0), median(np.array(rows).T), lower, upper])
        shown = dict(zip(LINES, np.where(np.isfinite(lines), lines, np.nan), strict=True))
        parts.append(pd.DataFrame({"tuner": tuner, "epochs": grid, **shown}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["tuner", "epochs", *LINES])


def _gains(
    kept: pd.DataFrame, number: Mapping[str, int], means: np.ndarray, untuned: int | None, best: float, most: int
) -> np.ndarray | None:
    """(runs, trials): how much of the way from the untuned configuration to the best each incumbent truly is."""
    if untuned is None or not means[untuned] > best:
        return None
    room = means[untuned] - best
    rows = []
    for _, run in kept.groupby("seed"):
        worth = (means[untuned] - means[run["configuration"].map(number).to_numpy(dtype=int)]) / room
        at = np.searchsorted(run["trial"].to_numpy(), np.arange(1, most + 1), side="right")
        rows.append(np.concatenate([[-np.inf], worth])[at])
    return np.array(rows)


def _of_workload(given: Given) -> Truth | None:
    return None if given.table is None else truth(given.records, given.table)


def _why_not(given: Given) -> str:
    if not given.records.about.get("table"):
        return ""
    return "the table that this was replayed from is not at hand, so nothing is held against the truth"


STATISTICS = (Statistic("truth", _of_workload, _why_not, folded=True),)
