"""The loops of the hand-written method, found in its trials."""

from __future__ import annotations

import numpy as np
import pandas as pd

WORDS, LOOP = "word_count", "manual_sweep"


def first_sweep(trials: pd.DataFrame, name: str = WORDS, tuner: str = LOOP) -> pd.DataFrame:
    """The trials of the first ``for`` loop: from the start of each run, as long as the other hyperparameters are held.

    Returns:
        rows of ``trials`` and a column ``picked``: the value with the best score of that loop, with which the next one
        goes on. Empty where the tuner, the hyperparameter or a first loop over it is missing.
    """
    column = f"hp:{name}"
    if column not in trials or "tuner" not in trials:
        return trials.iloc[:0].assign(picked=[])
    others = [other for other in trials.columns if other.startswith("hp:") and other != column]
    parts = []
    for _, run in trials[trials["tuner"] == tuner].sort_values("trial").groupby("seed"):
        rest = run[others].astype(object).where(run[others].notna(), "")
        held = (rest == rest.iloc[0]).all(axis=1).to_numpy()
        length = len(run) if held.all() else int(np.argmin(held))
        loop = run.iloc[:length].drop_duplicates(column)
        if loop[column].nunique() > 1:
            parts.append(loop.assign(picked=loop[column].iloc[int(np.argmin(loop["score"].to_numpy(float)))]))
    return pd.concat(parts, ignore_index=True) if parts else trials.iloc[:0].assign(picked=[])


def flat_from(medians: pd.DataFrame, name: str = WORDS) -> float | None:
    """The smallest value whose median lies within a tenth of the fall from the minimum; None without a finite one."""
    series = medians.sort_values(name)
    losses = series["median"].to_numpy(float)
    finite = losses[np.isfinite(losses)]
    if not len(finite):
        return None
    at = int(np.argmax(losses <= finite.min() + 0.1 * (finite.max() - finite.min())))
    return float(series[name].iloc[at])
