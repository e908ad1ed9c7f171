"""Every built-in workload: its data, its space, its fingerprint, and one training by each trainer."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.training_models import assert_identical, train

from hptune_bench import registry
from hptune_bench.benchmark import read_benchmark
from hptune_bench.core.errors import UserError
from hptune_bench.core.fingerprint import declared
from hptune_bench.core.keras_space import from_keras_tuner, to_keras_tuner
from hptune_bench.core.protocols import Data, Workload
from hptune_bench.core.seeds import data_seed
from hptune_bench.core.space import Value, default_of, described, restored
from hptune_bench.training import make_trainer
from hptune_bench.training.structure import structure_key
from hptune_bench.workloads import diabetes, friedman1, sequence_parity

NAMES = registry.workload_names()
SMALLER: dict[str, dict[str, Any]] = {
    "linear_regression": {"points": 515},
    "linear_regression_wide_rate": {"points": 515},
    "review_sentiment": {"reviews": 300},
    "review_sentiment_wide": {"reviews": 300},
    "review_sentiment_as_written": {"reviews": 300},
    "friedman1": {"points": 300},
}
ENGINES = {"linear_regression": "xla", "linear_regression_wide_rate": "xla"}
"""What really trains a workload, where that is not ``loop``."""
RESPLIT = {"digits": 1797, "digits_cnn": 1797, "diabetes": 442, "breast_cancer": 569, "wine": 178}
ONE_SOURCE = [
    {"linear_regression", "linear_regression_wide_rate"},
    {"review_sentiment", "review_sentiment_wide", "review_sentiment_as_written"},
    {"digits", "digits_cnn"},
]

every_workload = pytest.mark.parametrize("name", NAMES)


@cache
def workload(name: str) -> Workload:
    return registry.make_workload(name, SMALLER.get(name, {}))


@cache
def data(name: str, seed: int = 1) -> Data:
    return workload(name).load(seed)


def splits(drawn: Data) -> list[Any]:
    return [split for split in (drawn.train, drawn.validation, drawn.test) if split is not None]


def rows(split: Any) -> set[bytes]:
    return {np.ascontiguousarray(row).tobytes() for row in split.x}


# --- data ----------------------------------------------------------------------------------------------------------


@every_workload
def test_data_are_whole_and_the_seed_alone_decides_them(name: str) -> None:
    drawn, again, other = data(name), workload(name).load(1), data(name, 2)
    assert (drawn.test is None) == (name == "review_sentiment_as_written"), "the notebook had no test split"
    for split, same in zip(splits(drawn), splits(again), strict=True):
        assert len(split.x) == len(split.y) >= 30
        assert split.x.shape[1:] == drawn.train.x.shape[1:]
        assert split.y.shape[1:] == drawn.train.y.shape[1:]
        assert np.isfinite(split.x).all()
        assert np.isfinite(split.y).all()
        assert (split.x.tobytes(), split.y.tobytes()) == (same.x.tobytes(), same.y.tobytes())
    assert drawn.train.x.tobytes() != other.train.x.tobytes()
    assert drawn.facts == again.facts


@every_workload
def test_no_row_is_in_two_splits(name: str) -> None:
    found = [rows(split) for split in splits(data(name))]
    assert len(set.union(*found)) == sum(map(len, found))


@pytest.mark.parametrize("name", RESPLIT)
def test_each_seed_splits_the_same_rows_anew(name: str) -> None:
    def images(seed: int) -> list[set[bytes]]:
        return [rows(split) for split in splits(data(name, seed))]

    one, other = images(1), images(2)
    assert [len(split) for split in one] == [len(split) for split in other]
    assert sum(map(len, one)) == RESPLIT[name]
    assert one[0] != other[0]
    if name.startswith("digits"):  # the others are scaled by their training rows
        assert set.union(*one) == set.union(*other)
    assert workload(name).data_label == "resplit"


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer", "wine"])
def test_scales_come_from_the_training_rows_alone(name: str) -> None:
    drawn = data(name)
    for column in ("x", "y") if name == "diabetes" else ("x",):
        table = getattr(drawn.train, column)
        np.testing.assert_allclose(table.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(table.std(axis=0), 1, rtol=1e-5)
        assert np.abs(getattr(drawn.validation, column).mean(axis=0)).max() > 1e-3


@every_workload
def test_workloads_of_one_data_source_are_one_family_and_split_alike(name: str) -> None:
    source = next((names for names in ONE_SOURCE if name in names), {name})
    assert {other for other in NAMES if workload(other).family == workload(name).family} == source
    if len(source) > 1 and name != "review_sentiment_as_written":
        first = min(source - {"review_sentiment_as_written"})
        np.testing.assert_array_equal(data(name).train.y, data(first).train.y)


@every_workload
def test_the_cap_is_the_loss_of_the_best_constant(name: str) -> None:
    drawn, cap = data(name), workload(name).cap(data(name))
    y, known = drawn.validation.y.astype(float), drawn.train.y.astype(float)
    if y.shape[-1] == 1:
        expected = np.mean((y - known.mean()) ** 2)
    else:
        counts = known.reshape(-1, known.shape[-1]).sum(axis=0)
        expected = -np.mean(y.reshape(-1, y.shape[-1]) @ np.log(counts / counts.sum()))
    assert cap == pytest.approx(expected)


def test_of_wide_rates_a_few_adam_with_normalised_inputs_learn() -> None:
    """What docs/workloads.md says of the post's claim that tuning is pointless from 1 to 1,000."""
    problem = registry.make_workload("linear_regression_wide_rate", {})
    seed = data_seed(problem.family, 1)
    trainer, cap = make_trainer("compiled", problem), problem.cap(problem.load(seed))

    def best(**values: Value) -> float:
        configuration = {"normalize": True, "neurons": 32, "learning_rate": 2.0, "optimizer": "adam", **values}
        scores = [row["val_loss"] for row in train(trainer, configuration, epochs=50, data_seed=seed).history]
        return min((score for score in scores if math.isfinite(score)), default=math.inf)

    assert best() < 36
    assert best(learning_rate=30.0) == pytest.approx(cap, rel=0.1)
    assert best(optimizer="sgd", learning_rate=1.0) == math.inf


def test_friedmans_law_is_scikit_learns_and_its_noise_is_known() -> None:
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(50, noise=0.0, random_state=0)
    np.testing.assert_allclose(friedman1.law(x), y)
    noisy, quiet = (friedman1.workload(points=5000, noise=noise).load(1) for noise in (2.0, 0.0))
    np.testing.assert_array_equal(noisy.train.x, quiet.train.x)
    delta = (noisy.train.y - quiet.train.y).astype(float)
    assert noisy.facts["train_noise"] == pytest.approx(np.mean(delta**2), rel=1e-5)
    # The mean of n squares of normal(0, 2) has variance 2 * 2^4 / n.
    assert abs(noisy.facts["train_noise"] - 4) < 5 * math.sqrt(2 * 2**4 / len(delta))
    assert quiet.facts["validation_noise"] == 0


def test_friedmans_excess_loss_is_free_of_noise() -> None:
    problem = friedman1.workload(points=50, noise=9.0)

    def off_by(shift: float) -> float:
        def model(x: np.ndarray, training: bool) -> np.ndarray:
            return (friedman1.law(x.astype(float)) + shift)[:, None]

        return problem.truth(model, problem.load(1))["excess_loss"]

    assert off_by(0) == 0
    assert off_by(3) == pytest.approx(9)


def test_running_parity_is_the_law_of_the_sequences() -> None:
    drawn = sequence_parity.workload(rows=60, length=8).load(4)
    for split in splits(drawn):
        odd = [[sum(row[: place + 1]) % 2 for place in range(8)] for row in split.x[:, :, 0].astype(int).tolist()]
        np.testing.assert_array_equal(split.y[:, :, 1], odd)
        np.testing.assert_array_equal(split.y.sum(axis=-1), 1)


# --- space and settings --------------------------------------------------------------------------------------------


@every_workload
def test_the_space_is_one_that_keras_tuner_takes_and_holds_what_is_tried(name: str) -> None:
    problem = workload(name)
    assert problem.space.check(problem.untuned, "untuned") == problem.untuned
    if problem.published is not None:
        assert problem.space.check(problem.published, "published") == problem.published
    assert list(problem.hand_picked) == list(problem.space.names)
    for hp in problem.space:
        assert all(hp.contains(value) for value in problem.hand_picked[hp.name])
    translated = from_keras_tuner(to_keras_tuner(problem.space))
    assert [dataclasses.replace(hp, default=default_of(hp)) for hp in problem.space] == list(translated)


@every_workload
def test_a_space_survives_the_way_to_another_process(name: str) -> None:
    space = workload(name).space
    assert restored(json.loads(json.dumps(described(space)))) == space


@every_workload
def test_the_workload_introduces_itself(name: str) -> None:
    problem = workload(name)
    assert problem.name == name
    assert problem.title
    assert problem.teaches.endswith(".")
    assert problem.options == SMALLER.get(name, {})
    assert f"\n## `{name}`\n" in Path("docs/workloads.md").read_text(encoding="utf-8")


def test_spaces_that_no_grid_covers_have_conditions() -> None:
    for name in sorted({*RESPLIT, "friedman1", "sequence_parity", "review_sentiment_wide"}):
        assert 5 <= len(workload(name).space) <= 9
        assert any(hp.conditions for hp in workload(name).space)


def test_the_wide_rate_is_all_that_differs() -> None:
    wide, usual = workload("linear_regression_wide_rate").space, workload("linear_regression").space
    assert [hp for hp in wide if hp.name != "learning_rate"] == [hp for hp in usual if hp.name != "learning_rate"]
    assert (wide["learning_rate"].low, wide["learning_rate"].high) == (1, 1000)  # type: ignore[union-attr]
    assert usual["learning_rate"].high == 0.2  # type: ignore[union-attr]


@every_workload
def test_no_hyperparameter_is_dead(name: str) -> None:
    """Another value gives another model, optimizer, batch size or input; only the notebook's mistake does not."""
    problem = workload(name)
    rng = np.random.default_rng(0)
    dead = set()
    for hp in problem.space:
        configuration = next(drawn for drawn in iter(lambda: problem.space.sample(rng), None) if hp.name in drawn)
        other = next(value for value in iter(lambda hp=hp: hp.draw(rng), None) if value != configuration[hp.name])
        if _made(name, configuration) == _made(name, changed(problem, configuration, hp.name, other)):
            dead.add(hp.name)
    assert dead == ({"vocab_count"} if name == "review_sentiment_as_written" else set())


def changed(problem: Workload, configuration: dict[str, Value], name: str, value: Value) -> dict[str, Value]:
    """The configuration with another value, and defaults for what becomes active by it."""
    defaults = {hp.name: default_of(hp) for hp in problem.space}
    return problem.space.active({**defaults, **configuration, name: value})


def _made(name: str, configuration: dict[str, Value]) -> tuple[Any, ...]:
    problem = workload(name)
    prepared = problem.prepare(configuration, data(name))
    model = problem.build(configuration, prepared)
    model(prepared.train.x[:1])
    key = structure_key(model, [prepared.train.x.shape])
    assert key is not None, "no program could be shared between trials"
    return key, float(model.optimizer.learning_rate), problem.fit(configuration)


def test_weight_decay_shrinks_weights_not_biases_and_is_no_part_of_the_loss() -> None:
    problem = diabetes.workload()
    configuration = {**problem.untuned, "weight_decay": 0.5, "learning_rate": 0.1, "dropout": 0.0}
    model = problem.build(configuration, data("diabetes"))
    before = [np.full(weight.shape, 2.0) for weight in model.weights]
    model.set_weights(before)
    model.optimizer.apply([np.zeros_like(weight) for weight in before], model.trainable_variables)
    for weight in model.weights:
        expected = 2.0 if weight.name == "bias" else 2.0 * (1 - 0.5 * 0.1)
        np.testing.assert_allclose(np.asarray(weight), expected, rtol=1e-6)
    assert model.losses == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("digits", {"points": 100}),
        ("friedman1", {"point": 100}),
        ("friedman1", {"points": 9}),
        ("friedman1", {"noise": -1.0}),
        ("sequence_parity", {"length": 7}),
        ("sequence_parity", {"length": 21}),
        ("sequence_parity", {"length": 8, "rows": 257}),
        ("linear_regression_wide_rate", {"points": True}),
    ],
)
def test_bad_options_are_the_users_error(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"workload {name}: .*{list(options)[-1]}"):
        registry.make_workload(name, options)


# --- fingerprints --------------------------------------------------------------------------------------------------

CHILD = """
from test_workloads import NAMES, declared, workload
print(*[declared(workload(name)).exact["settings"] for name in NAMES])
"""


def test_what_workloads_declare_is_stable_between_processes_and_tells_them_apart() -> None:
    here = [declared(workload(name)).exact["settings"] for name in NAMES]
    assert len(set(here)) == len(NAMES) - 1, "the notebook's mistakes do not show before data and models are made"
    folder = os.path.dirname(__file__)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([folder, os.path.dirname(folder)]),
        "PYTHONHASHSEED": "7",
    }
    child = subprocess.run([sys.executable, "-c", CHILD], env=environment, capture_output=True, timeout=120, check=True)
    assert child.stdout.decode().split() == here


# --- training ------------------------------------------------------------------------------------------------------


@every_workload
def test_both_trainers_train_it_alike_and_with_the_engine_that_it_should_have(name: str) -> None:
    problem, seed = workload(name), data_seed(workload(name).family, 1)
    engine = ENGINES.get(name, "loop")
    ours, plain = make_trainer("compiled", problem), make_trainer("stock", problem)
    mine, expected = (train(trainer, problem.untuned, epochs=2, data_seed=seed) for trainer in (ours, plain))
    assert [current.plan.xla for current in ours.engines.values()] == {"loop": [False], "xla": [True]}[engine]
    assert ours.note is None
    if engine == "xla":
        for row, other in zip(mine.history, expected.history, strict=True):
            assert dict(row) == pytest.approx(dict(other), rel=1e-4)
    else:
        assert_identical(mine, expected)
    assert {problem.objective, *problem.metrics} <= set(mine.history[0])
    assert math.isfinite(mine.history[-1][problem.objective])
    scores = mine.test()
    assert all(math.isfinite(score) for score in scores.values())
    assert (problem.test_metric in scores) == (data(name).test is not None)


# --- the benchmark file of everything ------------------------------------------------------------------------------


def test_the_full_benchmark_has_every_workload_and_every_tuner() -> None:
    benchmark = read_benchmark(Path("benchmarks/full.toml"))
    assert {entry.name for entry in benchmark.workloads} == set(NAMES)
    for entry in benchmark.workloads:
        problem = registry.make_workload(entry.name, entry.options)
        # A tuner with options replays a file that a reader has made: no benchmark of ours can name one.
        infos = {name: info for name, info in registry.tuner_infos().items() if not info.options}
        expected = {name for name, info in infos.items() if problem.published or info.role != "winner"}
        assert set(benchmark.tuners_of(entry)) == expected
        for tuner in benchmark.tuners_of(entry):
            registry.check_tuner(tuner, problem, entry.name)
