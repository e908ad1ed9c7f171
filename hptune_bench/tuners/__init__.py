"""What proposes configurations: the methods written by hand, and KerasTuner's.

Nothing heavy is imported here: this is the catalogue that the registry and the command line read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hptune_bench.core.errors import UserError
from hptune_bench.core.space import Configuration

TunerFamily = Literal["reference", "manual", "keras_tuner", "keras_tuner_repaired", "plug-in"]


@dataclass(frozen=True)
class TunerInfo:
    """What is known of a tuner without importing it.

    Attributes:
        name: identifier in files and commands.
        label: plain words for headings.
        factory: ``module:attribute`` of what is called without arguments to make the tuner.
        family: ``reference`` (tunes nothing), ``manual`` (loops written by hand), ``keras_tuner`` (as pip installs
            it), ``keras_tuner_repaired`` or ``plug-in``.
        description: one line.
        continues: whether it continues or restarts earlier trials (as the tuner's own attribute of that name).
        restarts: whether it restarts trials from their best epoch with a fresh optimizer, which no table can replay.
        options: names of the arguments that the factory takes, from ``[tuner_options.NAME]`` of a benchmark file.
        needs_published: whether it is only defined where a winner was published.
    """

    name: str
    label: str
    factory: str
    family: TunerFamily
    description: str
    continues: bool = False
    restarts: bool = False
    needs_published: bool = False
    options: tuple[str, ...] = ()

    def check_replay(self, where: str) -> None:
        """Refuse trainer ``table``.

        Raises:
            UserError: the tuner does what was not recorded.
        """
        if self.restarts:
            raise UserError(
                f"{where}: tuner {self.name} restarts trials from their best epoch with a fresh optimizer, which a "
                "table cannot replay; leave it out, or take hyperband_repaired, which continues exactly"
            )

    def check(self, workload: str, published: Configuration | None) -> None:
        """Refuse a workload that this tuner is not defined for.

        Raises:
            UserError: it needs a published winner and there is none.
        """
        if self.needs_published and published is None:
            raise UserError(
                f"tuner {self.name}: workload {workload!r} has no published winner; leave this tuner out for it"
            )


_MANUAL = "hptune_bench.tuners.manual"
_KERAS_TUNER = "hptune_bench.tuners.kerastuner"


def built_in() -> dict[str, TunerInfo]:
    """The built-in tuners by name, in the order in which tables list them."""
    infos = (
        TunerInfo(
            "manual_sweep",
            "hand-written loop",
            f"{_MANUAL}:ManualSweep",
            "manual",
            "the post's loop: one for per hyperparameter, the others held, the best value kept",
        ),
        TunerInfo(
            "random_search",
            "random search",
            f"{_KERAS_TUNER}:random_search",
            "keras_tuner",
            "KerasTuner's RandomSearch as pip installs it",
        ),
        TunerInfo(
            "bayesian_optimization",
            "Bayesian optimization",
            f"{_KERAS_TUNER}:bayesian_optimization",
            "keras_tuner",
            "KerasTuner's BayesianOptimization as pip installs it",
        ),
        TunerInfo(
            "hyperband",
            "Hyperband",
            f"{_KERAS_TUNER}:hyperband",
            "keras_tuner",
            "KerasTuner's Hyperband as pip installs it: promoted trials restart from their best epoch",
            continues=True,
            restarts=True,
        ),
        TunerInfo(
            "grid_search",
            "grid search (KerasTuner)",
            f"{_KERAS_TUNER}:grid_search",
            "keras_tuner",
            "KerasTuner's GridSearch as pip installs it: enumerates from the defaults, the same for every seed",
        ),
        TunerInfo(
            "bayesian_optimization_repaired",
            "Bayesian optimization, repaired",
            f"{_KERAS_TUNER}:bayesian_optimization_repaired",
            "keras_tuner_repaired",
            "BayesianOptimization with failures told as the worst score, scores clipped, values rounded",
        ),
        TunerInfo(
            "hyperband_repaired",
            "Hyperband, repaired",
            f"{_KERAS_TUNER}:hyperband_repaired",
            "keras_tuner_repaired",
            "Hyperband with failures told as the worst score, and promoted trials continued exactly",
            continues=True,
        ),
        TunerInfo(
            "manual_grid",
            "hand-written nested loops",
            f"{_MANUAL}:ManualGrid",
            "manual",
            "nested loops over the hand-picked values, thinned to the budget, then a finer grid around the best",
        ),
        TunerInfo(
            "untuned_restarts",
            "untuned, only retrained",
            f"{_MANUAL}:UntunedRestarts",
            "reference",
            "the configuration as copied, retrained with fresh seeds until the budget ends",
        ),
        TunerInfo(
            "untuned",
            "untuned (as copied)",
            f"{_MANUAL}:Untuned",
            "reference",
            "the configuration as copied, trained once",
        ),
        TunerInfo(
            "post_winner",
            "the post's winner",
            f"{_MANUAL}:PostWinner",
            "reference",
            "the configuration that the post prints as its winner, trained once",
            needs_published=True,
        ),
        TunerInfo(
            "expert_log",
            "a person",
            "hptune_bench.tuners.expert:expert_log",
            "manual",
            "what a person tried in hptune-bench play, from the log's file",
            continues=True,
            options=("file",),
        ),
    )
    return {info.name: info for info in infos}
