"""How often the report's statistics err where the truth is known: ``make calibrate``.

Every rule that the report prints, and every rule that it printed before and that failed, is tried on 2,000 campaigns
of 10 and of 30 seeds in each case. The cases come from models of fresh data draws (see ``model.py``), fitted to the
complete tables, and from shapes that no model needs. Seeds, cases and limits were fixed beforehand:

- a difference is called in at most 6 % of the cases where there is none (5 % and two standard errors), whatever the
  shape; the same for "equivalent" where the difference is as large as the margin;
- in at most 6 % of whole reports is any of the primary comparisons called wrongly;
- 95 % intervals cover the truth in 93 to 97 %.

``python -m benchmarks.calibration.rules [--comparisons N] [--tables DIR] [--out DIR] [--workers N]``
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.calibration import given_data
from benchmarks.calibration import model as fresh
from benchmarks.calibration.cases import (
    CHECKPOINT,
    COVERAGE,
    MOST_FALSE,
    SEEDS,
    SHAPES,
    TRIALS,
    TRUTH_FROM,
    Case,
    cases_of,
    covers,
    good,
    normal,
    rate_row,
    search_against_search,
    shape,
)
from benchmarks.calibration.model import Model
from benchmarks.calibration.tried import bootstrap_mean, bootstrap_median, bootstrap_time
from hptune_bench.analysis.comparisons import decide
from hptune_bench.analysis.ranks import rank_interval, rank_rows
from hptune_bench.analysis.statistics import (
    ALPHA,
    Interval,
    mean_interval,
    median,
    median_interval,
    median_p,
    order_statistics,
    paired,
    sign_p,
    signed_rank_p,
    subtract,
)
from hptune_bench.analysis.tabular.scores import Scores, scores_of
from hptune_bench.analysis.targets import time_interval

FOLDER = Path("results/published/calibration")
TABLES = Path("results/published/tables")
PROBLEMS = ("linear_regression", "review_sentiment")
COMPARISONS = 2000
ODD = 21
"""Seeds at which the interval of a median is tried, too: whether the middle is one run or two changes it. Not where
differences lie in two clumps: an interval whose ends are runs covers 92.2 or 97.3 % there and nowhere between."""
MORE = 10
"""So many times more campaigns for a running time. Runs arrive in whole numbers, so that an interval covers a chance of
two in ten in ten runs at 87.9, 96.7 or 99.4 % and nowhere between; 2,000 campaigns, with a standard error of 0.4 %, do
not tell 96.7 from 97."""


# --- rules: those of the report, and others that were tried ------------------------------------------------------


def joined_time(times: np.ndarray, hit: np.ndarray) -> Interval:
    return time_interval(times[hit], len(times), TRIALS)


TESTS: Mapping[str, tuple[bool, Callable[[np.ndarray], float]]] = {
    "signed rank and sign test": (True, median_p),
    "signed rank alone": (False, signed_rank_p),
    "interpolated sign test alone": (False, sign_p),
}
TIMES: Mapping[str, tuple[bool, Callable[[np.ndarray, np.ndarray], Interval]]] = {
    "t and Wilson's interval, joined": (True, joined_time),
    "percentile bootstrap": (False, bootstrap_time),
}
RANKS: Mapping[str, tuple[bool, Callable[[Sequence[np.ndarray]], Interval]]] = {
    "t interval of 96 %": (True, rank_interval),
    "t interval of 95 %": (False, partial(mean_interval, level=0.95)),
    "percentile bootstrap": (False, bootstrap_mean),
}
RANKED = {0: 5, 1: 10, 3: 20}
"""Trials of the searches whose mean rank is looked at, by their place among the four."""
INTERVALS: Mapping[str, tuple[bool, Callable[[np.ndarray], Interval | None]]] = {
    "the wider of bootstrap and order statistics": (True, median_interval),
    "percentile bootstrap": (False, bootstrap_median),
    "interpolated order statistics": (False, order_statistics),
}


def false_calls(case: Case, n: int, count: int) -> list[dict[str, object]]:
    """Median 0: how often a difference is called; median = margin: how often "equivalent" is."""
    d = case.draw(count, n, case.rng("comparisons", n)) - case.truth()
    rows = []
    for name, (used, test) in TESTS.items():
        rate = float(np.mean([test(values) < ALPHA for values in d]))
        rows.append(rate_row("false difference", name, used, case, n, count, rate, 0.0, MOST_FALSE))
    margin = _scale(d)
    for name, (used, test) in TESTS.items():
        p = [max(test(v, "less"), test(v + 2 * margin, "greater")) for v in d]  # type: ignore[call-arg]
        rate = float(np.mean(np.array(p) < ALPHA))
        rows.append(rate_row("false equivalence", name, used, case, n, count, rate, 0.0, MOST_FALSE))
    return rows


def _scale(d: np.ndarray) -> float:
    """Half the width of the middle half of the differences: a margin that equivalence could reach."""
    low, high = np.quantile(d, [0.25, 0.75], method="inverted_cdf")
    return float(high - low) * 2


def covered(case: Case, n: int, count: int) -> list[dict[str, object]]:
    d, truth = case.draw(count, n, case.rng("intervals", n)), case.truth()
    rows = []
    for name, (used, interval) in INTERVALS.items():
        found = [interval(values) for values in d]
        rate = float(np.mean([covers(i, truth) for i in found]))
        rows.append(rate_row("interval of a median", name, used, case, n, count, rate, *COVERAGE))
    return rows


def running_times(world: str, model: Model, n: int, count: int) -> list[dict[str, object]]:
    """Expected running times of random search on new data draws."""
    rows = []
    goal = Case(world, "", lambda *_: np.empty(0))
    rng = goal.rng("targets", n)
    for share in (0.9, 0.5, 0.2):
        case = Case(world, f"a target that {share:.0%} of the runs reach", goal.draw)
        times, hit, level = _hitting(model, TRUTH_FROM, 1, rng, None, share)
        truth = float(times.sum() / hit.sum())
        times, hit, _ = _hitting(model, MORE * count, n, rng, level, share)
        for name, (used, interval) in TIMES.items():
            tried = MORE * count if used else count
            found = [interval(t, h) for t, h in zip(times[:tried], hit[:tried], strict=True)]
            rate = float(np.mean([covers(i, truth) for i in found]))
            rows.append(rate_row("interval of a running time", name, used, case, n, tried, rate, *COVERAGE))
    return rows


def mean_ranks(models: Mapping[str, Model], n: int, count: int) -> list[dict[str, object]]:
    """Mean ranks of four searches, over the new data draws of one problem or of several."""
    worlds = " and ".join(models)
    case = Case(worlds, "four searches", lambda *_: np.empty(0))
    rng = case.rng("ranks", n)
    truths = np.mean([_mean_ranks(m, TRUTH_FROM // 4, 1, rng)[:, 0].mean(axis=0) for m in models.values()], axis=0)
    ranks = [_mean_ranks(model, count, n, rng) for model in models.values()]
    rows = []
    for tuner, trials in RANKED.items():
        named = Case(worlds, f"four searches, the one with {trials} trials", case.draw)
        for name, (used, interval) in RANKS.items():
            found = [interval([each[:, tuner] for each in campaign]) for campaign in zip(*ranks, strict=True)]
            rate = float(np.mean([covers(i, truths[tuner]) for i in found]))
            rows.append(rate_row("interval of a mean rank", name, used, named, n, count, rate, *COVERAGE))
    return rows


def _hitting(
    model: Model, count: int, n: int, rng: np.random.Generator, level: float | None, share: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Trials (count, n) until a score at or below the level (else the budget), whether it was reached, the level."""
    scores = fresh.search(model, TRIALS, fresh.draws(model, (count, n), rng), rng)[1][0]
    best = np.minimum.accumulate(scores, axis=-1)
    if level is None:
        level = float(np.quantile(best[..., -1], share, method="inverted_cdf"))
    reached = best <= level
    hit = reached[..., -1]
    return np.where(hit, reached.argmax(axis=-1) + 1, TRIALS).astype(float), hit, level


def _mean_ranks(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Ranks (count, n, 4) of random search with 5, 10, 20 and 20 trials on the same new data draws."""
    z = fresh.draws(model, (count, n), rng)
    scores = [fresh.selected(fresh.search(model, trials, z, rng)[1]) for trials in (5, 10, 20, 20)]
    return rank_rows(np.stack(scores, axis=-1).reshape(-1, 4)).reshape(count, n, 4)


def whole_reports(world: str, model: Model, n: int, count: int) -> list[dict[str, object]]:
    """The primary family of a report: three tuners against one, after 10 trials and after 20, after Holm."""
    rows = []
    margin = float(model.spread[1][good(model)])
    plans = {
        "all are random search": (TRIALS, TRIALS, TRIALS),
        "one of three has five times the trials": (5 * TRIALS, TRIALS, TRIALS),
    }
    for name, plan in plans.items():
        case = Case(world, name, lambda *_: np.empty(0))
        rng = case.rng("reports", n)
        wrong_difference = wrong_equivalence = right = 0
        bias = _true_medians(model, plan, case.rng("truth", 1))
        for _ in range(count):
            family, truths = _family(model, plan, n, margin, bias, rng)
            outcomes = [found for _, _, found in decide(family)]
            wrong_difference += any(
                (o == "better" and t >= 0) or (o == "worse" and t <= 0) for o, t in zip(outcomes, truths, strict=True)
            )
            wrong_equivalence += any(
                o == "equivalent" and abs(t) >= margin for o, t in zip(outcomes, truths, strict=True)
            )
            right += outcomes[0] == "better"
        for what, wrong in (
            ("wrong in a whole report", wrong_difference),
            ("wrong equivalence in a whole report", wrong_equivalence),
        ):
            rows.append(
                rate_row(what, "Holm over the primary family", True, case, n, count, wrong / count, 0.0, MOST_FALSE)
            )
        if plan[0] != TRIALS:
            row = rate_row(
                "power in a whole report", "Holm over the primary family", True, case, n, count, right / count, 0.0, 1.0
            )
            rows.append({**row, "effect": bias[0]})
    return rows


def _family_scores(
    model: Model, plan: Sequence[int], shape: tuple[int, ...], rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Test scores at the full budget and at the checkpoint: of the reference, then of each tuner."""
    z = fresh.draws(model, shape, rng)
    found = []
    for trials in (TRIALS, *plan):
        scores = fresh.search(model, trials, z, rng)[1]
        found.append((fresh.selected(scores), fresh.selected(scores, CHECKPOINT * trials // TRIALS)))
    return found


def _true_medians(model: Model, plan: Sequence[int], rng: np.random.Generator) -> list[float]:
    """Of each comparison of the family, in its order. Equal plans are the same tuner: exactly 0."""
    reference, *tuners = _family_scores(model, plan, (TRUTH_FROM // 10,), rng)
    return [
        0.0 if trials == TRIALS else float(median(subtract(own[at], reference[at])))
        for at in (0, 1)
        for own, trials in zip(tuners, plan, strict=True)
    ]


def _family(
    model: Model, plan: Sequence[int], n: int, margin: float, truths: list[float], rng: np.random.Generator
) -> tuple[list, list[float]]:
    reference, *tuners = _family_scores(model, plan, (n,), rng)
    return [paired(own[at], reference[at], margin) for at in (0, 1) for own in tuners], truths


def power(world: str, model: Model, n: int, count: int) -> list[dict[str, object]]:
    """Random search with more trials against random search: how often the difference is found, and its true size."""
    rows = []
    for more in (2 * TRIALS, 5 * TRIALS):
        case = Case(world, f"{more} trials against {TRIALS}", partial(search_against_search, more, TRIALS, model))
        truth = case.truth()
        d = case.draw(count, n, case.rng("power", n))
        spread = float(np.subtract(*np.quantile(d[np.isfinite(d)], [0.75, 0.25]))) / 1.349
        for name, (used, test) in TESTS.items():
            calls = np.array([test(values) < ALPHA for values in d])
            row = rate_row("power", name, used, case, n, count, float(calls.mean()), 0.0, 1.0)
            rows.append({**row, "effect": truth, "effect_in_sd": truth / spread})
    case = Case(world, "one configuration against itself", partial(_same, model))
    margin = float(model.spread[1][good(model)])
    d = case.draw(count, n, case.rng("power", n))
    for name, (used, test) in TESTS.items():
        p = [max(test(v - margin, "less"), test(v + margin, "greater")) for v in d]  # type: ignore[call-arg]
        rate = float(np.mean(np.array(p) < ALPHA))
        rows.append({**rate_row("power of equivalence", name, used, case, n, count, rate, 0.0, 1.0), "effect": 0.0})
    return rows


def _same(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    z = fresh.draws(model, (count, n), rng)
    chosen = np.full((count, n, 2), good(model))
    scores = fresh.train(model, chosen, z, rng)[1]
    return subtract(scores[..., 0], scores[..., 1])


def known_shift(n: int, count: int) -> list[dict[str, object]]:
    rows = []
    for size in (0.5, 1.0, 1.5):
        case = Case("shape", f"normal, better by {size:g} standard deviations", partial(shape, normal))
        d = case.draw(count, n, case.rng("power", n)) - size
        for name, (used, test) in TESTS.items():
            rate = float(np.mean([test(values) < ALPHA for values in d]))
            row = rate_row("power", name, used, case, n, count, rate, 0.0, 1.0)
            rows.append({**row, "effect": -size, "effect_in_sd": -size})
    return rows


# --- run, and write down -------------------------------------------------------------------------------------------


def worlds(folder: Path) -> dict[str, Scores]:
    """The scores of the tables of the post's problems, and the made-up ones."""
    from hptune_bench.tabular.parquet import read_table

    found = {name: scores_of(read_table(folder / f"{name}.parquet")) for name in PROBLEMS}
    return {**found, "made up": fresh.synthetic_scores()}


def tasks(tables: Mapping[str, Scores], count: int) -> list[Callable[[], list[dict[str, object]]]]:
    models = {world: fresh.fit(scores.validation, scores.judged) for world, scores in tables.items()}
    cases = [*SHAPES, *(case for world, model in models.items() for case in cases_of(world, model))]
    found: list[Callable[[], list[dict[str, object]]]] = []
    found += [partial(covered, case, n, count) for case in cases for n in (*SEEDS, *(() if case.hostile else (ODD,)))]
    for n in SEEDS:
        found += [partial(false_calls, case, n, count) for case in cases]
        for world, model in models.items():
            found += [partial(kind, world, model, n, count) for kind in (running_times, whole_reports, power)]
            found.append(partial(mean_ranks, {world: model}, n, count))
        if len(models) > 1:
            found.append(partial(mean_ranks, models, n, count))
        found.append(partial(known_shift, n, count))
        found += given_data.tasks(tables, n, count)
    return found


def run(tables: Mapping[str, Scores], count: int, workers: int) -> pd.DataFrame:
    # A process that has started threads, as one with TensorFlow has, must not be forked.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        parts = list(pool.map(_call, tasks(tables, count)))
    return pd.DataFrame([row for part in parts for row in part])


def _call(task: Callable[[], list[dict[str, object]]]) -> list[dict[str, object]]:
    return task()


QUESTIONS = {
    "false difference": "A difference is called where the median difference is 0 (at most 6 %)",
    "false equivalence": "Equivalence is called where the difference is as large as the margin (at most 6 %)",
    "wrong in a whole report": "Any wrong call among the six primary comparisons of a report (at most 6 %)",
    "wrong equivalence in a whole report": "Any wrong equivalence among them (at most 6 %)",
    "interval of a median": "95 % intervals of a median difference cover it (93 to 97 %)",
    "interval of a mean rank": "95 % intervals of a mean rank cover it (93 to 97 %)",
    "interval of a running time": "95 % intervals of an expected running time cover it (93 to 97 %)",
    "false difference on given data": "A difference is called on given data sets where there is none (at most 6 %)",
    "median on given data": "95 % intervals of a median difference on given data sets cover it (93 to 97 %)",
    "share of runs": "95 % intervals of a share of runs on given data sets cover it (93 to 97 %)",
    "proposals that random search needs": "The bracket of what random search needs covers it (93 to 97 %)",
}


def page(frame: pd.DataFrame) -> str:
    """The results as Markdown: what passed, what failed where, and the power."""
    parts = [
        "# The report's statistics on known truth",
        "Written by `make calibrate`; every rate is in `rules.csv`. What the words mean: `docs/calibration.md`.",
        f"{frame['comparisons'].min():,} campaigns or more per rate; worlds: {', '.join(frame['world'].unique())}.",
    ]
    for what, title in QUESTIONS.items():
        mine = frame[frame["what"] == what]
        if mine.empty:
            continue
        rows = []
        for (rule, used, n), group in mine.groupby(["rule", "in_report", "seeds"], sort=False):
            rates = group["rate"].agg(["min", "median", "max"])
            failed = group[~group["passes"]]
            where = "; ".join(f"{r.world}, {r.case}: {r.rate:.1%}" for r in failed.itertuples())
            fate = ("passes" if failed.empty else "fails") + (", in the report" if used else ", not in the report")
            rows.append([rule, n, len(group), *(f"{rate:.1%}" for rate in rates), fate, where or "-"])
        head = ["rule", "seeds", "cases", "smallest", "median", "largest", "verdict", "fails in"]
        parts += [f"## {title}", pd.DataFrame(rows, columns=head).to_markdown(index=False, disable_numparse=True)]
    power = frame[frame["what"].str.startswith("power") & frame["in_report"]]
    shown = power[["what", "world", "case", "seeds", "rate"]].assign(rate=[f"{rate:.0%}" for rate in power["rate"]])
    parts += ["## Power of the rules in the report", shown.to_markdown(index=False, disable_numparse=True)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comparisons", type=int, default=COMPARISONS)
    parser.add_argument("--tables", type=Path, default=TABLES)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    start = time.monotonic()
    frame = run(worlds(given.tables), given.comparisons, given.workers)
    given.out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(given.out / "rules.csv", index=False, float_format="%.6g")
    (given.out / "calibration.md").write_text(page(frame), encoding="utf-8")
    print(f"{len(frame)} rates in {time.monotonic() - start:.0f} s")
    print(frame[~frame["passes"]].to_string())


if __name__ == "__main__":
    main()
