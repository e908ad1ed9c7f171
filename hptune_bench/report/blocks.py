"""What a report is made of, before it is Markdown or HTML: sections of prose, lists, tables, figures and code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prose:
    """One paragraph of plain text; ``strong`` where it should not be missed."""

    text: str
    strong: bool = False
    kind: str = "prose"


@dataclass(frozen=True)
class Items:
    """A bulleted list of plain sentences."""

    texts: tuple[str, ...]
    kind: str = "items"


@dataclass(frozen=True)
class Code:
    """A command or a program, as it is typed."""

    text: str
    kind: str = "code"


@dataclass(frozen=True)
class Heading:
    """A heading inside a section, e.g. a workload's title."""

    text: str
    kind: str = "heading"


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what is shown, unescaped.
        value: what is sorted by and written to the table's CSV; the text itself where it is None.
        strong: the best of its column.
        mark: short text after it, e.g. ``≈`` for "not distinguishable from the best".
    """

    text: str
    value: Any = None
    strong: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A table; ``name`` is its file name. ``numeric`` says, per column, whether it is set flush right."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[bool, ...]
    note: str = ""
    kind: str = "table"


@dataclass(frozen=True)
class Figure:
    """A figure that can be drawn.

    Attributes:
        name: file name.
        takeaway: the caption's first line: what there is to see.
        detail: statistic, band and number of seeds.
        alt: alternative text for those who cannot see it.
        data: what is drawn, one row per drawn value; becomes ``plots/<name>.csv``.
        draw: makes the ``matplotlib.figure.Figure``.
    """

    name: str
    takeaway: str
    detail: str
    alt: str
    data: pd.DataFrame
    draw: Callable[[], Any] = field(repr=False)
    kind: str = "figure"


Block = Prose | Items | Code | Heading | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of the report; ``folded`` ones are closed until they are opened."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


def table(
    name: str,
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell | str]],
    note: str = "",
    text_columns: int = 1,
) -> Table:
    """A table whose first ``text_columns`` columns are words and whose others are numbers."""
    cells = tuple(tuple(entry if isinstance(entry, Cell) else Cell(entry) for entry in row) for row in rows)
    return Table(
        name=name,
        caption=caption,
        columns=tuple(columns),
        rows=cells,
        numeric=tuple(index >= text_columns for index in range(len(columns))),
        note=note,
    )
