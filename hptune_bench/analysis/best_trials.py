"""The best trials of a campaign, and the luckiest run of each method, with their configurations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.analysis.frames import Records


def best_trials(records: Records, most: int = 10) -> pd.DataFrame:
    """The trials with the smallest raw validation scores over all seeds: rows of ``Records.trials``."""
    known = records.trials[np.isfinite(records.trials["score"])]
    return known.sort_values(["score", "tuner", "seed", "trial"]).head(most)


def luckiest_runs(records: Records, tuners: Sequence[str]) -> list[tuple[pd.Series, pd.Series]]:
    """Each method's run with the smallest validation score, beside the trial that it selected (else the run again)."""
    found = []
    for tuner in tuners:
        runs = records.runs[(records.runs["tuner"] == tuner) & np.isfinite(records.runs["best_score"])]
        if len(runs):
            run = runs.sort_values(["final_validation", "seed"]).iloc[0]
            trials = records.trials
            mine = (trials["tuner"] == tuner) & (trials["seed"] == run["seed"]) & (trials["trial"] == run["best_trial"])
            found.append((run, trials[mine].iloc[0] if mine.any() else run))
    return found


def configuration(row: pd.Series, names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Each hyperparameter's value, and the same where it is known exactly, else None.

    Exactly: from the configuration's JSON, because a CSV column cannot tell ``True`` from ``1.0``.
    """
    try:
        known = json.loads(row["configuration"]) if "configuration" in row else {}
    except (TypeError, ValueError):
        known = {}
    return {name: (known.get(name, row.get(f"hp:{name}")), known.get(name)) for name in names}
