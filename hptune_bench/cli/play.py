"""A person against the tuners: he proposes, a complete table answers, the same ledger counts.

Everything that is said and asked goes through two functions, so that a notebook or a test can play, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hptune_bench import registry
from hptune_bench.core.budget import Budget, Limits
from hptune_bench.core.errors import UserError
from hptune_bench.core.files import write_atomic
from hptune_bench.core.protocols import Evaluate, Problem, Result, Tuner, Workload, oriented
from hptune_bench.core.space import Boolean, Choice, Configuration, Hyperparameter, Int, Value, describe
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import RunSetup
from hptune_bench.store.layout import RunId
from hptune_bench.store.runstore import MemoryStore
from hptune_bench.tabular.table import digest
from hptune_bench.training.replay import TableTrainer
from hptune_bench.tuners.expert import Log, Request

BUDGETS: Mapping[str, str] = {"linear_regression": "20trainings", "review_sentiment": "30trainings"}
"""Budgets of the main job (``benchmarks/post.toml``); other workloads get ``OTHER_BUDGET``."""
OTHER_BUDGET = "20trainings"
OPPONENTS = ("untuned", "manual_sweep", "manual_grid", "random_search", "hyperband_repaired")
HELP = """\
An empty line trains the configuration that is shown; name=value (several, with spaces) changes it first.
epochs=N trains so many epochs only; continue=TRIAL goes on with an earlier trial, to epochs=N or to the end.
list shows what you have tried, help this text, quit ends the game."""

Say = Callable[[str], None]
Ask = Callable[[str], str]


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


class Person:
    """A tuner (``interfaces.Tuner``) who is asked."""

    continues = True

    def __init__(self, ask: Ask, say: Say, budget: int) -> None:
        self._ask, self._say = ask, say
        self._budget = budget
        self.requests: list[Request] = []

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        """Ask until he quits or the budget ends."""
        current: Configuration = dict(problem.untuned)
        results: list[Result] = []
        self._say(HELP)
        while True:
            spent = sum(max(1, result.epochs) for result in results)
            left = self._budget - spent
            self._say(f"\n{left} of {self._budget} epochs left. Next: {_words(current)}")
            try:
                line = self._ask("> ").strip()
            except EOFError:
                return
            if line in ("quit", "exit"):
                return
            if line == "help":
                self._say(HELP + "\n" + "\n".join(f"  {hp.name}: {describe(hp)}" for hp in problem.space))
                continue
            if line == "list":
                self._list(results)
                continue
            try:
                current, request = self._request(line, current, problem, results)
            except UserError as error:
                self._say(str(error))
                continue
            self.requests.append(request)
            parent = None if request.resume is None else results[request.resume - 1].trial
            result = evaluate(request.configuration, epochs=request.epochs, resume=parent)
            results.append(result)
            self._show(result, min(each.score for each in results))

    def _request(
        self, line: str, current: Configuration, problem: Problem, results: Sequence[Result]
    ) -> tuple[Configuration, Request]:
        """What a line asks for.

        Raises:
            UserError: it asks for nothing that there is.
        """
        changed: dict[str, Value] = dict(current)
        epochs, resume = problem.full_epochs, None
        for part in line.split():
            name, equals, text = part.partition("=")
            if not equals:
                raise UserError(f"{part!r} is no change: write name=value, or help")
            if name == "epochs":
                epochs = _whole(part, text, problem.full_epochs)
            elif name == "continue":
                resume = _whole(part, text, len(results))
            elif name in problem.space.names:
                changed[name] = _value(problem.space[name], text)
            else:
                raise UserError(f"there is no {name!r}; there are {', '.join(problem.space.names)}")
        if resume is not None:
            mine = dict(self.requests[resume - 1].configuration)
            if changed not in (dict(current), mine):
                raise UserError("a trial is continued as it is: leave the values away")
            changed = mine
        read = problem.space.check(changed, "this configuration")
        return read, Request(configuration=read, epochs=epochs, resume=resume)

    def _show(self, result: Result, best: float) -> None:
        self._say("\n".join(text_plot(result.curve)))
        epoch = "" if result.best_epoch is None else f" at epoch {result.best_epoch}"
        newly = " - your best so far" if result.score == best and math.isfinite(best) else f"; your best is {best:.6g}"
        found = "no finite epoch" if math.isinf(result.score) else f"score {result.score:.6g}{epoch}"
        self._say(f"trial {result.trial}: {result.status} after {result.epochs} epochs, {found}{newly}")

    def _list(self, results: Sequence[Result]) -> None:
        for number, (request, result) in enumerate(zip(self.requests, results, strict=True), start=1):
            again = "" if request.resume is None else f" (continues {request.resume})"
            self._say(f"{number}: {result.score:.6g}, {result.epochs} epochs{again}: {_words(request.configuration)}")


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
    for name in opponents:
        tuner = registry.make_tuner(name)
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


def text_plot(values: Sequence[float], height: int = 6, width: int = 60) -> list[str]:
    """A learning curve as lines of text: the best of each group of epochs, ``!`` where none was finite.

    The scale ends at the median of the finite values if the largest would press the rest flat.
    """
    step = max(1, -(-len(values) // width))
    columns = [values[start : start + step] for start in range(0, len(values), step)]
    points = [min((value for value in group if math.isfinite(value)), default=math.nan) for group in columns]
    finite = sorted(point for point in points if not math.isnan(point))
    if not finite:
        return ["no finite epoch " + "!" * len(points)]
    low, high = finite[0], finite[-1]
    middle = finite[len(finite) // 2]
    if high - low > 10 * (middle - low) > 0:
        high = low + 3 * (middle - low)
    rows = []
    for level in range(height, 0, -1):
        cells = []
        for point in points:
            share = 1.0 if high == low else (min(point, high) - low) / (high - low)
            at = 1 if math.isnan(point) else 1 + round(share * (height - 1))
            cells.append(" " if at != level else "!" if math.isnan(point) else "*")
        label = f"{high:.4g}" if level == height else f"{low:.4g}" if level == 1 else ""
        rows.append(f"{label:>10} |{''.join(cells)}".rstrip())
    return [*rows, f"{'':>10} +{'-' * len(points)}", f"{'':>12}epochs 1 to {len(values)}"]


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


def _words(configuration: Configuration) -> str:
    return ", ".join(f"{name} = {value}" for name, value in configuration.items())


def _whole(part: str, text: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise UserError(
            f"{part!r}: give a whole number from 1 to {most}" if most else f"{part!r}: there is no trial yet"
        )
    return int(text)


def _value(hp: Hyperparameter, text: str) -> Value:
    """A value as a person writes it.

    Raises:
        UserError: it is none of this hyperparameter.
    """
    found: Value | None = None
    if isinstance(hp, Boolean):
        found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
    elif isinstance(hp, Choice):
        found = next((value for value in hp.values if str(value) == text), None)
    else:
        try:
            found = int(text) if isinstance(hp, Int) else float(text)
        except ValueError:
            found = None
    if found is None or not hp.contains(found):
        raise UserError(f"{hp.name}={text}: give {describe(hp)}")
    return found
