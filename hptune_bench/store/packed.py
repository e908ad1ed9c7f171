"""Journals and large tables of a finished campaign, packed: all journals in one archive, tables compressed.

A folder that a user works in stays plain: what reads results reads either form, and ``run`` unpacks first. An archive
is data from outside: it may hold nothing but journals, and nothing larger than is written.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from hptune_bench.core.errors import UserError
from hptune_bench.core.files import write_atomic
from hptune_bench.core.names import safe_name
from hptune_bench.store import journal
from hptune_bench.store.layout import JOURNALS, NOISE, RUNS, RunId, noise_path

MAX_JOURNAL = 256 * 2**20
MAX_TABLE = 4 * 2**30
"""Bytes, unpacked, of the largest journal and the largest table that are read."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
_RUN = re.compile(rf"{RUNS}/([^/]+)/([^/]+)/s(\d{{2,6}})\.jsonl")
_NOISE = re.compile(rf"{NOISE}/([^/]+)\.jsonl")


class Journals:
    """The journals of a results folder by their names in ``layout``; a plain file goes before an archived one.

    Raises:
        UserError: the archive cannot be read, or holds anything but journals.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / JOURNALS
        self._members: dict[str, zipfile.ZipInfo] = {}
        if self._path.exists():
            with _readable(self._path):
                self._archive = zipfile.ZipFile(self._path)
            for member in self._archive.infolist():
                self._require(member)
                self._members[member.filename] = member

    def _require(self, member: zipfile.ZipInfo) -> None:
        name = member.filename
        if not _is_journal(name) or name in self._members:
            raise UserError(f"{self._path}: holds {name[:100]!r}, which is no journal of a campaign; restore the file")
        if member.file_size > MAX_JOURNAL:
            raise UserError(f"{self._path}: {name} is larger than any journal ({member.file_size} bytes); restore it")

    @property
    def names(self) -> list[str]:
        plain = [path for top in (RUNS, NOISE) for path in (self._folder / top).rglob("*.jsonl")]
        return sorted({path.relative_to(self._folder).as_posix() for path in plain} | self._members.keys())

    def runs(self) -> list[RunId]:
        """The runs that have a journal."""
        matches = [(name, match) for name in self.names if (match := _RUN.fullmatch(name))]
        runs = {name: RunId(match[1], match[2], int(match[3])) for name, match in matches}
        return sorted(run for name, run in runs.items() if run.path == name)

    def read(self, name: str) -> journal.Contents:
        """One journal; one that is not there is an empty one.

        Raises:
            JournalDamaged: see ``journal.read``.
            UserError: the archive is damaged there.
        """
        if name not in self._members or (self._folder / name).exists():
            return journal.read(self._folder / name)
        with _readable(self._path), self._archive.open(self._members[name]) as stream:
            return journal.parsed(stream, self._path / name)

    def content(self, name: str) -> bytes:
        """The bytes of a journal that is there."""
        plain = self._folder / name
        return plain.read_bytes() if plain.exists() else self.archived(name) or b""

    def archived(self, name: str) -> bytes | None:
        """Its bytes in the archive; None where it is not in there."""
        if name not in self._members:
            return None
        with _readable(self._path):
            return self._archive.read(self._members[name])

    def __enter__(self) -> Journals:
        return self

    def __exit__(self, *_: object) -> None:
        if self._members:
            self._archive.close()


def _is_journal(name: str) -> bool:
    """Whether a campaign gives a journal this name; a path that leaves the folder, for example, is none."""
    run, noise = _RUN.fullmatch(name), _NOISE.fullmatch(name)
    try:
        if run:
            return RunId(safe_name(run[1]), safe_name(run[2]), int(run[3])).path == name
        return noise is not None and noise_path(safe_name(noise[1])) == name
    except ValueError:
        return False


def archive(journals: Journals) -> bytes:
    """All journals as one archive: equal journals give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in journals.names:
            member = zipfile.ZipInfo(name)  # of 1 January 1980
            member.external_attr, member.create_system = 0o644 << 16, 3
            packed.writestr(member, journals.content(name), zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def table_path(path: Path) -> Path:
    """Where a table lies: itself, or compressed beside its name."""
    compressed = path.with_name(f"{path.name}.gz")
    return compressed if compressed.exists() and not path.exists() else path


def table_bytes(path: Path) -> bytes | None:
    """A table, plain or compressed; None where it is not there.

    Raises:
        UserError: it is not intact, or larger than any table.
    """
    found = table_path(path)
    if not found.exists():
        return None
    if found == path:
        return path.read_bytes()
    require_table(found)
    return gzip.decompress(found.read_bytes())


def require_table(path: Path) -> None:
    """Read a compressed table to its end without keeping it: a few bytes can hold more than any memory.

    Raises:
        UserError: it is not intact, or larger than any table.
    """
    size = 0
    with _readable(path), gzip.open(path) as stream:
        while block := stream.read(2**20):
            size += len(block)
            if size > MAX_TABLE:
                break
    if size > MAX_TABLE:
        raise UserError(f"{path}: holds more than any table ({MAX_TABLE} bytes); restore the file")


def compressed(content: bytes) -> bytes:
    """Equal bytes give equal bytes."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def extract(folder: Path) -> list[str]:
    """Write everything packed in a folder as plain files, and return their names; what is plain already stays.

    Raises:
        UserError: a packed file is damaged or hostile.
    """
    written = []
    with Journals(folder) as journals:
        for name in journals.names:
            if not (folder / name).exists():
                write_atomic(folder / name, journals.content(name))
                written.append(name)
    for path in sorted(folder.glob("*.csv.gz")):
        content = table_bytes(path.with_suffix(""))
        if table_path(path.with_suffix("")) == path and content is not None:
            write_atomic(path.with_suffix(""), content)
            written.append(path.stem)
    return written


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise UserError(f"{path}: cannot be read ({error}); restore the file") from None
