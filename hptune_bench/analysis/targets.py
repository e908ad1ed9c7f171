"""How long until a given quality: expected running time, runtime ECDF, speed-up.

Unit of time: the stock clock where it was measured, else trained epochs (``Targets.axis``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import Axis
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import Interval


@dataclass(frozen=True)
class ExpectedTime:
    """Expected running time to a target: total time of all runs / number of successes (Auger and Hansen 2005).

    Attributes:
        time: inf if no run succeeded. hits: k. runs: n. interval: 95 % bootstrap over whole runs; None below two runs.
    """

    time: float
    hits: int
    runs: int
    interval: Interval | None


@dataclass(frozen=True)
class Targets:
    """Time to fixed targets on one workload.

    Attributes:
        axis: unit of time. score: which score has to reach the target: ``test`` or ``validation``.
        targets: columns target (score), label (what it is), ascending difficulty. They are set by references only,
            never by the tuners that are judged: the untuned median and quality levels between it and best known.
        table: columns tuner, target, label, hits, runs, ert, low, high, speedup_random, speedup_manual (ERT of the reference / ERT of
            this tuner, > 1 = faster; NaN where both never reached it, inf or 0 where one did not).
        ecdf: runtime ECDF over (run, target) pairs, columns tuner, x, fraction; right-continuous steps from (0, 0).
        matches: speed-up at equal quality: columns tuner, reference, quality (the reference's median at its budget), time
            (when the tuner's median curve reaches it, inf if never), reference_time (when the reference's own median did), speedup.
    """

    axis: Axis
    score: str
    targets: pd.DataFrame
    table: pd.DataFrame
    ecdf: pd.DataFrame
    matches: pd.DataFrame


def expected_time(times: np.ndarray, hit: np.ndarray) -> ExpectedTime:
    """times (n,): first hitting time of a success, budget spent of a failure; hit (n,): bool."""
    raise NotImplementedError


def expected_best_of(values: np.ndarray, draws: int) -> float:
    """Exact expectation of the best of ``draws`` values drawn without replacement from all of ``values`` (N,): random
    search on a complete grid. E = sum_i v_(i) C(N-i, n-1) / C(N, n) (Tang et al. 2020); +inf values allowed."""
    raise NotImplementedError


def expected_draws_to(values: np.ndarray, target: float) -> float:
    """Expected number of draws without replacement until a value <= target: (N+1)/(m+1) with m such values; inf if m=0."""
    raise NotImplementedError


def targets(records: Records) -> Targets | None:
    """None where no scores or no reference that sets targets were recorded."""
    raise NotImplementedError
