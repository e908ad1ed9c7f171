"""A small frozen search space: what is tuned, without KerasTuner.

Users declare their space in ``keras_tuner.HyperParameters``; ledger, journal, manual tuners, replay and report must
run without importing TensorFlow (which importing KerasTuner does), so they work on this copy of it. Only the functions
under "KerasTuner" below touch the library, and import it when they are called.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hptune_bench.core.errors import UserError

Value = bool | int | float | str
Configuration = Mapping[str, Value]


@dataclass(frozen=True)
class Condition:
    """The hyperparameter exists only where its parent has one of these values."""

    parent: str
    values: tuple[Value, ...]

    def holds(self, configuration: Configuration) -> bool:
        return self.parent in configuration and configuration[self.parent] in self.values


@dataclass(frozen=True)
class Boolean:
    """True or False."""

    name: str
    default: bool = False
    conditions: tuple[Condition, ...] = ()

    @property
    def grid(self) -> tuple[Value, ...]:
        """Every value, in the order of trying."""
        return (False, True)

    def draw(self, rng: np.random.Generator) -> Value:
        return bool(rng.integers(2))

    def contains(self, value: object) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class Choice:
    """One of a list of values of one type; ``ordered`` where the list is a scale."""

    name: str
    values: tuple[Value, ...]
    default: Value | None = None
    ordered: bool = False
    conditions: tuple[Condition, ...] = ()

    @property
    def grid(self) -> tuple[Value, ...]:
        return self.values

    def draw(self, rng: np.random.Generator) -> Value:
        return self.values[int(rng.integers(len(self.values)))]

    def contains(self, value: object) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Int:
    """Whole numbers from ``low`` to ``high``, ``step`` apart; with ``log``, each is ``step`` times the one before."""

    name: str
    low: int
    high: int
    step: int | None = 1
    log: bool = False
    default: int | None = None
    conditions: tuple[Condition, ...] = ()

    @cached_property
    def grid(self) -> tuple[Value, ...]:
        if not self.log or self.step in (None, 1):
            return tuple(range(self.low, self.high + 1, self.step or 1))
        values, value = [], self.low
        while value <= self.high:
            values.append(value)
            value *= self.step
        return tuple(values)

    def draw(self, rng: np.random.Generator) -> Value:
        if self.log and self.step in (None, 1):
            return round(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return self.grid[int(rng.integers(len(self.grid)))]

    def contains(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value in self.grid


@dataclass(frozen=True)
class Float:
    """Real numbers from ``low`` to ``high``, on a log scale with ``log``; ``step`` apart where a step is given."""

    name: str
    low: float
    high: float
    step: float | None = None
    log: bool = False
    default: float | None = None
    conditions: tuple[Condition, ...] = ()

    @cached_property
    def grid(self) -> tuple[Value, ...] | None:
        """The values of a stepped range; None for a continuous one."""
        if self.step is None:
            return None
        values, value = [], self.low
        top = self.high + 1e-12 * max(abs(self.low), abs(self.high))
        while value <= top:
            values.append(float(value))
            value = value * self.step if self.log else self.low + self.step * len(values)
        return tuple(values)

    def draw(self, rng: np.random.Generator) -> Value:
        if self.grid is not None:
            return self.grid[int(rng.integers(len(self.grid)))]
        if self.log:
            return float(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))
        return float(rng.uniform(self.low, self.high))

    def contains(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and self.low - 1e-9 * abs(self.low) <= value <= self.high + 1e-9 * abs(self.high)
        )


Hyperparameter = Boolean | Choice | Int | Float


@dataclass(frozen=True)
class Space:
    """An ordered set of hyperparameters; a conditional one comes after its parent.

    Raises:
        UserError: one name is defined twice (KerasTuner's oracles break on that), a name that cannot be a column, or a
            parent that comes after its child.
    """

    hyperparameters: tuple[Hyperparameter, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for hp in self.hyperparameters:
            if hp.name in seen:
                raise UserError(
                    f"hyperparameter {hp.name!r} is defined twice; KerasTuner's oracles break on that: "
                    "give each definition a name of its own"
                )
            if not 0 < len(hp.name) < 100 or not hp.name.isprintable():
                raise UserError(
                    f"hyperparameter {hp.name[:100]!r}: its name becomes a column; give it 1 to 99 printable characters"
                )
            for condition in hp.conditions:
                if condition.parent not in seen:
                    raise UserError(f"hyperparameter {hp.name!r} depends on {condition.parent!r}, which comes after it")
            seen.add(hp.name)

    def __iter__(self) -> Iterator[Hyperparameter]:
        return iter(self.hyperparameters)

    def __len__(self) -> int:
        return len(self.hyperparameters)

    def __getitem__(self, name: str) -> Hyperparameter:
        for hp in self.hyperparameters:
            if hp.name == name:
                return hp
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(hp.name for hp in self.hyperparameters)

    def active(self, configuration: Configuration) -> dict[str, Value]:
        """The values that are read: inactive conditional hyperparameters dropped, in the order of the space."""
        read: dict[str, Value] = {}
        for hp in self.hyperparameters:
            if hp.name in configuration and all(condition.holds(read) for condition in hp.conditions):
                read[hp.name] = configuration[hp.name]
        return read

    def defaults(self) -> dict[str, Value]:
        """KerasTuner's defaults: False, the first choice, the low end, unless given."""
        return self.active({hp.name: default_of(hp) for hp in self.hyperparameters})

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """One uniform draw (log-uniform on log ranges) of the active values."""
        return self.active({hp.name: hp.draw(rng) for hp in self.hyperparameters})

    def check(self, configuration: Configuration, where: str) -> dict[str, Value]:
        """The active part of a complete configuration.

        Raises:
            UserError: an unknown name, a value outside its range, or an active hyperparameter without a value.
        """
        unknown = sorted(set(configuration) - set(self.names))
        if unknown:
            raise UserError(f"{where}: unknown hyperparameter {unknown[0]!r}; the space has {', '.join(self.names)}")
        read = self.active(configuration)
        for hp in self.hyperparameters:
            if all(condition.holds(read) for condition in hp.conditions):
                if hp.name not in read:
                    raise UserError(f"{where}: hyperparameter {hp.name!r} has no value")
                if not hp.contains(read[hp.name]):
                    raise UserError(
                        f"{where}: {hp.name} = {read[hp.name]!r} lies outside the search space ({describe(hp)})"
                    )
        return read


def default_of(hp: Hyperparameter) -> Value:
    """KerasTuner's default of one hyperparameter."""
    if hp.default is not None:
        return hp.default
    return hp.values[0] if isinstance(hp, Choice) else hp.low if isinstance(hp, Int | Float) else False


def describe(hp: Hyperparameter) -> str:
    """The range in a few words, e.g. ``0.0001 to 0.2, log``."""
    if isinstance(hp, Boolean):
        return "False or True"
    if isinstance(hp, Choice):
        return ", ".join(str(value) for value in hp.values)
    step = f", step {hp.step:g}" if hp.step not in (None, 1) else ""
    return f"{hp.low:g} to {hp.high:g}{step}{', log' if hp.log else ''}"


def described(space: Space) -> list[dict[str, Any]]:
    """The hyperparameters as JSON-ready values; ``restored`` reads them back."""
    return [{"kind": type(hp).__name__, **dataclasses.asdict(hp)} for hp in space]


def restored(items: Iterable[Mapping[str, Any]]) -> Space:
    """The space that ``described`` wrote, also after a passage through JSON (which has no tuples)."""
    kinds: dict[str, type[Hyperparameter]] = {"Boolean": Boolean, "Choice": Choice, "Int": Int, "Float": Float}
    found = []
    for item in items:
        values = {name: value for name, value in item.items() if name != "kind"}
        values["conditions"] = tuple(Condition(each["parent"], tuple(each["values"])) for each in item["conditions"])
        if "values" in item:
            values["values"] = tuple(item["values"])
        found.append(kinds[item["kind"]](**values))
    return Space(tuple(found))


def canonical(configuration: Configuration) -> str:
    """A configuration as JSON with sorted keys and no spaces: equal configurations give equal bytes."""
    return json.dumps(dict(configuration), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def hand_picked(space: Space, untuned: Configuration) -> dict[str, tuple[Value, ...]]:
    """The values that a person would try, by ONE rule, fixed before any result.

    Boolean and Choice: all; Int and linear Float: lowest, middle, highest and the untuned value; log Float: the decades
    in the range and the untuned value. A workload whose post or notebook names values gives those instead.
    """
    return {hp.name: _hand_picked(hp, untuned.get(hp.name)) for hp in space}


def _hand_picked(hp: Hyperparameter, untuned: Value | None) -> tuple[Value, ...]:
    if isinstance(hp, Boolean | Choice):
        return hp.grid
    values: set[Value] = set() if untuned is None else {untuned}
    if isinstance(hp, Int) or hp.grid is not None:
        grid = hp.grid
        assert grid is not None
        values |= {grid[0], grid[(len(grid) - 1) // 2], grid[-1]}
    elif hp.log:
        first, last = math.ceil(math.log10(hp.low) - 1e-9), math.floor(math.log10(hp.high) + 1e-9)
        values |= {float(f"1e{power}") for power in range(first, last + 1)}
        values = values or {hp.low, hp.high}
    else:
        values |= {hp.low, (hp.low + hp.high) / 2, hp.high}
    return tuple(sorted(values))
