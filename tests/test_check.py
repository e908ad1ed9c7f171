"""The linter finds what it says it finds, and is silent about a healthy workload."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from support.toy import ToyWorkload

from hptune_bench.core.budget import Limits
from hptune_bench.core.protocols import Data, Outcome, Split
from hptune_bench.core.space import Float, Int, Space
from hptune_bench.lint.budget import budget, hyperband_iteration
from hptune_bench.lint.check import before_training, everything
from hptune_bench.lint.probes import probe
from hptune_bench.registry import make_workload
from hptune_bench.training import make_trainer
from hptune_bench.tuners import built_in
from hptune_bench.workloads.review_sentiment import ReviewSentiment
from hptune_bench.workloads.reviews import splits as review_splits
from hptune_bench.workloads.reviews.text import encode, ranks

EXAMPLES = Path(__file__).parent.parent / "benchmarks" / "examples" / "own"
HEALTHY = """
import keras
import numpy as np

EPOCHS = 2
rng = np.random.default_rng(0)
x = rng.normal(size=(110, 2)).astype("float32") + [0.0, 5.0]
y = x[:, :1]
train, validation, test = (x[:60], y[:60]), (x[60:90], y[60:90]), (x[90:], y[90:])


def build_model(hp, train):
    normalizer = keras.layers.Normalization()
    normalizer.adapt(train[0])
    unused = 1
    model = keras.Sequential([keras.Input(shape=(2,)), normalizer])
    model.add(keras.layers.Dense(hp.Int("units", 1, 8)))
    model.add(keras.layers.Dense(1))
    model.compile(optimizer=keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-1, sampling="log")), loss="mse")
    return model
"""
STEP = """    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    model = Own([keras.Input(shape=(2,)), normalizer])
"""


# --- the budget ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 2, 5, 9, 50, 81, 100])
def test_an_iteration_of_hyperband_is_as_long_as_kerastuners(epochs: int) -> None:
    import keras_tuner

    oracle = keras_tuner.oracles.HyperbandOracle(keras_tuner.Objective("score", "min"), max_epochs=epochs)
    trials = trained = 0
    for bracket in range(oracle._get_num_brackets()):
        for number in range(oracle._get_num_rounds(bracket)):
            size = oracle._get_size(bracket, number)
            before = oracle._get_epochs(bracket, number - 1) if number else 0
            trials += size
            trained += size * (oracle._get_epochs(bracket, number) - before)
    assert hyperband_iteration(epochs, 3) == (trials, trained)


def test_budgets_that_are_too_small_for_a_tuner() -> None:
    workload = ToyWorkload()  # two hyperparameters: six random points; ten full epochs

    def keys(tuner: str, **limits) -> list[str]:
        return [finding.key for finding in budget(workload, Limits(**limits), {tuner: built_in()[tuner]})]

    assert keys("bayesian_optimization", epochs=60) == ["random_points"]
    assert keys("bayesian_optimization_repaired", trials=6) == ["random_points"]
    assert keys("bayesian_optimization", epochs=70) == []
    trials, epochs = hyperband_iteration(10, 3)
    assert keys("hyperband", epochs=epochs - 1) == ["hyperband"]
    assert keys("hyperband", trials=trials - 1, epochs=epochs) == ["hyperband"]
    assert keys("hyperband", trials=trials, epochs=epochs) == []
    both = ["hyperband", "hyperband_repaired", "bayesian_optimization", "bayesian_optimization_repaired"]
    bayesian, hyperband = budget(workload, Limits(epochs=10), {name: built_in()[name] for name in both})
    assert "bayesian_optimization and bayesian_optimization_repaired start with 6" in bayesian.seen
    assert "the budget is 1 full training" in bayesian.seen
    assert "an iteration of hyperband and hyperband_repaired at" in hyperband.seen, "told once"
    (short,) = budget(workload, Limits(trials=20), {"hyperband": built_in()["hyperband"]})
    assert "the budget ends after 20 trials" in short.seen
    assert f"raise the budget to {trials} trials, or" in short.remedy
    (short,) = budget(workload, Limits(epochs=20), {"hyperband": built_in()["hyperband"]})
    assert f"raise the budget to {math.ceil(epochs / 10)} trainings, or" in short.remedy
    assert keys("random_search", trials=1) == []


# --- without training ----------------------------------------------------------------------------------------------


def texts(found) -> dict[str, str]:
    """The findings by kind; each says what was seen, and then what to do."""
    held = list(found)
    assert all(len(each.seen) > 20 and len(each.remedy) > 10 for each in held)
    return {each.key: each.text for each in held}


def findings(workload) -> dict[str, str]:
    return texts(before_training(workload))


def own(tmp_path: Path, text: str):
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    return make_workload(f"{path}:build_model", {})


def test_the_notebooks_dead_hyperparameter_is_found() -> None:
    found = findings(make_workload("review_sentiment_as_written", {"reviews": 1000}))
    assert "'vocab_count' changes neither" in found["dead"]
    assert "word_count" not in found["dead"]
    assert "fresh_sample" in found
    assert "fitted on validation rows" in found["preprocessing"]
    assert "no_test" in found


def test_the_corrected_workload_and_a_healthy_one_pass(tmp_path: Path) -> None:
    assert findings(make_workload("review_sentiment", {"reviews": 1000})) == {}
    assert findings(own(tmp_path, HEALTHY)) == {}


@pytest.mark.parametrize(
    ("key", "old", "new", "words"),
    [
        ("dead", "unused = 1", 'unused = hp.Choice("unused", [1, 2])', "hyperparameter 'unused'"),
        ("preprocessing", "normalizer.adapt(train[0])", "normalizer.adapt(x)", "fitted on validation rows"),
        ("no_test", ", test = ", ", _ = ", "no test split"),
        (
            "shared_rows",
            "(x[60:90], y[60:90])",
            "(x[50:90], y[50:90])",
            "10 of 40 different validation rows are train rows",
        ),
        ("loader", "default_rng(0)", "default_rng()", "gives other rows"),
        ("stock", "    model = keras.Sequential([keras.Input(shape=(2,)), normalizer])\n", STEP, "its own train_step"),
    ],
)
def test_each_mistake_is_found_alone(tmp_path: Path, key: str, old: str, new: str, words: str) -> None:
    assert old in HEALTHY
    found = findings(own(tmp_path, HEALTHY.replace(old, new)))
    assert list(found) == [key]
    assert words in found[key]


SUBCLASSED = """    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = keras.layers.Dense(4)
            self.dropout = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.8))
            self.power = hp.Choice("power", [1, 2])

        def call(self, x, training=False):
            return self.dropout(self.hidden(normalizer(x)), training=training) ** self.power

        def get_config(self):
            raise NotImplementedError

    model = Own()
"""
LOSS = """

def loss(exponent):
    def powered(expected, found):
        return keras.ops.abs(expected - found) ** exponent

    return powered
"""
OWN_FIT = """

class Tuned(keras_tuner.HyperModel):
    def build(self, hp):
        return build_model(hp, train)

    def fit(self, hp, model, x, y, callbacks=(), **kwargs):
        stop = keras.callbacks.EarlyStopping(patience=hp.Int("patience", 5, 10))
        noise = hp.Float("noise", 0.0, 1.0) * np.random.default_rng(0).normal(size=x.shape)
        unused = hp.Int("unused", 1, 9)
        return model.fit(x + noise.astype("float32"), y, callbacks=[*callbacks, stop], **kwargs)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            '    model.add(keras.layers.Dense(hp.Int("units", 1, 8)))\n    model.add(keras.layers.Dense(1))\n',
            SUBCLASSED,
        ),
        ('loss="mse"', 'loss=loss(hp.Float("exponent", 0.5, 3.0))'),
    ],
)
def test_what_no_description_of_a_model_shows_is_not_called_dead(tmp_path: Path, old: str, new: str) -> None:
    assert old in HEALTHY
    workload = own(tmp_path, HEALTHY.replace(old, new) + LOSS)
    assert {"dropout", "power"} <= set(workload.space.names) or "exponent" in workload.space.names
    assert findings(workload) == {}


def test_a_fit_of_ones_own_is_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(HEALTHY.replace("import keras\n", "import keras\nimport keras_tuner\n") + OWN_FIT, encoding="utf-8")
    workload = make_workload(f"{path}:Tuned", {})
    assert {"patience", "noise", "unused"} < set(workload.space.names)
    found = list(everything(workload, Limits(trials=40), {}, make_trainer("compiled", workload), probes=1))
    dead = [each.seen for each in found if each.key == "dead"]
    assert len(dead) == 1
    assert "'unused' changes neither" in dead[0]
    slow = [each.text for each in found if each.key in ("stock", "trainer")]
    assert len(slow) == 1, "told once"
    assert "a HyperModel with a fit of its own" in slow[0]


def test_a_model_that_turns_out_not_to_compile_is_found_by_the_probes(tmp_path: Path) -> None:
    late = """    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    kind = Own if hp.Boolean("own") else keras.Sequential
    model = kind([keras.Input(shape=(2,)), normalizer])
"""
    old = "    model = keras.Sequential([keras.Input(shape=(2,)), normalizer])\n"
    workload = own(tmp_path, HEALTHY.replace(old, late))
    found = texts(everything(workload, Limits(trials=40), {}, make_trainer("compiled", workload), probes=4))
    assert "stock" not in found, "the untuned model compiles"
    assert "the model has its own train_step" in found["trainer"]


class Tokenised(ReviewSentiment):
    """The corrected workload, but for a vocabulary that was fitted on all rows before they were parted."""

    def load(self, seed: int) -> Data:
        drawn = review_splits.draw(None, self.reviews, "sample", seed)
        x = encode(drawn.texts, ranks(drawn.texts, drawn.words), 100)
        half = self.reviews // 2
        return Data(Split(x[:half], drawn.y[:half]), Split(x[half:], drawn.y[half:]), None)


class Centred(ReviewSentiment):
    """The corrected workload, but for a preparation that looks at the validation rows."""

    def prepare(self, configuration, data: Data) -> Data:
        prepared = super().prepare(configuration, data)
        centred = prepared.train.x - prepared.validation.x.mean()
        return dataclasses.replace(prepared, train=Split(centred, prepared.train.y))


@pytest.mark.parametrize("kind", [Tokenised, Centred])
def test_preprocessing_that_has_seen_validation_rows_is_found(kind: type) -> None:
    found = findings(kind(reviews=1001))
    assert "fitted on validation rows" in found["preprocessing"]


# --- with trainings ------------------------------------------------------------------------------------------------


class Drawn:
    """A trainer whose scores are a function of the configuration, and of noise from the training seed."""

    name, note = "drawn", None

    def __init__(self, workload, score, noise: float = 1e-3, slope: float = 0.1) -> None:
        self.workload, self.score, self.noise, self.slope = workload, score, noise, slope

    def data(self, data_seed: int) -> Data:
        return self.workload.load(data_seed)

    def train(self, job) -> Outcome:
        noise = self.noise * np.random.default_rng(job.training_seed).normal()
        end = self.score(job.configuration) + noise
        curve = [end + self.slope * (job.epochs - 1 - epoch) for epoch in range(job.epochs)]
        best = int(np.argmin(curve)) if math.isfinite(end) else None
        history = tuple({"val_loss": value} for value in curve)
        return Outcome(history, tuple(curve), False, False, best, 0.0, 0.0, 0.0, None, dict, list)


SPACE = Space((Float("rate", 1e-4, 1e-1, log=True), Int("units", 1, 30)))


def probed(score, **more) -> dict[str, str]:
    workload = ToyWorkload(space=SPACE, untuned={"rate": 1e-3, "units": 10})
    return texts(probe(workload, Drawn(workload, score, **more), probes=40))


def bowl(configuration) -> float:
    """Best in the middle of both ranges."""
    return (math.log10(configuration["rate"]) + 2.5) ** 2 + ((configuration["units"] - 15) / 10) ** 2


def test_a_healthy_space_passes() -> None:
    assert probed(bowl) == {}


@pytest.mark.parametrize(
    ("key", "score", "more", "words"),
    [
        ("diverging", lambda c: math.nan if c["rate"] > 1e-2 else bowl(c), {}, "probes with rate from 0.01"),
        (
            "edge",
            lambda c: (math.log10(c["rate"]) + 2.5) ** 2 / 100 + c["units"],
            {},
            "when units goes to the lower end",
        ),
        ("narrow", bowl, {"noise": 3.0}, "uners can hardly differ"),
        ("still", bowl, {"slope": 0.0}, "in 40 of 40 probes val_loss is the same"),
    ],
)
def test_each_trouble_of_a_space_is_found(key: str, score, more: dict, words: str) -> None:
    found = probed(score, **more)
    assert list(found) == [key]
    assert words in found[key]


def test_probes_that_fail_are_named_with_their_values() -> None:
    def score(configuration) -> float:
        if configuration["units"] > 25:
            raise ValueError("too many")
        return bowl(configuration)

    found = probed(score)
    assert "ValueError: too many (test_check.py, line" in found["fails"]
    assert "units = " in found["fails"]
