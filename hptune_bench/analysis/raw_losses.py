"""Raw losses where scores are excess losses: the numbers comparable with those of others."""

from __future__ import annotations

import math

import pandas as pd

from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import median


def raw_losses(records: Records) -> dict[str, dict[str, float]]:
    """Median raw loss of each tuner's finished runs, by side (``test``, ``validation``).

    A side without excess losses, or without the raw ones, is left out; a failed run counts as +inf.
    """
    sides = {
        "test": "test_loss" if records.test_metric == "excess_loss" else "",
        "validation": "best_score" if records.excess else "",
    }
    runs = records.runs[records.runs["finished"]]
    losses = {
        side: pd.to_numeric(runs[column], errors="coerce").fillna(math.inf).mask(runs["failed_run"], math.inf)
        for side, column in sides.items()
        if column in runs
    }
    return {
        side: {str(tuner): float(median(mine.to_numpy(float))) for tuner, mine in values.groupby(runs["tuner"])}
        for side, values in losses.items()
    }
