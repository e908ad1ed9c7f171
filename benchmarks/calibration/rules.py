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
import math
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.calibration import model as fresh
from benchmarks.calibration.model import Model
from hptune_bench.analysis.comparisons import decide
from hptune_bench.analysis.ranks import rank_rows
from hptune_bench.analysis.statistics import (
    ALPHA,
    Interval,
    binomial_tail,
    bootstrap_indices,
    interval_of,
    mean_interval,
    median,
    median_interval,
    median_p,
    paired,
    sign_p,
    signed_rank_p,
    subtract,
)
from hptune_bench.analysis.targets import ratio, time_interval

FOLDER = Path("results/published/calibration")
TABLES = Path("results/published/tables")
SEEDS = (10, 30)
COMPARISONS = 2000
MOST_FALSE = 0.06
COVERAGE = (0.93, 0.97)
TRUTH_FROM = 200_000
"""Draws from which a case's true value is found where there is no closed form."""
TRIALS = 20
CHECKPOINT = 10


@dataclass(frozen=True)
class Case:
    """Differences with a known median.

    Attributes:
        world: where it comes from: a table's name, ``made up`` or ``shape``.
        draw: (campaigns, n, rng) -> differences (campaigns, n).
        hostile: built so that a rule must fail if it can: far from anything that a table showed.
        known: the median where it is known exactly; None: found from many draws.
    """

    world: str
    name: str
    draw: Callable[[int, int, np.random.Generator], np.ndarray]
    hostile: bool = False
    known: float | None = None

    @property
    def key(self) -> str:
        return f"{self.world}: {self.name}"

    def rng(self, purpose: str, n: int) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(f"{self.key}/{purpose}".encode()), n])

    def truth(self) -> float:
        """The median of the differences."""
        if self.known is not None:
            return self.known
        return float(median(self.draw(TRUTH_FROM, 1, self.rng("truth", 1))[:, 0]))


# --- differences whose median is known -----------------------------------------------------------------------------


def _search_against_search(
    one: int, other: int, model: Model, count: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    z = fresh.draws(model, (count, n), rng)
    a, b = (fresh.selected(fresh.search(model, trials, z, rng)[1]) for trials in (one, other))
    return subtract(a, b)


def _search_against_choice(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Random search against one good configuration trained once: a wide and skewed score against a narrow one."""
    z = fresh.draws(model, (count, n), rng)
    a = fresh.selected(fresh.search(model, 5, z, rng)[1])
    chosen = np.full((count, n, 1), _good(model))
    return subtract(a, fresh.train(model, chosen, z, rng)[1][..., 0])


def _retraining(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """The winner's curse: retrained minus selected validation score of what random search chose."""
    z = fresh.draws(model, (count, n), rng)
    chosen, scores = fresh.search(model, TRIALS, z, rng)
    best = scores[0].argmin(axis=-1)[..., None]
    again = fresh.train(model, np.take_along_axis(chosen, best, axis=-1), z, rng)[0][..., 0]
    return subtract(again, np.take_along_axis(scores[0], best, axis=-1)[..., 0])


def _level_gap(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """The gap of a question: best score in one half of the configurations minus best in the other half."""
    z = fresh.draws(model, (count, n), rng)
    chosen, scores = fresh.search(model, TRIALS, z, rng)
    half = chosen < model.configurations // 2
    one, other = (np.where(side, scores[0], np.inf).min(axis=-1) for side in (half, ~half))
    return subtract(one, other)


def _good(model: Model) -> int:
    return int(np.where(model.fails > 0, np.inf, model.mean[1]).argmin())


def _shape(
    sample: Callable[[np.random.Generator, tuple[int, int]], np.ndarray], count: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    return sample(rng, (count, n))


def _normal(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.normal(size=size)


def _exponential(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.exponential(size=size)


def _lognormal(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.lognormal(0, 2, size=size)


def _cauchy(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.standard_cauchy(size=size)


def _failing(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.1, np.inf, rng.normal(size=size))


def _far_mixture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.2, 5 + rng.normal(size=size), 0.5 * rng.normal(size=size))


def _clumps(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.5, -1.0, 1.0) + 0.1 * rng.normal(size=size)


def _uneven_clumps(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return np.where(rng.random(size) < 0.5, -1.0, 0.1) + 0.02 * rng.normal(size=size)


SHAPES = (
    Case("shape", "normal", partial(_shape, _normal), known=0.0),
    Case("shape", "exponential", partial(_shape, _exponential), known=math.log(2)),
    Case("shape", "log-normal, sigma 2", partial(_shape, _lognormal), known=1.0),
    Case("shape", "Cauchy", partial(_shape, _cauchy), known=0.0),
    Case("shape", "normal, a tenth fails", partial(_shape, _failing)),
    Case("shape", "a fifth lies far off", partial(_shape, _far_mixture)),
    Case("shape", "two clumps", partial(_shape, _clumps), hostile=True, known=0.0),
    Case("shape", "two uneven clumps", partial(_shape, _uneven_clumps), hostile=True, known=0.0),
)


def cases_of(world: str, model: Model) -> tuple[Case, ...]:
    return (
        Case(world, "random search against itself", partial(_search_against_search, TRIALS, TRIALS, model), known=0.0),
        Case(world, "unequal shapes", partial(_search_against_choice, model)),
        Case(world, "winner's curse", partial(_retraining, model)),
        Case(world, "gap between two halves", partial(_level_gap, model)),
    )


# --- rules: those of the report, and others that were tried ------------------------------------------------------


def order_statistics(values: np.ndarray, level: float = 0.95) -> Interval | None:
    """Interval of the median of whole runs: order statistics, interpolated to the wanted level.

    The k-th smallest and k-th largest value enclose the median with probability g(k) = 1 - 2 P(B <= k - 1), whatever
    the distribution; between the two k on either side of the level it is interpolated as by Hettmansperger and
    Sheather (1986, equation 2.2), which holds the level for smooth distributions.

    Args:
        values: shape (n,), +-inf allowed.

    Returns:
        None where even the extremes do not reach the level (below MIN_SEEDS values at 95 %).
    """
    x = np.sort(np.asarray(values, dtype=float))
    n = len(x)
    inside = [1 - 2 * binomial_tail(k - 1, n) for k in range(n // 2 + 2)]
    reached = [k for k in range(1, n // 2 + 1) if inside[k] >= level]
    if not reached:
        return None
    k = reached[-1]
    share = (inside[k] - level) / (inside[k] - inside[k + 1])
    part = (n - k) * share / (k + (n - 2 * k) * share)
    return Interval(_between(x[k - 1], x[k], part), _between(x[n - k], x[n - k - 1], part))


def _between(outer: float, inner: float, part: float) -> float:
    """The point that lies ``part`` of the way from the outer to the inner value; the outer one if it is infinite."""
    return float(outer if np.isinf(outer) or outer == inner else (1 - part) * outer + part * inner)


def bootstrap_time(times: np.ndarray, hit: np.ndarray) -> Interval:
    """The interval that the report once printed beside an expected running time: percentiles over 5,000 resamples."""
    index = bootstrap_indices(len(times))
    return interval_of(ratio(times[index].sum(axis=1), hit[index].sum(axis=1)))


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
INTERVALS: Mapping[str, tuple[bool, Callable[[np.ndarray], Interval | None]]] = {
    "percentile bootstrap": (True, median_interval),
    "interpolated order statistics": (False, order_statistics),
}


def _row(
    what: str, rule: str, used: bool, case: Case, n: int, count: int, rate: float, low: float, high: float
) -> dict[str, object]:
    return {
        "what": what,
        "rule": rule,
        "in_report": used,
        "world": case.world,
        "case": case.name,
        "hostile": case.hostile,
        "seeds": n,
        "comparisons": count,
        "rate": rate,
        "at_least": low,
        "at_most": high,
        "passes": bool(low <= rate <= high),
    }


def false_calls(case: Case, n: int, count: int) -> list[dict[str, object]]:
    """Median 0: how often a difference is called; median = margin: how often "equivalent" is."""
    d = case.draw(count, n, case.rng("comparisons", n)) - case.truth()
    rows = []
    for name, (used, test) in TESTS.items():
        rate = float(np.mean([test(values) < ALPHA for values in d]))
        rows.append(_row("false difference", name, used, case, n, count, rate, 0.0, MOST_FALSE))
    margin = _scale(d)
    for name, (used, test) in TESTS.items():
        p = [max(test(v, "less"), test(v + 2 * margin, "greater")) for v in d]  # type: ignore[call-arg]
        rate = float(np.mean(np.array(p) < ALPHA))
        rows.append(_row("false equivalence", name, used, case, n, count, rate, 0.0, MOST_FALSE))
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
        rate = float(np.mean([i is not None and i.low <= truth <= i.high for i in found]))
        rows.append(_row("interval of a median", name, used, case, n, count, rate, *COVERAGE))
    return rows


def times_and_ranks(world: str, model: Model, n: int, count: int) -> list[dict[str, object]]:
    """Expected running times of random search, and mean ranks of four searches, on new data draws."""
    rows = []
    goal = Case(world, "", lambda *_: np.empty(0))
    rng = goal.rng("targets", n)
    for share in (0.9, 0.5, 0.2):
        case = Case(world, f"a target that {share:.0%} of the runs reach", goal.draw)
        times, hit, level = _hitting(model, TRUTH_FROM, 1, rng, None, share)
        truth = float(times.sum() / hit.sum())
        times, hit, _ = _hitting(model, count, n, rng, level, share)
        for name, (used, interval) in TIMES.items():
            found = [interval(t, h) for t, h in zip(times, hit, strict=True)]
            rate = float(np.mean([i.low <= truth <= i.high for i in found]))
            rows.append(_row("interval of a running time", name, used, case, n, count, rate, *COVERAGE))
    case = Case(world, "four searches", goal.draw)
    truths = _mean_ranks(model, TRUTH_FROM // 4, 1, rng)[:, 0].mean(axis=0)
    ranks = _mean_ranks(model, count, n, rng)
    for name, used in (("t interval", True), ("percentile bootstrap", False)):
        hits = []
        for campaign in ranks:
            for tuner in (0, 3):
                values = campaign[:, tuner]
                i = mean_interval([values]) if used else interval_of(values[bootstrap_indices(n)].mean(axis=1))
                hits.append(i.low <= truths[tuner] <= i.high)
        rows.append(_row("interval of a mean rank", name, used, case, n, 2 * count, float(np.mean(hits)), *COVERAGE))
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
    margin = float(model.spread[1][_good(model)])
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
                _row(what, "Holm over the primary family", True, case, n, count, wrong / count, 0.0, MOST_FALSE)
            )
        if plan[0] != TRIALS:
            row = _row(
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
        case = Case(world, f"{more} trials against {TRIALS}", partial(_search_against_search, more, TRIALS, model))
        truth = case.truth()
        d = case.draw(count, n, case.rng("power", n))
        spread = float(np.subtract(*np.quantile(d[np.isfinite(d)], [0.75, 0.25]))) / 1.349
        for name, (used, test) in TESTS.items():
            calls = np.array([test(values) < ALPHA for values in d])
            row = _row("power", name, used, case, n, count, float(calls.mean()), 0.0, 1.0)
            rows.append({**row, "effect": truth, "effect_in_sd": truth / spread})
    case = Case(world, "one configuration against itself", partial(_same, model))
    margin = float(model.spread[1][_good(model)])
    d = case.draw(count, n, case.rng("power", n))
    for name, (used, test) in TESTS.items():
        p = [max(test(v - margin, "less"), test(v + margin, "greater")) for v in d]  # type: ignore[call-arg]
        rate = float(np.mean(np.array(p) < ALPHA))
        rows.append({**_row("power of equivalence", name, used, case, n, count, rate, 0.0, 1.0), "effect": 0.0})
    return rows


def _same(model: Model, count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    z = fresh.draws(model, (count, n), rng)
    chosen = np.full((count, n, 2), _good(model))
    scores = fresh.train(model, chosen, z, rng)[1]
    return subtract(scores[..., 0], scores[..., 1])


def known_shift(n: int, count: int) -> list[dict[str, object]]:
    rows = []
    for size in (0.5, 1.0, 1.5):
        case = Case("shape", f"normal, better by {size:g} standard deviations", partial(_shape, _normal))
        d = case.draw(count, n, case.rng("power", n)) - size
        for name, (used, test) in TESTS.items():
            rate = float(np.mean([test(values) < ALPHA for values in d]))
            row = _row("power", name, used, case, n, count, rate, 0.0, 1.0)
            rows.append({**row, "effect": -size, "effect_in_sd": -size})
    return rows


# --- run, and write down -------------------------------------------------------------------------------------------


def worlds(folder: Path) -> dict[str, Model]:
    """A model for each table in the folder, and the made-up one."""
    from hptune_bench.analysis.truth import scores_of
    from hptune_bench.tables import read_table

    found = {}
    for path in sorted(folder.glob("*.parquet")):
        scores = scores_of(read_table(path))
        found[path.stem] = fresh.fit(scores.validation, scores.judged)
    return {**found, "made up": fresh.synthetic()}


def tasks(models: Mapping[str, Model], count: int) -> list[Callable[[], list[dict[str, object]]]]:
    cases = [*SHAPES, *(case for world, model in models.items() for case in cases_of(world, model))]
    found: list[Callable[[], list[dict[str, object]]]] = []
    for n in SEEDS:
        found += [partial(kind, case, n, count) for case in cases for kind in (false_calls, covered)]
        for world, model in models.items():
            found += [partial(kind, world, model, n, count) for kind in (times_and_ranks, whole_reports, power)]
        found.append(partial(known_shift, n, count))
    return found


def run(models: Mapping[str, Model], count: int, workers: int) -> pd.DataFrame:
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(_call, tasks(models, count)))
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
