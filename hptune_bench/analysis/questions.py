"""The post's questions ("is normalising needed? 32 units? Adam? a rate of 0.001?"), for any hyperparameter.

Three views, because they can disagree: the marginal over everything else, the best that is reachable at each level, and
matched pairs that differ in this hyperparameter only. All from sampled trials: an estimate that depends on where the
tuners looked. Statistics are taken inside each seed first and summarised over seeds, never over pooled cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from hptune_bench.analysis.data_draws import median_over
from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.levels import full_trainings, is_number, levels_of
from hptune_bench.analysis.statistic import Given, Statistic
from hptune_bench.analysis.statistics import MIN_SEEDS, Interval, median, subtract
from hptune_bench.core.tuner_info import Role

Answer = Literal["better", "needed", "open"]
UNBIASED: tuple[Role, ...] = ("random", "enumeration")
"""Roles of tuners whose choices do not follow results: the marginal view uses them alone where they ran."""


@dataclass(frozen=True)
class Question:
    """One hyperparameter. Scores are validation scores (excess loss where ``Records.excess``).

    Attributes:
        name: of the hyperparameter. kind: Boolean, Choice, Int or Float. untuned: its copied value (None: not known).
        levels: one row per level (value, or bin of a continuous range), columns level (label), low, high (numbers, NaN
            for categories), untuned (bool: holds the copied value), trials, failed (trials without a finite score),
            marginal (median over seeds of the seed's median score; +inf = most trials failed), marginal_low,
            marginal_high (95 % over seeds, NaN below six), best (median over seeds of the best score at this level),
            best_low, best_high, gap (median over seeds of best here - best at the copied level: negative = this level
            can do better; NaN where unknown), gap_low, gap_high, edge (the level lies at an end of the range).
        matched: this level against the copied one, everything else and the seed equal: columns level, against, pairs,
            seeds, median_difference (over seeds of the seed's median of level - against), low, high, wins (share of
            pairs in which the level has the smaller score).
        best_marginal, best_reachable: label of the best level in either view; "" where there is none.
        marginal_from: tuners that the marginal view rests on.
        answer: ``better`` (another level can do better than the copied one), ``needed`` (every other level is worse),
            or ``open`` (neither is shown).
        verdict: one or two sentences from rules.
        trials: how many sampled trials it rests on.
    """

    name: str
    kind: str
    untuned: object
    levels: pd.DataFrame
    matched: pd.DataFrame
    best_marginal: str
    best_reachable: str
    marginal_from: tuple[str, ...]
    answer: Answer
    verdict: str
    trials: int


def questions(records: Records, margin: float | None) -> tuple[Question, ...]:
    """One per hyperparameter, in the order of the space; empty without full trainings.

    Args:
        margin: retraining noise of the validation score (``Noise.validation_sd``); None: unknown, taken as 0.
    """
    trials, values = full_trainings(records)
    if trials.empty:
        return ()
    specs = {str(hp["name"]): hp for hp in records.about.get("space") or ()}
    names = [name for name in records.hyperparameters if name in values]
    return tuple(_question(records, name, specs.get(name, {}), trials, values, margin or 0.0) for name in names)


def _question(
    records: Records,
    name: str,
    spec: Mapping[str, Any],
    trials: pd.DataFrame,
    values: pd.DataFrame,
    margin: float,
) -> Question:
    known = values[name].notna()
    mine, column = trials[known], values.loc[known, name]
    untuned = (records.about.get("untuned") or {}).get(name)
    levels, labels = levels_of(column, spec, untuned)
    frame = pd.DataFrame(
        {
            "seed": mine["seed"],
            "tuner": mine["tuner"],
            "level": labels,
            "score": mine["validation"].astype(float),
        }
    )
    tried = sorted(frame["tuner"].unique())
    sources = tuple(t for role in UNBIASED for t in tried if records.infos[t].role == role) or tuple(tried)
    copied = levels.loc[levels["untuned"], "level"]
    reference = str(copied.iloc[0]) if len(copied) else ""
    levels = levels.merge(_views(frame, sources, reference, records.draws), on="level", how="left")
    levels = levels.astype({"trials": float}).fillna({"trials": 0, "failed": 0}).astype({"trials": int, "failed": int})
    others = ["\x1f".join(map(str, row)) for row in values.loc[known].drop(columns=name).to_numpy()]
    matched = _matched(frame.assign(rest=others), list(levels["level"]), reference, records.draws)
    best = {view: _best(levels, view) for view in ("marginal", "best")}
    guessed = "" if column.empty else "Float" if is_number(column.iloc[0]) else "Choice"
    return Question(
        name=name,
        kind=str(spec.get("kind") or guessed),
        untuned=untuned,
        levels=levels,
        matched=matched,
        best_marginal=best["marginal"],
        best_reachable=best["best"],
        marginal_from=sources,
        answer=answer_on(levels, margin),
        verdict=verdict_on(name, levels, matched, margin, records.draws),
        trials=len(frame),
    )


def _best(levels: pd.DataFrame, view: str) -> str:
    finite = levels[np.isfinite(levels[view].astype(float))]
    return str(finite["level"].iloc[int(finite[view].argmin())]) if len(finite) else ""


def _views(frame: pd.DataFrame, sources: tuple[str, ...], reference: str, draws: int | None) -> pd.DataFrame:
    best = frame.groupby(["level", "seed"])["score"].min().unstack("seed")
    typical = frame[frame["tuner"].isin(sources)].groupby(["level", "seed"])["score"].agg(_median).unstack("seed")
    rows = []
    for level, group in frame.groupby("level"):
        row: dict[str, Any] = {"level": level, "trials": len(group), "failed": int(np.isinf(group["score"]).sum())}
        row |= _over_seeds("marginal", _row(typical, level), draws)
        row |= _over_seeds("best", _row(best, level), draws)
        gap = None
        if reference in best.index:
            here, copied = (best.loc[[name]].to_numpy(dtype=float)[0] for name in (level, reference))
            gap = pd.Series(subtract(here, copied), index=best.columns)
        rows.append(row | _over_seeds("gap", gap, draws))
    columns = ["level", "trials", "failed"]
    columns += [f"{view}{end}" for view in ("marginal", "best", "gap") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=columns)


def _row(table: pd.DataFrame, level: object) -> pd.Series | None:
    """One level's scores by seed."""
    return table.loc[[level]].iloc[0] if level in table.index else None


def _median(scores: pd.Series) -> float:
    return float(median(scores.to_numpy(dtype=float)))


def _over_seeds(name: str, by_seed: pd.Series | None, draws: int | None) -> dict[str, float]:
    values = by_seed.dropna() if by_seed is not None else pd.Series(dtype=float)
    if len(values) == 0:
        return {name: math.nan, f"{name}_low": math.nan, f"{name}_high": math.nan}
    middle, found = median_over(values, draws)
    interval = found or Interval(math.nan, math.nan)
    return {name: middle, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _matched(frame: pd.DataFrame, levels: list[str], reference: str, draws: int | None) -> pd.DataFrame:
    columns = ["level", "against", "pairs", "seeds", "median_difference", "low", "high", "wins"]
    cells = frame.groupby(["seed", "rest", "level"])["score"].mean()
    if reference not in cells.index.get_level_values("level"):
        return pd.DataFrame(columns=columns)
    base = cells.xs(reference, level="level").rename("reference")
    rows = []
    for level in levels:
        if level == reference or level not in cells.index.get_level_values("level"):
            continue
        both = cells.xs(level, level="level").rename("score").to_frame().join(base, how="inner")
        if both.empty:
            continue
        d = pd.Series(subtract(both["score"].to_numpy(), both["reference"].to_numpy()), index=both.index)
        by_seed = d.groupby("seed").agg(_median).dropna()
        over = _over_seeds("median_difference", by_seed, draws)
        wins = float((d < 0).mean() + (d == 0).mean() / 2)
        rows.append([level, reference, len(d), len(by_seed), *over.values(), wins])
    return pd.DataFrame(rows, columns=columns)


def verdict_on(name: str, levels: pd.DataFrame, matched: pd.DataFrame, margin: float, draws: int | None) -> str:
    """The rule, in words, on ``Question.levels`` and ``matched``.

    A level is called better or worse than the copied one only where the best score reachable at it differs by more than
    the margin and the interval over seeds excludes 0. Matched pairs that contradict are said to.
    """
    copied = levels[levels["untuned"]]
    reachable = levels[np.isfinite(levels["best"].astype(float))]
    if reachable.empty:
        return f"No trial reached a finite score, so nothing can be said about {name}."
    best = reachable.iloc[int(reachable["best"].argmin())]
    edge = " (at the edge of the range: widen it before trusting that)" if best["edge"] and len(levels) > 2 else ""
    views = _disagreement(levels, best)
    if copied.empty or copied["trials"].sum() == 0:
        return f"Best reachable with {name} = {best['level']}{edge}; no search tried the copied value.{views}"
    label = f"{name} = {copied['level'].iloc[0]}"
    others = levels[~levels["untuned"] & levels["gap"].notna()]
    if others.empty:
        return f"Only {label} was tried, so nothing can be said about other values."
    if others["gap_low"].isna().all():
        few = f"from fewer than {MIN_SEEDS} {'seeds' if draws is None else 'data sets'}: no answer yet"
        return f"Best reachable with {name} = {best['level']}{edge}, {few}.{views}"
    better, worse = _beyond(others, margin)
    noise = f"beyond the retraining noise of {margin:.2g}" if margin else "with an interval that excludes 0"
    if len(better):
        top = better.iloc[int(better["gap"].argmin())]
        size = f"{-top['gap']:.3g} [{-top['gap_high']:.3g}, {-top['gap_low']:.3g}]"
        text = f"{name} = {top['level']} can do better than the copied {label} by {size}, {noise}"
        text += edge if top["level"] == best["level"] else ""
    elif len(worse) == len(others):
        top = worse.iloc[int(worse["gap"].argmin())]
        text = f"{label} is needed: even the next best value ({top['level']}) stays {top['gap']:.3g} behind"
        text += f" [{top['gap_low']:.3g}, {top['gap_high']:.3g}], {noise}"
    else:
        text = f"{label} is right, or as good as any other value as far as these trials can tell"
        if len(worse):
            text += f"; worse {noise}: {', '.join(worse['level'])}"
    return f"{text}.{views}{_contradiction(matched, better, worse)}"


def answer_on(levels: pd.DataFrame, margin: float) -> Answer:
    """The rule of ``verdict_on`` in one word."""
    others = levels[~levels["untuned"] & levels["gap"].notna()]
    better, worse = _beyond(others, margin)
    return "better" if len(better) else "needed" if len(others) and len(worse) == len(others) else "open"


def _beyond(others: pd.DataFrame, margin: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The levels that differ from the copied one by more than the margin, with an interval that excludes 0."""
    better = others[(others["gap"] < -margin) & (others["gap_high"] < 0)]
    return better, others[(others["gap"] > margin) & (others["gap_low"] > 0)]


def _disagreement(levels: pd.DataFrame, best: pd.Series) -> str:
    marginal = _best(levels, "marginal")
    if marginal in ("", best["level"]):
        return ""
    return f" Averaged over everything else {marginal} looks best; with the rest tuned, {best['level']}."


def _contradiction(matched: pd.DataFrame, better: pd.DataFrame, worse: pd.DataFrame) -> str:
    against = matched[
        (matched["level"].isin(better["level"]) & (matched["low"] > 0))
        | (matched["level"].isin(worse["level"]) & (matched["high"] < 0))
    ]
    if against.empty:
        return ""
    return f" Matched pairs say the opposite for {', '.join(against['level'])}: it depends on the other values."


def _of_workload(given: Given) -> tuple[Question, ...]:
    sd = given["noise"].validation_sd
    return questions(given.records, sd if sd > 0 else None)


STATISTICS = (
    Statistic(
        "questions",
        _of_workload,
        "no search has trained a configuration to its end",
        folded=True,
        nothing=(),
    ),
)
