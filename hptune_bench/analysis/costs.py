"""Where the time went, when a tuner's own time pays, and what KerasTuner's defaults cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import curves, quantile_band, value_at_trials
from hptune_bench.analysis.comparisons import FULL, Comparison
from hptune_bench.analysis.frames import USABLE, Records, clocks_of
from hptune_bench.analysis.statistic import Statistic
from hptune_bench.analysis.statistics import Outcome
from hptune_bench.analysis.stock_clock import trial_costs

EPOCH_SECONDS = np.geomspace(1e-4, 1e4, 161)
"""Lengths of an epoch at which break-even is looked for, seconds."""
Run = tuple[np.ndarray, ...]
"""Scores of a run's incumbents, and the seconds without training and the epochs that were spent by then."""
MIRROR: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class BreakEven:
    """From how many seconds per epoch on a tuner overtakes a reference in wall time.

    Both must reach the same quality: the worse of the two medians at the full budget. A run's time to it is, as a
    function of the seconds e of one epoch: tuner_s + overhead of its trials + e x epochs, up to the trial that reaches
    it (inf if none does); compared are the medians over runs.

    Attributes:
        seconds_per_epoch: smallest e from which on the tuner is faster; 0.0: at any length of an epoch; None: never.
        sentence: the same in words.
        curve: columns seconds_per_epoch, tuner_time, reference_time (seconds), log spaced.
    """

    tuner: str
    reference: str
    quality: float
    seconds_per_epoch: float | None
    sentence: str
    curve: pd.DataFrame


@dataclass(frozen=True)
class Costs:
    """What the searches cost.

    Attributes:
        time: columns tuner, training, tuner_time, compile, other (medians over runs of seconds; other = wall clock -
            the rest), share_tuner (tuner_time / (training + tuner_time)), per_trial_tuner_s, stock_s (median stock
            clock at the end; NaN if unknown), stock_share_tuner (tuner_time / stock_s).
        waste: columns tuner, trials, wasted_trials (diverged, error, timeout, crashed), wasted_epochs, wasted_share (of
            the epochs; sums over runs), runs, stock_crashes (runs in which stock KerasTuner would have raised),
            stock_crash_trial (median over those).
        defaults: stock against repaired at the full budget: columns tuner, repaired, n, median_difference (stock -
            repaired: positive = the defaults cost), low, high, outcome (of the stock variant), wasted_share_stock,
            wasted_share_repaired, stock_crashes. An exploratory comparison, adjusted with the others, as far
            as it can be spoken of (``Comparison.spoken``).
        at_crash: what the runs that stock would have crashed had by then: columns tuner, seed, trial, score_at_crash,
            final_score (the score that judges).
        break_even: each search against the primary reference and against random search.
        overhead_known: whether a stock clock gave the overhead per trial in ``break_even``; else it is 0 there.
    """

    time: pd.DataFrame
    waste: pd.DataFrame
    defaults: pd.DataFrame
    at_crash: pd.DataFrame
    break_even: tuple[BreakEven, ...]
    overhead_known: bool


def costs(records: Records, comparisons: tuple[Comparison, ...], break_even: bool = True) -> Costs | None:
    """None without trials. ``break_even=False`` leaves that part empty."""
    if records.trials.empty:
        return None
    waste = _waste(records)
    return Costs(
        time=_time(records),
        waste=waste,
        defaults=_defaults(records, comparisons, waste.set_index("tuner")),
        at_crash=_at_crash(records),
        break_even=_break_even(records) if break_even else (),
        overhead_known=not records.stock_clock.empty,
    )


def _time(records: Records) -> pd.DataFrame:
    parts = {"training": "train_s", "tuner_time": "tuner_s", "compile": "compile_s"}
    runs = records.runs
    seconds = pd.DataFrame({name: pd.to_numeric(runs[column], errors="coerce") for name, column in parts.items()})
    seconds["other"] = pd.to_numeric(runs["wall_s"], errors="coerce") - seconds.sum(axis=1)
    seconds["per_trial_tuner_s"] = seconds["tuner_time"] / runs["trials"].astype(float).clip(lower=1)
    ends = records.trials.groupby(["tuner", "seed"])["stock_s"].last()
    seconds["stock_s"] = ends.reindex(pd.MultiIndex.from_frame(runs[["tuner", "seed"]])).to_numpy()
    table = seconds.groupby(runs["tuner"]).median().reindex(list(records.tuners))
    table["share_tuner"] = table["tuner_time"] / (table["training"] + table["tuner_time"])
    table["stock_share_tuner"] = table["tuner_time"] / table["stock_s"]
    order = [*parts, "other", "share_tuner", "per_trial_tuner_s", "stock_s", "stock_share_tuner"]
    return table[order].rename_axis("tuner").reset_index()


def _waste(records: Records) -> pd.DataFrame:
    trials = records.trials
    wasted = ~trials["status"].isin(USABLE)
    frame = pd.DataFrame(
        {
            "tuner": trials["tuner"],
            "trials": 1,
            "wasted_trials": wasted.astype(int),
            "wasted_epochs": trials["epochs"].where(wasted, 0),
            "epochs": trials["epochs"],
        }
    )
    table = frame.groupby("tuner").sum().reindex(list(records.tuners)).fillna(0)
    table["wasted_share"] = table["wasted_epochs"] / table["epochs"].where(table["epochs"] > 0)
    stops = records.runs.groupby("tuner")["stock_would_stop_at"]
    table["runs"] = records.runs.groupby("tuner").size().reindex(table.index)
    table["stock_crashes"] = stops.count().reindex(table.index)
    table["stock_crash_trial"] = stops.median().reindex(table.index)
    counts = ["trials", "wasted_trials", "wasted_epochs", "runs", "stock_crashes"]
    table = table.drop(columns="epochs").astype(dict.fromkeys(counts, int))
    return table.rename_axis("tuner").reset_index()


def _defaults(records: Records, comparisons: tuple[Comparison, ...], waste: pd.DataFrame) -> pd.DataFrame:
    repairs = {name: info.repairs for name, info in records.infos.items()}
    rows = []
    for c in comparisons:
        stock, repaired = (c.tuner, c.reference) if repairs[c.reference] == c.tuner else (c.reference, c.tuner)
        if c.at != FULL or repairs[repaired] != stock or c.result is None:
            continue
        sign = 1.0 if c.tuner == stock else -1.0
        ends = [math.nan, math.nan]
        spoken = c.spoken
        assert spoken.result is not None
        if spoken.result.interval is not None:
            ends = sorted((sign * spoken.result.interval.low, sign * spoken.result.interval.high))
        rows.append(
            {
                "tuner": stock,
                "repaired": repaired,
                "n": spoken.result.n,
                "median_difference": sign * spoken.result.median_difference,
                "low": ends[0],
                "high": ends[1],
                "outcome": spoken.outcome if c.tuner == stock else MIRROR.get(spoken.outcome, spoken.outcome),
                "wasted_share_stock": waste["wasted_share"].get(stock, math.nan),
                "wasted_share_repaired": waste["wasted_share"].get(repaired, math.nan),
                "stock_crashes": int(waste["stock_crashes"].get(stock, 0)),
            }
        )
    columns = ["tuner", "repaired", "n", "median_difference", "low", "high", "outcome"]
    return pd.DataFrame(rows, columns=[*columns, "wasted_share_stock", "wasted_share_repaired", "stock_crashes"])


def _at_crash(records: Records) -> pd.DataFrame:
    runs = records.runs[records.runs["stock_would_stop_at"].notna()]
    rows = []
    columns = ["tuner", "seed", "trial", "score_at_crash", "final_score"]
    for trial in sorted(runs["stock_would_stop_at"].astype(int).unique()):
        group = runs[runs["stock_would_stop_at"] == trial]
        then = value_at_trials(records, trial, records.judged_by).rename(columns={"value": "score_at_crash"})
        both = group.assign(trial=trial, final_score=group[f"final_{records.judged_by}"]).merge(
            then, on=["tuner", "seed"]
        )
        rows.append(both[columns])
    if not rows:
        return pd.DataFrame(columns=columns)
    return pd.concat(rows).sort_values(["tuner", "seed"], ignore_index=True)


def _break_even(records: Records) -> tuple[BreakEven, ...]:
    curve = curves(records, "trials", records.judged_by)
    if curve is None:
        return ()
    finals = {t: float(b["median"].iloc[-1]) for t, b in curve.bands.groupby("tuner") if t not in records.trained_once}
    fixed = trial_costs(records.trials, records.stock_clock, clocks_of(records.infos))["fixed_s"].fillna(0.0)
    spent = records.trials[["tuner", "seed", "trial"]].assign(
        seconds=records.trials["tuner_s"].astype(float) + fixed, epochs=records.trials["epochs"].astype(float)
    )
    spent[["seconds", "epochs"]] = spent.groupby(["tuner", "seed"])[["seconds", "epochs"]].cumsum()
    steps = curve.steps.merge(spent.rename(columns={"trial": "x"}), on=["tuner", "seed", "x"])
    runs = {
        str(tuner): [tuple(run[["y", "seconds", "epochs"]].to_numpy(dtype=float).T) for _, run in mine.groupby("seed")]
        for tuner, mine in steps.groupby("tuner")
    }
    results = []
    for reference in records.baselines:
        for tuner in records.tuners:
            if tuner == reference or not {tuner, reference} <= finals.keys():
                continue
            quality = max(finals[tuner], finals[reference])
            if math.isfinite(quality):
                results.append(_pair(runs, tuner, reference, quality))
    return tuple(results)


def _pair(runs: Mapping[str, list[Run]], tuner: str, reference: str, quality: float) -> BreakEven:
    mine, other = (_median_time(runs[name], quality) for name in (tuner, reference))
    found = crossing(mine, other)
    what = f"{tuner} reaches a score of {quality:.4g} sooner than {reference}"
    if found is None:
        sentence = f"never in this budget: there is no length of an epoch at which {what}"
    elif found == 0.0:
        sentence = f"whatever an epoch costs, {what}"
    else:
        sentence = f"once an epoch takes more than {found:.2g} s {what}"
    curve = pd.DataFrame({"seconds_per_epoch": EPOCH_SECONDS, "tuner_time": mine, "reference_time": other})
    return BreakEven(tuner, reference, quality, found, sentence, curve)


def _median_time(runs: list[Run], quality: float) -> np.ndarray:
    """Median over runs of the seconds to the quality, at each of ``EPOCH_SECONDS``."""
    times = []
    for scores, seconds, epochs in runs:
        reached = scores <= quality
        first = int(reached.argmax())
        time = seconds[first] + EPOCH_SECONDS * epochs[first]
        times.append(time if reached.any() else np.full(len(EPOCH_SECONDS), np.inf))
    return quantile_band(np.stack(times), (0.5,))[0]


def crossing(mine: np.ndarray, other: np.ndarray, at: np.ndarray = EPOCH_SECONDS) -> float | None:
    """Smallest x from which on ``mine`` stays below ``other``; 0.0 if everywhere, None if not at the last x.

    Both are piecewise linear in x between neighbouring points of ``at``, so the crossing is found by a straight line.
    """
    ahead = mine < other
    if not ahead[-1]:
        return None
    behind = np.flatnonzero(~ahead)
    if len(behind) == 0:
        return 0.0
    i = behind[-1]
    gaps = mine[i : i + 2] - other[i : i + 2]
    if not np.isfinite(gaps).all():
        return float(at[i + 1])
    return float(at[i] + (at[i + 1] - at[i]) * gaps[0] / (gaps[0] - gaps[1]))


STATISTICS = (
    Statistic(
        "costs",
        lambda given: costs(given.records, given["comparisons"], break_even=not given.quick),
        "no trial was recorded",
    ),
)
