"""What a section of the report is, what it is given, and how the sections are found.

A section is one module in a folder ``sections`` of any room of the package: it declares a ``Section``, and nothing
else has to know of it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pandas as pd

import hptune_bench
from hptune_bench.analysis import Analysis, WorkloadAnalysis
from hptune_bench.core import text
from hptune_bench.core.tuner_info import TunerInfo, by_order
from hptune_bench.report.blocks import Block, Heading, Part, Prose
from hptune_bench.report.naming import title_of
from hptune_bench.report.style import Style, styles
from hptune_bench.store.results import Results


@dataclass(frozen=True)
class Context:
    """What every section needs.

    Attributes:
        styles: of every tuner of the campaign, in reporting order.
    """

    campaign: Results
    analysis: Analysis
    styles: dict[str, Style]

    @property
    def workloads(self) -> list[WorkloadAnalysis]:
        return list(self.analysis.workloads.values())

    @property
    def infos(self) -> dict[str, TunerInfo]:
        """What the campaign's tuners declare, those that did not run included, in the order of tables."""
        return by_order({name: info for found in self.workloads for name, info in found.records.infos.items()})

    def label(self, tuner: str) -> str:
        """A tuner in plain words."""
        return self.styles[tuner].label

    def tuners(self, found: WorkloadAnalysis) -> list[str]:
        """The tuners of a workload in reporting order."""
        return [name for name in self.styles if name in found.records.tuners]

    def searchers(self, found: WorkloadAnalysis) -> list[str]:
        """The tuners that search: all but those that train one configuration once."""
        return [name for name in self.tuners(found) if name not in found.records.trained_once]

    def main(self, found: WorkloadAnalysis) -> list[str]:
        """The reference and the primary tuners; where a campaign has none of them, the first six that search."""
        records = found.records
        wanted = [name for name in self.searchers(found) if name in (records.against, *records.primary)]
        return wanted or self.searchers(found)[:6] or self.tuners(found)[:6]

    def ordered(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A frame with one row per tuner in reporting order."""
        place = {name: index for index, name in enumerate(self.styles)}
        return frame.sort_values("tuner", key=lambda names: names.map(place), kind="stable").reset_index(drop=True)


def context(campaign: Results, analysis: Analysis) -> Context:
    ran = {name: found.records.infos[name] for found in analysis.workloads.values() for name in found.records.tuners}
    return Context(campaign, analysis, styles(ran))


@dataclass(frozen=True)
class Section:
    """A section, as its module declares it.

    Attributes:
        title: the heading, and the words to click on where it is folded.
        order: its place in the report; sections in front have smaller ones.
        build: makes its blocks; where there are none the section is left out.
        folded: closed until it is opened.
        quick: part of the first page, the only one of a quick report.
    """

    title: str
    order: int
    build: Callable[[Context], Iterable[Block]]
    folded: bool = True
    quick: bool = False


def each(make: Callable[[Context, WorkloadAnalysis], Iterable[Block]]) -> Callable[[Context], Iterable[Block]]:
    """A section of every workload: its blocks under the workload's title, or nothing."""

    def build(ctx: Context) -> Iterator[Block]:
        for found in ctx.workloads:
            if mine := list(make(ctx, found)):
                yield Heading(title_of(found))
                yield from mine

    return build


def reason(found: WorkloadAnalysis, part: str) -> list[Block]:
    """Why a part is missing, as a paragraph; nothing where no reason was given."""
    return [Prose(text.sentence(found.reasons[part]))] if part in found.reasons else []


def sections() -> list[Section]:
    """What the modules in folders ``sections`` declare, in the order of the report."""
    found = []
    for folder in Path(next(iter(hptune_bench.__path__))).glob("*/sections"):
        package = import_module(f"{hptune_bench.__name__}.{folder.parent.name}.sections")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            found += [entry for entry in vars(import_module(module.name)).values() if isinstance(entry, Section)]
    return sorted(found, key=lambda section: (section.order, section.title))


def build(ctx: Context, quick: bool) -> list[Part]:
    """The parts of the page in order; with ``quick`` those of the first page only."""
    wanted = [section for section in sections() if section.quick or not quick]
    parts = [Part(section.title, tuple(section.build(ctx)), section.folded) for section in wanted]
    return [part for part in parts if part.blocks]
