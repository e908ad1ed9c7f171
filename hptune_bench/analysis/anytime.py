"""Best score so far as a right-continuous step function, and its bands over seeds.

A result is known when its trial ends; before the first one the curve is +inf; nothing is interpolated and nothing is known
early. After the last trial of a run the curve stays where it is, except that a *failed* run counts as worst (+inf) from its
end on. Quantiles are of the type ``inverted_cdf``, the only one that is right with +inf; the median band is then the 50 %
surface of the empirical attainment function (Lopez-Ibanez et al., IEEE TEVC 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from hptune_bench.analysis.frames import Records

Axis = Literal["spent_epochs", "elapsed_s", "trials", "stock_s"]
Score = Literal["validation", "test"]
AXES: dict[Axis, str] = {
    "stock_s": "time with plain Keras (s)",
    "spent_epochs": "trained epochs",
    "elapsed_s": "search clock (s)",
    "trials": "trials",
}
"""Axes in order of importance, each with a label that names its unit."""


@dataclass(frozen=True)
class Curves:
    """Curves of all tuners of one workload on one axis.

    Attributes:
        axis, score: what is drawn over what.
        excess: validation scores are excess losses (the split's own noise is subtracted).
        steps: one row per change of a run's incumbent and one for its end: columns tuner, seed, x, y; draw as
            ``steps-post``. y is +inf after the end of a failed run.
        bands: at each x where some run of the tuner changes: columns tuner, x, lower (25 %), median, upper (75 %), runs
            (all runs), reached (runs with a finite value), ended (runs whose record ended before x).
    """

    axis: Axis
    score: Score
    excess: bool
    steps: pd.DataFrame
    bands: pd.DataFrame


def step_values(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The right-continuous step function with ``values[i]`` from ``times[i]`` on, +inf before ``times[0]``.

    Args:
        times: ascending, shape (n,). values: shape (n,), NaN counts as +inf. at: any order, shape (m,).

    Returns:
        shape (m,).
    """
    raise NotImplementedError


def best_so_far(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """``min(values[times <= t])`` for each t in ``at``; +inf where nothing was known yet. Shapes as in ``step_values``."""
    raise NotImplementedError


def quantile_band(matrix: np.ndarray, levels: tuple[float, ...] = (0.25, 0.5, 0.75)) -> np.ndarray:
    """Quantiles over runs, ``inverted_cdf``: matrix (runs, m), +inf allowed, to (levels, m)."""
    raise NotImplementedError


def curves(records: Records, axis: Axis, score: Score) -> Curves | None:
    """All tuners' curves; None where the axis or the score was not recorded."""
    raise NotImplementedError


def value_at_trials(records: Records, trials: int, score: Score = "test") -> pd.DataFrame:
    """Score of the incumbent after that many trials: columns tuner, seed, value, epochs (spent by then), trials (had).

    Runs that ended before keep their last incumbent if they are done (+inf if they failed); unfinished shorter runs give NaN.
    """
    raise NotImplementedError
