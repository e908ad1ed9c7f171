"""The scores of a complete table as a search sees them, and the true mean of each configuration.

Shapes: C configurations, D data draws, T trainings of each on each draw. A score is smaller = better; +inf = failed.
The truth about a configuration is its mean score over all D x T replicates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hptune_bench.core.protocols import minimised
from hptune_bench.tabular.table import CurveTable, selected

LEARNED = 0.01
"""A training that is not by this share better than the best constant predictor has failed: what collapses to a constant
ends near that score, on either side of it."""


@dataclass(frozen=True)
class Scores:
    """Every training of a table as a search sees it: (C, D, T).

    Attributes:
        validation: what a search minimises, above the noise floor of each data draw where that is known (``excess``).
        judged: what it is judged by: the test score, or ``validation`` where there is no test split.
        judged_by: ``test`` or ``validation``.
        epochs: trained until early stopping.
        baselines: (D,) validation score of the best constant predictor on each draw, on the scale of ``validation``;
            None: not known.
    """

    validation: np.ndarray
    judged: np.ndarray
    judged_by: str
    epochs: np.ndarray
    excess: bool
    baselines: np.ndarray | None = None

    @property
    def fails(self) -> np.ndarray:
        """(C, D, T): whether a training diverged or learned no more than a constant (``LEARNED``)."""
        baselines = np.full(self.validation.shape[1], math.inf) if self.baselines is None else self.baselines
        with np.errstate(invalid="ignore"):
            needed = np.where(np.isfinite(baselines), baselines - LEARNED * np.abs(baselines), baselines)
        return np.asarray(~(self.validation < needed[:, None]))

    def finite(self, values: np.ndarray) -> np.ndarray:
        """``validation`` or ``judged`` with failures at the worst score of a training that did not fail.

        As they are, two trainings that explode at 1e20 and at 1e3 would decide every mean between them.
        """
        good = ~self.fails & np.isfinite(values)
        return np.where(good, values, values[good].max() if good.any() else 0.0)


def scores_of(table: CurveTable) -> Scores:
    """Early stopping applied, failures +inf, the irreducible loss subtracted where the table knows it."""
    found = selected(table)
    floors = [facts.get("validation_noise", math.nan) for facts in table.facts]
    excess = all(math.isfinite(floor) for floor in floors)
    validation = found.score - (np.array(floors)[:, None] if excess else 0.0)
    tested = bool(np.isfinite(found.test_score).any())
    judged = np.where(np.isnan(found.test_score), np.inf, found.test_score) if tested else validation
    worst = minimised(math.inf, table.direction)
    baselines = minimised(np.array([facts.get("cap", worst) for facts in table.facts], float), table.direction)
    baselines -= np.array(floors) if excess else 0.0
    return Scores(validation, judged, "test" if tested else "validation", found.epochs, excess, baselines)


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


def retraining_sd(scores: np.ndarray) -> float:
    """Standard deviation over training seeds of one configuration's scores (D, T), T >= 2, pooled over data draws."""
    with np.errstate(invalid="ignore"):
        return math.sqrt(variance) if (variance := float(scores.var(axis=1, ddof=1).mean())) >= 0 else math.nan
