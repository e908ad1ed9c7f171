"""The hand-written methods: literal loops first, finer values around the best after that."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
from support.closed_form import (
    CONDITIONAL,
    POST,
    SMALL,
    Counting,
    check_contract,
    make,
    problem,
    searched,
    with_trainings,
)
from support.toy import ToyWorkload

from hptune_bench import registry
from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Problem
from hptune_bench.core.space import Float, Int, Space
from hptune_bench.tuners.manual import between, thinned

TEXT = Problem(
    space=Space((Int("word_count", 10, 100, 5), Int("vocab_count", 500, 1500, 100))),
    untuned={"word_count": 50, "vocab_count": 700},
    hand_picked={"word_count": tuple(range(10, 101, 5)), "vocab_count": tuple(range(500, 1501, 100))},
    full_epochs=5,
    cap=1.1,
    sweep_order=("word_count", "vocab_count"),
    published={"word_count": 80, "vocab_count": 800},
    trainings=30,
)


def text_curve(configuration, first, last):
    value = 0.8 + abs(configuration["word_count"] - 45) / 500 + abs(configuration["vocab_count"] - 1200) / 20000
    return (value,) * (last - first)


def test_sweep_is_the_loop_of_the_post():
    done = searched(make("manual_sweep"), TEXT, epochs=10_000, curve=text_curve)
    literal = [{"word_count": words, "vocab_count": 700} for words in range(10, 101, 5)]
    literal += [{"word_count": 45, "vocab_count": size} for size in range(500, 1501, 100)]
    assert [call.configuration for call in done.calls[:30]] == literal, "no skipping: (45, 700) is trained twice"
    assert len(set(done.configurations[30:])) == len(done.calls) - 30, "later passes train nothing twice"
    assert len(set(done.configurations)) == 19 * 11, "a finite space is used up before the search returns"


def test_sweep_holds_the_best_and_then_looks_closer():
    done = searched(make("manual_sweep"), POST, trials=30)
    first_pass = sum(map(len, POST.hand_picked.values()))
    best = min(done.calls[:first_pass], key=lambda call: call.result.score).configuration
    after = done.calls[first_pass].configuration
    assert sum(after[name] != best[name] for name in POST.space.names) == 1, "one hyperparameter varies at a time"
    assert (
        min(call.result.score for call in done.calls)
        < 33.5
        < min(call.result.score for call in done.calls[:first_pass])
    )


def test_later_passes_move_on_within_a_pass():
    of = replace(problem(Space((Int("a", 0, 8), Int("b", 0, 8))), {"a": 0, "b": 0}), sweep_order=("a", "b"))

    def bowl(configuration, first, last):
        return ((configuration["a"] - 2.6) ** 2 + (configuration["b"] - 5.4) ** 2,) * (last - first)

    done = searched(make("manual_sweep"), of, trials=10, curve=bowl)
    first_pass = [(0, 0), (4, 0), (8, 0), (4, 0), (4, 4), (4, 8)]
    closer = [(2, 4), (6, 4), (2, 2), (2, 6)]  # a = 2 was better, so b is looked at there
    assert [(call.configuration["a"], call.configuration["b"]) for call in done.calls] == first_pass + closer


def test_a_conditional_hyperparameter_waits_for_its_parent():
    of = replace(CONDITIONAL, sweep_order=("momentum", "optimizer", "learning_rate"))

    def sgd_wins(configuration, first, last):
        return (10.0 - configuration.get("momentum", -1.0),) * (last - first)

    done = searched(make("manual_sweep"), of, trials=5, curve=sgd_wins)
    assert [(call.configuration["optimizer"], call.configuration.get("momentum")) for call in done.calls] == [
        ("adam", None),
        ("sgd", 0.0),
        ("sgd", 0.0),
        ("sgd", 0.45),
        ("sgd", 0.9),
    ]


def test_sweep_survives_a_problem_where_everything_fails():
    done = searched(make("manual_sweep"), POST, trials=40, curve=lambda configuration, first, last: (math.nan,))
    first_pass = done.calls[: sum(map(len, POST.hand_picked.values()))]
    assert all(sum(c.configuration[n] != POST.untuned[n] for n in POST.untuned) <= 1 for c in first_pass)
    assert len(done.calls) == 40


@pytest.mark.parametrize("name", ["manual_sweep", "manual_grid"])
def test_conditional_hyperparameters_vary_only_where_they_are_active(name):
    done = searched(make(name), CONDITIONAL, trials=60)  # Counting refuses inactive values
    assert len({call.configuration["momentum"] for call in done.calls if "momentum" in call.configuration}) > 2
    assert any("momentum" not in call.configuration for call in done.calls)


def test_grid_fits_the_budget_then_zooms_in():
    with_budget = with_trainings(POST, 20)
    grid = thinned(POST.hand_picked, POST.untuned, 20)
    assert {name: len(values) for name, values in grid.items()} == {
        "normalize": 2,
        "neurons": 2,
        "learning_rate": 2,
        "optimizer": 2,
    }
    assert all(POST.untuned[name] in values for name, values in grid.items())
    done = searched(make("manual_grid"), with_budget, trials=16 + 40)
    assert {call.configuration["learning_rate"] for call in done.calls[:16]} == set(grid["learning_rate"])
    assert len(set(done.configurations)) == len(done.calls)
    assert min(call.result.score for call in done.calls) < 33.5 < min(call.result.score for call in done.calls[:16])


@pytest.mark.parametrize("most", [1, 2, 7, 30, 100, 208, 209, 1000, None])
def test_thinned_grids_fit_and_keep_the_untuned_value(most):
    grid = thinned(TEXT.hand_picked, TEXT.untuned, most)
    size = math.prod(map(len, grid.values()))
    assert size <= (most or math.inf)
    assert all(TEXT.untuned[name] in values and list(values) == sorted(values) for name, values in grid.items())
    if most == 30:
        assert size == 30
    if most is None or most >= 209:
        assert grid == TEXT.hand_picked


@pytest.mark.parametrize(
    ("hp", "tried", "best", "expected"),
    [
        (Float("x", 1e-4, 2e-1, log=True), {1e-3, 1e-2, 1e-1}, 1e-2, (0.003162, 0.03162)),
        (Float("x", 1e-4, 2e-1, log=True), {1e-3, 1e-1}, 1e-1, (0.01, 0.2)),  # the untried end of the range
        (Float("x", 1e-4, 2e-1, log=True), {0.1, 0.1005, 0.2}, 0.1, (1e-4,)),  # 0.5 % apart: not worth halving
        (Float("x", 0.0, 0.5), {0.0, 0.25, 0.5}, 0.25, (0.125, 0.375)),
        (Int("x", 4, 32, 4), {4, 16, 32}, 16, (8, 24)),  # on the grid
        (Int("x", 4, 32, 4), {12, 16, 20}, 16, ()),
        (Int("x", 1, 1000, None, log=True), {10, 1000}, 1000, (100,)),  # geometric
    ],
)
def test_middles(hp, tried, best, expected):
    assert between(hp, tried, best) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["manual_sweep", "manual_grid", "untuned_restarts"])
@pytest.mark.parametrize("of", [POST, SMALL, CONDITIONAL], ids=["post", "small", "conditional"])
def test_contract(name, of):
    check_contract(name, of, epochs=50 * 100 + 17, varies=name != "untuned_restarts")


def test_references_train_what_they_are_called():
    assert [call.configuration for call in searched(make("untuned"), TEXT, curve=text_curve).calls] == [TEXT.untuned]
    assert [c.configuration for c in searched(make("post_winner"), TEXT, curve=text_curve).calls] == [TEXT.published]
    restarts = searched(make("untuned_restarts"), TEXT, epochs=52, curve=text_curve)
    assert [call.configuration for call in restarts.calls] == [TEXT.untuned] * 11
    assert restarts.calls[-1].result.status == "truncated"


def test_post_winner_is_refused_where_nothing_was_published():
    registry.check_tuner("post_winner", ToyWorkload(published=TEXT.published), "here")
    with pytest.raises(UserError, match="no published winner"):
        registry.check_tuner("post_winner", ToyWorkload(), "here")
    with pytest.raises(UserError, match="no published winner"):
        make("post_winner").search(POST, Counting(POST), 1)


def test_an_ordered_range_without_neighbours_ends_the_search():
    one = problem(Space((Int("n", 1, 3),)), {"n": 1}, full_epochs=2)
    done = searched(make("manual_sweep"), one, curve=lambda c, first, last: (float(c["n"]),) * (last - first))
    assert [call.configuration["n"] for call in done.calls] == [1, 2, 3]


def test_catalogue_and_manual_tuners_import_neither_tensorflow_nor_keras_tuner():
    code = (
        "import sys, hptune_bench.tuners.manual, hptune_bench.core.stock_rule, hptune_bench.tuners.kerastuner;"
        "sys.exit(bool({'tensorflow', 'keras', 'keras_tuner', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
