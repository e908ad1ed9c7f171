"""What stock KerasTuner would have seen and done: the two rules that need no KerasTuner to be computed.

Both are read from KerasTuner 1.4.8 and held against its own code by ``tests/test_tuners_kerastuner.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

MAX_CONSECUTIVE_FAILURES = 3
"""KerasTuner's default ``max_consecutive_failed_trials``."""


def reported(curve: Sequence[float]) -> float:
    """What ``Tuner.search`` would have told its oracle of a training with this objective per epoch (minimised).

    The best epoch, found by comparing each epoch with the best so far, beginning with the first: a later NaN never
    wins, but a NaN in the first epoch is never beaten. So [50, 30, nan] gives 30, and [nan, 30, 20] gives NaN.
    (``keras_tuner.src.engine.tuner_utils.convert_to_metrics_dict``.) NaN for a training without any epoch.
    """
    if not curve:
        return math.nan
    best = curve[0]
    for value in curve[1:]:
        if value < best:
            best = value
    return best


def stock_would_stop_at(told: Iterable[float]) -> int | None:
    """The trial (from 1) at whose end ``Tuner.search`` would have raised; None if at none.

    Args:
        told: what each trial reported, in order; NaN is a failure, inf is not.
    """
    consecutive = 0
    for trial, value in enumerate(told, start=1):
        consecutive = consecutive + 1 if math.isnan(value) else 0
        if consecutive == MAX_CONSECUTIVE_FAILURES:
            return trial
    return None
