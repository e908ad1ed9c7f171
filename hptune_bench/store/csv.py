"""Rows as CSV: columns that only some rows have, and text that must not be run by whoever opens the file."""

from __future__ import annotations

import csv
import functools
import itertools
import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of text that a spreadsheet takes for a formula."""


def disarmed(text: str) -> str:
    """Text that no spreadsheet takes for a formula: where it would, an apostrophe stands in front."""
    return f"'{text}" if text.startswith(FORMULA) else text


def armed(text: str) -> str:
    """What ``disarmed`` was given."""
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text


class CsvFile:
    """Rows on their way to a CSV file, kept on the disk: a thousand runs have millions of epochs.

    Columns that only some rows have stand where the first of them has them, empty elsewhere. Text that a spreadsheet
    would take for a formula gets an apostrophe in front; control characters become spaces.

    Which columns there are is known when the last row has come. Rows are kept with the columns of their own, and only
    where these differ they are read again.
    """

    def __init__(self) -> None:
        self._spool = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115 - closed by __exit__
        self._writer = csv.writer(self._spool, lineterminator="\n")
        self._kinds: list[tuple[tuple[str, ...], int]] = []

    def __enter__(self) -> CsvFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    @property
    def empty(self) -> bool:
        return not self._kinds

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for entry in rows:
            names = tuple(entry)
            if self._kinds and self._kinds[-1][0] == names:
                self._kinds[-1] = names, self._kinds[-1][1] + 1
            else:
                self._kinds.append((names, 1))
            # Numbers first, and each kind of text once: this is what collecting a large campaign spends its time on.
            self._writer.writerow(
                [
                    value if type(value) is int or (type(value) is float and value == value) else _cell(value)
                    for value in entry.values()
                ]
            )

    def write(self, out: TextIO) -> None:
        """The header and all rows."""
        columns = _union(names for names, _ in self._kinds)
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([_cell(name) for name in columns])
        self._spool.seek(0)
        if all(list(names) == columns for names, _ in self._kinds):
            shutil.copyfileobj(self._spool, out)
            return
        rows = csv.reader(self._spool)
        for names, count in self._kinds:
            places = {name: place for place, name in enumerate(names)}
            order = [places.get(name) for name in columns]
            for cells in itertools.islice(rows, count):
                writer.writerow(["" if place is None else cells[place] for place in order])


def _union(kinds: Iterable[Sequence[str]]) -> list[str]:
    """All columns, each where the first row that has it has it."""
    columns: list[str] = []
    for names in dict.fromkeys(kinds):
        position = 0
        for name in names:
            if name in columns:
                position = columns.index(name) + 1
            else:
                columns.insert(position, name)
                position += 1
    return columns


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return _harmless(value) if isinstance(value, str) else value


@functools.lru_cache(maxsize=4096)
def _harmless(text: str) -> str:
    return disarmed(text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text))
