"""The post's regression problem: its data, its options, its truth."""

import subprocess
import sys

import numpy as np
import pytest

from hptune_bench.core.errors import UserError
from hptune_bench.workloads.linear_regression import LAWS, LinearRegression, workload

SEED = 3


def test_data_are_the_posts_law_split_without_overlap() -> None:
    data = workload().load(SEED)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [8000, 2000, 2000]
    x = np.concatenate([data.train.x, data.validation.x])[:, 0]
    assert np.array_equal(np.sort(x), np.linspace(0, 100, 10_000))
    assert not np.array_equal(np.sort(x), x), "the rows are shuffled before the split"
    assert not np.isin(data.test.x, x).any(), "the test split has points of its own"
    for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test)):
        delta = split.y - split.x
        assert np.abs(delta).max() <= 10
        assert data.facts[f"{name}_noise"] == pytest.approx(np.mean(delta**2), rel=1e-12)
        # The mean of n squares of uniform(-10, 10) has variance (100^2 * 4/45) / n.
        assert abs(data.facts[f"{name}_noise"] - 100 / 3) < 5 * np.sqrt(100**2 * 4 / 45 / len(split))


def test_one_seed_gives_equal_bytes_and_another_gives_other_rows() -> None:
    first, again, other = (workload(points=100).load(seed) for seed in (1, 1, 2))
    assert first.train.y.tobytes() == again.train.y.tobytes()
    assert not np.array_equal(first.test.y, other.test.y)
    assert not np.array_equal(first.train.x, other.train.x)


def test_options_change_the_problem_and_are_recorded() -> None:
    changed = workload(points=50, noise=0.0, law="sine")
    data = changed.load(SEED)
    assert np.allclose(data.train.y, LAWS["sine"](data.train.x))
    assert (len(data.train), len(data.validation)) == (40, 10)
    assert changed.options == {"points": 50, "noise": 0.0, "law": "sine"}
    assert workload().options == {}


@pytest.mark.parametrize(
    "options",
    [
        {"point": 5},
        {"engine": "loop"},
        {"points": 5},
        {"points": 1e4},
        {"noise": -1},
        {"noise": float("nan")},
        {"law": "square"},
    ],
)
def test_bad_options_are_the_users_error(options: dict) -> None:
    with pytest.raises(UserError, match="workload linear_regression"):
        workload(**options)


def test_configurations_lie_in_the_space() -> None:
    problem = workload()
    for configuration in (problem.untuned, problem.published):
        assert problem.space.check(configuration, "here") == configuration
    assert problem.hand_picked["learning_rate"] == (1e-4, 1e-3, 1e-2, 1e-1)


def test_cap_is_the_loss_of_the_mean() -> None:
    data = workload().load(SEED)
    assert workload().cap(data) == pytest.approx(
        data.validation.y.var() + (data.validation.y.mean() - data.train.y.mean()) ** 2
    )


@pytest.mark.parametrize("law", ["linear", "sine"])
def test_truth_is_the_error_free_of_noise(law: str) -> None:
    problem = LinearRegression(law=law)
    data = problem.load(SEED)
    perfect = problem.truth(lambda x, training: LAWS[law](x), data)
    shifted = problem.truth(lambda x, training: LAWS[law](x) + 2, data)
    assert perfect["excess_loss"] == 0
    assert shifted["excess_loss"] == pytest.approx(4)


def test_the_model_is_the_posts() -> None:
    problem = workload(points=1000)
    data = problem.load(SEED)
    model = problem.build({"normalize": True, "neurons": 8, "learning_rate": 0.01, "optimizer": "sgd"}, data)
    normalization, hidden, output = model.layers
    assert float(np.asarray(normalization.mean)[0, 0]) == pytest.approx(data.train.x.mean(), rel=1e-6)
    assert (hidden.units, hidden.activation.__name__, output.units) == (8, "relu", 1)
    assert model.inputs[0].name == "x"
    assert model.inputs[0].dtype == "float64"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    plain = problem.build({"normalize": False, "neurons": 4, "learning_rate": 0.01, "optimizer": "adam"}, data)
    assert len(plain.layers) == 2
    assert float(plain.optimizer.learning_rate) == pytest.approx(0.01)


def test_importing_it_does_not_import_tensorflow() -> None:
    modules = "hptune_bench.workloads.linear_regression, hptune_bench.training.compiled"
    code = f"import sys, {modules}; assert not {{'tensorflow', 'keras'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
