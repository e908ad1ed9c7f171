"""Fresh trainings that no one has made: a variance model fitted to a table of real ones.

A table holds a few data draws. Statistics that are only tried on its replicates are tried on those draws alone, so this
model makes new ones: the score of configuration c on a new data draw is

    mean_c + sum_d z_d r_cd / sqrt(D - 1) + s_c e

with r_cd the deviation of data draw d from the mean (z standard normal, one vector per new draw: configurations move
together exactly as they did in the table), s_c the training spread of the configuration and e a residual drawn from
those of all configurations, validation and test score together: skewed and heavy tails stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hptune_bench.analysis.tabular.scores import Scores

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Model:
    """mean, spread: (2, C), validation and test; data: (2, C, D); residuals: (2, N), unit variance; fails: (C,)
    probability that a training fails (+inf)."""

    mean: np.ndarray
    spread: np.ndarray
    data: np.ndarray
    residuals: np.ndarray
    fails: np.ndarray

    @property
    def configurations(self) -> int:
        return self.mean.shape[1]


def fit(validation: np.ndarray, test: np.ndarray) -> Model:
    """Fit to scores (C, D, T), +inf or NaN = failed; D >= 2 and T >= 2. What always fails has mean +inf."""
    failed = ~(np.isfinite(validation) & np.isfinite(test))
    scores = np.where(failed, np.nan, np.stack([validation, test]))
    with np.errstate(invalid="ignore"):
        cells = _mean(scores, 3)  # (2, C, D)
        mean = _mean(cells, 2)
        deviations = np.nan_to_num(cells - mean[..., None])
        residuals = np.nan_to_num(scores - cells[..., None])
    replicates = scores.shape[3]
    pooled = np.sqrt((residuals**2).sum(axis=(2, 3)) / (scores.shape[2] * (replicates - 1)))
    usable = (pooled > 0).all(axis=0) & ~failed.any(axis=(1, 2))
    shapes = residuals[:, usable] / pooled[:, usable, None, None]
    shapes = shapes.reshape(2, -1) * np.sqrt(replicates / (replicates - 1))
    if shapes.shape[1] == 0:
        shapes = np.zeros((2, 1))
    data = deviations / np.sqrt(scores.shape[2] - 1)
    return Model(np.where(np.isnan(mean), np.inf, mean), pooled, data, shapes, failed.mean(axis=(1, 2)))


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean without NaN; NaN where there is nothing else."""
    known = (~np.isnan(values)).sum(axis=axis)
    return np.where(known > 0, np.nansum(values, axis=axis) / np.maximum(known, 1), np.nan)


def draws(model: Model, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """New data draws: z of shape (*shape, D)."""
    return rng.standard_normal((*shape, model.data.shape[2]))


def train(model: Model, chosen: np.ndarray, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Train configurations ``chosen`` (..., n) on the draws z (..., D): scores (2, ..., n); +inf = failed."""
    picked = rng.integers(model.residuals.shape[1], size=chosen.shape)
    scores = model.mean[:, chosen] + model.spread[:, chosen] * model.residuals[:, picked]
    scores = scores + np.einsum("s...nd,...d->s...n", model.data[:, chosen], z)
    return np.where(rng.random(chosen.shape) < model.fails[chosen], np.inf, scores)


def search(model: Model, trials: int, z: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random search: configurations (..., n) and scores (2, ..., n) on the draws z (..., D)."""
    chosen = rng.integers(model.configurations, size=(*z.shape[:-1], trials))
    return chosen, train(model, chosen, z, rng)


def selected(scores: np.ndarray, trials: int | None = None) -> np.ndarray:
    """Test score (...) of the trial with the best validation score among the first ``trials`` of scores (2, ..., n)."""
    validation, test = scores[..., :trials]
    best = validation.argmin(axis=-1)[..., None]
    return np.take_along_axis(test, best, axis=-1)[..., 0]


def synthetic(seed: int = 0) -> Model:
    """The model of ``synthetic_scores``."""
    scores = synthetic_scores(seed)
    return fit(scores.validation, scores.judged)


def synthetic_scores(seed: int = 0) -> Scores:
    """A made-up problem of 480 configurations with a plateau, a slope and a tenth that fails, where no table is."""
    rng = np.random.default_rng(seed)
    rate = np.tile(np.linspace(-4, -0.7, 30), 16)
    units = np.repeat(np.tile([4, 8, 12, 16, 20, 24, 28, 32], 2), 30)
    other = np.repeat([0, 1], 240)
    mean = 0.02 + 0.03 * (rate + 2 + 0.5 * other) ** 2 + 0.1 / units
    fails = ((rate > -1) & (other == 1)).astype(float)
    spread = 0.004 + 0.05 * mean
    replicates = mean[:, None, None] + 0.003 * rng.standard_normal((1, 3, 1)) + 0.002 * rng.standard_normal((480, 3, 1))
    noise = rng.gamma(2.0, 1.0, (2, 480, 3, 3)) - 2.0
    noise[1] = 0.7 * noise[0] + 0.7 * noise[1]
    scores = replicates + spread[:, None, None] * noise / np.sqrt(2)
    scores[:, fails > 0] = np.inf
    return Scores(scores[0], scores[1], "test", np.ones(scores.shape[1:]), excess=False)
