"""Real texts with labels: files in the format of Amazon Review Full, or any CSV file that names its columns.

Amazon Review Full: comma-separated, no header, three columns: score (1 to 5), title, text; fields may be quoted, a
quote inside is doubled. The published files are ``train.csv`` (3,000,000 rows) and ``test.csv`` (650,000 rows). They
are not part of this repository and are never downloaded.

Any other: the first row names the columns, one of them as in ``TEXT_NAMES`` and one as in ``LABEL_NAMES`` (capitals do
not matter). Its labels are scores where they are four or five different whole numbers from 1 to 5; otherwise they are
classes, two to ``MOST_CLASSES``. The labels of all usable rows decide, so that all draws of a file have the same.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np

from hptune_bench.core.errors import UserError

SUFFIXES = (".csv", ".csv.gz")
TEXT_NAMES = ("text", "review", "comment", "content", "message", "sentence", "body")
LABEL_NAMES = ("label", "class", "category", "sentiment", "stars", "rating", "score", "target")
"""Columns of a table, the likeliest first."""
SCORES = frozenset("12345")
SCORE_CLASSES = 3
"""Classes that scores are made into, as in the post's notebook; so few labels are classes even if they are numbers."""
MOST_CLASSES = 50
"""A column with more labels than this most likely holds no classes but numbers, names or texts."""
EXPECTED = (
    "a UTF-8 file of score (1 to 5), title, text without a header, or one with a header that names text and label"
)
SHOWN = 3
"""Labels that an error names."""
PIECE = 10_000
"""Rows whose lottery numbers are drawn together."""

WRONG_FILE_SHARE = 0.1
"""A file with more malformed rows than this is taken for another kind of file."""


@dataclass(frozen=True)
class Sample:
    """Rows drawn from a file, in random order.

    Attributes:
        labels: int64 (rows,), scores from 1 to 5, or numbers of ``classes``.
        classes: names of the classes in the order of their numbers; empty where labels are scores.
        texts: the text of each; title and text, joined by a space, where the file has titles.
        rows: usable rows of the whole file.
        malformed: rows left out: another number of fields, no label (or a score that is none of 1 to 5), or bytes that
            are not UTF-8.
    """

    labels: np.ndarray
    classes: tuple[str, ...]
    texts: tuple[str, ...]
    rows: int
    malformed: int


def find(path: Path, name: str) -> Path:
    """``path`` itself if it is a file, or the file ``name`` (.csv or .csv.gz) in the folder ``path``.

    Raises:
        UserError: there is no such file, or its ending is neither .csv nor .csv.gz.
    """
    if path.is_dir():
        found = [path / f"{name}{suffix}" for suffix in SUFFIXES if (path / f"{name}{suffix}").is_file()]
        if not found:
            raise UserError(f"{path}: holds neither {name}.csv nor {name}.csv.gz; give the folder of the review files")
        return found[0]
    if not path.is_file():
        raise UserError(f"{path}: no such file; data must name a file of reviews (.csv or .csv.gz)")
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"{path}: data must be a .csv or .csv.gz file: {EXPECTED}")
    return path


def check(path: Path) -> None:
    """Look at the first rows of a file, so that a wrong one is refused before anything runs.

    Raises:
        UserError: it is not a file of reviews, or it cannot be read.
    """
    with _reading(path) as file:
        scores, reader = _rows(file, path)
        rows = list(islice(reader, 1_000))
    _refuse_if_wrong(path, len(rows), sum(row is None for row in rows))
    if not scores:
        _classes({row[0] for row in rows if row is not None}, path, some=True)


def sample(path: Path, size: int, seed: int, least: int | None = None) -> Sample:
    """Draw ``size`` rows of a file, each set of rows alike likely, in one pass that holds no more than they need.

    Every usable row draws a lottery number; the smallest ``size`` of them win. Equal seeds give equal samples.

    Args:
        least: a file with fewer than ``size`` usable rows, but so many, gives them all; None: it is refused.

    Raises:
        UserError: the file is no file of reviews, cannot be read, or has too few usable rows.
    """
    rng = np.random.default_rng(seed)
    winners: list[tuple[float, int, str, str]] = []  # a heap whose top is the largest lottery number, negated
    rows = malformed = 0
    labels: set[str] = set()
    with _reading(path) as file:
        scores, reader = _rows(file, path)
        while piece := list(islice(reader, PIECE)):
            for row, lot in zip(piece, rng.random(len(piece)).tolist(), strict=True):
                if row is None:
                    malformed += 1
                    continue
                rows += 1
                if len(labels) <= MOST_CLASSES:  # one more than allowed tells enough
                    labels.add(row[0])
                if len(winners) < size:
                    heapq.heappush(winners, (-lot, -rows, *row))
                elif -lot > winners[0][0]:
                    heapq.heapreplace(winners, (-lot, -rows, *row))
    _refuse_if_wrong(path, rows + malformed, malformed)
    least = size if least is None else least
    if rows < least:
        raise UserError(f"{path}: has {rows} usable rows and {least} are needed; set reviews to a smaller number")
    winners.sort(reverse=True)
    classes = () if scores else _classes(labels, path)
    numbers = {name: number for number, name in enumerate(classes)}
    return Sample(
        labels=np.array([numbers[label] if classes else int(label) for _, _, label, _ in winners], np.int64),
        classes=classes,
        texts=tuple(text for *_, text in winners),
        rows=rows,
        malformed=malformed,
    )


def _reading(path: Path) -> TextIO:
    # Bytes that are not UTF-8 become lone surrogates, so that their row can be told from the others.
    opened = gzip.open if path.name.endswith(".gz") else open
    try:
        return opened(path, "rt", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error}); check the file and its permissions") from None


def _rows(file: TextIO, path: Path) -> tuple[bool, Iterator[tuple[str, str] | None]]:
    """Whether labels must be scores, and label and text of each row, None for a malformed one."""
    records = _records(file, path)
    first = next(records, None)
    named = _named(first) if first else None
    if first is None or named is None:
        return True, map(_scored, chain([first] if first is not None else [], records))
    label, text, width = *named, len(first)

    def row(fields: list[str]) -> tuple[str, str] | None:
        usable = len(fields) == width and fields[label].strip() and _is_unicode("".join(fields))
        return (fields[label].strip(), fields[text]) if usable else None

    return False, map(row, records)


def _records(file: TextIO, path: Path) -> Iterator[list[str]]:
    """The fields of each row, none for one that cannot be parsed; empty lines are no rows."""
    reader = csv.reader(file)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field of more than 131,072 characters: a quote that was never closed
            yield []
            continue
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: cannot be read ({error}); the file is damaged: copy it again") from None
        if fields:
            yield fields


def _named(header: list[str]) -> tuple[int, int] | None:
    """The columns of label and text in a row of names; None where it does not name both."""
    names = [field.strip().lstrip("\ufeff").lower() for field in header]
    label, text = (next((name for name in known if name in names), None) for known in (LABEL_NAMES, TEXT_NAMES))
    return None if label is None or text is None else (names.index(label), names.index(text))


def _scored(fields: list[str]) -> tuple[str, str] | None:
    """Score and text of a row of Amazon Review Full."""
    if len(fields) != 3 or fields[0] not in SCORES:
        return None
    text = f"{fields[1]} {fields[2]}"
    return (fields[0], text) if _is_unicode(text) else None


def _classes(labels: set[str], path: Path, some: bool = False) -> tuple[str, ...]:
    """The classes that labels name, in alphabetical order; none where they are scores.

    Args:
        some: there may be other labels further on.

    Raises:
        UserError: they are neither scores nor few enough.
    """
    if len(labels) > SCORE_CLASSES and labels <= SCORES:
        return ()
    if len(labels) > MOST_CLASSES or (len(labels) < 2 and not some):
        some_names = ", ".join(repr(name[:40]) for name in sorted(labels)[:SHOWN])
        seen = "one label" if len(labels) < 2 else f"more than {MOST_CLASSES} labels, too many for classes"
        raise UserError(
            f"{path}: has {seen} ({some_names}{', ...' if len(labels) > SHOWN else ''}); give scores from 1 to 5, or "
            f"two to {MOST_CLASSES} classes"
        )
    return tuple(sorted(labels))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_if_wrong(path: Path, rows: int, malformed: int) -> None:
    if rows == 0:
        raise UserError(f"{path}: is empty; expected {EXPECTED}")
    if malformed > WRONG_FILE_SHARE * rows:
        raise UserError(f"{path}: {malformed} of {rows} rows are not reviews; expected {EXPECTED}")
