"""Two campaigns of one benchmark side by side: another machine, other versions, another trainer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hptune_bench.analysis.data_draws import over_data, shared_draws
from hptune_bench.analysis.statistics import Interval, Paired, median, median_interval, paired, subtract
from hptune_bench.core.errors import UserError
from hptune_bench.store.results import Results

CLOCKS = ("train_s", "tuner_s", "wall_s")
KEYS = ["workload", "tuner", "seed"]


@dataclass(frozen=True)
class Ratio:
    """Median over seeds of second / first, with its 95 % interval (None below six seeds)."""

    median: float
    interval: Interval | None


@dataclass(frozen=True)
class SideBySide:
    """One tuner on one workload in both campaigns.

    Attributes:
        seeds: seeds that both finished.
        first, second: median test score over these seeds (validation score where there is no test split); a failed run
            counts as +inf.
        difference: second against first, paired by seed, or by the data draws that replayed seeds share; negative =
            the second is better.
        ratios: by clock (``CLOCKS``); a clock that no seed has in both is left out.
    """

    workload: str
    tuner: str
    seeds: int
    first: float
    second: float
    difference: Paired
    ratios: dict[str, Ratio]


def side_by_side(first: Results, second: Results) -> tuple[SideBySide, ...]:
    """Every workload and tuner with a common finished seed, in the order of their names.

    Raises:
        UserError: two benchmarks, two definitions of one workload, or no common run.
    """
    _refuse_others(first, second)
    a, b = _finished(first), _finished(second)
    both = a.merge(b, on=KEYS, suffixes=("_first", "_second")) if len(a) and len(b) else pd.DataFrame()
    if both.empty:
        raise UserError(f"{second.path}: has no finished run in common with {first.path}; compare folders that do")
    abouts = first.manifest["workloads"]
    return tuple(
        _compared(rows, shared_draws(abouts.get(rows["workload"].iloc[0]) or {}, rows["seed"]))
        for _, rows in both.groupby(["workload", "tuner"], sort=True)
    )


def _refuse_others(first: Results, second: Results) -> None:
    names = first.manifest["name"], second.manifest["name"]
    if names[0] != names[1]:
        raise UserError(
            f"{second.path}: this is benchmark {names[1]!r}, but {first.path} is {names[0]!r}; compare folders of one "
            "benchmark"
        )
    for name, about in first.manifest["workloads"].items():
        other = second.manifest["workloads"].get(name, about)
        for key in ("objective", "test_metric", "budget", "options"):
            if other.get(key) != about.get(key):
                raise UserError(
                    f"{second.path}: workload {name!r} has {key} {other.get(key)}, but {about.get(key)} in "
                    f"{first.path}; compare folders of one definition"
                )


def _finished(campaign: Results) -> pd.DataFrame:
    """Finished runs with the score that is compared."""
    runs = campaign.runs
    if runs.empty:
        return runs
    runs = runs[runs["status"] != "interrupted"].copy()
    score = runs["test_score"].astype(float)
    tested = score.notna().groupby(runs["workload"]).transform("any")
    runs["compared"] = score.where(tested, runs["best_score"]).astype(float)
    runs.loc[(runs["status"] == "failed") | runs["compared"].isna(), "compared"] = np.inf
    return runs[[*KEYS, "compared", *CLOCKS]]


def _compared(rows: pd.DataFrame, draws: int | None) -> SideBySide:
    first, second = rows["compared_first"].to_numpy(), rows["compared_second"].to_numpy()
    change = paired(second, first)
    if draws is not None:
        by_draw = over_data(pd.Series(subtract(second, first), index=rows["seed"]), draws)
        change = paired(by_draw, np.zeros(len(by_draw)))
    ratios = {}
    for clock in CLOCKS:
        old, new = rows[f"{clock}_first"].to_numpy(float), rows[f"{clock}_second"].to_numpy(float)
        usable = (old > 0) & (new > 0) & np.isfinite(old) & np.isfinite(new)
        if usable.any():
            ratio = new[usable] / old[usable]
            ratios[clock] = Ratio(float(median(ratio)), median_interval(ratio))
    return SideBySide(
        workload=str(rows["workload"].iloc[0]),
        tuner=str(rows["tuner"].iloc[0]),
        seeds=len(rows),
        first=float(median(first)),
        second=float(median(second)),
        difference=change,
        ratios=ratios,
    )
