"""A small seeded generator of campaigns with plausible curves, for tests of the reading half.

No result in it is real: scores follow closed forms that mimic the two problems of the post (a cliff and a noisy
plateau; a curve that flattens with the number of words), and the tuners are caricatures of the real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hptune_bench.core.space import canonical
from hptune_bench.store.columns import EPOCHS, RUNS, Column
from hptune_bench.store.results import Results
from hptune_bench.store.trial import NOISE, TRIALS
from hptune_bench.store.upgrade import upgraded

ALL_TUNERS = (
    "manual_sweep",
    "manual_grid",
    "untuned",
    "untuned_restarts",
    "post_winner",
    "random_search",
    "bayesian_optimization",
    "hyperband",
    "random_search_repaired",
    "bayesian_optimization_repaired",
    "hyperband_repaired",
)
CONTINUES = ("hyperband", "hyperband_repaired")
Config = dict[str, Any]


@dataclass(frozen=True)
class Toy:
    """A closed-form workload: ``excess(configuration)`` is the loss above the irreducible part; NaN diverges."""

    entry: Mapping[str, Any]
    excess: Callable[[Config], float]
    noise_floor: float
    floor_sd: float
    retrain_sd: float
    start: float
    seconds_per_epoch: float
    knows_truth: bool


def _regression() -> Toy:
    space = [
        {"name": "normalize", "kind": "Boolean", "default": False, "conditions": []},
        {"name": "neurons", "kind": "Int", "low": 4, "high": 32, "step": 4, "log": False, "conditions": []},
        {
            "name": "learning_rate",
            "kind": "Float",
            "low": 1e-4,
            "high": 0.2,
            "step": None,
            "log": True,
            "conditions": [],
        },
        {"name": "optimizer", "kind": "Choice", "values": ["adam", "sgd"], "conditions": []},
    ]
    entry = {
        "title": "Linear regression of the post",
        "teaches": "A cliff and a plateau.",
        "data_label": "",
        "family": "linear",
        "objective": "val_loss",
        "direction": "min",
        "metrics": {"val_mae": "min"},
        "test_metric": "excess_loss",
        "full_epochs": 50,
        "budget": {"trainings": 20},
        "budget_epochs": 1000,
        "space": space,
        "untuned": {"normalize": True, "neurons": 32, "learning_rate": 0.001, "optimizer": "adam"},
        "hand_picked": {
            "normalize": [False, True],
            "neurons": [4, 16, 32],
            "learning_rate": [1e-4, 1e-3, 1e-2, 1e-1],
            "optimizer": ["adam", "sgd"],
        },
        "sweep_order": None,
        "published": {"normalize": False, "neurons": 16, "learning_rate": 0.0405, "optimizer": "adam"},
        "trainer": "compiled",
        "engine": "xla",
        "trainer_note": None,
        "rows": {"train": 8000, "validation": 1000, "test": 1000},
    }

    def excess(c: Config) -> float:
        rate = c["learning_rate"]
        if c["optimizer"] == "sgd":
            if rate > (0.01 if c["normalize"] else 0.12):
                return math.nan
            if not c["normalize"]:
                return 820.0
        best = 0.008 if c["normalize"] else 0.02
        return 0.015 + 0.06 * math.log10(rate / best) ** 2 + 0.1 / c["neurons"]

    return Toy(entry, excess, 33.33, 0.94, 0.012, 850.0, 0.5, True)


def _reviews() -> Toy:
    space = [
        {"name": "word_count", "kind": "Int", "low": 10, "high": 100, "step": 5, "log": False, "conditions": []},
        {"name": "vocab_count", "kind": "Int", "low": 500, "high": 1500, "step": 100, "log": False, "conditions": []},
    ]
    entry = {
        "title": "Review sentiment of the notebook",
        "teaches": "A curve that flattens.",
        "data_label": "simulated",
        "family": "reviews",
        "objective": "val_loss",
        "direction": "min",
        "metrics": {"val_accuracy": "max"},
        "test_metric": "loss",
        "full_epochs": 5,
        "budget": {"trainings": 20},
        "budget_epochs": 100,
        "space": space,
        "untuned": {"word_count": 50, "vocab_count": 700},
        "hand_picked": {"word_count": list(range(10, 101, 5)), "vocab_count": list(range(500, 1501, 100))},
        "sweep_order": ["word_count", "vocab_count"],
        "published": {"word_count": 80, "vocab_count": 800},
        "trainer": "compiled",
        "engine": "loop",
        "trainer_note": None,
        "rows": {"train": 14000, "validation": 6000, "test": 6000},
    }

    def excess(c: Config) -> float:
        return 0.82 + 0.14 * math.exp(-c["word_count"] / 18) - 0.00001 * (c["vocab_count"] - 500)

    return Toy(entry, excess, 0.0, 0.004, 0.003, 1.09, 1.2, False)


TOYS: dict[str, Callable[[], Toy]] = {"linear_regression": _regression, "review_sentiment": _reviews}


def synthetic_campaign(
    seeds: int = 6,
    tuners: Iterable[str] = ALL_TUNERS,
    workloads: Iterable[str] = ("linear_regression", "review_sentiment"),
    factor: Mapping[tuple[str, str] | str, float] | None = None,
    failing: Iterable[str] = (),
    noise: bool = True,
    stock_clock: bool = True,
    epochs: bool = True,
    random_seed: int = 0,
) -> Results:
    """A finished campaign.

    Args:
        factor: multiplies the loss above the irreducible part that a tuner's trainings reach, by tuner or by
            (workload, tuner): below 1 makes it better than it can be, above 1 worse.
        failing: tuners whose every run fails after its third trial.
        noise, stock_clock, epochs: whether these frames are filled.

    Names that ``TOYS`` does not know are copies of ``linear_regression``.
    """
    rng = np.random.default_rng(random_seed)
    tuners, workloads, factor = tuple(tuners), tuple(workloads), factor or {}
    rows: dict[str, list[dict[str, Any]]] = {"runs": [], "trials": [], "noise": [], "stock_clock": []}
    frames: list[pd.DataFrame] = []
    toys = {name: TOYS.get(name, _regression)() for name in workloads}
    for workload, toy in toys.items():
        for seed in range(1, seeds + 1):
            floor = toy.noise_floor + rng.normal(0, toy.floor_sd)
            for tuner in tuners:
                scale = factor.get((workload, tuner), factor.get(tuner, 1.0))
                _run(workload, toy, tuner, seed, floor, scale, tuner in failing, rng, rows, frames if epochs else None)
            if noise:
                _retrain(workload, toy, tuners, seed, floor, factor, rng, rows)
        if stock_clock:
            rows["stock_clock"] += _stock(workload, toy)
    runs, trials = pd.DataFrame(rows["runs"]), pd.DataFrame(rows["trials"])
    _complete(runs, RUNS)
    _complete(trials, TRIALS)
    noise_frame = pd.DataFrame(rows["noise"])
    if noise:
        _complete(noise_frame, NOISE)
    epoch_frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    if len(epoch_frame):
        _complete(epoch_frame, EPOCHS)
    return Results(
        path=Path("results/synthetic"),
        manifest=upgraded(_manifest(toys, tuners, seeds, runs)),
        runs=runs,
        trials=trials,
        epochs=epoch_frame,
        noise=noise_frame,
        stock_clock=pd.DataFrame(rows["stock_clock"]),
    )


def _manifest(toys: Mapping[str, Toy], tuners: tuple[str, ...], seeds: int, runs: pd.DataFrame) -> dict[str, Any]:
    means = runs[runs.status == "done"].groupby(["workload", "tuner"]).test_score.mean()
    best = {
        name: {"test_score": float(means[name].min()), "tuner": means[name].idxmin()}
        for name in toys
        if name in means.index.get_level_values(0)
    }
    return {
        "schema": 1,
        "name": "synthetic",
        "title": "Synthetic campaign",
        "status": "finished",
        "command": "hptune-bench run benchmarks/synthetic.toml",
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T01:00:00+00:00",
        "benchmark": {
            "name": "synthetic",
            "title": "Synthetic campaign",
            "seeds": seeds,
            "trainer": "compiled",
            "tuners": list(tuners),
            "primary": {
                "tuners": ["random_search", "bayesian_optimization", "hyperband"],
                "against": "manual_sweep",
            },
            "checkpoint_trials": 10,
            "workloads": [
                {"name": name, "options": {}, "budget": toy.entry["budget"], "tuners": list(tuners)}
                for name, toy in toys.items()
            ],
        },
        "environment": {"python": "3.11.7", "cpu": "synthetic", "cores": 2},
        "workloads": {name: {**toy.entry, "fingerprint": "0" * 64} for name, toy in toys.items()},
        "planned_runs": len(toys) * len(tuners) * seeds,
        "finished_runs": len(runs),
        "warnings": [],
        "best_models": {},
        "best_known": best,
        "files": {},
    }


def _complete(frame: pd.DataFrame, columns: tuple[Column, ...]) -> None:
    missing = {column.name for column in columns if column.around is None} - set(frame.columns)
    if missing:
        raise AssertionError(f"the generator lacks columns: {sorted(missing)}")


def _train(toy: Toy, c: Config, scale: float, rng: np.random.Generator) -> tuple[float, float]:
    """(validation, test) loss above the irreducible part at the best epoch; NaN: diverged at once."""
    level = toy.excess(c)
    if math.isnan(level):
        return math.nan, math.nan
    if level > 100:
        return level, level
    spread = abs(rng.normal(0, toy.retrain_sd)) if toy.knows_truth else rng.normal(0, toy.retrain_sd)
    level = level * scale + spread
    return level + rng.normal(0, toy.retrain_sd / 3), level + rng.normal(0, toy.retrain_sd / 5)


def _draw(entry: Mapping[str, Any], rng: np.random.Generator) -> Config:
    c: Config = {}
    for hp in entry["space"]:
        if hp["kind"] == "Boolean":
            c[hp["name"]] = bool(rng.integers(2))
        elif hp["kind"] == "Choice":
            c[hp["name"]] = hp["values"][rng.integers(len(hp["values"]))]
        elif hp["kind"] == "Int":
            c[hp["name"]] = int(rng.integers((hp["high"] - hp["low"]) // hp["step"] + 1) * hp["step"] + hp["low"])
        else:
            c[hp["name"]] = float(f"{math.exp(rng.uniform(math.log(hp['low']), math.log(hp['high']))):.6g}")
    return c


def _propose(
    tuner: str, toy: Toy, trial: int, best: Config | None, sweep: list[tuple[str, Any]], rng: np.random.Generator
) -> Config:
    entry = toy.entry
    if tuner in ("untuned", "untuned_restarts"):
        return dict(entry["untuned"])
    if tuner == "post_winner":
        return dict(entry["published"])
    if tuner == "manual_sweep":
        name, value = sweep[(trial - 1) % len(sweep)]
        return {**(best or entry["untuned"]), name: value}
    if tuner == "manual_grid":
        return {name: values[rng.integers(len(values))] for name, values in entry["hand_picked"].items()}
    if tuner.startswith("bayesian") and trial > 3 * len(entry["space"]) and best is not None:
        draw = _draw(entry, rng)
        keep = rng.permutation(list(draw))[: len(draw) - 1]
        return {name: best[name] if name in keep else value for name, value in draw.items()}
    return _draw(entry, rng)


def _run(
    workload: str,
    toy: Toy,
    tuner: str,
    seed: int,
    floor: float,
    scale: float,
    fails: bool,
    rng: np.random.Generator,
    rows: dict[str, list[dict[str, Any]]],
    frames: list[pd.DataFrame] | None,
) -> None:
    entry, names = toy.entry, [hp["name"] for hp in toy.entry["space"]]
    full, budget = entry["full_epochs"], entry["budget_epochs"]
    metric = next(iter(entry["metrics"]))
    order = entry["sweep_order"] or list(rng.permutation(names))
    sweep = [(str(name), value) for name in order for value in entry["hand_picked"][str(name)]]
    spent, elapsed, best_score = 0, 0.0, math.inf
    best: dict[str, Any] = {}
    trials: list[dict[str, Any]] = []
    bad_streak, would_stop = 0, None
    while spent < budget and not (fails and len(trials) == 3):
        trial = len(trials) + 1
        c = _propose(tuner, toy, trial, best.get("configuration"), sweep, rng)
        target = [max(1, full // 25), max(2, full // 5), full][(trial - 1) % 3] if tuner in CONTINUES else full
        validation, test = _train(toy, c, scale, rng)
        diverged = math.isnan(validation)
        wanted = (
            min(target, 11)
            if diverged
            else target
            if toy.floor_sd < 0.1
            else int(rng.integers(target // 3, target) + 1)
        )
        epochs = max(1, min(wanted, budget - spent))
        status = "diverged" if diverged else "truncated" if epochs < wanted else "completed"
        decay = np.exp(-np.arange(1, epochs + 1) / (full / 8))
        curve = np.full(epochs, math.nan) if diverged else floor + validation + (toy.start - validation) * decay**2
        train_s = epochs * 0.003 + 0.05
        tuner_s = 0.001 if not tuner.startswith("bayesian") or trial <= 3 * len(names) else 0.5 + 0.02 * trial
        score = math.inf if diverged else float(curve.min())
        incumbent = score < best_score
        if frames is not None:
            e = np.arange(1, epochs + 1)
            frames.append(
                pd.DataFrame(
                    {
                        "workload": workload,
                        "tuner": tuner,
                        "seed": seed,
                        "trial": trial,
                        "epoch": e,
                        "spent_epochs": spent + e,
                        "elapsed_s": elapsed + tuner_s + train_s * e / epochs,
                        "best_so_far": np.fmin(np.fmin.accumulate(curve), best_score),
                        "loss": curve * 0.98,
                        entry["objective"]: curve,
                    }
                )
            )
        spent += epochs
        elapsed += train_s + tuner_s
        bad_streak = bad_streak + 1 if diverged else 0
        if bad_streak == 3 and would_stop is None:
            would_stop = trial
        test_score = test + (0 if toy.knows_truth else floor) + (score - floor - validation) if incumbent else math.nan
        record = {
            "workload": workload,
            "tuner": tuner,
            "seed": seed,
            "trial": trial,
            "status": status,
            "configuration": canonical(c),
            "score": score,
            "reported": math.nan if diverged else score,
            "best_epoch": math.nan if diverged else epochs,
            "first_epoch": 0,
            "epochs": epochs,
            "improved": 1,
            "charged": epochs,
            "spent_epochs": spent,
            "elapsed_s": elapsed,
            "train_s": train_s,
            "tuner_s": tuner_s,
            "compile_s": 0.4 if trial == 1 else 0.0,
            "cpu_s": train_s,
            "incumbent": incumbent,
            "test_score": test_score,
            "resumed_from": math.nan,
            "restarted_from": math.nan,
            "error": "",
            f"best_{metric}": math.nan if diverged else 1 - 0.45 * score if "acc" in metric else score**0.5,
            f"best_{metric}_epoch": math.nan if diverged else epochs,
            f"test_{entry['test_metric']}": test_score,
            **{f"hp:{name}": value for name, value in c.items()},
        }
        trials.append(record)
        if incumbent:
            best_score = score
            best = {"configuration": c, **{key: record[key] for key in ("trial", "best_epoch", "test_score")}}
        if tuner in ("untuned", "post_winner"):
            break
    rows["trials"] += trials
    total = {key: sum(t[key] for t in trials) for key in ("train_s", "tuner_s", "compile_s", "cpu_s")}
    wall = sum(total.values()) - total["cpu_s"] + 0.2
    rows["runs"].append(
        {
            "workload": workload,
            "tuner": tuner,
            "seed": seed,
            "status": "failed" if fails else "done",
            "reason": "RuntimeError: synthetic failure" if fails else "exhausted" if spent < budget else "epochs",
            "trials": len(trials),
            "failed": sum(t["status"] not in ("completed", "truncated") for t in trials),
            "epochs": spent,
            "unspent": budget - spent,
            "elapsed_s": elapsed,
            **total,
            "scoring_s": 0.1,
            "wall_s": wall,
            "best_trial": best.get("trial", math.nan),
            "best_score": best_score,
            "best_epoch": best.get("best_epoch", math.nan),
            "stock_would_stop_at": would_stop if would_stop is not None and "repaired" not in tuner else math.nan,
            "test_score": best.get("test_score", math.nan),
            "fact:cap": 853.0 if toy.knows_truth else 1.055,
            **({"fact:validation_noise": floor, "fact:test_noise": toy.noise_floor} if toy.knows_truth else {}),
            f"test_{entry['test_metric']}": best.get("test_score", math.nan),
            **{f"hp:{name}": value for name, value in best.get("configuration", {}).items()},
        }
    )


def _retrain(
    workload: str,
    toy: Toy,
    tuners: tuple[str, ...],
    seed: int,
    floor: float,
    factor: Mapping[tuple[str, str] | str, float],
    rng: np.random.Generator,
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    """Ten retrainings of the untuned configuration (seed 1), and one of each run's selected configuration."""
    chosen = [("", dict(toy.entry["untuned"]), repeat, 1.0) for repeat in range(1, 11) if seed == 1]
    for run in rows["runs"]:
        if run["workload"] == workload and run["seed"] == seed and not math.isnan(run["best_trial"]):
            c = {key[3:]: value for key, value in run.items() if key.startswith("hp:")}
            tuner = run["tuner"]
            chosen.append((tuner, c, 1, factor.get((workload, tuner), factor.get(tuner, 1.0))))
    for tuner, c, repeat, scale in chosen:
        validation, test = _train(toy, c, scale, rng)
        test_score = test + (0 if toy.knows_truth else floor)
        rows["noise"].append(
            {
                "workload": workload,
                "tuner": tuner,
                "seed": seed,
                "repeat": repeat,
                "status": "completed",
                "configuration": canonical(c),
                "score": validation + floor,
                "best_epoch": toy.entry["full_epochs"],
                "epochs": toy.entry["full_epochs"],
                "train_s": 0.2,
                "test_score": test_score,
                f"test_{toy.entry['test_metric']}": test_score,
            }
        )


def _stock(workload: str, toy: Toy) -> list[dict[str, Any]]:
    key = toy.entry["space"][0]["name"]
    values = [False, True] if toy.entry["space"][0]["kind"] == "Boolean" else [10, 100]
    return [
        {
            "workload": workload,
            "method": method,
            "structure": canonical({key: value}),
            "overhead_s": overhead,
            "epoch_s": toy.seconds_per_epoch * (1.0 if value in (False, 10) else 1.1),
        }
        for method, overhead in (("plain", 0.8), ("keras_tuner", 1.6))
        for value in values
    ]
