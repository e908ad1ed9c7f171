"""What a statistic is: a module of this room that declares what it computes of one workload.

``STATISTICS`` of a module lists its declarations. They are found by looking into the room, and computed when they are
asked for: a new statistic is a new module here, and a section of the report that asks for it by name.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hptune_bench.analysis.frames import Records
    from hptune_bench.tabular.table import CurveTable

QUICK = "left out of the quick analysis"


@dataclass(frozen=True)
class Statistic:
    """One result about a workload.

    Attributes:
        name: by which it is asked for.
        compute: the result; None, or empty, where it cannot be had.
        reason: one sentence on why it cannot be had, or what makes it; empty: nothing is said of that.
        part: the name under which the reason stands; empty: ``name``.
        missing: whether a result is one that could not be had.
        folded: only the folded parts of a report show it: a quick analysis has ``nothing`` in its place.
    """

    name: str
    compute: Callable[[Given], Any]
    reason: str | Callable[[Given], str] = ""
    part: str = ""
    missing: Callable[[Any], bool] = lambda result: result is None or (isinstance(result, tuple) and not result)
    folded: bool = False
    nothing: Any = None


@dataclass
class Given:
    """What a statistic may ask for: the records, and by name the other statistics, each computed once.

    Attributes:
        best_known: the best score that is known for the workload, from the manifest; may be empty.
        quick: leave out what only the folded parts of a report show.
        table: of a replayed workload, where it is at hand.
    """

    records: Records
    best_known: Mapping[str, Any]
    quick: bool
    table: CurveTable | None
    _statistics: Mapping[str, Statistic] = field(default_factory=lambda: every_statistic())
    _results: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        if name not in self._results:
            statistic = self._statistics[name]
            left_out = statistic.folded and self.quick
            self._results[name] = statistic.nothing if left_out else statistic.compute(self)
        return self._results[name]

    def results(self) -> dict[str, Any]:
        """All statistics by name."""
        return {name: self[name] for name in self._statistics}

    def reasons(self) -> dict[str, str]:
        """Why a part cannot be had, one sentence each."""
        found = {}
        for name, statistic in self._statistics.items():
            reason = statistic.reason if isinstance(statistic.reason, str) else statistic.reason(self)
            if reason and statistic.missing(self[name]):
                found[statistic.part or name] = QUICK if statistic.folded and self.quick else reason
        return found


def every_statistic() -> Mapping[str, Statistic]:
    """Those that the modules of this room declare, by name."""
    return {statistic.name: statistic for statistic in _declared("hptune_bench.analysis")}


def _declared(package: str) -> Iterator[Statistic]:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        yield from getattr(importlib.import_module(module.name), "STATISTICS", ())
        if module.ispkg:
            yield from _declared(module.name)
