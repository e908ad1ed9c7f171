"""A person against the tuners: he proposes, a complete table answers, the same ledger counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hptune_bench import registry
from hptune_bench.core.budget import Budget, Limits
from hptune_bench.core.errors import UserError
from hptune_bench.core.files import write_atomic
from hptune_bench.core.protocols import Tuner, Workload, oriented
from hptune_bench.core.tuner_info import Role
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import RunSetup
from hptune_bench.play.person import Ask, Person, Say
from hptune_bench.store.layout import RunId
from hptune_bench.store.runstore import MemoryStore
from hptune_bench.tabular.parquet import find_table, read_table
from hptune_bench.tabular.table import digest
from hptune_bench.training.table import TableTrainer, fitting
from hptune_bench.tuners.expert import Log

BUDGETS: Mapping[str, str] = {"linear_regression": "20trainings", "review_sentiment": "30trainings"}
"""Budgets of the main job (``benchmarks/post.toml``); other workloads get ``OTHER_BUDGET``."""
OTHER_BUDGET = "20trainings"
OPPONENTS: tuple[Role, ...] = ("copied", "loop", "grid loop", "random")
"""Roles of the usual opponents; beside them is successive halving, as far as a table can replay it."""


@dataclass(frozen=True)
class Place:
    """How one opponent did on the same data and budget.

    Attributes:
        scores: test score of the selected model of each of its runs, smaller is better; NaN where nothing was found.
    """

    tuner: str
    scores: tuple[float, ...]

    def beaten_by(self, score: float) -> float:
        """Share of its runs that are worse than a score; equal ones count half. Nothing found is worst."""
        mine, others = _or_worst(score), [_or_worst(other) for other in self.scores]
        return sum((other > mine) + 0.5 * (other == mine) for other in others) / len(others)


def usual_opponents() -> list[str]:
    """Whom a person meets who names nobody."""
    infos = registry.tuner_infos().items()
    return [name for name, info in infos if info.role in OPPONENTS or (info.halving and not info.restarts)]


def on_table(name: str, tables: Path | None) -> tuple[Workload, TableTrainer]:
    """A workload, and a trainer on its table in the folder ``tables`` (None: where tables are looked for).

    Raises:
        UserError: no such workload, or no table of it.
    """
    path = find_table(name, tables)
    table = read_table(path)
    workload = registry.make_workload(name, table.options, "play")
    return workload, TableTrainer(workload, fitting(table, workload, str(path)))


def play(
    workload: Workload,
    trainer: TableTrainer,
    budget: Budget,
    seed: int,
    opponents: Sequence[str],
    runs: int,
    ask: Ask,
    say: Say,
    log: Path,
) -> tuple[float, list[Place]]:
    """One game; returns the test score of the person's selected model and how the opponents did.

    Args:
        runs: of each opponent, all on the data of the person's run.
        log: where what he tried is saved, if he agrees.
    """
    limits = Limits.of(budget, workload.full_epochs)
    if limits.epochs is None:
        raise UserError("play: the budget must be counted in trainings or epochs: a person's clock is no tuner's")
    others = {name: registry.make_tuner(name) for name in opponents}  # a wrong name must not cost a finished game
    person = Person(ask, say, limits.epochs)
    say(f"{workload.title}: {workload.teaches}")
    score = oriented(workload.objective, workload.direction)
    say(f"You tune {', '.join(workload.space.names)}; scores are {score}, smaller is better.")
    mine = _selected(workload, trainer, person, limits, seed, "expert")
    if not person.requests:
        say("Nothing was tried.")
        return math.nan, []
    say("")
    say(f"Your selected model: test score ({oriented(workload.test_metric, workload.direction)}) {mine:.6g}")
    say(f"Now the others search, {runs} times each ...")
    places = []
    for name, tuner in others.items():
        data = trainer.table.shape[1]
        seeds = range(1 + (seed - 1) % data, 1 + (seed - 1) % data + runs * data, data)
        place = Place(name, tuple(_selected(workload, trainer, tuner, limits, each, name) for each in seeds))
        places.append(place)
        finite = sorted(score for score in place.scores if not math.isnan(score))
        median = finite[len(finite) // 2] if finite else math.nan
        say(
            f"  {name}: median {median:.6g}; you are better than {100 * place.beaten_by(mine):.0f} % of {runs} searches"
        )
    say("All on the same data, budget and table (replayed); your own searches would differ as theirs do.")
    made = Log(
        workload=workload.name, budget=limits.epochs, seed=seed, table=digest(trainer.table), requests=person.requests
    )
    if _agrees(ask, f"Save what you tried (values and order only, no name) to {log}? [y/N] "):
        write_atomic(log, made.to_json())
        say(f'Saved. The tuner expert_log replays it: [tuner_options.expert_log] file = "{log}"')
    return mine, places


def _selected(workload: Workload, trainer: TableTrainer, tuner: Tuner, limits: Limits, seed: int, name: str) -> float:
    """Test score of the model that a search selects; NaN if it found none."""
    store = MemoryStore()
    setup = RunSetup(
        run=RunId(workload.name, name, seed),
        workload=workload,
        tuner=tuner,
        trainer=trainer,
        limits=limits,
        header={"definition": {}},
        store=store,
    )
    end = conduct(setup)
    if end["status"] == "failed":
        raise UserError(f"{name}: {end['reason']}")
    chosen = [trial["test_score"] for trial in store.contents.of_kind("trial") if trial["incumbent"]]
    return math.nan if not chosen or chosen[-1] is None else float(chosen[-1])


def _or_worst(score: float) -> float:
    return math.inf if math.isnan(score) else score


def _agrees(ask: Ask, question: str) -> bool:
    try:
        return ask(question).strip().lower() in ("y", "yes")
    except EOFError:
        return False
