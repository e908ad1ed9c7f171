"""Where the noise of a score comes from: the data draw, the training seed, the tuner. Read off a complete table.

Shapes: C configurations, D data draws, T trainings of each on each draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hptune_bench.analysis.left_out import ranges
from hptune_bench.analysis.statistics import Interval

SOURCES = ("tuner", "data draw", "training seed")


@dataclass(frozen=True)
class Components:
    """Variances of one score about its configuration's mean: y_cdk = mean_c + draw_d + mixed_cd + training_cdk.

    Attributes:
        draw: of the data draw, shared by all configurations (a lucky validation split).
        mixed: of the data draw, particular to a configuration.
        training: of the training seed (initial weights, dropout).
        between: of the means over these configurations: what there is to find.
    """

    draw: float
    mixed: float
    training: float
    between: float


def components(scores: np.ndarray) -> Components:
    """Unbiased ANOVA estimates, all from the expected mean squares of the balanced two-way random model with T repeats
    (Searle, Casella and McCulloch 1992, section 4.5); an estimate can be negative where its true value is near 0.

    Args:
        scores: (C, D, T), finite, C, D and T >= 2.
    """
    count, draws, repeats = scores.shape
    cells = scores.mean(axis=2)
    rows, columns, grand = cells.mean(axis=1), cells.mean(axis=0), cells.mean()
    inside = float(((scores - cells[..., None]) ** 2).sum()) / (count * draws * (repeats - 1))
    rest = cells - rows[:, None] - columns + grand
    mixed = repeats * float((rest**2).sum()) / ((count - 1) * (draws - 1))
    by_draw = count * repeats * float(((columns - grand) ** 2).sum()) / (draws - 1)
    by_configuration = draws * repeats * float(((rows - grand) ** 2).sum()) / (count - 1)
    return Components(
        draw=(by_draw - mixed) / (count * repeats),
        mixed=(mixed - inside) / repeats,
        training=inside,
        between=(by_configuration - mixed) / (draws * repeats),
    )


def run_sources(final: np.ndarray, chosen: np.ndarray, draw: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Why runs of one tuner end differently: shares of the variance of their final score, sum 1.

    Each final score is split exactly: y = mean_c + (mean_cd - mean_c) + (y - mean_cd). The share of a part is its
    covariance with y over the variance of y: ``tuner`` (which configuration was chosen), ``data draw``, and ``training
    seed`` with the luck of the selection. NaN where all finals are equal.

    Args:
        final: (n,) finite final scores. chosen: (n,) configuration numbers. draw: (n,) data replicates, from 0.
        scores: (C, D, T).
    """
    cells = scores.mean(axis=2)
    means = cells.mean(axis=1)
    here, where = cells[chosen, draw], means[chosen]
    parts = dict(zip(SOURCES, (where, here - where, final - here), strict=True))
    total = float(np.var(final))
    return {
        name: float(np.mean((part - part.mean()) * (final - final.mean()))) / total if total > 0 else math.nan
        for name, part in parts.items()
    }


def components_and_ranges(scores: np.ndarray) -> tuple[Components, dict[str, Interval]]:
    """``components``, and the ``ranges`` of what ``noise_figures`` makes of them."""
    found = components(scores)
    spans = ranges(noise_figures(found), lambda kept: noise_figures(components(scores[:, kept])), scores.shape[1])
    return found, spans


def noise_figures(found: Components) -> dict[str, float]:
    """``sd`` of a single training, the shares of that variance (``draw``, ``mixed``, ``training``), and ``between``,
    the standard deviation of what there is to find; negative estimates count as 0, shares are NaN without noise."""
    parts = {name: max(getattr(found, name), 0.0) for name in ("draw", "mixed", "training")}
    total = sum(parts.values())
    shares = {name: value / total if total > 0 else math.nan for name, value in parts.items()}
    return {"sd": math.sqrt(total), **shares, "between": math.sqrt(max(found.between, 0.0))}


def sources_and_ranges(
    final: np.ndarray, chosen: np.ndarray, draw: np.ndarray, scores: np.ndarray
) -> tuple[dict[str, float], dict[str, Interval]]:
    """``run_sources``, and their ``ranges``: without a data draw, and the runs on it. Empty below two runs."""
    if len(final) < 2:
        return {}, {}
    found = run_sources(final, chosen, draw, scores)

    def without(kept: np.ndarray) -> dict[str, float]:
        mine = np.isin(draw, kept)
        if mine.sum() < 2:
            return dict.fromkeys(SOURCES, math.nan)
        return run_sources(final[mine], chosen[mine], np.searchsorted(kept, draw[mine]), scores[:, kept])

    return found, ranges(found, without, scores.shape[1])
