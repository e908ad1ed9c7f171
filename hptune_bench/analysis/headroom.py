"""How far apart the scores of a workload lie, in units of the noise that retraining one configuration makes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.noise import Noise
from hptune_bench.analysis.statistic import Statistic
from hptune_bench.analysis.statistics import median, subtract


@dataclass(frozen=True)
class Headroom:
    """What a tuner can win or lose on a workload. Scores are those that judge (``Records.judged_by``).

    A distance is the median over common seeds of (score - score of the best method), in units of ``noise``: seeds are
    compared in pairs, because they differ in their data by far more than tuners do. It can be below 0, where a method
    that is worse on average is better in most seeds.

    Attributes:
        noise: standard deviation over retrainings of the untuned configuration, see ``Noise.margin``.
        best: the method with the best mean over seeds known for this workload.
        copied, random: the untuned configuration and random search; None where they did not run.
        scores: median score of ``copied``, ``random`` and ``best`` where they ran.
        distances: of every method that ran, in units of the noise; NaN where both fail in the median seed.
        searches: the methods that search.
    """

    noise: float
    best: str
    copied: str | None
    random: str | None
    scores: dict[str, float]
    distances: dict[str, float]
    searches: tuple[str, ...]

    @property
    def searched(self) -> dict[str, float]:
        """The distances of methods that search, where they are known."""
        return {name: far for name, far in self.distances.items() if name in self.searches and not math.isnan(far)}

    @property
    def search(self) -> float:
        """The largest distance of a method that searches; NaN where none is known."""
        return max(self.searched.values(), default=math.nan)

    @property
    def comparable(self) -> bool:
        """Whether methods that search can be compared at all: there are two."""
        return len(self.searched) > 1

    @property
    def within_noise(self) -> bool:
        """Whether tuners cannot be told apart here: all that search end within the noise of the best known score."""
        return self.comparable and self.search <= 1


def headroom(records: Records, noise: Noise, best_known: str | None = None) -> Headroom | None:
    """None where the noise was not measured, or nothing has finished.

    Args:
        best_known: the method that holds the best known score (kept in the manifest); None, or where it did not run
            here: the method with the best mean of the score that judges.
    """
    finals = {name: found for name in records.tuners if len(found := records.finals(name).dropna())}
    if noise.margin is None or not finals:
        return None
    means = {name: float(np.mean(found)) for name, found in finals.items()}
    best = best_known if best_known in finals else min(means, key=lambda name: (means[name], name))
    copied, random = records.with_role("copied"), records.with_role("random")
    shown = [name for name in dict.fromkeys((copied, random, best)) if name in finals]
    return Headroom(
        noise=noise.margin,
        best=best,
        copied=copied,
        random=random,
        scores={name: float(median(finals[name].to_numpy())) for name in shown},
        distances={name: _distance(found, finals[best]) / noise.margin for name, found in finals.items()},
        searches=records.searches,
    )


def _distance(found: pd.Series, best: pd.Series) -> float:
    both = pd.concat([found, best], axis=1, join="inner").to_numpy(dtype=float)
    return float(median(subtract(both[:, 0], both[:, 1]))) if len(both) else math.nan


STATISTICS = (
    Statistic(
        "headroom",
        lambda given: headroom(given.records, given["noise"], given.best_known.get("tuner")),
        lambda given: given["noise"].margin_source if given["noise"].margin is None else "no run has finished",
    ),
)
