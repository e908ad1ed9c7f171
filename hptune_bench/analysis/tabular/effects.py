"""The effects of both exact decompositions side by side, as tables and figures show them."""

from __future__ import annotations

import math

import pandas as pd

from hptune_bench.analysis.statistics import Interval
from hptune_bench.analysis.tabular.importance import ExactImportance


def effects(exact: ExactImportance) -> pd.DataFrame:
    """Columns names, order, and for failing and scoring: share, _low, _high, _zero: one row per effect and one for
    noise."""
    frame = exact.scoring.effects[["names", "order"]].copy()
    frame["names"] = [" x ".join(names) for names in frame["names"]]
    noise = {"names": "noise", "order": 0}
    for column, anova in (("failing", exact.failing), ("scoring", exact.scoring)):
        mine = [column, f"{column}_low", f"{column}_high"]
        frame[mine], frame[f"{column}_zero"] = anova.effects[["share", "low", "high"]], anova.effects["zero"]
        ends = anova.noise_range or Interval(math.nan, math.nan)
        noise |= dict(zip(mine, (anova.noise, ends.low, ends.high), strict=True)) | {f"{column}_zero": False}
        if anova.total <= 0:
            frame[mine] = math.nan
            noise |= dict.fromkeys(mine, math.nan)
    return pd.concat([frame, pd.DataFrame([noise])], ignore_index=True)


def largest(effects: pd.DataFrame, interactions: int) -> pd.DataFrame:
    """The main effects, so many of the largest interactions, and noise."""
    size = effects[["failing", "scoring"]].fillna(0.0).max(axis=1)
    main, noise = effects[effects["order"] == 1], effects[effects["order"] == 0]
    rest = effects[effects["order"] > 1].loc[lambda rows: size[rows.index].sort_values(ascending=False).index]
    return pd.concat([main, rest.head(interactions), noise], ignore_index=True)
