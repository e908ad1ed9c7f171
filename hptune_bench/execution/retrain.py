"""One training off the budget: the noise floor, and whether what a search selected holds."""

from __future__ import annotations

import math

from hptune_bench.core import seeds
from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.protocols import Job, sign_of
from hptune_bench.core.space import Configuration
from hptune_bench.execution.setup import RunSetup, first_line
from hptune_bench.store.journal import Entry


def retrain(
    setup: RunSetup, configuration: Configuration, data_seed: int, repeat: int, salt: str, before: int = 0
) -> Entry:
    """One full training off the budget, with a seed that no trial of any run has.

    Args:
        before: how often the run has trained this configuration.
    """
    seed = seeds.derive(salt, setup.run.tuner, seeds.training_seed(data_seed, configuration, repeat))
    job = Job(configuration, setup.workload.full_epochs, data_seed, seed, repeat=before)
    if not setup.trainer.replays:
        setup.progress({"event": "retraining", "repeat": repeat, "configuration": dict(configuration)})
    outcome = attempt(lambda: setup.trainer.train(job))
    if not setup.trainer.replays:
        setup.progress({"event": "retrained", "repeat": repeat})
    if isinstance(outcome, Failure):
        return lost_retraining(repeat, configuration, "error", first_line(outcome.error))
    entry = lost_retraining(repeat, configuration, "", "")
    sign = sign_of(setup.workload.direction)
    curve = [sign * epoch[setup.workload.objective] for epoch in outcome.history]
    test = dict(outcome.test()) if outcome.best is not None else {}
    metric = setup.workload.test_metric
    return {
        **entry,
        "status": "completed" if math.isfinite(curve[-1]) else "diverged",
        "score": math.inf if outcome.best is None else curve[outcome.best],
        "best_epoch": None if outcome.best is None else outcome.best + 1,
        "epochs": len(curve),
        "train_s": outcome.train_s,
        "test": test,
        "test_score": sign * test[metric] if metric in test else None,
    }


def lost_retraining(repeat: int, configuration: Configuration, status: str, error: str) -> Entry:
    """A retraining that gave no score, as a journal entry."""
    return {
        "kind": "retraining",
        "repeat": repeat,
        "configuration": dict(configuration),
        "status": status,
        "score": math.inf,
        "best_epoch": None,
        "epochs": 0,
        "train_s": 0.0,
        "test": {},
        "test_score": None,
        "error": error,
    }
