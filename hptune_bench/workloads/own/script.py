"""A file that searches at its top level, as a copied notebook does: it is read up to its first search.

Nothing of it is trained. What the call says (data, epochs, batch size ...) is what the user means his search to be.
"""

from __future__ import annotations

import contextlib
import inspect
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.workloads.own.found import Found

_KEPT = "_hptune_bench_search"
"""The name under which a module keeps the search that it was read up to."""
_PLAIN = {"min_delta": 0, "baseline": None, "start_from_epoch": 0}
"""Early stopping as the trainers do it."""
_SAID = {"x", "y", "self", "validation_data", "validation_split", "sample_weight", "class_weight"}
_QUIET = {"verbose", "shuffle", "steps_per_epoch", "validation_steps", "validation_batch_size", "initial_epoch"}


class Reached(BaseException):
    """A search, or a training after a tuner was built, is about to begin; no ``except Exception`` may swallow it."""

    def __init__(self, tuner: Any, given: Mapping[str, Any]) -> None:
        super().__init__()
        self.tuner, self.given = tuner, given


@dataclass(frozen=True)
class Search:
    """The call that a file was read up to.

    Attributes:
        tuner: the KerasTuner tuner; built, never asked.
        given: arguments of the call, by the names of ``model.fit``.
        line: where it stands in the file.
    """

    tuner: Any
    given: Mapping[str, Any]
    line: int

    @property
    def max_trials(self) -> int | None:
        return getattr(self.tuner.oracle, "max_trials", None)

    def settings(self) -> dict[str, Any]:
        """What the call and its tuner say, as ``Settings`` names it."""
        said = {name: self.given[name] for name in ("epochs", "batch_size") if self.given.get(name) is not None}
        longest = getattr(self.tuner.oracle, "max_epochs", None)
        if longest is not None:  # Hyperband sets the epochs itself
            said["epochs"] = longest
        objective = self.tuner.oracle.objective
        if type(objective).__name__ == "Objective" and objective.name != "default_objective":
            said |= {"objective": objective.name, "direction": objective.direction}
        for stopping in filter(_is_plain_stopping, self.given.get("callbacks") or ()):
            said |= {"patience": max(1, stopping.patience), "monitor": stopping.monitor}
        return said

    def told(self) -> str:
        """What was taken over, and what was not, in one line."""
        said = {"max_trials": self.max_trials, **self.settings()}
        taken = [f"{name} {value}" for name, value in said.items() if value is not None]
        taken += [name for name in ("class_weight", "sample_weight") if self.given.get(name) is not None]
        left = [type(each).__name__ for each in self.given.get("callbacks") or () if not _is_plain_stopping(each)]
        left += sorted(set(self.given) - set(said) - _SAID - _QUIET - {"callbacks"})
        unused = f"; not taken over: {', '.join(left)}" if left else ""
        return f"the file was read up to its search in line {self.line}, which was not run; {', '.join(taken)}{unused}"

    def rows(self, module: ModuleType, found: Found, file: str) -> Found:
        """What the call is given, called as the module calls it, with the test rows that were found by name.

        Raises:
            UserError: a share of the rows is asked for that cannot be cut off.
        """
        if (train := self._training()) is None:
            return found
        names = {"train": ", ".join(_name(module, part, place) for part, place in zip(train, "xy", strict=False))}
        parts: dict[str, Any] = {"train": train if len(train) > 1 else train[0]}
        share = self.given.get("validation_split") or 0.0
        if self.given.get("validation_data") is not None:
            parts["validation"] = self.given["validation_data"]
            names["validation"] = _name(module, parts["validation"], "validation_data")
        elif share:
            if len(train) == 1 or not hasattr(train[0], "shape"):
                raise UserError(
                    f"{file}: validation_split={share} of what is no array; give validation rows of their own"
                )
            count = int(len(train[0]) * (1 - share))  # as Keras cuts: the last rows, before any shuffling
            parts["train"] = tuple(each[:count] for each in train)
            parts["validation"] = tuple(each[count:] for each in train)
            names["validation"] = f"the last {share:.0%} of {names['train']}".replace("%", " %")
        if "test" in found.parts:
            parts["test"], names["test"] = found.parts["test"], found.names["test"]
        return Found(parts, names)

    def _training(self) -> tuple[Any, ...] | None:
        x, y, weight = (self.given.get(name) for name in ("x", "y", "sample_weight"))
        if x is None:
            return None
        classes = self.given.get("class_weight")
        if y is not None and classes:
            labels = np.asarray(y)
            labels = labels.argmax(-1) if labels.ndim > 1 and labels.shape[-1] > 1 else labels.reshape(-1)
            of_class = np.array([classes.get(int(label), 1.0) for label in labels], dtype=np.float32)
            weight = of_class if weight is None else np.asarray(weight) * of_class
        return tuple(part for part in (x, y, weight) if part is not None)


def search_of(module: ModuleType) -> Search | None:
    """The search that a module was read up to; None where it searches nothing."""
    return vars(module).get(_KEPT)


@contextlib.contextmanager
def stopping_at_a_search(module: ModuleType) -> Iterator[None]:
    """Within it the code of a module runs up to its first search; folders of tuners are temporary ones."""
    import keras
    import keras_tuner

    base = keras_tuner.engine.base_tuner.BaseTuner
    summary = base.search_space_summary
    before = base.__init__, base.search, base._populate_initial_space, keras.Model.fit
    tuners: list[Any] = []

    def fit(model: Any, *arguments: Any, **named: Any) -> Any:
        if not tuners:
            return before[3](model, *arguments, **named)
        raise Reached(tuners[-1], _given(before[3], arguments, named))

    def search(tuner: Any, *arguments: Any, **named: Any) -> None:
        raise Reached(tuner, _given(before[3], arguments, named))

    with tempfile.TemporaryDirectory() as folder:

        def build(tuner: Any, *arguments: Any, **named: Any) -> None:
            before[0](tuner, *arguments[:2], **{**named, "directory": folder})
            tuners.append(tuner)

        base.__init__, base.search, base._populate_initial_space = build, search, lambda tuner: None
        base.search_space_summary = lambda tuner, extended=False: None  # it would show an empty space
        keras.Model.fit = fit
        try:
            yield
        except Reached as reached:
            line, trace = 0, reached.__traceback__
            while trace is not None:
                if trace.tb_frame.f_globals is vars(module):
                    line = line or trace.tb_lineno
                trace = trace.tb_next
            vars(module)[_KEPT] = Search(reached.tuner, reached.given, line)
        finally:
            base.__init__, base.search, base._populate_initial_space, keras.Model.fit = before
            base.search_space_summary = summary


def _given(fit: Any, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of ``fit``; what it does not know stays as it was named."""
    places = list(inspect.signature(fit).parameters)[1:]
    return {**dict(zip(places, arguments, strict=False)), **named}


def _is_plain_stopping(callback: Any) -> bool:
    return type(callback).__name__ == "EarlyStopping" and all(
        getattr(callback, name, value) == value for name, value in _PLAIN.items()
    )


def _name(module: ModuleType, value: Any, otherwise: str) -> str:
    """What a module calls a value; of a pair, what it calls its parts."""
    for name, held in vars(module).items():
        if held is value and not name.startswith("_"):
            return name
    if isinstance(value, tuple) and len(value) in (2, 3):
        return ", ".join(_name(module, part, place) for part, place in zip(value, "xyw", strict=False))
    return otherwise
