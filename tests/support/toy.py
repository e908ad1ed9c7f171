"""A workload without TensorFlow, trainers that fail on purpose, and tuners that misbehave: material for the tests."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hptune_bench.core.budget import Limits
from hptune_bench.core.protocols import Data, Fit, Split
from hptune_bench.core.space import Boolean, Float, Space, hand_picked
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import RunSetup
from hptune_bench.store import journal
from hptune_bench.store.layout import RunId
from hptune_bench.store.runstore import FileStore
from hptune_bench.training.fake import FakeTrainer

SPACE = Space((Boolean("flag"), Float("rate", 1e-4, 1e-1, log=True)))


@dataclass
class ToyWorkload:
    name: str = "toy"
    title: str = "a toy"
    teaches: str = ""
    data_label: str = ""
    family: str = "toy"
    space: Space = SPACE
    untuned: dict = field(default_factory=lambda: {"flag": True, "rate": 1e-3})
    sweep_order: Any = None
    published: Any = None
    full_epochs: int = 10
    engine: str = "loop"
    objective: str = "val_loss"
    direction: str = "min"
    metrics: dict = field(default_factory=dict)
    test_metric: str = "loss"
    options: dict = field(default_factory=dict)
    patience: int | None = 3

    @property
    def hand_picked(self):
        return hand_picked(self.space, self.untuned)

    def load(self, seed):
        rows = Split(np.full((4, 1), float(seed)), np.zeros(4))
        return Data(rows, rows, rows)

    def prepare(self, configuration, data):
        return data

    def fit(self, configuration):
        return Fit(patience=self.patience)

    def cap(self, data):
        return 10.0


class RandomTuner:
    """Uniform draws, for ever."""

    continues = False

    def search(self, problem, evaluate, seed):
        rng = np.random.default_rng(seed)
        while True:
            evaluate(problem.space.sample(rng))


class LadderTuner:
    """Trains to 2, resumes to 5, resumes to 10, restarts the best: every way of continuing."""

    continues = True

    def search(self, problem, evaluate, seed):
        rng = np.random.default_rng(seed)
        while True:
            configuration = problem.space.sample(rng)
            first = evaluate(configuration, epochs=2)
            second = evaluate(configuration, epochs=5, resume=first.trial)
            if math.isfinite(second.score):
                evaluate(configuration, epochs=8, restart=second.trial)


class FailingTrainer(FakeTrainer):
    """Raises on chosen trials."""

    def __init__(self, workload, bad=()):
        super().__init__(workload)
        self.bad, self.count = set(bad), 0

    def train(self, job):
        self.count += 1
        if self.count in self.bad:
            raise RuntimeError("no luck\nsecond line")
        return super().train(job)


def conduct_toy(path: Path, tuner, *, trainer=None, limits=None, workload=None, seed=1, stopping=lambda: False):
    """One run in this process; returns the journal's contents afterwards."""
    workload = workload or ToyWorkload()
    setup = RunSetup(
        run=RunId("toy", type(tuner).__name__, seed),
        workload=workload,
        tuner=tuner,
        trainer=trainer or FakeTrainer(workload),
        limits=limits or Limits(epochs=100),
        header={"definition": {}},
        store=FileStore(path),
        stopping=stopping,
    )
    conduct(setup)
    return journal.read(path)


def timeless(entry: dict) -> dict:
    """An entry without its clocks."""
    return {key: value for key, value in entry.items() if not key.endswith("_s")}
