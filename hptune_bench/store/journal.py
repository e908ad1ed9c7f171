"""The journal of a run: append-only JSON lines with a checksum each; the source of truth of a campaign.

Each line is ``{"crc": "<CRC-32 of the entry's bytes>", "entry": {...}}``. A line that power loss or a kill tore off at
the end is dropped; a line that was damaged in the middle is detected, never silently used. Non-finite floats are
written as ``{"$float": "NaN"}``, so that every line is strict JSON.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from hptune_bench.core.errors import UserError
from hptune_bench.store.entries import check
from hptune_bench.store.trial import Trial

Entry = dict[str, Any]

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
MAX_LINE = 64 * 2**20
"""Bytes of the longest line that is read: a journal is data from outside, and must not fill the memory."""
PATIENCE_S = 60.0
"""How long a journal is waited for that another process holds: an orphaned worker ends by itself within moments."""


class JournalDamaged(UserError):
    """A line before the last is no longer what was written.

    Attributes:
        what: file, line and damage, without the remedy.
    """

    def __init__(self, path: Path, line: int, why: str) -> None:
        self.path, self.line = path, line
        self.what = f"{path}: line {line} is damaged ({why})"
        super().__init__(f"{self.what}; restore the file, or run the benchmark again to have this run done again")


@dataclass(frozen=True)
class Contents:
    """What a journal holds.

    Attributes:
        entries: the intact entries, in order.
        length: bytes up to the end of the last intact line.
        torn: whether an incomplete last line follows.
    """

    entries: tuple[Entry, ...]
    length: int
    torn: bool

    def of_kind(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if entry["kind"] == kind]

    @property
    def trials(self) -> list[Trial]:
        return [Trial.of(entry) for entry in self.of_kind("trial")]

    @property
    def end(self) -> Entry | None:
        """The closing entry; None while the run is unfinished."""
        return self.entries[-1] if self.entries and self.entries[-1]["kind"] == "end" else None

    def headlines(self) -> Contents:
        """What a campaign keeps in mind of a run: no curves, and of its trials the incumbents and those that raised."""
        kept = [entry for entry in self.entries if entry["kind"] != "trial" or entry["incumbent"] or entry.get("place")]
        return Contents(
            tuple({key: value for key, value in entry.items() if key != "history"} for entry in kept),
            self.length,
            self.torn,
        )


def encode_line(entry: Mapping[str, Any]) -> bytes:
    try:
        body = json.dumps(entry, separators=(",", ":"), allow_nan=False)
    except (ValueError, TypeError):  # a number that JSON does not know, or a mapping that is no dict
        body = json.dumps(_to_json(entry), separators=(",", ":"), allow_nan=False)
    return b'{"crc":"%08x","entry":%s}\n' % (zlib.crc32(body.encode()), body.encode())


def decode_line(line: bytes) -> Entry:
    """The entry of one line.

    Raises:
        ValueError: the line is not one that ``encode_line`` wrote.
    """
    prefix, body = line[:26], line[26:-1]
    if prefix[:8] != b'{"crc":"' or prefix[16:] != b'","entry":' or line[-1:] != b"}":
        raise ValueError("it does not have the form of a journal line")
    if b"%08x" % zlib.crc32(body) != prefix[8:16]:
        raise ValueError("its checksum does not match")
    try:
        entry = json.loads(body, object_hook=_from_json)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise ValueError("it holds no entry")
    return entry


def read(path: Path) -> Contents:
    """Read a journal; a missing file is an empty one.

    Raises:
        JournalDamaged: a line other than a torn last one is not intact, or holds what no run writes.
    """
    try:
        with path.open("rb") as stream:
            return parsed(stream, path)
    except FileNotFoundError:
        return Contents((), 0, False)


def parsed(stream: IO[bytes], path: Path) -> Contents:
    """What a journal holds, read from a stream; ``path``: what it is called in errors, see ``read``."""
    entries: list[Entry] = []
    length = trials = number = 0
    torn = False
    while line := stream.readline(MAX_LINE):
        number += 1
        if not line.endswith(b"\n"):
            if len(line) == MAX_LINE:
                raise JournalDamaged(path, number, "it is longer than any journal line")
            torn = True
            break
        try:
            entry = decode_line(line[:-1])
            check(entry, trials, first=not entries)
            trials += entry["kind"] == "trial"
            entries.append(entry)
        except ValueError as error:
            raise JournalDamaged(path, number, str(error)) from None
        length += len(line)
    return Contents(tuple(entries), length, torn)


class Journal:
    """Appends entries to one journal file, alone: nobody else opens it meanwhile, and what it held was read after that.

    A worker whose campaign was killed may still be writing its last line when its successor comes. Opening waits for
    it, and cuts off a torn last line.

    Attributes:
        contents: what the journal held when it was opened.

    Raises:
        JournalDamaged: a line other than a torn last one is not intact.
        OSError: it cannot be written, or another process still holds it after ``PATIENCE_S``.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._stream = path.open("ab", buffering=0)  # what a full disk refuses must not be written later, by surprise
        try:
            _hold(self._stream.fileno())
            self.contents = read(path)
            if self.contents.torn:
                self._stream.truncate(self.contents.length)
        except BaseException:
            self._stream.close()
            raise

    def append(self, entry: Mapping[str, Any], *, durable: bool = True) -> None:
        """Write one entry; ``durable`` forces it to the disk before it returns.

        Raises:
            OSError: it could not be written; the journal is as it was before.
        """
        before = self._stream.seek(0, os.SEEK_END)
        rest = memoryview(encode_line(entry))
        try:
            while rest:
                rest = rest[self._stream.write(rest) :]
            if durable:
                os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(before)
            raise

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hold(file: int) -> None:
    patience = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > patience:
                raise
        time.sleep(0.01)


def _to_json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value


def _from_json(found: dict[str, Any]) -> Any:
    if len(found) == 1 and isinstance(name := found.get("$float"), str) and name in _NON_FINITE:
        return _NON_FINITE[name]
    return found
