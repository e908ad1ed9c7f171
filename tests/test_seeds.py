"""Seeds are hashes of names: independent of each other, of the process and of the order of asking."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hptune_bench.core import seeds


@given(st.lists(st.text() | st.integers(), min_size=1))
def test_a_seed_fits_what_kerastuner_takes(names):
    assert 1 <= seeds.derive(*names) < 2**32


def test_a_seed_is_the_same_on_every_machine():
    assert seeds.derive("data", "reviews", 1) == 3741600252
    assert seeds.derive("a", "b") != seeds.derive("ab")


def test_kinds_of_seeds_are_apart_and_a_repeat_sees_fresh_noise():
    configuration = {"b": 1, "a": True}
    one = {
        seeds.data_seed("x", 1),
        seeds.tuner_seed("x", "t", 1),
        seeds.tuner_seed("x", "u", 1),
        seeds.training_seed(1, configuration, 0),
        seeds.training_seed(1, configuration, 1),
        seeds.training_seed(2, configuration, 0),
    }
    assert len(one) == 6
    assert seeds.training_seed(1, configuration, 0) == seeds.training_seed(1, {"a": True, "b": 1}, 0)


def test_a_batch_order_is_a_permutation_of_its_epoch_alone():
    order = seeds.batch_order(7, 3, 100)
    assert order.dtype == np.int32
    assert sorted(order) == list(range(100))
    assert (order == seeds.batch_order(7, 3, 100)).all()
    assert (order != seeds.batch_order(7, 4, 100)).any()
