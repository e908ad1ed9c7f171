"""What a report is made of, before it is Markdown or HTML: sections of prose, lists, tables, figures and code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, is_dataclass
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
class Part:
    """A part of the report as it stands on the page; ``folded`` ones are closed until they are opened."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table: its heading, and what stands under it, made from one row."""

    heading: str
    cell: Callable[[Any], Cell | str]


def column(heading: str, make: Callable[..., Cell | str], *names: str) -> Column:
    """A column made from the values that a row, of a frame or a dataclass, has under these names."""

    def cell(row: Any) -> Cell | str:
        return make(*(getattr(row, name) if is_dataclass(row) else row[name] for name in names))

    return Column(heading, cell)


def table(
    name: str,
    caption: str,
    columns: Sequence[Column],
    rows: pd.DataFrame | Iterable[Any],
    note: str = "",
    text_columns: int = 1,
) -> Table:
    """A table with a row for each of ``rows``.

    Args:
        name: file name.
        text_columns: so many columns in front are words, flush left; the others are numbers.
    """
    shown = rows if not hasattr(rows, "iterrows") else (row for _, row in rows.iterrows())
    cells = tuple(tuple(_cell(each.cell(row)) for each in columns) for row in shown)
    headings = tuple(each.heading for each in columns)
    numeric = tuple(index >= text_columns for index in range(len(columns)))
    return Table(name, caption, headings, cells, numeric, note)


def _cell(entry: Cell | str) -> Cell:
    return entry if isinstance(entry, Cell) else Cell(entry)
