"""Ranks over workloads: descriptive below eight data families, because a few workloads carry no test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hptune_bench.analysis.anytime import run_steps, step_values
from hptune_bench.analysis.data_draws import draw_of, testable
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistics import Interval, mean_interval

MIN_FAMILIES = 8
CURVE_POINTS = 100
RANK_LEVEL = 0.96
"""Level of the t interval that covers a mean rank in about 95 %: ranks are skewed and end at 1 and at the number of
tuners, so that one of 95 % covers 92.9 % where a tuner is nearly always last (10 seeds; found on other draws than those
of ``make calibrate``)."""


@dataclass(frozen=True)
class Diagram:
    """What a critical-difference diagram draws (Demsar 2006): each data family ranks the tuners once.

    Attributes:
        average: average rank of each tuner over the families, ascending, indexed by tuner.
        p_values: Nemenyi's p of each pair: a square frame, tuners by tuners.
        friedman_p: of the hypothesis that all tuners rank alike (Friedman, as Iman and Davenport's F): above 0.05 no
            pair may be called different.
        critical_difference: of average ranks at alpha 0.05: q sqrt(k (k+1) / 6N).
    """

    average: pd.Series
    p_values: pd.DataFrame
    friedman_p: float
    critical_difference: float


@dataclass(frozen=True)
class Ranks:
    """Mean rank of each tuner by the score that judges (1 = best): ranked inside each (workload, seed), averaged over
    seeds, then over the workloads of a data family, then over families.

    Attributes:
        table: columns tuner, mean_rank, low, high (``rank_interval`` over the seeds of each workload, or over the
            data draws that they share; NaN where these are too few, see ``data_draws``), workloads; ascending.
        over_time: columns workload, tuner, spent_epochs, mean_rank, low, high (as in ``table``): searches only; a step
            curve on a fixed grid.
        families: independent data families.
        diagram: None below MIN_FAMILIES.
        reason: why there is no diagram, else "".
        by_family: columns family, then one column per tuner: mean rank.
        few_draws: data draws that the replayed seeds of a workload share, where these are too few for an interval.
    """

    table: pd.DataFrame
    over_time: pd.DataFrame
    families: int
    diagram: Diagram | None
    reason: str
    by_family: pd.DataFrame
    few_draws: int | None = None


def ranks(workloads: tuple[Records, ...]) -> Ranks | None:
    """Only tuners that ran on every workload, and seeds that all of them finished; None below two such tuners."""
    workloads = tuple(w for w in workloads if w.tuners)
    tuners = [t for t in workloads[0].tuners if all(t in w.tuners for w in workloads)] if workloads else []
    if len(tuners) < 2:
        return None
    blocks = {w.name: pd.concat({t: w.finals(t) for t in tuners}, axis=1).dropna() for w in workloads}
    workloads = tuple(w for w in workloads if len(blocks[w.name]))
    if not workloads:
        return None
    by_seed = {w.name: rank_rows(blocks[w.name].to_numpy(dtype=float)) for w in workloads}
    family = {w.name: str(w.about.get("family") or w.name) for w in workloads}
    means = _over_families({name: r.mean(axis=0) for name, r in by_seed.items()}, family)
    center = np.mean(list(means.values()), axis=0)
    data = {
        w.name: blocks[w.name].index.to_numpy() if w.draws is None else draw_of(blocks[w.name].index, w.draws)
        for w in workloads
    }
    samples = _over_data(data, by_seed, family)
    few = max((w.draws for w in workloads if w.draws is not None and not testable(w.draws)), default=None)
    several = all(len(sample) > 1 for sample in samples) and few is None
    ends = [rank_interval([sample[:, i] for sample in samples]) if several else None for i in range(len(tuners))]
    table = pd.DataFrame(
        {
            "tuner": tuners,
            "mean_rank": center,
            "low": [e.low if e else math.nan for e in ends],
            "high": [e.high if e else math.nan for e in ends],
            "workloads": len(workloads),
        }
    )
    by_family = pd.DataFrame([{"family": f, **dict(zip(tuners, m, strict=True))} for f, m in means.items()])
    enough = len(means) >= MIN_FAMILIES
    reason = (
        ""
        if enough
        else (
            f"a critical difference needs at least {MIN_FAMILIES} independent data families; here "
            f"{'is' if len(means) == 1 else 'are'} {len(means)}"
        )
    )
    return Ranks(
        table=table.sort_values("mean_rank", kind="stable", ignore_index=True),
        over_time=pd.concat([_over_time(w, tuners) for w in workloads], ignore_index=True),
        families=len(means),
        diagram=diagram(by_family.drop(columns="family")) if enough else None,
        reason=reason,
        by_family=by_family,
        few_draws=few,
    )


def rank_rows(scores: np.ndarray) -> np.ndarray:
    """Rank inside each row, 1 = smallest, ties (+inf too) averaged: (rows, k) to (rows, k)."""
    less = (scores[:, None, :] < scores[:, :, None]).sum(axis=2)
    equal = (scores[:, None, :] == scores[:, :, None]).sum(axis=2)
    return less + (equal + 1) / 2


def rank_interval(samples: Sequence[np.ndarray]) -> Interval:
    """95 % interval of a mean rank: of the mean of the means of independent samples, each (n_i,) with n_i >= 2."""
    return mean_interval(samples, RANK_LEVEL)


def diagram(scores: pd.DataFrame) -> Diagram:
    """Friedman's test and Nemenyi's pairwise one on blocks that rank every tuner once.

    Args:
        scores: one row per data family, one column per tuner, smaller = better; at least two of each.
    """
    from scipy.stats import f, studentized_range

    blocks, k = scores.shape
    ranked = rank_rows(scores.to_numpy(dtype=float))
    average = ranked.mean(axis=0)
    # Friedman's statistic with ties: between-tuner over within-block variance of the ranks.
    within = float(((ranked - (k + 1) / 2) ** 2).sum()) / (blocks * (k - 1))
    chi2 = blocks * float(((average - (k + 1) / 2) ** 2).sum()) / within if within else 0.0
    rest = blocks * (k - 1) - chi2
    friedman = float(f.sf((blocks - 1) * chi2 / rest, k - 1, (k - 1) * (blocks - 1))) if rest > 1e-9 else 0.0
    gaps = np.abs(average[:, None] - average[None, :]) / math.sqrt(k * (k + 1) / (6 * blocks))
    p_values = np.clip(studentized_range.sf(gaps * math.sqrt(2), k, np.inf), 0.0, 1.0)
    names = list(scores.columns)
    return Diagram(
        average=pd.Series(average, index=names).sort_values(kind="stable"),
        p_values=pd.DataFrame(p_values, index=names, columns=names),
        friedman_p=friedman,
        critical_difference=critical_difference(k, blocks),
    )


def critical_difference(tuners: int, blocks: int) -> float:
    """Nemenyi's critical difference of mean ranks at alpha 0.05 (Demsar 2006)."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(0.95, tuners, np.inf) / math.sqrt(2)
    return float(q * math.sqrt(tuners * (tuners + 1) / (6 * blocks)))


def _over_families(by_workload: dict[str, np.ndarray], family: dict[str, str]) -> dict[str, np.ndarray]:
    groups: dict[str, list[np.ndarray]] = {}
    for name, values in by_workload.items():
        groups.setdefault(family[name], []).append(values)
    return {name: np.mean(values, axis=0) for name, values in groups.items()}


def _over_data(data: dict[str, np.ndarray], by_seed: dict[str, np.ndarray], family: dict[str, str]) -> list[np.ndarray]:
    """Ranks (data draws, tuners) of each family: what shares its data is averaged first, siblings and replayed seeds.

    Args:
        data: by workload, the number of the data draw of each row of ``by_seed``.
    """
    groups: dict[str, list[pd.DataFrame]] = {}
    for name, values in by_seed.items():
        groups.setdefault(family[name], []).append(pd.DataFrame(values, index=data[name]))
    return [pd.concat(frames).groupby(level=0).mean().to_numpy() for frames in groups.values()]


def _over_time(records: Records, tuners: list[str]) -> pd.DataFrame:
    columns = ["workload", "tuner", "spent_epochs", "mean_rank", "low", "high"]
    searches = [t for t in tuners if t not in records.trained_once]
    steps = run_steps(records, "spent_epochs", records.judged_by)
    if steps is None or len(searches) < 2:
        return pd.DataFrame(columns=columns)
    grid = np.unique(np.rint(np.geomspace(1, max(2, steps["x"].max()), CURVE_POINTS)))
    curves = {
        key: step_values(run["x"].to_numpy(), run["y"].to_numpy(), grid)
        for key, run in steps.groupby(["tuner", "seed"])
    }
    seeds = [s for s in sorted(steps["seed"].unique()) if all((t, s) in curves for t in searches)]
    if not seeds:
        return pd.DataFrame(columns=columns)
    # (seeds, tuners, grid) to ranks inside each (seed, grid point)
    scores = np.array([[curves[t, s] for t in searches] for s in seeds])
    flat = rank_rows(scores.transpose(0, 2, 1).reshape(-1, len(searches)))
    ranked = flat.reshape(len(seeds), len(grid), len(searches))
    data = seeds if records.draws is None else draw_of(seeds, records.draws)
    independent = [ranked[np.asarray(data) == d].mean(axis=0) for d in dict.fromkeys(data)]
    ends = _ends(np.array(independent)) if testable(records.draws) else np.full((2, *ranked.shape[1:]), math.nan)
    shown = [ranked.mean(axis=0), *ends]
    parts = [
        pd.DataFrame({"workload": records.name, "tuner": t, "spent_epochs": grid}).assign(
            **{name: values[:, i] for name, values in zip(columns[3:], shown, strict=True)}
        )
        for i, t in enumerate(searches)
    ]
    return pd.concat(parts, ignore_index=True)


def _ends(ranked: np.ndarray) -> np.ndarray:
    """Ends (2, points, tuners) of ``rank_interval`` over the first axis of (blocks, points, tuners); NaN for one."""
    if len(ranked) < 2:
        return np.full((2, *ranked.shape[1:]), math.nan)
    found = [rank_interval([values]) for values in ranked.reshape(len(ranked), -1).T]
    return np.array([[each.low for each in found], [each.high for each in found]]).reshape(2, *ranked.shape[1:])
