"""Reruns are graded: rounding is no defect, and a real change is none that rounding could have made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.toy import ToyWorkload

from hptune_bench.core.budget import Limits
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import RunSetup
from hptune_bench.store.layout import RunId
from hptune_bench.store.runstore import MemoryStore
from hptune_bench.store.trial import Request, Trial
from hptune_bench.training import make_trainer
from hptune_bench.training.fake import FakeTrainer
from hptune_bench.verify import rerun
from hptune_bench.verify.check import Grade
from hptune_bench.verify.grades import FIRST, GROWTH, MOST, likeness, tolerance
from hptune_bench.workloads.linear_regression import LinearRegression

HEADER = {"definition": {}}


def trial(*values, status="completed", accuracy=None):
    history = {"val_loss": list(values)} | ({} if accuracy is None else {"val_accuracy": list(accuracy)})
    request = Request({"rate": 0.1}, 10, None, None)
    return Trial(trial=1, request=request, status=status, epochs=len(values), history=history)


@pytest.mark.parametrize(
    ("then", "now", "grade", "words"),
    [
        (trial(1.0, 2.0), trial(1.0, 2.0), Grade.IDENTICAL, "1 identical to the bit"),
        (trial(1.0, float("nan")), trial(1.0, float("nan")), Grade.IDENTICAL, "identical"),
        (trial(1.0, 2.0), trial(1.0, 2.0000002), Grade.EQUIVALENT, "furthest apart: trial 1, epoch 2, val_loss"),
        (trial(1.0, 2.0), trial(1.0, 2.1), Grade.DIFFERENT, "first different: trial 1, epoch 2, val_loss: 2.0, now"),
        (trial(1.0, 2.0), trial(1.0, float("nan")), Grade.DIFFERENT, "trial 1, epoch 2"),
        (trial(3.0, 2.0), trial(3.0), Grade.DIFFERENT, "was completed after 2, now completed after 1"),
        # In single precision 2 improves on 2.0000002 and not on 2: patience ends one of them an epoch sooner.
        (trial(2.0000002, 2.0, 3, 3, 3), trial(2.0, 2.0, 3, 3), Grade.DIVERGED, "epoch 2 improved val_loss by a round"),
        (trial(2.5, 2.0, 3, 3, 3), trial(2.5, 2.6, 3, 3), Grade.DIFFERENT, "epoch 2"),
        (trial(1.0, accuracy=[0.5]), trial(1.0, accuracy=[0.503]), Grade.EQUIVALENT, "val_accuracy"),
        (trial(1.0, accuracy=[0.5]), trial(1.0, accuracy=[0.6]), Grade.DIFFERENT, "val_accuracy"),
    ],
)
def test_how_two_trainings_are_compared(then, now, grade, words):
    check = rerun.compare("x", [then], [now], ToyWorkload())
    assert check.grade == grade
    assert check.status == ("differs" if grade == Grade.DIFFERENT else "ok")
    assert words in check.detail


def test_what_rounding_may_do_grows_with_the_epochs_and_ends():
    assert tolerance(1) == FIRST
    assert tolerance(3) == pytest.approx(FIRST * GROWTH**2)
    assert tolerance(1000) == MOST
    late = trial(*[1.0] * 9, 1.0 + 0.9 * tolerance(10))
    assert likeness(trial(*[1.0] * 10), late, ToyWorkload()).grade == Grade.EQUIVALENT
    early = trial(1.0 + 0.9 * tolerance(10), *[1.0] * 9)
    assert likeness(trial(*[1.0] * 10), early, ToyWorkload()).grade == Grade.DIFFERENT


# --- real changes --------------------------------------------------------------------------------------------------


class NoHiddenLayer(LinearRegression):
    def build(self, configuration, data):
        import keras

        model = keras.Sequential([keras.Input(shape=(1,), name="x", dtype="float64"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(configuration["learning_rate"]), "mse", metrics=["mae"])
        return model


def trained(trainer, workload, configuration, epochs, seed):
    requests = [Request(configuration, epochs, None, None)]
    store = MemoryStore()
    run = RunId(workload.name, "random_search", seed)
    limits = Limits(epochs=epochs)
    conduct(RunSetup(run, workload, rerun._Repeat(requests), trainer, limits, HEADER, store))
    return store.contents.trials[0]


def test_a_hundred_real_changes_are_called_different():
    """Another learning rate, another split, one more epoch, a dropped layer, another version of a tuner: 20 of each."""
    workload, small = LinearRegression(points=200), NoHiddenLayer(points=200)
    whole, dropped = make_trainer("compiled", workload), make_trainer("compiled", small)
    rng = np.random.default_rng(7)
    grades = []
    for seed in range(1, 21):
        rate = float(10 ** rng.uniform(-3.5, -1.5))
        asked = {"normalize": False, "neurons": 8, "learning_rate": rate, "optimizer": "adam"}
        was = trained(whole, workload, asked, 4, seed)
        assert likeness(was, trained(whole, workload, asked, 4, seed), workload).grade == Grade.IDENTICAL
        changed = [
            trained(whole, workload, {**asked, "learning_rate": rate * rng.uniform(1.02, 2)}, 4, seed),
            trained(whole, workload, asked, 4, seed + 100),
            trained(whole, workload, asked, 5, seed),
            trained(dropped, small, asked, 4, seed),
        ]
        grades += [likeness(was, now, workload).grade for now in changed]
        grades.append(asked_of_another_version(seed))
    assert grades == [Grade.DIFFERENT] * 100


class Version:
    """A tuner that draws at random, and in its second version otherwise: only later, or only a little."""

    continues = False

    def __init__(self, second=0):
        self.second = second

    def search(self, problem, evaluate, seed):
        rng = np.random.default_rng(seed)
        for number in range(10):
            drawn = problem.space.sample(rng)
            if self.second and number == self.second % 10:
                drawn = {**drawn, "rate": drawn["rate"] * 0.99}
            evaluate(drawn)


def asked_of_another_version(seed):
    workload = ToyWorkload()
    run = RunId("toy", "version", seed)
    setup = RunSetup(
        run, workload, Version(), FakeTrainer(workload), Limits(trials=10), {"definition": {}}, MemoryStore()
    )
    conduct(setup)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerun.registry, "make_tuner", lambda name, options: Version(second=seed))
        return rerun._ask(replace(setup, store=MemoryStore()), setup.store.contents, {}).grade


class NearTie:
    """A tuner that rounding decides: it goes on with whichever of two equal trials looks better."""

    continues = False

    def search(self, problem, evaluate, seed):
        one, two = ({"flag": flag, "rate": 1e-3} for flag in (False, True))
        results = [evaluate(one), evaluate(two)]
        scores = [result.score for result in results]
        evaluate({"flag": scores[0] < scores[1], "rate": 1e-2})


def test_a_choice_that_rounding_decides_is_no_other_tuner(monkeypatch):
    class Flat(FakeTrainer):
        """Both trainings end at the same score but for the last digits, as another processor had them."""

        def train(self, job):
            outcome = super().train(replace(job, configuration={"flag": True, "rate": 1e-3}, training_seed=1))
            shift = self.shift if job.configuration["flag"] else 0.0
            history = tuple({name: value * (1 + shift) for name, value in epoch.items()} for epoch in outcome.history)
            return replace(outcome, history=history, objective=tuple(each["val_loss"] for each in history))

    workload = ToyWorkload()
    trainer = Flat(workload)
    trainer.shift = 1e-9
    setup = RunSetup(
        RunId("toy", "t", 1), workload, NearTie(), trainer, Limits(trials=3), {"definition": {}}, MemoryStore()
    )
    conduct(setup)
    flipped = [dict(entry) for entry in setup.store.entries]
    last = [entry for entry in flipped if entry["kind"] == "trial"][-1]
    last["request"] = {**last["request"], "configuration": {**last["request"]["configuration"], "flag": False}}
    monkeypatch.setattr(rerun.registry, "make_tuner", lambda name, options: NearTie())
    check = rerun._ask(replace(setup, store=MemoryStore()), MemoryStore(flipped).contents, {})
    assert check.grade == Grade.DIVERGED
    assert "at trial 3 rounding decides" in check.detail
