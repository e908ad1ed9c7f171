"""The real reviews: files in the format of Amazon Review Full, read in pieces.

The format: comma-separated, no header, three columns: score (1 to 5), title, text; fields may be quoted, a quote inside
is doubled. The published files are ``train.csv`` (3,000,000 rows) and ``test.csv`` (650,000 rows). They are not part
of this repository and are never downloaded.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from hptune_bench.errors import UserError

SUFFIXES = (".csv", ".csv.gz")
PIECE = 10_000
"""Rows whose lottery numbers are drawn together."""

WRONG_FILE_SHARE = 0.1
"""A file with more malformed rows than this is taken for another kind of file."""


@dataclass(frozen=True)
class Sample:
    """Rows drawn from a file, in random order.

    Attributes:
        stars: int64 (rows,), 1 to 5.
        texts: title and text of each, joined by a space.
        rows: usable rows of the whole file.
        malformed: rows left out: not three fields, a score that is none of 1 to 5, or bytes that are not UTF-8.
    """

    stars: np.ndarray
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
        raise UserError(f"{path}: no such file; data must name an Amazon Review Full file (.csv or .csv.gz)")
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"{path}: data must be a .csv or .csv.gz file of reviews (no header; score, title, text)")
    return path


def check(path: Path) -> None:
    """Look at the first rows of a file, so that a wrong one is refused before anything runs.

    Raises:
        UserError: it is not a file of reviews, or it cannot be read.
    """
    with _reading(path) as file:
        rows = list(islice(_rows(file, path), 1_000))
    _refuse_if_wrong(path, len(rows), sum(row is None for row in rows))


def sample(path: Path, size: int, seed: int) -> Sample:
    """Draw ``size`` rows of a file, each set of rows alike likely, in one pass that holds no more than they need.

    Every usable row draws a lottery number; the smallest ``size`` of them win. Equal seeds give equal samples.

    Raises:
        UserError: the file is no file of reviews, cannot be read, or has too few usable rows.
    """
    rng = np.random.default_rng(seed)
    winners: list[tuple[float, int, int, str]] = []  # a heap whose top is the largest lottery number, negated
    rows = malformed = 0
    with _reading(path) as file:
        reader = _rows(file, path)
        while piece := list(islice(reader, PIECE)):
            for row, lot in zip(piece, rng.random(len(piece)).tolist(), strict=True):
                if row is None:
                    malformed += 1
                    continue
                rows += 1
                if len(winners) < size:
                    heapq.heappush(winners, (-lot, -rows, *row))
                elif -lot > winners[0][0]:
                    heapq.heapreplace(winners, (-lot, -rows, *row))
    _refuse_if_wrong(path, rows + malformed, malformed)
    if rows < size:
        raise UserError(f"{path}: has {rows} usable rows and {size} are needed; set reviews to a smaller number")
    winners.sort(reverse=True)
    return Sample(
        stars=np.array([stars for _, _, stars, _ in winners], np.int64),
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


def _rows(file: TextIO, path: Path) -> Iterator[tuple[int, str] | None]:
    """Stars and text of each row, None for a malformed one."""
    reader = csv.reader(file)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field of more than 131,072 characters: a quote that was never closed
            yield None
            continue
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: cannot be read ({error}); the file is damaged: copy it again") from None
        if fields:
            yield _parse(fields)


def _parse(fields: list[str]) -> tuple[int, str] | None:
    if len(fields) != 3 or fields[0] not in ("1", "2", "3", "4", "5"):
        return None
    text = f"{fields[1]} {fields[2]}"
    return (int(fields[0]), text) if _is_unicode(text) else None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_if_wrong(path: Path, rows: int, malformed: int) -> None:
    if rows == 0:
        raise UserError(f"{path}: is empty; expected reviews without a header: score (1 to 5), title, text")
    if malformed > WRONG_FILE_SHARE * rows:
        raise UserError(
            f"{path}: {malformed} of {rows} rows are not reviews; "
            "expected a UTF-8 file without a header and with three columns: score (1 to 5), title, text"
        )
