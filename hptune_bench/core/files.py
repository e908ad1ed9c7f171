"""Writing files so that a reader never sees half of one, and reading those that a user gives."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hptune_bench.core.errors import UserError


def read_limited(path: Path, most: int, too_large: str, missing: str) -> bytes:
    """The content of a file of at most so many bytes; no more is read, so that a device is no trap.

    Raises:
        UserError: it is larger, missing (with these words), or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; {missing}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
    if len(content) > most:
        raise UserError(f"{path}: is larger than {too_large}; check the path")
    return content


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write to a temporary name beside ``path``, fsync, rename: after a crash the old file or the new one is there."""
    with open_atomic(path) as stream:
        stream.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """A stream that becomes the file ``path`` when the block ends, as in ``write_atomic``; after an error, nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _flush_folder(folder: Path) -> None:
    """Make a rename survive power loss: what is written later may rely on it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
