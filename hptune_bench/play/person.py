"""A person as a tuner: he is shown what he has, asked what to train next, and told what came of it.

Everything that is said and asked goes through two functions, so that a notebook or a test can play, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Evaluate, Problem, Result
from hptune_bench.core.space import Boolean, Choice, Configuration, Hyperparameter, Int, Value, describe
from hptune_bench.tuners.expert import Request

HELP = """\
An empty line trains the configuration that is shown; name=value (several, with spaces) changes it first.
epochs=N trains so many epochs only; continue=TRIAL goes on with an earlier trial, to epochs=N or to the end.
list shows what you have tried, help this text, quit ends the game."""

Say = Callable[[str], None]
Ask = Callable[[str], str]


class Person:
    """A tuner (``core.protocols.Tuner``) who is asked."""

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


def _words(configuration: Configuration) -> str:
    return ", ".join(f"{name} = {value}" for name, value in configuration.items())


def _whole(part: str, text: str, most: int) -> int:
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= most:
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
