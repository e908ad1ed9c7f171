"""One campaign per results folder: the lock of a dead process is free by itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from hptune_bench.core.errors import UserError
from hptune_bench.store.layout import LOCK


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        UserError: another process holds it (it is named), or the folder cannot be written.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder with --out") from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read(32).strip() or "unknown"
            raise UserError(
                f"{folder}: process {holder} is writing here; wait for it, stop it, or choose another folder with --out"
            ) from None
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be locked ({error.strerror}); choose a folder on a local disk with --out"
            ) from None
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        yield
