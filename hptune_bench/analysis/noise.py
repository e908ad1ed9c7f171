"""The noise floor, the true null, the winner's curse and overtuning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hptune_bench.analysis.data_draws import median_over
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import median, subtract

CURSE_COLUMNS = ["tuner", "n", "selected_validation", "retrained_validation", "optimism", "low", "high"]
CURSE_COLUMNS += ["selected_test", "retrained_test", "test_shift"]


@dataclass(frozen=True)
class Noise:
    """Retraining noise and selection bias of one workload. Scores in the workload's units.

    Attributes:
        margin: the equivalence margin, fixed by rule: standard deviation of the score that judges (see
            ``Records.judged_by``) over retrainings of the untuned configuration on the same data (pooled within
            data seeds). None: not measured.
        margin_source: one sentence on how it was found, or why it is None.
        retrainings: how many there were of the untuned configuration.
        test_sd, validation_sd: the standard deviations of either score; NaN if not measured.
        retraining_gain_validation: what mere retraining gives: median over seeds of (first trial - best trial) of
            ``untuned_restarts``; retraining_gain_test: the same for the test scores of the first and the selected
            model. NaN if it did not run.
        curse: winner's curse per tuner: columns tuner, n, selected_validation (median score of the selected trial),
            retrained_validation (median of the same configurations retrained off the budget), optimism (median paired
            difference retrained - selected, > 0 = the search flattered itself), low, high (its 95 %
            interval, NaN below six),
            selected_test, retrained_test, test_shift (median paired difference of test scores).
        overtuning: columns tuner, seed, overtuning (test of the selected model - best test of any incumbent, >= 0),
            relative (divided by first incumbent's test - that best; NaN where that is below 0.001) (Schneider et al.
            2025).
    """

    margin: float | None
    margin_source: str
    retrainings: int
    test_sd: float
    validation_sd: float
    retraining_gain_validation: float
    retraining_gain_test: float
    curse: pd.DataFrame
    overtuning: pd.DataFrame


def noise(records: Records) -> Noise:
    """Never None: its parts are NaN, None or empty where nothing was recorded."""
    rows = records.noise[records.noise["tuner"] == ""]
    test_sd, validation_sd = pooled_sd(rows, "test_score"), pooled_sd(rows, "validation")
    sd = test_sd if records.judged_by == "test" else validation_sd
    margin = sd if math.isfinite(sd) and sd > 0 else None
    if margin is not None:
        source = (
            f"the margin is the standard deviation of the {records.judged_by} score over {len(rows)} retrainings of "
            "the untuned configuration on the same data"
        )
    elif rows.empty:
        source = "the untuned configuration was not retrained off the budget, so nothing can be called equivalent"
    else:
        source = "the retrainings of the untuned configuration show no spread, so nothing can be called equivalent"
    gain_validation, gain_test = _retraining_gain(records)
    return Noise(
        margin=margin,
        margin_source=source,
        retrainings=len(rows),
        test_sd=test_sd,
        validation_sd=validation_sd,
        retraining_gain_validation=gain_validation,
        retraining_gain_test=gain_test,
        curse=_curse(records),
        overtuning=_overtuning(records),
    )


def pooled_sd(rows: pd.DataFrame, column: str) -> float:
    """Standard deviation inside data seeds, pooled: sqrt(sum of squares about each seed's mean / (n - seeds)).

    Diverged retrainings (not finite) are left out; NaN where no seed has two values. Columns seed and ``column``.
    """
    values = rows.loc[np.isfinite(rows[column].astype(float)), ["seed", column]]
    freedom = len(values) - values["seed"].nunique()
    if freedom < 1:
        return math.nan
    spread = values[column] - values.groupby("seed")[column].transform("mean")
    return math.sqrt(float((spread**2).sum()) / freedom)


def _retraining_gain(records: Records) -> tuple[float, float]:
    trials = records.trials[records.trials["tuner"] == records.with_role("restarts")]
    gains = []
    for _, run in trials.groupby("seed"):
        found = run[run["incumbent"] & np.isfinite(run["score"])]
        if len(found):
            first, last = found.iloc[0], found.iloc[-1]
            gains.append((first["validation"] - last["validation"], first["test_score"] - last["test_score"]))
    if not gains:
        return math.nan, math.nan
    validation, test = np.median(np.array(gains, dtype=float), axis=0)
    return float(validation), float(test)


def _curse(records: Records) -> pd.DataFrame:
    again = records.noise[records.noise["tuner"] != ""]
    means = again.groupby(["tuner", "seed"])[["validation", "test_score"]].mean().add_prefix("re_").reset_index()
    both = records.runs[records.runs["finished"] & ~records.runs["failed_run"]].merge(means, on=["tuner", "seed"])
    rows = []
    for tuner in records.tuners:
        mine = both[both["tuner"] == tuner]
        if mine.empty:
            continue
        selected, retrained = (mine[c].to_numpy(dtype=float) for c in ("final_validation", "re_validation"))
        tests, retests = (mine[c].to_numpy(dtype=float) for c in ("final_test", "re_test_score"))
        optimism = subtract(retrained, selected)
        middle, interval = median_over(pd.Series(optimism, index=mine["seed"]), records.draws)
        rows.append(
            {
                "tuner": tuner,
                "n": len(mine),
                "selected_validation": float(median(selected)),
                "retrained_validation": float(median(retrained)),
                "optimism": middle,
                "low": interval.low if interval else math.nan,
                "high": interval.high if interval else math.nan,
                "selected_test": float(median(tests)),
                "retrained_test": float(median(retests)),
                "test_shift": float(median(subtract(retests, tests))),
            }
        )
    return pd.DataFrame(rows, columns=CURSE_COLUMNS)


def _overtuning(records: Records) -> pd.DataFrame:
    rows = []
    found = records.trials[records.trials["incumbent"] & np.isfinite(records.trials["test_score"])]
    for (tuner, seed), run in found.groupby(["tuner", "seed"]):
        tests = run["test_score"].to_numpy()
        over, room = tests[-1] - tests.min(), tests[0] - tests.min()
        rows.append((tuner, seed, float(over), float(over / room) if room > 0.001 else math.nan))
    frame = pd.DataFrame(rows, columns=["tuner", "seed", "overtuning", "relative"])
    order = {tuner: i for i, tuner in enumerate(records.tuners)}
    return frame.sort_values(
        ["tuner", "seed"], key=lambda s: s.map(order) if s.name == "tuner" else s, ignore_index=True
    )


def overtuned(found: Noise, tuners: Sequence[str]) -> pd.DataFrame:
    """How often and how much an earlier choice of the same run was better on the test split, a row per tuner.

    Columns: tuner, hurt (runs that it happened to), runs, median, largest (of its size over all runs).
    """
    groups = {
        tuner: found.overtuning.loc[found.overtuning["tuner"] == tuner, "overtuning"].dropna() for tuner in tuners
    }
    rows = [
        (tuner, int((values > 0).sum()), len(values), float(median(values.to_numpy(float))), float(values.max()))
        for tuner, values in groups.items()
        if len(values)
    ]
    return pd.DataFrame(rows, columns=["tuner", "hurt", "runs", "median", "largest"])
