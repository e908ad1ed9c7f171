"""The methods side by side: where each ended, after how many trials and seconds, and what cannot be told apart."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import quantile_band, value_at_trials
from hptune_bench.analysis.comparisons import Values, values_at
from hptune_bench.analysis.data_draws import over_data, testable
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistic import Statistic
from hptune_bench.analysis.statistics import ALPHA, MIN_SEEDS, holm, median, median_p, subtract

SUMMARY_COLUMNS = [
    "tuner",
    "at",
    "runs",
    "finished",
    "failed_runs",
    "unfinished",
    "test_median",
    "test_low",
    "test_high",
]
SUMMARY_COLUMNS += [
    "test_sd",
    "validation_median",
    "validation_low",
    "validation_high",
    "trials",
    "epochs",
    "unspent_epochs",
]
SUMMARY_COLUMNS += ["stock_s", "elapsed_s", "failed_trials", "best", "not_distinguishable"]


def summary(records: Records) -> pd.DataFrame:
    """The main table: one row per (checkpoint, tuner), the full budget first, tuners in reporting order.

    Columns: tuner, at (as in ``Comparison``), runs, finished (for a checkpoint: runs with a value), failed_runs,
    unfinished, test_median, test_low, test_high (quartiles, inverted_cdf; failed runs are +inf), test_sd (over finite
    values), validation_median, validation_low, validation_high (excess where ``Records.excess``), trials, epochs,
    unspent_epochs (medians, up to the checkpoint; unspent only at the full budget, else NaN), stock_s, elapsed_s
    (medians, seconds up to the checkpoint; NaN if unknown), failed_trials (sum), best (smallest median of the score
    that judges), not_distinguishable (no test of the median separates it from the best at 5 %, Holm
    over the comparisons with the best; always True below six common seeds, and for the best itself). Where seeds share
    too few data draws (``Records.draws``) that speaks of these data sets only: of the tuners' own chance.
    """
    rows = []
    for at, (trials, judged) in values_at(records).items():
        early = {s: value_at_trials(records, trials, s) for s in ("test", "validation")} if trials else {}
        medians = {t: float(median(v.to_numpy(dtype=float))) for t, v in judged.items() if len(v)}
        finite = {t: m for t, m in medians.items() if math.isfinite(m)}
        best = min(finite, key=finite.__getitem__) if finite else None
        same = _not_distinguishable(judged, best, records.draws)
        for tuner in records.tuners:
            runs = records.runs[records.runs["tuner"] == tuner]
            mine = records.trials[records.trials["tuner"] == tuner]
            mine = mine if trials is None else mine[mine["trial"] <= trials]
            ends = mine.groupby("seed").last()
            scores: dict[str, float] = {}
            for score in ("test", "validation"):
                if trials is None:
                    found = records.finals(tuner, score).dropna()
                else:
                    table = early[score]
                    found = table.loc[table["tuner"] == tuner, "value"].dropna()
                scores |= _quartiles(found.to_numpy(dtype=float), score)
                if score == "test":
                    spread = found[np.isfinite(found)]
                    scores["test_sd"] = float(spread.std(ddof=1)) if len(spread) > 1 else math.nan
            rows.append(
                {
                    "tuner": tuner,
                    "at": at,
                    "runs": len(runs),
                    "finished": len(judged[tuner]) if trials is not None else int(runs["finished"].sum()),
                    "failed_runs": int(runs["failed_run"].sum()),
                    "unfinished": int((~runs["finished"]).sum()),
                    **scores,
                    "trials": mine.groupby("seed").size().median(),
                    "epochs": ends["spent_epochs"].median(),
                    "unspent_epochs": runs["unspent"].astype(float).median() if trials is None else math.nan,
                    "stock_s": ends["stock_s"].median(),
                    "elapsed_s": ends["elapsed_s"].astype(float).median(),
                    "failed_trials": int((~mine["status"].isin(["completed", "truncated"])).sum()),
                    "best": tuner == best,
                    "not_distinguishable": same.get(tuner, False),
                }
            )
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def _quartiles(values: np.ndarray, score: str) -> dict[str, float]:
    """Median (mean of the middle two, as in the comparisons) and quartiles (inverted_cdf)."""
    low, _, high = quantile_band(values[:, None])[:, 0] if len(values) else (math.nan,) * 3
    middle = float(median(values)) if len(values) else math.nan
    return {f"{score}_median": middle, f"{score}_low": float(low), f"{score}_high": float(high)}


def _not_distinguishable(judged: Values, best: str | None, draws: int | None) -> dict[str, bool]:
    if best is None:
        return {}
    p_values: dict[str, float] = {}
    for tuner, values in judged.items():
        both = pd.concat([values, judged[best]], axis=1, join="inner")
        if tuner != best and len(both):
            d = pd.Series(subtract(*both.to_numpy(dtype=float).T), index=both.index)
            differences = over_data(d, draws if testable(draws) else None)
            p_values[tuner] = median_p(differences) if len(differences) >= MIN_SEEDS else 1.0
    adjusted = holm(np.array(list(p_values.values())))
    return {best: True, **{t: bool(p >= ALPHA) for t, p in zip(p_values, adjusted, strict=True)}}


STATISTICS = (Statistic("summary", lambda given: summary(given.records)),)
