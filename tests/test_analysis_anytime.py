"""Curves against their definition, against moocore's attainment surfaces, and on odd runs; the stock clock."""

from __future__ import annotations

import json
import math

import moocore
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.synthetic_campaign import synthetic_campaign

from hptune_bench.analysis.anytime import AXES, best_so_far, curves, quantile_band, value_at_trials
from hptune_bench.analysis.frames import by_workload
from hptune_bench.analysis.stock_clock import stock_seconds, trial_costs

times = st.lists(st.integers(0, 20), min_size=1, max_size=12).map(sorted)
value = st.sampled_from([0.5, 1.0, 2.0, 3.0, math.inf, math.nan])


@settings(max_examples=200, deadline=None)
@given(times, st.data())
def test_best_so_far_is_its_definition(t: list[int], data: st.DataObject) -> None:
    y = data.draw(st.lists(value, min_size=len(t), max_size=len(t)))
    at = np.arange(-1, 23) * 0.99
    brute = [min([v for s, v in zip(t, y, strict=True) if s <= x and not math.isnan(v)], default=math.inf) for x in at]
    found = best_so_far(np.array(t, dtype=float), np.array(y), at)
    assert found.tolist() == brute
    assert (found[:-1] >= found[1:]).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_bands_are_attainment_surfaces(runs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = [(np.sort(rng.integers(1, 30, n)).astype(float), rng.random(n)) for n in rng.integers(1, 8, runs)]
    grid = np.unique(np.concatenate([t for t, _ in series]))
    lower, middle, upper = quantile_band(np.stack([best_so_far(t, y, grid) for t, y in series]))
    points = np.concatenate([np.column_stack([t, y]) for t, y in series])
    sets = np.repeat(np.arange(runs), [len(t) for t, _ in series])
    surfaces = moocore.eaf(points, sets, percentiles=[25, 50, 75])
    for level, mine in ((25, lower), (50, middle), (75, upper)):
        surface = surfaces[surfaces[:, 2] == level]
        order = np.argsort(surface[:, 0])
        oracle = best_so_far(surface[order, 0], surface[order, 1], grid)
        assert mine.tolist() == oracle.tolist()


def small(**options: object) -> pd.DataFrame:
    rows = [
        (1, 5, 3.0, True, 30.0),
        (2, 11, np.inf, False, np.nan),
        (3, 20, 2.0, True, 31.0),
        (4, 25, 2.5, False, np.nan),
    ]
    frame = pd.DataFrame(rows, columns=["trial", "spent_epochs", "score", "incumbent", "test_score"])
    return frame.assign(
        workload="w", tuner="t", seed=1, status="completed", configuration="{}", epochs=5, tuner_s=0.0, elapsed_s=1.0
    ).assign(**options)


def campaign_of(trials: pd.DataFrame, status: str = "done"):
    base = synthetic_campaign(seeds=1, tuners=["untuned"], workloads=["linear_regression"])
    run = {"workload": "w", "tuner": "t", "seed": 1, "status": status, "reason": "", "trials": len(trials), "failed": 0}
    runs = pd.DataFrame([{**run, "best_score": 2.0, "test_score": 31.0, "best_trial": 3, "unspent": 0, "epochs": 25}])
    empty = pd.DataFrame()
    return type(base)(base.path, {"benchmark": {}}, runs, trials, empty, empty, empty)


def test_nothing_is_known_early_and_a_failed_run_ends_as_worst() -> None:
    (records,) = by_workload(campaign_of(small()))
    curve = curves(records, "spent_epochs", "validation")
    assert curve is not None
    assert curve.steps[["x", "y"]].to_numpy().tolist() == [[5, 3.0], [20, 2.0], [25, 2.0]]
    test = curves(records, "trials", "test")
    assert test is not None
    assert test.steps[["x", "y"]].to_numpy().tolist() == [[1, 30.0], [3, 31.0], [4, 31.0]]  # not monotone: as it was
    assert curves(records, "stock_s", "test") is None
    (failed,) = by_workload(campaign_of(small(), status="failed"))
    curve = curves(failed, "spent_epochs", "validation")
    assert curve is not None
    assert curve.steps["y"].tolist() == [3.0, 2.0, math.inf]
    assert value_at_trials(failed, 3)["value"].tolist() == [31.0]
    assert value_at_trials(failed, 4)["value"].tolist() == [math.inf]
    assert value_at_trials(records, 9)[["value", "epochs", "had"]].to_numpy().tolist() == [[31.0, 25, 4]]
    (unfinished,) = by_workload(campaign_of(small(), status="interrupted"))
    assert math.isnan(value_at_trials(unfinished, 9)["value"].iloc[0])
    assert value_at_trials(unfinished, 2)["value"].tolist() == [30.0]
    assert math.isnan(unfinished.runs["final_test"].iloc[0])


def test_bands_count_runs_of_every_length() -> None:
    (records,) = by_workload(synthetic_campaign(seeds=5, workloads=["linear_regression"], failing=["random_search"]))
    for axis in AXES:
        for score in ("validation", "test"):
            curve = curves(records, axis, score)
            assert curve is not None
            assert set(curve.bands["tuner"]) == set(records.tuners)
            assert (curve.bands["runs"] == 5).all()
            assert (curve.bands["lower"] <= curve.bands["median"]).all()
            last = curve.bands.groupby("tuner").last()
            assert last.loc["random_search", "reached"] == 0
            assert last.loc["random_search", "median"] == math.inf
            ends = records.finals("hyperband", score).to_numpy()
            expected = np.quantile(ends, 0.5, method="inverted_cdf")
            assert last.loc["hyperband", "median"] == pytest.approx(expected)


def test_stock_clock_by_hand() -> None:
    trials = small(tuner_s=0.5).assign(configuration=['{"n":100,"flag":true}'] * 3 + ['{"n":5000,"flag":true}'])
    clock = pd.DataFrame(
        [
            ("plain", '{"n":10}', 1.0, 9.0),
            ("keras_tuner", '{"n":10}', 2.0, 0.1),
            ("keras_tuner", '{"n":1000}', 3.0, 0.4),
        ],
        columns=["method", "structure", "overhead_s", "epoch_s"],
    )
    seconds = stock_seconds(trials, clock, {"t": "keras_tuner"})
    half_way = 0.5 + 2.5 + 5 * 0.2
    assert seconds.tolist() == pytest.approx([half_way, 2 * half_way, 3 * half_way, 3 * half_way + 0.5 + 3.0 + 2.0])
    by_hand = trial_costs(trials, clock, {"t": "plain"})
    assert by_hand["epoch_s"].unique().tolist() == pytest.approx([9.0])
    assert stock_seconds(trials, clock.iloc[:0], {"t": "keras_tuner"}).isna().all()
    # without rows of the wanted method the other one serves
    assert trial_costs(trials, clock.iloc[:1], {"t": "keras_tuner"})["overhead_s"].unique().tolist() == [1.0]


def test_what_hyperparameters_change_about_the_stock_clock_adds_up() -> None:
    structures = [(32, "adam", 1.0, 0.4), (16, "adam", 1.1, 0.8), (32, "sgd", 0.7, 0.3)]
    clock = pd.DataFrame(
        {
            "method": "keras_tuner",
            "structure": [json.dumps({"batch": batch, "optimizer": name}) for batch, name, _, _ in structures],
            "overhead_s": [overhead for _, _, overhead, _ in structures],
            "epoch_s": [epoch for _, _, _, epoch in structures],
        }
    )

    def costs(batch: int, name: str) -> list[float]:
        text = json.dumps({"batch": batch, "optimizer": name, "x": 1})
        trials = pd.DataFrame({"tuner": "t", "trial": 1, "configuration": [text]})
        return trial_costs(trials, clock, {"t": "keras_tuner"})[["overhead_s", "epoch_s"]].iloc[0].tolist()

    for batch, name, *timed in structures:
        assert costs(batch, name) == timed
    assert costs(16, "sgd") == pytest.approx([1.1 + 0.7 - 1.0, 0.8 * 0.3 / 0.4])
    assert costs(8, "adam") == pytest.approx([1.1, 0.8])
    assert costs(16, "rmsprop") == pytest.approx([1.1, 0.8])
    clock["structure"] = ['{"batch":[1],"optimizer":{}}', '{"optimizer":null}', "no structure"]
    assert costs(16, "sgd") == pytest.approx([0.7, 0.3]), "what says nothing fits every configuration"
