"""What a replay can say of the data sets of its table alone: the tuners' own chance, tried where it is known exactly.

Searches on a complete table are random search itself, not a model of it: every run of seed s is looked up in data draw
s, cyclically. The true value is that over all chance on these data sets, each with the same weight.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks.calibration.cases import COVERAGE, MOST_FALSE, TRIALS, TRUTH_FROM, Case, covers, normal, rate_row
from benchmarks.calibration.tried import bootstrap_median, clopper_pearson
from hptune_bench.analysis.data_draws import draw_of
from hptune_bench.analysis.statistics import ALPHA, Interval, median, median_interval, median_p, subtract
from hptune_bench.analysis.tabular.expectations import by_draws
from hptune_bench.analysis.tabular.scores import Scores, true_means, truly_best
from hptune_bench.analysis.tabular.truth import MOST_SHOWN, TOP, equal_draws
from hptune_bench.analysis.targets import wilson


def searches(scores: Scores, trials: int, shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Random searches (campaigns, seeds): the configurations that they select by validation, and their test scores."""
    configurations, draws, repeats = scores.validation.shape
    draw = np.broadcast_to(draw_of(np.arange(1, shape[1] + 1), draws)[:, None], (*shape, trials))
    chosen = rng.integers(configurations, size=(*shape, trials))
    again = rng.integers(repeats, size=(*shape, trials))
    best = scores.finite(scores.validation)[chosen, draw, again].argmin(axis=-1)[..., None]
    picked, repeat = (np.take_along_axis(values, best, axis=-1)[..., 0] for values in (chosen, again))
    return picked, scores.finite(scores.judged)[picked, draw[..., 0], repeat]


def against_search(one: int, other: int, scores: Scores, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Differences (count, n) of the test scores of random search with so many trials each."""
    return subtract(*(searches(scores, trials, (count, n), rng)[1] for trials in (one, other)))


def against_choice(scores: Scores, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Random search with five trials against the truly best configuration, trained once: unequal shapes."""
    best = true_means(scores.finite(scores.judged)).argmin()
    draw = draw_of(np.arange(1, n + 1), scores.judged.shape[1])
    again = rng.integers(scores.judged.shape[2], size=(count, n))
    trained = scores.finite(scores.judged)[best, np.broadcast_to(draw, (count, n)), again]
    return subtract(searches(scores, 5, (count, n), rng)[1], trained)


def opposite(count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Three data sets on which the tuners differ in opposite ways."""
    return np.array([-1.0, 0.0, 1.0])[draw_of(np.arange(1, n + 1), 3)] + normal(rng, (count, n))


def cases(world: str, scores: Scores) -> tuple[Case, ...]:
    return (
        Case(world, "random search against itself", partial(against_search, TRIALS, TRIALS, scores), known=0.0),
        Case(world, "unequal shapes", partial(against_choice, scores), seeds=scores.judged.shape[1]),
    )


OPPOSITE = Case("shape", "data sets that disagree", opposite, known=0.0)


def medians(case: Case, n: int, count: int) -> list[dict[str, object]]:
    """How often a difference is called where there is none, and how often the interval of the median covers it."""
    found, true = case.draw(count, n, case.rng("given data", n)), case.truth()
    test = "signed rank and sign test"
    called = float(np.mean([median_p(values - true) < ALPHA for values in found]))
    rows = [rate_row("false difference on given data", test, True, case, n, count, called, 0.0, MOST_FALSE)]
    for rule, interval in MEDIANS.items():
        inside = float(np.mean([covers(interval(values), true) for values in found]))
        rows.append(rate_row("median on given data", rule, False, case, n, count, inside, *COVERAGE))
    return rows


def shares(world: str, scores: Scores, n: int, count: int) -> list[dict[str, object]]:
    """Intervals of the share of runs whose choice is truly among the best: none of them is in the report."""
    case = Case(world, "", lambda *_: np.empty(0))
    means = true_means(scores.finite(scores.judged))
    draws = scores.judged.shape[1]
    known = searches(scores, TRIALS, (TRUTH_FROM // draws, draws), case.rng("shares, truth", 1))[0]
    picked = searches(scores, TRIALS, (count, n), case.rng("shares", n))[0]
    rows = []
    for part in TOP:
        best = truly_best(means, part)
        true, hits = float(best[known].mean()), best[picked].sum(axis=1)
        named = Case(world, f"the best {part:.0%}, {true:.1%} of the runs", case.draw)
        for rule, interval in SHARES.items():
            rate = float(np.mean([low <= true <= high for low, high in (interval(int(k), n) for k in hits)]))
            rows.append(rate_row("share of runs", rule, False, named, n, count, rate, *COVERAGE))
    return rows


def equal_random(world: str, scores: Scores, n: int, count: int) -> list[dict[str, object]]:
    """The bracket around the proposals that random search needs to choose as well as the median run."""
    means = true_means(scores.finite(scores.judged))
    weights = np.full(len(means), 1 / len(means))
    line = by_draws(scores, weights, MOST_SHOWN)["median"].to_numpy()
    draws, rows = scores.judged.shape[1], []
    for trials in (TRIALS, 2 * TRIALS):
        case = Case(world, f"random search with {trials} trials", lambda *_: np.empty(0))
        known = searches(scores, trials, (TRUTH_FROM // draws, draws), case.rng("needs, truth", 1))[0]
        true = _proposals(line, float(median(means[known].ravel())))
        ends = [
            median_interval(values) for values in means[searches(scores, trials, (count, n), case.rng("needs", n))[0]]
        ]
        inside = [e is not None and _proposals(line, e.high) <= true <= _proposals(line, e.low) for e in ends]
        rows.append(
            rate_row(
                "proposals that random search needs",
                "ends of the median's interval",
                False,
                case,
                n,
                count,
                float(np.mean(inside)),
                *COVERAGE,
            )
        )
    return rows


def _proposals(line: np.ndarray, level: float) -> float:
    found = equal_draws(line, level)
    return math.inf if found is None else found


MEDIANS: Mapping[str, Callable[[np.ndarray], Interval | None]] = {
    "the wider of bootstrap and order statistics": median_interval,
    "percentile bootstrap": bootstrap_median,
}
SHARES: Mapping[str, Callable[[int, int], tuple[float, float]]] = {
    "Wilson's interval": wilson,
    "Clopper and Pearson's interval": clopper_pearson,
}


def tasks(tables: Mapping[str, Scores], n: int, count: int) -> list[Callable[[], list[dict[str, object]]]]:
    found: list[Callable[[], list[dict[str, object]]]] = [partial(medians, OPPOSITE, n, count)]
    for world, scores in tables.items():
        found += [partial(medians, case, n, count) for case in cases(world, scores)]
        found += [partial(kind, world, scores, n, count) for kind in (shares, equal_random)]
    return found
