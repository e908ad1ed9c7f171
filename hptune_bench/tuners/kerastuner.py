"""KerasTuner's algorithms, driven by asking and telling its own oracles (``keras_tuner.oracles``, 1.4.8), in memory.

Two kinds. **Plain**: what ``Tuner.search`` of pip's KerasTuner does with its defaults. It is told what the stock tuner
would have told (``Result.reported``, NaN included), a promoted Hyperband trial restarts from its parent's best epoch
with a fresh optimizer, and nothing is rounded. Three things are stock's by name only: it goes on after three
consecutive failures (``stock_rule.stock_would_stop_at`` says where stock stops), it ends with the budget instead of
``max_trials`` or ``hyperband_iterations``, and an ``Int`` on a log scale without a step is held inside its range, from
which KerasTuner strays by one. **Repaired**: the same oracles told by ``repaired_scores``, Hyperband continuing its
trials exactly, continuous values rounded to four digits, so that noise of the linear algebra never reaches a training.

KerasTuner (and with it TensorFlow) is imported when a tuner is made, not when its search begins: the seconds that takes
belong to nobody's search.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from hptune_bench.core.keras_space import to_keras_tuner
from hptune_bench.core.protocols import Evaluate, Problem, Result
from hptune_bench.core.space import Boolean, Configuration, Float, Hyperparameter, Int, Space, Value
from hptune_bench.core.tuner_info import TunerInfo

DIGITS = 4
"""Significant digits of the repaired tuners' continuous values."""

_BAYESIAN, _HYPERBAND = "BayesianOptimizationOracle", "HyperbandOracle"
_FAILED = ("error", "timeout", "crashed")
"""Statuses in which a stock search would have got an exception instead of a training history."""


@dataclass(frozen=True)
class OracleTuner:
    """A tuner (``core.protocols.Tuner``) around one of KerasTuner's oracles.

    Attributes:
        oracle: name of the class in ``keras_tuner.oracles``.
        repaired: see the module.
    """

    oracle: str
    repaired: bool = False

    def __post_init__(self) -> None:
        from hptune_bench.core.tensorflow import import_quietly

        import_quietly()
        import keras_tuner  # noqa: F401

    @property
    def continues(self) -> bool:
        return self.oracle == _HYPERBAND

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        """Ask, train, tell, until the budget ends or the oracle has nothing left to propose.

        A trial that the budget cuts is never told, because ``evaluate`` raises then.
        """
        with open_oracle(self.oracle, problem.space, problem.full_epochs, seed) as oracle:
            finished: dict[str, Result | None] = {}
            while (trial := _ask(oracle)) is not None:
                values = trial.hyperparameters.values
                _adjust(values, problem.space, DIGITS if self.repaired else None)
                finished[trial.trial_id] = self._train(
                    evaluate, _configuration(problem.space, values), values, finished
                )
                if self.repaired:
                    _tell_repaired(oracle, trial, finished, problem.cap)
                else:
                    _tell_as_stock(oracle, trial, finished[trial.trial_id])

    def _train(
        self,
        evaluate: Evaluate,
        configuration: Configuration,
        values: dict[str, Any],
        finished: dict[str, Result | None],
    ) -> Result | None:
        """The result of an oracle's trial; None where a promoted trial fails before its first epoch.

        Stock loads the parent's checkpoint, which exists only if some epoch was finite; without it the trial fails in
        ``load_weights``, having trained nothing. Exact continuation needs weights that can still be trained.
        """
        epochs = values.get("tuner/epochs")
        if "tuner/trial_id" not in values:
            return evaluate(configuration, epochs=epochs)
        parent = finished[values["tuner/trial_id"]]
        if self.repaired:
            if parent is None or parent.status in _FAILED or not parent.curve or not math.isfinite(parent.curve[-1]):
                return None
            return evaluate(configuration, epochs=epochs, resume=parent.trial)
        if parent is None or parent.best_epoch is None:
            return None
        return evaluate(configuration, epochs=epochs, restart=parent.trial)


def repaired_scores(scores: Sequence[float], cap: float) -> list[float]:
    """What a repaired tuner tells its oracle of all trials so far: the ONE rule for failures.

    Scores are clipped at ``cap``, since one finite explosion flattens a model that standardises its targets. A failure
    (a score that is not finite) counts as the worst finite score so far, clipped, or ``cap`` if there is none: bad
    enough to be avoided, never so bad that it hides the differences between the others.
    """
    worst = max((min(score, cap) for score in scores if math.isfinite(score)), default=cap)
    return [min(score, cap) if math.isfinite(score) else worst for score in scores]


@contextmanager
def open_oracle(name: str, space: Space, full_epochs: int, seed: int) -> Iterator[Any]:
    """An oracle over the whole space that writes no file and stops for nothing but an exhausted space.

    Declaring everything up front and allowing no new entries keeps KerasTuner from filling late hyperparameters with
    unseeded values.
    """
    import keras_tuner
    from keras_tuner.src.engine import oracle as module

    ends: dict[str, Any] = {"max_trials": None}
    if name == _HYPERBAND:
        ends = {"max_epochs": full_epochs, "hyperband_iterations": None}
    oracle = getattr(keras_tuner.oracles, name)(
        objective=keras_tuner.Objective("score", "min"),
        hyperparameters=to_keras_tuner(space),
        seed=seed,
        allow_new_entries=False,
        tune_new_entries=False,
        max_consecutive_failed_trials=None,
        **ends,
    )
    oracle.verbose = 0
    oracle.save = lambda: None
    oracle._save_trial = lambda trial: None
    try:
        yield oracle
    finally:
        # KerasTuner keeps a lock per oracle in module globals, and with it the oracle, for the life of the process.
        module.LOCKS.pop(oracle, None)
        module.THREADS.pop(oracle, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that mean nothing here: length scales at a bound, the minimum of only NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _ask(oracle: Any) -> Any | None:
    """The oracle's next trial; None when it has nothing left to propose."""
    with _quiet():
        trial = oracle.create_trial("tuner")
    return trial if trial.status == "RUNNING" else None


def _tell(oracle: Any, trial: Any, score: float | None) -> None:
    """End a trial as ``Tuner.search`` does: None is an exception, which makes it INVALID."""
    with _quiet():
        if score is not None:
            oracle.update_trial(trial.trial_id, {"score": score})
        trial.status = "INVALID" if score is None else "COMPLETED"
        # The trial itself: given an id and a status, end_trial would replace its values by the defaults.
        oracle.end_trial(trial)


def _tell_as_stock(oracle: Any, trial: Any, result: Result | None) -> None:
    _tell(oracle, trial, None if result is None or result.status in _FAILED else result.reported)


def _tell_repaired(oracle: Any, trial: Any, finished: dict[str, Result | None], cap: float) -> None:
    """Tell the newest trial, and all earlier ones again: the worst finite score may have changed."""
    scores = [math.inf if result is None or result.status in _FAILED else result.score for result in finished.values()]
    told = dict(zip(finished, repaired_scores(scores, cap), strict=True))
    _tell(oracle, trial, told[trial.trial_id])
    for trial_id, score in told.items():
        oracle.trials[trial_id].score = score


def _adjust(values: dict[str, Any], space: Space, digits: int | None) -> None:
    """Change the values that may not be trained as they are in the oracle's own trial, so that it learns the truth."""
    for hp in space:
        if hp.name not in values:
            continue
        if isinstance(hp, Int):
            values[hp.name] = min(int(values[hp.name]), hp.high)
        elif isinstance(hp, Float) and hp.step is None and digits is not None:
            values[hp.name] = min(max(float(f"{values[hp.name]:.{digits}g}"), hp.low), hp.high)


def _configuration(space: Space, values: dict[str, Any]) -> Configuration:
    """The active hyperparameters in plain Python values, without KerasTuner's own ``tuner/...`` entries."""
    return space.active({hp.name: _plain(hp, values[hp.name]) for hp in space if hp.name in values})


def _plain(hp: Hyperparameter, value: Any) -> Value:
    if isinstance(hp, Boolean):
        return bool(value)
    if isinstance(hp, Int):
        return int(value)
    return float(value) if isinstance(hp, Float) else value


_stock = partial(TunerInfo, library="keras_tuner", clock="keras_tuner")

TUNERS = {
    "random_search": _stock(
        label="random search",
        description="KerasTuner's RandomSearch as pip installs it",
        role="random",
        usual=True,
        order=1,
        style="blue",
        make=partial(OracleTuner, "RandomSearchOracle"),
    ),
    "bayesian_optimization": _stock(
        label="Bayesian optimization",
        description="KerasTuner's BayesianOptimization as pip installs it",
        random_points=3,
        usual=True,
        order=2,
        style="orange",
        make=partial(OracleTuner, _BAYESIAN),
    ),
    "hyperband": _stock(
        label="Hyperband",
        description="KerasTuner's Hyperband as pip installs it: promoted trials restart from their best epoch",
        restarts=True,
        halving=3,
        usual=True,
        order=3,
        style="green",
        make=partial(OracleTuner, _HYPERBAND),
    ),
    "grid_search": _stock(
        label="grid search (KerasTuner)",
        description="KerasTuner's GridSearch as pip installs it: enumerates from the defaults, the same for every seed",
        role="enumeration",
        order=4,
        style="purple",
        make=partial(OracleTuner, "GridSearchOracle"),
    ),
    "bayesian_optimization_repaired": _stock(
        label="Bayesian optimization (repaired)",
        description="BayesianOptimization with failures told as the worst score, scores clipped, values rounded",
        repairs="bayesian_optimization",
        random_points=3,
        order=5,
        style="rust",
        make=partial(OracleTuner, _BAYESIAN, repaired=True),
    ),
    "hyperband_repaired": _stock(
        label="Hyperband (repaired)",
        description="Hyperband with failures told as the worst score, and promoted trials continued exactly",
        repairs="hyperband",
        halving=3,
        order=6,
        style="pine",
        make=partial(OracleTuner, _HYPERBAND, repaired=True),
    ),
}
"""Random points and halving are those of KerasTuner 1.4.8: max(3 x dimensions, 3), and a factor of 3."""
