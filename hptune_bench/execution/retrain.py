"""One training off the budget: the noise floor, and whether what a search selected holds."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hptune_bench.core import seeds
from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.protocols import Job, Workload, minimised
from hptune_bench.core.space import Configuration
from hptune_bench.execution.setup import RunSetup, first_line
from hptune_bench.store.journal import Entry
from hptune_bench.store.trial import Retraining


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
    test = dict(outcome.test()) if outcome.best is not None else {}
    return Retraining(
        repeat=repeat,
        configuration=dict(configuration),
        status="completed" if math.isfinite(outcome.objective[-1]) else "diverged",
        score=outcome.score,
        best_epoch=None if outcome.best is None else outcome.best + 1,
        epochs=len(outcome.objective),
        train_s=outcome.train_s,
        test=test,
        test_score=test_score(setup.workload, test),
    ).entry()


def test_score(workload: Workload, test: Mapping[str, float]) -> float | None:
    """The score of a model on the test split, minimised; None where there is no such split."""
    found = test.get(workload.test_metric)
    return None if found is None else minimised(found, workload.direction)


def lost_retraining(repeat: int, configuration: Configuration, status: str, error: str) -> Entry:
    """A retraining that gave no score, as a journal entry."""
    return Retraining(repeat=repeat, configuration=dict(configuration), status=status, error=error).entry()
