"""What a tuner declares about itself: all that registry, check, analysis and report may know of one.

A declaration stands beside its tuner and goes into the manifest, so that a results folder tells what its tuners are
wherever it is read, plug-ins included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Role = Literal["loop", "grid loop", "copied", "restarts", "winner", "random", "enumeration", "search", "person"]
ROLES: tuple[Role, ...] = get_args(Role)
REFERENCES: tuple[Role, ...] = ("loop", "grid loop", "copied", "restarts")
"""Roles of what tuners are compared with, in the order of tables; the first is the usual reference."""
NO_SEARCH: tuple[Role, ...] = ("copied", "restarts", "winner")
"""Roles of what tries one configuration, however often."""
Clock = Literal["plain", "keras_tuner"]


@dataclass(frozen=True)
class TunerInfo:
    """What a tuner is, without making it.

    Attributes:
        label: plain words for headings, tables and figures.
        description: one line.
        role: ``loop`` (by hand, one hyperparameter after the other), ``grid loop`` (nested loops by hand), ``copied``
            (the untuned configuration, once), ``restarts`` (the same, retrained until the budget ends), ``winner`` (the
            published configuration, once), ``random`` and ``enumeration`` (choices that do not follow results),
            ``person`` (what a person tried) or ``search``.
        library: what its proposals come from: ``keras_tuner``, another library, or empty: nothing but a loop by hand.
        clock: how the stock clock charges it: as ``plain`` Keras, or with the overhead of ``keras_tuner``.
        trains_once: it trains one configuration once: a line in a figure.
        restarts: it restarts trials from their best epoch with a fresh optimizer, which no table can replay.
        repairs: name of the tuner as pip installs it, of which this is the repaired one; empty: of none.
        random_points: it begins with so many random points for each hyperparameter (at least as many in all) before it
            follows results; 0: no such beginning.
        halving: factor of successive halving, where most trials are trained for a part of their epochs; 0: it trains
            every configuration to its end.
        usual: it runs where a user names no tuners.
        options: names of the arguments that ``make`` takes, from ``[tuner_options.NAME]`` of a benchmark file.
        order: its place in tables and legends, ascending.
        style: name of its colours and marks in figures (``report.style``); empty: the next that are free.
        make: makes the tuner (``protocols.Tuner``), with the options; not part of what is written.
    """

    label: str
    description: str = ""
    role: Role = "search"
    library: str = ""
    clock: Clock = "plain"
    trains_once: bool = False
    restarts: bool = False
    repairs: str = ""
    random_points: int = 0
    halving: int = 0
    usual: bool = False
    options: tuple[str, ...] = ()
    order: int = 100
    style: str = ""
    make: Callable[..., Any] | None = field(default=None, compare=False, repr=False)

    @property
    def searches(self) -> bool:
        """Whether it looks for better configurations at all."""
        return self.role not in NO_SEARCH

    @property
    def stock(self) -> bool:
        """Whether it is KerasTuner's as pip installs it: only of these can be said where stock would have stopped."""
        return self.library == "keras_tuner" and not self.repairs

    @property
    def family(self) -> str:
        """Its kind in one word, for lists."""
        if not self.searches:
            return "reference"
        return f"{self.library}_repaired" if self.repairs else self.library or "manual"

    def first_random_points(self, dimensions: int) -> int:
        """How many random points it begins with in a space of so many hyperparameters."""
        return self.random_points * max(dimensions, 1)

    def to_json(self) -> dict[str, Any]:
        """What the manifest keeps."""
        found = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "make"}
        return {**found, "options": list(self.options)}


def from_json(entry: Mapping[str, Any]) -> TunerInfo:
    """A declaration as the manifest keeps it, checked before; what this version does not know is left out."""
    known = {item.name for item in dataclasses.fields(TunerInfo)} - {"make"}
    found = {name: value for name, value in entry.items() if name in known}
    return TunerInfo(**{**found, "options": tuple(entry.get("options", ()))})


def undeclared(name: str, **known: Any) -> TunerInfo:
    """What is taken to be true of a tuner that says nothing of itself: a search without a library's overhead."""
    return TunerInfo(**{"label": name.replace("_", " "), **known})


def by_order(infos: Mapping[str, TunerInfo]) -> dict[str, TunerInfo]:
    """In the order of tables and legends; equal ones as they come."""
    return dict(sorted(infos.items(), key=lambda item: item[1].order))


def usual(infos: Mapping[str, TunerInfo]) -> tuple[str, ...]:
    """What runs where nobody says: what does not search first, because that is soon done."""
    chosen = {name: info for name, info in by_order(infos).items() if info.usual}
    return tuple(sorted(chosen, key=lambda name: (chosen[name].searches, not chosen[name].trains_once)))


def primary(infos: Mapping[str, TunerInfo]) -> tuple[str, ...]:
    """What is compared with the reference where nobody says: the usual tuners that are no loop by hand."""
    return tuple(name for name, info in by_order(infos).items() if info.usual and info.searches and info.library)


def with_role(infos: Mapping[str, TunerInfo], role: Role) -> str | None:
    """The first tuner of a role; None where there is none."""
    return next((name for name, info in by_order(infos).items() if info.role == role), None)
