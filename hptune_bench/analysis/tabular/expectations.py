"""What random search finds in a complete table, by exact expectation. Shapes as in ``scores``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.tabular.scores import Scores, true_means
from hptune_bench.tabular.table import CurveTable


def proposal_weights(table: CurveTable, space: Sequence[Mapping[str, Any]]) -> np.ndarray:
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
