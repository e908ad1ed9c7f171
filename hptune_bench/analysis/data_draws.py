"""Which runs of a replay share their data, and what that leaves of them as evidence about new data.

A table holds D draws of the data. Run seed d of a replay is looked up in draw d; beyond D the seeds count on
cyclically, so that 200 replayed seeds are searches on D data sets, not on 200. Seeds that share a draw are no
independent evidence about new data: there **the data draw is the block**. The one rule, for everything in a report that
has a p-value or an interval over seeds:

- what it says about new data rests on one value per draw (``over_data``): with fewer than ``MIN_SEEDS`` draws there is
  no p-value and no interval;
- what may be said besides is conditional: on these D data sets, how the tuners' own chance falls out
  (``Comparison.here``).

Where every seed has data of its own, as in all real trainings, nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.statistics import MIN_SEEDS, Interval, median, median_interval


def shared_draws(about: Mapping[str, Any], seeds: pd.Series) -> int | None:
    """Data draws that the runs of a workload share; None where every seed has data of its own.

    Args:
        about: the workload's entry in the manifest; a replayed one names its table, and that its data replicates. One
            that does not say how many is taken to have a single one, so that nothing is concluded from it.
        seeds: of all runs.
    """
    table = about.get("table")
    if not table:
        return None
    draws = int((table.get("definition") or {}).get("data_replicates") or 1)
    return draws if len(seeds) and int(seeds.max()) > draws else None


def draw_of(seeds: Any, draws: int) -> np.ndarray:
    """Number (from 0) of the data draw behind each run seed, shape (n,): see ``training.table``."""
    return (np.asarray(seeds, dtype=int) - 1) % draws


def over_data(values: pd.Series, draws: int | None) -> np.ndarray:
    """One value per independent draw of the data: those of the seeds, or their median on each draw that they share.

    Args:
        values: shape (n,), indexed by seed, no NaN; may be infinite. A draw in which as many runs are infinitely far
            ahead as behind counts as 0.
        draws: ``Records.draws``.

    Returns:
        shape (n,), or (draws that occur,) where seeds share draws.
    """
    if draws is None:
        return values.to_numpy(dtype=float)
    at = draw_of(values.index, draws)
    found = [float(median(values.to_numpy(dtype=float)[at == draw])) for draw in np.unique(at)]
    return np.nan_to_num(np.array(found), nan=0.0, posinf=np.inf, neginf=-np.inf)


def median_over(values: pd.Series, draws: int | None) -> tuple[float, Interval | None]:
    """Median, and its 95 % interval over new data: None where there is none to be had.

    Args:
        values: shape (n,), n >= 1, indexed by seed, no NaN. draws: ``Records.draws``.
    """
    if not testable(draws):
        return float(median(values.to_numpy(dtype=float))), None
    found = over_data(values, draws)
    return float(median(found)), median_interval(found)


def testable(draws: int | None) -> bool:
    """Whether something can be said about new data, as far as shared draws go."""
    return draws is None or draws >= MIN_SEEDS


def these(draws: int) -> str:
    """``these 3 data sets``."""
    return "this one data set" if draws == 1 else f"these {draws} data sets"
