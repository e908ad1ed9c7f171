"""KerasTuner's tuners: parity with its own ``search()``, and a test for every trap that could change a result.

Parity: ``test_parity_with_the_stock_tuners``, ``test_stock_crashes_where_the_rule_says``,
``test_reported_is_what_stock_tells``, ``test_promotion_without_a_checkpoint_fails_as_in_stock``.

Traps of KerasTuner 1.4.8 and their tests:

- a NaN trial is skipped by the Gaussian process, loses Hyperband a slot, and three in a row raise: plain tuners keep
  the first two (parity) and go on after the third (``test_plain_goes_on_where_stock_raises``); repaired ones tell a
  finite score (``test_repaired_scores``, ``test_repaired_failures_are_told_again``,
  ``test_repaired_hyperband_fills_its_brackets``)
- inf becomes 0, the best target ever, in the Gaussian process: ``test_inf_becomes_the_best_target_only_when_plain``
- a large penalty or a finite explosion flattens the model: ``test_repaired_scores`` (clipped at the cap)
- promoted trials restart from the best epoch with a fresh optimizer: ``test_hyperband_continues_its_trials``,
  ``test_a_promoted_trial_that_cannot_go_on_trains_nothing``
- Hyperband ends after one iteration, and its schedule is not the paper's:
  ``test_hyperband_schedule_and_second_iteration``
- up to ``3 * dimensions`` trials BayesianOptimization is random search: parity asserts that its model was fitted
- consecutive seeds are shifted copies of one stream, and seeds above 32 bits raise: ``test_seeds``
- GridSearch ignores the seed and starts at the defaults: ``test_grid_search_order``
- ``end_trial(id, status)`` replaces values by the defaults: parity compares the values kept by the oracles
- missing values are filled unseeded, also in conditional spaces: ``test_contract`` on the conditional problem
- a log ``Int`` without a step leaves its range: ``test_log_int_stays_inside``
- the model's last digits depend on the linear algebra: ``test_repaired_values_are_rounded`` (and plain ones are not)
- small spaces end a search early: ``test_exhausted_spaces_end_the_search``
- a trial left running keeps no score and must never be told half: ``test_cut_trial_is_not_told``
- module globals keep oracles alive, and oracles write to disk: ``test_nothing_is_left_behind``
"""

from __future__ import annotations

import itertools
import math
from contextlib import contextmanager

import keras
import keras_tuner
import numpy as np
import pytest
from keras_tuner.src.engine import oracle as oracle_module
from keras_tuner.src.engine import tuner_utils
from support.closed_form import CAP, CONDITIONAL, POST, SMALL, Counting, check_contract, curve, make, problem, searched

from hptune_bench.core import seeds
from hptune_bench.core.keras_space import to_keras_tuner
from hptune_bench.core.protocols import Result
from hptune_bench.core.space import Choice, Float, Int, Space
from hptune_bench.core.stock_rule import reported, stock_would_stop_at
from hptune_bench.tuners import built_in, kerastuner
from hptune_bench.tuners.kerastuner import open_oracle, repaired_scores

pytestmark = pytest.mark.filterwarnings("ignore:All-NaN axis encountered:RuntimeWarning")

SEED = 2_987_654_321
STOCK = {
    "random_search": keras_tuner.RandomSearch,
    "bayesian_optimization": keras_tuner.BayesianOptimization,
    "hyperband": keras_tuner.Hyperband,
    "grid_search": keras_tuner.GridSearch,
}


@pytest.fixture
def oracles(monkeypatch):
    """The oracles that our tuners open, in order."""
    opened = []

    @contextmanager
    def recording(*arguments):
        with open_oracle(*arguments) as oracle:
            opened.append(oracle)
            yield oracle

    monkeypatch.setattr(kerastuner, "open_oracle", recording)
    return opened


def told(oracle):
    """What an oracle knows of its finished trials: values with KerasTuner's own entries, status, score."""
    return [
        (trial.hyperparameters.values, trial.status, trial.score)
        for trial in (oracle.trials[trial_id] for trial_id in oracle.end_order)
    ]


def stock_search(name, of, folder, curve=curve, seed=SEED, **options):
    """The stock tuner's own ``search`` on the same curves: only the training is replaced. -> tuner, error or None."""

    def build_model(hp):
        for item in of.space:
            if isinstance(item, Choice):
                hp.Choice(item.name, list(item.values))
            elif isinstance(item, Int):
                hp.Int(item.name, min_value=item.low, max_value=item.high, step=item.step)
            elif isinstance(item, Float):
                hp.Float(item.name, min_value=item.low, max_value=item.high, sampling="log")
            else:
                hp.Boolean(item.name)

    class Replayed(STOCK[name]):
        def _build_and_fit_model(self, trial, *args, **kwargs):
            history = keras.callbacks.History()
            values = {key: value for key, value in trial.hyperparameters.values.items() if key in of.space.names}
            history.history = {"val_loss": list(curve(values, kwargs.get("initial_epoch", 0), kwargs["epochs"]))}
            return history

    if name == "hyperband":
        options["max_epochs"] = of.full_epochs
        options.pop("max_trials")
    tuner = Replayed(build_model, objective="val_loss", seed=seed, directory=folder, **options)
    try:
        tuner.search(epochs=of.full_epochs, verbose=0)
    except RuntimeError as error:
        return tuner, error
    return tuner, None


def same(ours, stock):
    return len(ours) == len(stock) and all(
        a[:2] == b[:2] and (a[2] == b[2] or (a[2] is not None and math.isnan(a[2]) and math.isnan(b[2])))
        for a, b in zip(ours, stock, strict=True)
    )


def flat(configuration, first, last):
    return (50.0,) * (last - first)


@pytest.mark.parametrize(
    ("name", "of", "trials", "of_curve"),
    [
        ("random_search", POST, 60, curve),
        ("grid_search", POST, 60, curve),
        ("bayesian_optimization", SMALL, 16, curve),
        pytest.param("bayesian_optimization", SMALL, 30, curve, marks=pytest.mark.long),
        ("hyperband", POST, 60, curve),
        ("hyperband", POST, 90, flat),  # all tied: the earliest trials are promoted
    ],
)
def test_parity_with_the_stock_tuners(name, of, trials, of_curve, oracles, tmp_path):
    stock, error = stock_search(name, of, tmp_path, of_curve, max_trials=trials, max_consecutive_failed_trials=None)
    assert error is None
    expected = told(stock.oracle)[:trials]
    done = searched(make(name), of, SEED, trials=trials + 1, curve=of_curve)
    assert len(expected) == trials
    assert same(told(oracles[0])[:trials], expected)
    if of_curve is curve:
        statuses = {status for _, status, _ in expected}
        assert statuses == {"COMPLETED", "FAILED"}, "a parity test without failures proves little"
    if name == "bayesian_optimization":
        assert hasattr(oracles[0].gpr, "X_train_"), "the model was fitted, so this was more than random search"
    if name == "hyperband":
        assert any(call.restart for call in done.calls)
        for call, (values, _, _) in zip(done.calls, expected, strict=False):
            parent = values.get("tuner/trial_id")
            assert (call.first, call.last) == (values["tuner/initial_epoch"], values["tuner/epochs"])
            assert call.restart == (None if parent is None else int(parent) + 1)
            assert call.resume is None


def failing(configuration, first, last):
    """Half of the space gives NaN."""
    return (math.nan if configuration["optimizer"] == "sgd" else 40.0 + configuration["learning_rate"],) * (
        last - first
    )


@pytest.mark.parametrize("name", STOCK)
def test_stock_crashes_where_the_rule_says(name, tmp_path):
    of = problem(Space((Choice("optimizer", ("adam", "sgd")), POST.space["learning_rate"])), SMALL.untuned)
    stock, error = stock_search(name, of, tmp_path, failing, max_trials=60)
    assert "consecutive failures" in str(error)
    stops_at = len(stock.oracle.end_order)
    ours = searched(make(name), of, SEED, trials=stops_at + 1, curve=failing)
    assert stock_would_stop_at(call.result.reported for call in ours.calls) == stops_at


def test_plain_goes_on_where_stock_raises():
    assert stock_would_stop_at([1.0, math.nan, math.nan, math.inf, math.nan, math.nan]) is None
    assert stock_would_stop_at([math.nan, 1.0, math.nan, math.nan, math.nan, 1.0, *[math.nan] * 3]) == 5
    done = searched(make("random_search"), POST, trials=25, curve=lambda c, first, last: (math.nan,) * (last - first))
    assert len(done.calls) == 25


def test_reported_is_what_stock_tells():
    objective = keras_tuner.Objective("val_loss", "min")
    for length in (1, 2, 3, 4):
        for values in itertools.product((30.0, 50.0, math.nan, math.inf), repeat=length):
            history = keras.callbacks.History()
            history.history = {"val_loss": list(values)}
            stock = tuner_utils.convert_to_metrics_dict([history], objective)["val_loss"]
            assert np.array_equal(reported(values), stock, equal_nan=True), values
    assert math.isnan(reported(()))


def test_promotion_without_a_checkpoint_fails_as_in_stock(tmp_path, oracles):
    of = problem(SMALL.space, SMALL.untuned, full_epochs=3)

    class AlwaysInfinite(keras_tuner.HyperModel):
        def build(self, hp):
            hp.Float("learning_rate", 1e-4, 2e-1, sampling="log")
            hp.Choice("optimizer", ["adam", "sgd"])
            model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
            model.compile(loss="mse")
            return model

        def fit(self, hp, model, *args, callbacks, epochs, initial_epoch, **kwargs):
            history = keras.callbacks.History()
            history.history = {"val_loss": [math.inf] * (epochs - initial_epoch)}
            for callback in callbacks:
                callback.set_model(model)
                for epoch in range(initial_epoch, epochs):
                    callback.on_epoch_end(epoch, {"val_loss": math.inf})
            return history

    stock = keras_tuner.Hyperband(AlwaysInfinite(), "val_loss", max_epochs=3, seed=SEED, directory=tmp_path)
    stock.search(verbose=0)
    expected = told(stock.oracle)
    assert [status for _, status, _ in expected].count("FAILED") == 1
    assert "tuner/trial_id" in next(values for values, status, _ in expected if status == "FAILED")
    done = searched(
        make("hyperband"), of, SEED, trials=len(expected), curve=lambda c, first, last: (math.inf,) * (last - first)
    )
    assert same(told(oracles[0])[: len(expected)], expected)
    assert all(call.restart is None for call in done.calls), "it fails before an epoch is trained, and is free"


def test_repaired_scores():
    assert repaired_scores([math.inf, math.inf], CAP) == [CAP, CAP]
    assert repaired_scores([50.0, math.inf, 40.0, math.nan, 60.0], CAP) == [50.0, 60.0, 40.0, 60.0, 60.0]
    assert repaired_scores([50.0, 2e4, math.inf], CAP) == [50.0, CAP, CAP]
    assert repaired_scores([-0.9, math.inf, -0.4], -0.3) == [-0.9, -0.4, -0.4]  # a maximised metric


def test_repaired_failures_are_told_again(oracles):
    """Before every proposal all failures stand at the worst finite score so far; an exception counts as a failure."""
    told_before_proposal = []

    def evaluate(configuration, epochs=None, resume=None, restart=None):
        oracle = oracles[0]
        told_before_proposal.append([trial.score for trial in oracle.trials.values() if trial.status == "COMPLETED"])
        assert not [trial for trial in oracle.trials.values() if trial.status in ("FAILED", "INVALID")]
        return next(results)

    def result(trial, status, score):
        return Result(trial, status, score, score, 1 if math.isfinite(score) else None, 50, (score,))

    results = iter(
        [
            result(1, "diverged", math.inf),
            result(2, "completed", 40.0),
            result(3, "error", math.inf),
            result(4, "completed", 60.0),
            result(5, "completed", 1e5),
            result(6, "timeout", 35.0),
            result(7, "completed", 34.0),
        ]
    )
    with pytest.raises(StopIteration):
        make("bayesian_optimization_repaired").search(POST, evaluate, SEED)
    assert told_before_proposal == [
        [],
        [CAP],
        [40.0, 40.0],
        [40.0, 40.0, 40.0],
        [60.0, 40.0, 60.0, 60.0],
        [CAP, 40.0, CAP, 60.0, CAP],
        [CAP, 40.0, CAP, 60.0, CAP, CAP],
        [CAP, 40.0, CAP, 60.0, CAP, CAP, 34.0],
    ]


@pytest.mark.parametrize(
    ("name", "fooled"), [("bayesian_optimization", True), ("bayesian_optimization_repaired", False)]
)
def test_inf_becomes_the_best_target_only_when_plain(name, fooled, oracles):
    def exploding(configuration, first, last):
        return (math.inf if configuration["optimizer"] == "sgd" else 50 + configuration["learning_rate"],) * (
            last - first
        )

    searched(make(name), SMALL, SEED, trials=8, curve=exploding)
    gpr = oracles[0].gpr
    targets = gpr.y_train_ * gpr._y_train_std + gpr._y_train_mean
    assert len(targets) >= 6
    assert bool(min(targets) < 1) is fooled


def test_repaired_hyperband_fills_its_brackets(oracles):
    """A third of the space diverges: plain promotes less or not at all, repaired as if nothing had happened."""

    def third(configuration, first, last):
        bad = configuration["neurons"] in (4, 8, 32)
        return (math.nan if bad else 30.0 + configuration["learning_rate"] + configuration["neurons"],) * (last - first)

    for name in ("hyperband", "hyperband_repaired"):
        searched(make(name), POST, SEED, trials=120, curve=third)
    first_bracket = [
        [
            values["tuner/round"]
            for values, _, _ in itertools.takewhile(lambda entry: entry[0]["tuner/bracket"] == 3, trials)
        ]
        for trials in map(told, oracles)
    ]
    plain, repaired = ([rounds.count(number) for number in range(4)] for rounds in first_bracket)
    assert repaired == [34, 12, 4, 2]
    assert plain[0] == 34
    assert plain[1] < 12
    assert plain[2:] == [0, 0]
    assert {status for _, status, _ in told(oracles[1])} == {"COMPLETED"}


@pytest.mark.parametrize(("name", "how"), [("hyperband", "restart"), ("hyperband_repaired", "resume")])
def test_hyperband_continues_its_trials(name, how):
    done = searched(make(name), POST, SEED, trials=90, curve=flat)
    assert make(name).continues
    promoted = [call for call in done.calls if call.resume or call.restart]
    assert len(promoted) == 18 + 7 + 3
    for call in promoted:
        parent = done.calls[getattr(call, how) - 1]
        assert (call.configuration, call.first) == (parent.configuration, parent.last)
        assert (call.resume is None) is (how == "restart")


def test_a_promoted_trial_that_cannot_go_on_trains_nothing():
    """Everything explodes in its last epoch: exact continuation has no finite weights, a restart has its best epoch."""

    def explodes(configuration, first, last):
        return (*(float(40 + configuration["neurons"]),) * (last - first - 1), math.nan)

    assert not [
        call
        for call in searched(make("hyperband_repaired"), POST, SEED, trials=60, curve=explodes).calls
        if call.resume
    ]
    assert [call for call in searched(make("hyperband"), POST, SEED, trials=60, curve=explodes).calls if call.restart]


def test_hyperband_schedule_and_second_iteration():
    done = searched(make("hyperband_repaired"), POST, SEED, trials=91, curve=flat)
    schedule = [(call.first, call.last) for call in done.calls]
    expected = [*[(0, 2)] * 34, *[(2, 6)] * 12, *[(6, 17)] * 4, *[(17, 50)] * 2]
    expected += [*[(0, 6)] * 15, *[(6, 17)] * 5, *[(17, 50)] * 2, *[(0, 17)] * 8, *[(17, 50)] * 3, *[(0, 50)] * 5]
    assert schedule == [*expected, (0, 2)], "90 trials, then the next iteration"
    assert sum(last - first for first, last in expected) == 922


def test_seeds():
    def drawn(seed):
        return searched(make("random_search"), POST, seed, trials=12).configurations

    assert drawn(5)[:7] == drawn(1)[1:8], "why consecutive seeds are never used"
    hashed = [drawn(seeds.tuner_seed("linear_regression", "random_search", seed)) for seed in range(1, 11)]
    assert len(set(itertools.chain(*hashed))) == 120
    assert len(searched(make("bayesian_optimization"), SMALL, 2**32 - 1, trials=2).calls) == 2


def test_grid_search_order():
    one, other = (searched(make("grid_search"), POST, seed, trials=177) for seed in (3, 4))
    assert one.configurations == other.configurations
    assert one.calls[0].configuration == POST.space.defaults()
    assert [call.configuration["normalize"] for call in one.calls].index(True) == 176


@pytest.mark.parametrize("name", ["bayesian_optimization", "random_search"])
def test_log_int_stays_inside(name):
    of = problem(Space((Int("units", 4, 32, None, log=True),)), {"units": 8})
    assert to_keras_tuner(of.space).space[0].prob_to_value(1.0) == 33, "KerasTuner's own upper end"
    done = searched(make(name), of, SEED, trials=8, curve=lambda c, first, last: (100.0 - c["units"],) * (last - first))
    assert max(call.configuration["units"] for call in done.calls) <= 32  # Counting checks the range, too


@pytest.mark.parametrize(
    ("name", "rounded"),
    [("hyperband_repaired", True), ("bayesian_optimization_repaired", True), ("random_search", False)],
)
def test_repaired_values_are_rounded(name, rounded, oracles):
    of = problem(Space((Float("rate", 0.123456, 0.123999), Choice("a", (1, 2)))), {"rate": 0.1236, "a": 1})
    done = searched(make(name), of, SEED, trials=5, curve=flat)
    trained = [call.configuration["rate"] for call in done.calls]
    assert all(0.123456 <= rate <= 0.123999 for rate in trained)
    digits = [rate in (float(f"{rate:.4g}"), 0.123456, 0.123999) for rate in trained]
    assert all(digits) if rounded else not any(digits)
    assert trained == [trial.hyperparameters.values["rate"] for trial in oracles[0].trials.values()]


def test_exhausted_spaces_end_the_search():
    tiny = problem(Space((Choice("a", (1, 2)), Choice("b", ("x", "y")))), {"a": 1, "b": "x"})
    for name, most in (("random_search", 4), ("grid_search", 4), ("hyperband", 4)):
        done = searched(make(name), tiny, SEED, curve=flat)
        assert 1 <= len(set(done.configurations)) <= most, "returned by itself: no limit was given"


@pytest.mark.parametrize("name", ["random_search", "hyperband_repaired"])
def test_cut_trial_is_not_told(name, oracles):
    done = searched(make(name), POST, SEED, epochs=47, curve=flat)
    *finished, last = oracles[0].trials.values()
    assert done.calls[-1].result.status == "truncated"
    assert (last.status, last.score, last.metrics.exists("score")) == ("RUNNING", None, False)
    assert len(finished) == len(done.calls) - 1 == len(oracles[0].end_order)


@pytest.mark.parametrize("name", [name for name, info in built_in().items() if info.library == "keras_tuner"])
def test_nothing_is_left_behind(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    locks, threads = set(oracle_module.LOCKS), set(oracle_module.THREADS)
    searched(make(name), POST, SEED, trials=3)
    with pytest.raises(ZeroDivisionError):
        make(name).search(POST, lambda *args, **kwargs: 1 / 0, SEED)
    assert set(oracle_module.LOCKS) == locks
    assert set(oracle_module.THREADS) == threads
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("of", [POST, CONDITIONAL], ids=["post", "conditional"])
@pytest.mark.parametrize("name", ["random_search", "hyperband", "grid_search", "hyperband_repaired"])
def test_contract(name, of):
    check_contract(name, of, epochs=50 * 30 + 17, varies=name != "grid_search")


@pytest.mark.parametrize("name", ["bayesian_optimization", "bayesian_optimization_repaired"])
def test_contract_of_bayesian_optimization(name):
    # A few initial points, then the model: more trials would only cost time.
    check_contract(name, SMALL, epochs=50 * 8 + 17, varies=True)


def test_bayesian_optimization_on_a_conditional_space(oracles):
    done = searched(make("bayesian_optimization_repaired"), CONDITIONAL, SEED, trials=11)
    assert len(oracles[0].gpr.X_train_) >= 9
    assert len({"momentum" in call.configuration for call in done.calls}) == 2


def test_catalogue_agrees_with_the_tuners():
    infos = {name: info for name, info in built_in().items() if not info.options}
    assert {name: make(name).continues for name in infos} == {name: bool(info.halving) for name, info in infos.items()}


def test_counting_is_a_fair_judge():
    """The tests above lean on ``Counting``: it cuts at the budget and refuses what the space does not hold."""
    done = searched(make("untuned_restarts"), POST, epochs=120)
    assert [call.last for call in done.calls] == [50, 50, 20]
    with pytest.raises(AssertionError):
        Counting(CONDITIONAL)({"optimizer": "adam", "momentum": 0.5, "learning_rate": 0.1})
