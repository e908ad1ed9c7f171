"""Failed trials and runs: of which kind, for what reason, and what stock KerasTuner would have been left with."""

from __future__ import annotations

import pandas as pd

from hptune_bench.analysis.costs import Costs
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import median

KINDS = ("diverged", "error", "timeout", "crashed")


def _median(values: pd.Series) -> float:
    return float(median(values.to_numpy(float)))


def failures(records: Records, found: Costs) -> pd.DataFrame:
    """``Costs.waste`` with more columns, one row per tuner.

    Columns:
        those of ``KINDS`` that occur at all: trials that failed in this way;
        score_at_crash, final_score: medians over the runs in which stock KerasTuner would have raised: the score by
            then, and in the end (NaN where there are no such runs).
    """
    crashed = found.at_crash.astype({"score_at_crash": float, "final_score": float})
    crashed = crashed.groupby("tuner")[["score_at_crash", "final_score"]].agg(_median)
    trials = records.trials
    kinds = [kind for kind in KINDS if (trials["status"] == kind).any()]
    counts = {kind: (trials["status"] == kind).groupby(trials["tuner"]).sum() for kind in kinds}
    names = found.waste["tuner"]
    return found.waste.assign(
        **{kind: names.map(count).fillna(0).astype(int) for kind, count in counts.items()},
        **{column: names.map(crashed[column]).astype(float) for column in crashed.columns},
    )


def reasons(records: Records) -> pd.DataFrame:
    """The reasons of failed trials and runs: columns what, reason, count; the most frequent first."""
    bad = records.trials[records.trials["error"] != ""]
    lost = records.runs[records.runs["status"] == "failed"]
    parts = [bad.assign(what="trial " + bad["status"], reason=bad["error"]), lost.assign(what="run failed")]
    counted = pd.concat([part.groupby(["what", "reason"], as_index=False).size() for part in parts])
    counted = counted.rename(columns={"size": "count"})
    return counted.sort_values("count", ascending=False, kind="stable", ignore_index=True)
