"""A search space as a grid: which values a table holds, and which of them is nearest to a proposal."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from support.toy import ToyWorkload

from hptune_bench import registry
from hptune_bench.core.errors import UserError
from hptune_bench.core.space import Boolean, Choice, Condition, Float, Int, Space
from hptune_bench.tabular.grid import LOG_POINTS, Snapper, levels_of, log_scales, nearest_point
from hptune_bench.tabular.table import configurations_of


def toy(*hyperparameters, untuned=None) -> ToyWorkload:
    space = Space(hyperparameters)
    return ToyWorkload(space=space, untuned=untuned or space.defaults())


def test_the_posts_problems_are_complete_and_hold_every_value_that_a_person_would_try():
    workload = registry.make_workload("linear_regression", {})
    levels = levels_of(workload, {})
    assert levels["normalize"] == (False, True)
    assert levels["neurons"] == (4, 8, 12, 16, 20, 24, 28, 32)
    assert levels["optimizer"] == ("adam", "sgd")
    rates = levels["learning_rate"]
    assert len(rates) >= LOG_POINTS
    assert (rates[0], rates[-1]) == (1e-4, 2e-1)
    assert {1e-4, 1e-3, 1e-2, 1e-1, 0.0405} <= set(rates)
    steps = np.diff(np.log(rates))
    assert steps.min() > 0
    assert steps.max() < 1.6 * steps.min()
    for configuration in (workload.untuned, workload.published):
        assert configuration in configurations_of(levels)
    words = levels_of(registry.make_workload("review_sentiment", {}), {})
    assert [len(values) for values in words.values()] == [19, 11]


@pytest.mark.parametrize(("low", "high"), [(1e-4, 1e-1), (1e-3, 2e-3), (0.3, 7), (1e-9, 1e9), (1.0, 1.0)])
def test_a_log_range_is_covered_evenly_whatever_its_ends(low, high):
    (values,) = levels_of(toy(Float("rate", low, high, log=True)), {}).values()
    assert values[0] == low
    assert values[-1] == high
    assert all(a < b for a, b in itertools.pairwise(values))
    if high > low:
        assert len(values) >= LOG_POINTS - 1
        steps = np.diff(np.log(values))
        assert steps.max() < 2.1 * np.median(steps)


def test_levels_can_be_fewer_and_keep_the_ends():
    workload = toy(Float("rate", 1e-4, 1e-1, log=True), Float("drop", 0, 0.5), Int("units", 4, 32, 4))
    levels = levels_of(workload, {"rate": 4, "drop": 3, "units": 3})
    assert levels["rate"] == (1e-4, 1e-3, 1e-2, 1e-1)
    assert levels["drop"] == (0.0, 0.25, 0.5)
    assert levels["units"] == (4, 20, 32)
    assert all(type(value) is float for value in levels["drop"])
    assert levels_of(workload, {"rate": 1, "drop": 1, "units": 1}) == {"rate": (1e-4,), "drop": (0.0,), "units": (4,)}


@pytest.mark.parametrize(
    ("workload", "counts", "said"),
    [
        (toy(Float("drop", 0, 0.5)), {}, "any number from 0 to 0.5"),
        (toy(Boolean("a"), Int("b", 1, 3, conditions=(Condition("a", (True,)),))), {}, "only for some values of 'a'"),
        (toy(Int("a", 1, 2000), Int("b", 1, 2000)), {}, "4,000,000 configurations"),
        (toy(Boolean("a")), {"b": 2}, "no such hyperparameter"),
        (toy(Choice("a", ("x", "y"))), {"a": 1}, "has no range"),
        (toy(Int("a", 1, 5)), {"a": 0}, "at least one"),
    ],
)
def test_what_no_table_can_hold_is_refused_in_one_sentence(workload, counts, said):
    with pytest.raises(UserError, match=said):
        levels_of(workload, counts)


def test_the_nearest_point_is_the_nearest_on_the_ranges_own_scale():
    points = (1.0, 10.0, 100.0)
    assert [nearest_point(points, value, log=True) for value in (0.5, 3.1, 3.2, 31, 32, 1e9)] == [0, 0, 1, 1, 2, 2]
    assert [nearest_point(points, value, log=False) for value in (5.5, 5.6, 54, 56)] == [0, 1, 1, 2]


def test_a_proposal_is_snapped_to_the_configuration_nearest_in_every_coordinate():
    space = Space(
        (Boolean("flag"), Int("units", 1, 9), Float("rate", 1e-4, 1e-1, log=True), Choice("kind", ("a", "b")))
    )
    levels = levels_of(ToyWorkload(space=space, untuned=space.defaults()), {"units": 3})
    configurations = configurations_of(levels)
    snapper = Snapper(levels, log_scales(space))
    for index in range(0, len(configurations), 7):
        assert snapper.index(configurations[index]) == index
    rng = np.random.default_rng(0)
    for _ in range(200):
        proposal = space.sample(rng)
        found = configurations[snapper.index(proposal)]
        assert (found["flag"], found["kind"]) == (proposal["flag"], proposal["kind"])
        assert abs(found["units"] - proposal["units"]) == min(abs(u - proposal["units"]) for u in levels["units"])
        distances = [abs(math.log(rate / proposal["rate"])) for rate in levels["rate"]]
        assert abs(math.log(found["rate"] / proposal["rate"])) == min(distances)
