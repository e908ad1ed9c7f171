"""What matters, exactly: functional ANOVA of a complete table, inside its space.

Failing and scoring are two questions. ``failing`` decomposes the indicator "this training diverged or learned no more
than a constant" (0 or 1, see ``truth.Scores.fails``). ``scoring`` decomposes the rank of the score among the trainings
of the same data draw that did not fail (0 best .. 1 worst; ranks, because losses span decades); a failed training gets
the mean rank of the others, 0.5, so that it says nothing there.

For every subset S of the hyperparameters the effect is the mean over the others minus all effects of smaller subsets,
and V_S the mean square of it over the grid (uniform weight on levels). What is seen of V_S holds noise, which is taken
off without bias: with the effect computed for each of D data draws, V_S = mean over cells of [mean_d(effect)^2 -
var_d(effect) / D]. Noise is the variance of single trainings about their configuration's mean. All shares are of the
sum of all V_S and the noise, so they sum to 1; what does nothing has a share around 0, also below it.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hptune_bench.analysis.left_out import ranges
from hptune_bench.analysis.noise_sources import components
from hptune_bench.analysis.statistic import Given, Statistic
from hptune_bench.analysis.statistics import Interval, holm
from hptune_bench.analysis.tabular.scores import Scores, leading, safe_means
from hptune_bench.core.space import Value
from hptune_bench.tabular.table import CurveTable

DEAD = 0.05
"""An effect whose adjusted p is above this is zero as far as the table can tell."""


@dataclass(frozen=True)
class Anova:
    """One decomposition.

    Attributes:
        effects: columns names (tuple of hyperparameters), order (1: main effect, 2: pair, ...), share, low and high
            (its range when one data draw is left out, see ``left_out``; NaN below three draws), p (F test of the effect
            against its interaction with the data draw, mixed model; NaN with one draw), zero (within noise: p above
            ``DEAD`` after Holm's correction over these effects).
        noise: share of the variance of a single training that no hyperparameter explains. noise_range: as low and high.
        total: variance of a single training, in squared units of the response; 0 if nothing varies.
    """

    effects: pd.DataFrame
    noise: float
    total: float
    noise_range: Interval | None = None

    def share(self, *names: str) -> float:
        """Share of exactly these hyperparameters together, beyond what fewer of them explain."""
        return float(self._row(names)["share"])

    def zero(self, *names: str) -> bool:
        """Whether that effect is zero within noise."""
        return bool(self._row(names)["zero"])

    def matters(self, name: str) -> bool:
        """Whether any effect in which this hyperparameter takes part is told from 0."""
        return not self.effects.loc[[name in names for names in self.effects["names"]], "zero"].all()

    def _row(self, names: tuple[str, ...]) -> pd.Series:
        return self.effects[[set(found) == set(names) for found in self.effects["names"]]].iloc[0]


@dataclass(frozen=True)
class Level:
    """One value of one hyperparameter.

    Attributes:
        fails: share of trainings at it that fail. rank: mean rank at it (``scoring``).
        best: best true mean score (that judges) with everything else tuned; +inf if everything there can fail.
        low, high: the smallest and largest mean of that configuration over one data draw.
    """

    value: Value
    fails: float
    rank: float
    best: float
    low: float
    high: float


@dataclass(frozen=True)
class ExactQuestion:
    """One hyperparameter: was the copied value right?

    Attributes:
        untuned: the level that stands for the copied value. edge: whether the best level ends the range.
        gap: best score at the copied level - best score at the best other level: negative = the copied one wins.
        noise: how much one training of a good configuration varies (standard deviation), from the training seed and
            from what a data draw does to it alone: differences between configurations are held against it.
        verdict: one sentence with a number.
    """

    name: str
    levels: tuple[Level, ...]
    untuned: Value
    gap: float
    noise: float
    verdict: str


@dataclass(frozen=True)
class ExactImportance:
    """Both decompositions, and an answer for each hyperparameter whose copied value is known."""

    failing: Anova
    scoring: Anova
    questions: tuple[ExactQuestion, ...]


def anova(response: np.ndarray, names: tuple[str, ...]) -> Anova:
    """Decompose a response (L_1, ..., L_m, D, T), finite; D = 1 gives shares without correction for draws.

    Raises:
        ValueError: the number of names is not that of the axes.
    """
    if response.ndim != len(names) + 2:
        raise ValueError(f"{len(names)} names for {response.ndim - 2} axes")
    found = _decompose(response, names)
    spans_of = ranges(
        _shares(found), lambda kept: _shares(_decompose(response[..., kept, :], names)), response.shape[-2]
    )
    unknown = Interval(math.nan, math.nan)
    spans = [spans_of.get(subset, unknown) for subset in found.effects["names"]]
    effects = found.effects.assign(low=[span.low for span in spans], high=[span.high for span in spans])
    return replace(found, effects=effects, noise_range=spans_of.get(()))


def _shares(found: Anova) -> dict[tuple[str, ...], float]:
    """All shares, by the hyperparameters together that they are of; noise is of none."""
    return dict(zip([*found.effects["names"], ()], [*found.effects["share"], found.noise], strict=True))


def _decompose(response: np.ndarray, names: tuple[str, ...]) -> Anova:
    draws, repeats = response.shape[-2:]
    cells = response.mean(axis=-1)
    effects: dict[tuple[int, ...], np.ndarray] = {(): _mean_over(cells, tuple(range(len(names))))}
    rows = []
    signal = 0.0
    axes = range(len(names))
    for order in range(1, len(names) + 1):
        for subset in itertools.combinations(axes, order):
            effect = _mean_over(cells, tuple(a for a in axes if a not in subset))
            for smaller, lower in effects.items():
                if set(smaller) < set(subset):
                    effect = effect - lower
            effects[subset] = effect
            seen = float((effect.mean(axis=-1) ** 2).mean())
            wobble = float(effect.var(axis=-1, ddof=1).mean()) if draws > 1 else math.nan
            variance = seen - (wobble / draws if draws > 1 else 0.0)
            freedom = math.prod(response.shape[a] - 1 for a in subset)
            p = _f_tail(draws * seen, wobble, freedom, freedom * (draws - 1)) if draws > 1 else math.nan
            rows.append((tuple(names[a] for a in subset), order, variance, p))
            signal += variance
    between = float(cells.var(axis=-1, ddof=1).mean()) if draws > 1 else 0.0
    inside = float(response.var(axis=-1, ddof=1).mean()) if repeats > 1 else 0.0
    noise = between + inside * (1 - 1 / repeats)
    total = signal + noise
    scale = total if total > 0 else 1.0
    frame = pd.DataFrame(rows, columns=["names", "order", "share", "p"])
    frame["share"] /= scale
    frame["zero"] = holm(frame["p"].to_numpy()) >= DEAD if draws > 1 else frame["share"].abs() < 1e-12
    return Anova(frame, noise / scale, max(total, 0.0))


def _mean_over(cells: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return cells.mean(axis=axes, keepdims=True) if axes else cells


def _f_tail(mean_square: float, error: float, freedom: int, error_freedom: int) -> float:
    """p of F = (mean square of the effect) / (mean square of its interaction with the data draw)."""
    if error <= 1e-300:
        return 0.0 if mean_square > 1e-24 else 1.0
    from scipy.stats import f

    return float(f.sf(mean_square / error, freedom, error_freedom))


def responses(scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """(failing, scoring) as in the module's docstring, each (C, D, T)."""
    fails = scores.fails
    ranks = np.full(scores.validation.shape, 0.5)
    for d in range(scores.validation.shape[1]):
        good = ~fails[:, d]
        count = int(good.sum())
        if count > 1:
            values = scores.validation[:, d][good]
            _, inverse, sizes = np.unique(values, return_inverse=True, return_counts=True)
            middle = np.cumsum(sizes) - (sizes + 1) / 2  # mid-ranks from 0
            ranks[:, d][good] = middle[inverse] / (count - 1)
    return fails.astype(float), ranks


def exact_importance(table: CurveTable, scores: Scores, untuned: dict[str, Value]) -> ExactImportance:
    """Both questions over the whole table, and one answer per hyperparameter with a copied value.

    Args:
        untuned: the copied value of each hyperparameter; its nearest level is meant.
    """
    names = tuple(table.levels)
    shape = tuple(len(values) for values in table.levels.values())
    fails, ranks = responses(scores)
    failing, scoring = (anova(values.reshape(*shape, *values.shape[1:]), names) for values in (fails, ranks))
    varying = [name for name in names if len(table.levels[name]) > 1 and name in untuned]
    noise = _noise(scores)
    matters = {name: failing.matters(name) or scoring.matters(name) for name in varying}
    questions = tuple(
        _question(table, scores, fails, ranks, noise, matters[name], name, untuned[name]) for name in varying
    )
    return ExactImportance(failing, scoring, questions)


def _noise(scores: Scores) -> float:
    good = scores.finite(scores.judged)[leading(safe_means(scores))]
    if len(good) > 1 and min(good.shape[1:]) > 1:
        found = components(good)
        return math.sqrt(max(found.mixed, 0.0) + found.training)
    return math.sqrt(float(good[0].var(axis=-1, ddof=1).mean())) if len(good) and good.shape[-1] > 1 else 0.0


def _question(
    table: CurveTable,
    scores: Scores,
    fails: np.ndarray,
    ranks: np.ndarray,
    noise: float,
    matters: bool,
    name: str,
    copied: Value,
) -> ExactQuestion:
    values = table.levels[name]
    at = _nearest(values, copied)
    judged = scores.finite(scores.judged)
    means = safe_means(scores)
    level_of = np.array([values.index(configuration[name]) for configuration in table.configurations])
    levels = []
    for place, value in enumerate(values):
        mine = np.flatnonzero(level_of == place)
        best = mine[means[mine].argmin()]
        by_draw = judged[best].mean(axis=1)
        levels.append(
            Level(
                value=value,
                fails=float(fails[mine].mean()),
                rank=float(ranks[mine].mean()),
                best=float(means[best]),
                low=float(by_draw.min()),
                high=float(by_draw.max()),
            )
        )
    other = min((place for place in range(len(values)) if place != at), key=lambda place: levels[place].best)
    gap = levels[at].best - levels[other].best if math.isfinite(levels[at].best) else math.inf
    numeric = isinstance(values[0], int | float) and not isinstance(values[0], bool)
    edge = numeric and len(values) > 2 and other in (0, len(values) - 1)
    verdict = _verdict(name, levels, at, other, gap, noise, matters, edge)
    return ExactQuestion(name, tuple(levels), values[at], gap, noise, verdict)


def _nearest(values: tuple[Value, ...], copied: Value) -> int:
    for place, value in enumerate(values):
        if value == copied and isinstance(value, bool) == isinstance(copied, bool):
            return place
    if isinstance(copied, int | float):
        return min(range(len(values)), key=lambda place: abs(math.log(float(values[place]) / float(copied))))
    return 0


def show(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _verdict(
    name: str, levels: list[Level], at: int, other: int, gap: float, noise: float, matters: bool, edge: bool
) -> str:
    here, there = levels[at], levels[other]
    label = f"{name} = {show(here.value)}"
    if not math.isfinite(here.best):
        return f"Inside this space {label} can fail with every other setting, so something else is needed."
    if not math.isfinite(there.best):
        return f"Inside this space only {label} never fails; with it, the best mean score is {here.best:.3g}."
    numbers = (
        f"with everything else tuned the best mean score is {here.best:.3g} with it and {there.best:.3g} with "
        f"{show(there.value)} (one training varies by {noise:.2g})"
    )
    if not matters:  # the best of many levels looks better than the copied one by luck alone
        return (
            f"Inside this space {label} is as good as any other value, no effect of {name} is told from 0: {numbers}."
        )
    failing = ""
    if abs(here.fails - there.fails) >= 0.05:
        failing = f"; {here.fails:.0%} of all trainings at it fail, {there.fails:.0%} at {show(there.value)}"
    if gap > noise:
        where = ", the end of the range" if edge else ""
        return f"Inside this space {label} is not the best choice: {numbers}{where}{failing}."
    if gap < -noise:
        return f"Inside this space {label} is right, and any other value is worse: {numbers}{failing}."
    return f"Inside this space {label} is as good as any other value, within noise: {numbers}{failing}."


def _of_workload(given: Given) -> ExactImportance | None:
    if given.table is None or given["truth"] is None:
        return None
    return exact_importance(given.table, given["truth"].scores, given.records.about.get("untuned") or {})


STATISTICS = (Statistic("exact", _of_workload, folded=True),)
