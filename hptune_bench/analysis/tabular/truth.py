"""What a complete table says for certain: the best score there is, where noise comes from, what luck is worth.

Shapes: C configurations, D data draws, T trainings of each on each draw. A score is smaller = better; +inf = failed.
The truth about a configuration is its mean score over all D x T replicates.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import quantile_band, step_values
from hptune_bench.analysis.data_draws import draw_of
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.noise import Noise
from hptune_bench.analysis.noise_sources import Components, components_and_ranges, sources_and_ranges
from hptune_bench.analysis.seeds_needed import SeedsNeeded, advice
from hptune_bench.analysis.statistics import Interval, median, quartiles
from hptune_bench.core.space import Configuration
from hptune_bench.tabular.grid import nearest
from hptune_bench.tabular.table import Table, selected

LEARNED = 0.01
"""A training that is not by this share better than the best constant predictor has failed: what collapses to a constant
ends near that score, on either side of it."""
TOP = (0.01, 0.05)
"""A run found something truly good if its choice is among these shares of all configurations."""


@dataclass(frozen=True)
class Scores:
    """Every training of a table as a search sees it: (C, D, T).

    Attributes:
        validation: what a search minimises, above the noise floor of each data draw where that is known (``excess``).
        judged: what it is judged by: the test score, or ``validation`` where there is no test split.
        judged_by: ``test`` or ``validation``.
        epochs: trained until early stopping.
        caps: (D,) validation score of the best constant predictor on each draw, on the scale of ``validation``; None:
            not known.
    """

    validation: np.ndarray
    judged: np.ndarray
    judged_by: str
    epochs: np.ndarray
    excess: bool
    caps: np.ndarray | None = None

    @property
    def fails(self) -> np.ndarray:
        """(C, D, T): whether a training diverged or learned no more than a constant (``LEARNED``)."""
        caps = np.full(self.validation.shape[1], math.inf) if self.caps is None else self.caps
        with np.errstate(invalid="ignore"):
            needed = np.where(np.isfinite(caps), caps - LEARNED * np.abs(caps), caps)
        return np.asarray(~(self.validation < needed[:, None]))

    def finite(self, values: np.ndarray) -> np.ndarray:
        """``validation`` or ``judged`` with failures at the worst score of a training that did not fail.

        As they are, two trainings that explode at 1e20 and at 1e3 would decide every mean between them.
        """
        good = ~self.fails & np.isfinite(values)
        return np.where(good, values, values[good].max() if good.any() else 0.0)


def scores_of(table: Table) -> Scores:
    """Early stopping applied, failures +inf, the irreducible loss subtracted where the table knows it."""
    found = selected(table)
    floors = [facts.get("validation_noise", math.nan) for facts in table.facts]
    excess = all(math.isfinite(floor) for floor in floors)
    validation = found.score - (np.array(floors)[:, None] if excess else 0.0)
    tested = bool(np.isfinite(found.test_score).any())
    judged = np.where(np.isnan(found.test_score), np.inf, found.test_score) if tested else validation
    caps = np.array([facts.get("cap", math.inf * table.sign) for facts in table.facts], dtype=float) * table.sign
    caps -= np.array(floors) if excess else 0.0
    return Scores(validation, judged, "test" if tested else "validation", found.epochs, excess, caps)


def true_means(scores: np.ndarray) -> np.ndarray:
    """Mean over all replicates, (C, D, T) to (C,); +inf where any of them failed."""
    return np.asarray(scores, dtype=float).reshape(len(scores), -1).mean(axis=1)


def truly_best(means: np.ndarray, share: float) -> np.ndarray:
    """Whether each configuration is among the best ``share`` of all: bool (C,); at least one, ties count in."""
    cut = np.sort(means)[max(1, math.ceil(share * len(means))) - 1]
    return means <= cut


def safe_means(scores: Scores) -> np.ndarray:
    """True mean (C,) of the score that judges; +inf for a configuration of which some training fails."""
    means = true_means(scores.finite(scores.judged))
    return np.where(scores.fails.any(axis=(1, 2)), np.inf, means)


def leading(means: np.ndarray) -> np.ndarray:
    """What is worth finding: numbers of the configurations with a finite mean (C,) among the best 5 %, at least ten."""
    count = min(len(means), max(10, math.ceil(0.05 * len(means))))
    chosen = np.flatnonzero(means <= np.sort(means)[count - 1])
    return chosen[np.isfinite(means[chosen])]


# --- exact expectations --------------------------------------------------------------------------------------------


def proposal_weights(table: Table, space: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Probability (C,) that a uniform random proposal is looked up at each configuration.

    A proposal goes to the nearest grid point, so a point of a continuous range weighs as much as the stretch that is
    nearest to it (on the logarithm of a log range): the ends about half, uneven grids unevenly.

    Args:
        space: the hyperparameters as in the manifest.
    """
    specs = {str(hp["name"]): hp for hp in space}
    weights = np.ones(1)
    for name, values in table.levels.items():
        spec = specs.get(name, {})
        part = np.full(len(values), 1 / len(values))
        if spec.get("kind") == "Float" and not spec.get("step") and len(values) > 1:
            points = np.array(values, dtype=float)
            points, ends = (
                (np.log(v) if spec.get("log") else v) for v in (points, np.array([spec["low"], spec["high"]]))
            )
            edges = np.concatenate([ends[:1], (points[1:] + points[:-1]) / 2, ends[1:]])
            part = np.diff(edges) / np.ptp(edges)
        weights = np.multiply.outer(weights, part).ravel()
    return weights


def chance_of_each(values: np.ndarray, weights: np.ndarray, draws: int) -> np.ndarray:
    """Probability (N,) that each of N values is the best of ``draws`` independent draws with these weights (sum 1).

    P(the best is v) = P(all >= v) - P(all > v), with P(all >= v) = (weight of values >= v)^n; a tie is shared by
    weight, because the first of equals is kept.
    """
    _, place = np.unique(values, return_inverse=True)
    weight = np.bincount(place, weights)
    beyond = np.concatenate([np.cumsum(weight[::-1])[::-1], [0.0]]).clip(0.0, 1.0)
    chance = beyond[:-1] ** draws - beyond[1:] ** draws
    return np.asarray(weights * (chance / np.where(weight > 0, weight, 1.0))[place])


def expected_random(values: np.ndarray, weights: np.ndarray, draws: int, shown: np.ndarray | None = None) -> float:
    """Exact expectation for the best of ``draws`` independent draws of values (N,) with these weights (sum 1).

    Args:
        shown: (N,) what is averaged instead of the value itself: e.g. the test score of the draw that is best on
            validation.
    """
    chance = chance_of_each(values, weights, draws)
    used = chance > 0
    return float((np.asarray(values if shown is None else shown, dtype=float)[used] * chance[used]).sum())


def middle(values: np.ndarray, chance: np.ndarray) -> float:
    """Median of a distribution: the smallest of the values (N,) up to which half of the chance (N,) lies."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(chance[order])
    return float(values[order][np.searchsorted(below, 0.5 * below[-1])])


def random_order(values: np.ndarray, most: int) -> np.ndarray:
    """Chance that each result is the best after 1, ..., ``most`` of N configurations in random order, once each.

    P(c is drawn, shows v and is the best of n) = n / N times the share of v in the results of c times P(n - 1 of the
    others show more than v): e_n-1 of the shares G(v) of their results above v, over (N - 1 choose n - 1), e the
    elementary symmetric polynomial: by a recursion over configurations, for all v and n at once. Ties between
    configurations are shared.

    Args:
        values: (N, T), the T equally likely results of each configuration; most <= N.

    Returns:
        shape (most, N, T).
    """
    count, repeats = values.shape
    found = np.empty((most, count, repeats))
    share = np.arange(1, most + 1)[:, None] / count
    for c in range(count):
        others = np.delete(values, c, axis=0)
        worst = (others[:, :, None] > values[c]).mean(axis=1)
        equal = (others[:, :, None] >= values[c]).mean(axis=1)
        found[:, c] = (_all_of(worst, most - 1) + _all_of(equal, most - 1)) / 2 * share / repeats
    return found


def expected_in_random_order(values: np.ndarray, draws: int, shown: np.ndarray | None = None) -> float:
    """Exact expectation for the best after ``draws`` of N configurations in random order: values (N, T), see
    ``random_order``; ``shown`` (N, T) as in ``expected_random``."""
    return float((random_order(values, draws)[-1] * (values if shown is None else shown)).sum())


def _all_of(shares: np.ndarray, most: int) -> np.ndarray:
    """(N, V) probabilities per configuration to (most + 1, V): for each n up to ``most`` the mean over all subsets of n
    of their product; NaN beyond N."""
    count, points = shares.shape
    means = np.zeros((most + 1, points))
    means[0] = 1.0
    # means[j] = e_j / (i choose j) after i configurations; the recursion in this scale never overflows
    for i, share in enumerate(shares, start=1):
        sizes = np.arange(1, min(i, most) + 1)[:, None]
        means[1 : len(sizes) + 1] = (
            means[1 : len(sizes) + 1] * (i - sizes) / i + means[: len(sizes)] * share * sizes / i
        )
    means[count + 1 :] = math.nan
    return means


# --- replayed runs against the truth -------------------------------------------------------------------------------


def places(table: Table, configurations: Sequence[Configuration], space: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Numbers (n,) of the grid points at which a replay looks these configurations up."""
    logs = {str(hp["name"]): bool(hp.get("log")) for hp in space}
    found = []
    for configuration in configurations:
        index = 0
        for name, values in table.levels.items():
            value = configuration[name]
            place = values.index(value) if value in values else nearest(values, value, logs.get(name, False))
            index = index * len(values) + place
        found.append(index)
    return np.array(found, dtype=int)


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


def by_draws(scores: Scores, weights: np.ndarray, most: int) -> pd.DataFrame:
    """Random search on the table, exactly: columns draws, epochs (that they cost on average), validation (expected best
    score after so many proposals), true and median (expectation and median of the true mean, of the score that judges,
    of the configuration that validation selects); over data draws alike.

    Failed trainings enter as ``Scores.finite`` has them: an expectation over infinity says nothing.
    """
    repeats = scores.validation.shape[2]
    spread = np.repeat(weights / repeats, repeats)
    by_draw = [values.ravel() for values in np.moveaxis(scores.finite(scores.validation), 1, 0)]
    chance = np.array([[chance_of_each(values, spread, n) for values in by_draw] for n in range(1, most + 1)])
    means = np.repeat(true_means(scores.finite(scores.judged)), repeats)
    return _lines_of(chance, np.array(by_draw), means, float((scores.epochs.mean(axis=(1, 2)) * weights).sum()))


def _lines_of(chance: np.ndarray, validation: np.ndarray, means: np.ndarray, epochs: float) -> pd.DataFrame:
    """The columns of ``by_draws``.

    Args:
        chance: (n, D, trainings) that each training is the best on each data draw. validation: (D, trainings).
        means: (trainings,) true means. epochs: of one training.
    """
    most, draws, _ = chance.shape
    pooled = chance.mean(axis=1)
    return pd.DataFrame(
        {
            "draws": np.arange(1, most + 1),
            "epochs": np.arange(1, most + 1) * epochs,
            "validation": (chance * validation).sum(axis=(1, 2)) / draws,
            "true": pooled @ means,
            "median": [middle(means, row) for row in pooled],
        }
    )


def with_table_noise(noise: Noise, records: Records, table: Table) -> Noise:
    """The noise floor of a replayed workload, where nothing was retrained: from the table's trainings of the untuned
    configuration, pooled within data draws. Unchanged where it was measured, or where some of these failed."""
    untuned = records.about.get("untuned")
    if noise.margin is not None or not untuned or table.shape[2] < 2:
        return noise
    scores = scores_of(table)
    place = int(places(table, [untuned], records.about.get("space") or ())[0])
    judged_sd, validation_sd = (retraining_sd(values[place]) for values in (scores.judged, scores.validation))
    if not (math.isfinite(judged_sd) and judged_sd > 0):
        return noise
    count = scores.judged[place].size
    return replace(
        noise,
        margin=judged_sd,
        margin_source=(
            f"the margin is the standard deviation of the {records.judged_by} score over the table's {count} trainings "
            "of the untuned configuration, within data draws"
        ),
        retrainings=count,
        test_sd=judged_sd if records.judged_by == "test" else math.nan,
        validation_sd=validation_sd,
    )


def retraining_sd(scores: np.ndarray) -> float:
    """Standard deviation over training seeds of one configuration's scores (D, T), T >= 2, pooled over data draws."""
    with np.errstate(invalid="ignore"):
        return math.sqrt(variance) if (variance := float(scores.var(axis=1, ddof=1).mean())) >= 0 else math.nan


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
        seeds: advice for each pair of a primary tuner and a reference, at the full budget.
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
    seeds: tuple[SeedsNeeded, ...]


MOST_SHOWN = 100
"""Draws of the reference lines."""


def truth(records: Records, table: Table, margin: float | None) -> Truth:
    """Hold a replayed workload's records against its table.

    Args:
        margin: ``Noise.margin``, for what counts as equivalent in the advice on seeds.
    """
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
        seeds=advice(records, margin),
    )


def _hand_picked(records: Records, table: Table) -> np.ndarray:
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
