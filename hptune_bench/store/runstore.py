"""Where one run remembers itself: its log, and the weights and states that outlive a trial.

Files in a results folder, a process's memory, or anything else with the same methods: a run does not know which.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from hptune_bench.core.files import write_atomic
from hptune_bench.store.journal import Contents, Entry, Journal, encode_line
from hptune_bench.store.layout import kept_path, states_folder


class Log(Protocol):
    """A run's entries, in order, as in a journal."""

    @property
    def contents(self) -> Contents:
        """What it held when it was opened."""

    def append(self, entry: Mapping[str, Any], *, durable: bool = True) -> None:
        """Add one entry; ``durable``: it is safe when this returns. OSError: it could not be written."""

    def __enter__(self) -> Log: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RunStore(Protocol):
    """A run's log, and bytes by name.

    Attributes:
        where: what a user calls it in an error.
    """

    where: str

    def log(self) -> Log:
        """Open the log, alone. Raises OSError, or ``JournalDamaged``."""

    def put(self, name: str, content: bytes) -> None:
        """Keep something, whole or not at all."""

    def get(self, name: str) -> bytes | None: ...

    def discard(self) -> None:
        """Delete the states of trials: the run has ended."""


class FileStore:
    """A journal and the ``.npz`` files beside it."""

    def __init__(self, journal: Path) -> None:
        self.journal, self.where = journal, str(journal)

    def log(self) -> Log:
        return Journal(self.journal)

    def put(self, name: str, content: bytes) -> None:
        write_atomic(kept_path(self.journal, name), content)

    def get(self, name: str) -> bytes | None:
        path = kept_path(self.journal, name)
        return path.read_bytes() if path.exists() else None

    def discard(self) -> None:
        shutil.rmtree(states_folder(self.journal), ignore_errors=True)


class StreamStore(FileStore):
    """Files on a disk of the worker's own, and each of them sent home.

    Args:
        journal: its path inside ``folder``, and inside the results folder.
        send: takes messages as ``executors.base.event_of`` reads them.
    """

    def __init__(self, folder: Path, journal: str, send: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(folder / journal)
        self._home, self._send = Path(journal), send

    def log(self) -> Log:
        return _StreamLog(self.journal, self._send)

    def put(self, name: str, content: bytes) -> None:
        super().put(name, content)
        text = base64.b64encode(content).decode()
        self._send({"event": "file", "name": kept_path(self._home, name).as_posix(), "content": text})


class _StreamLog(Journal):
    def __init__(self, path: Path, send: Callable[[Mapping[str, Any]], None]) -> None:
        self._send = send
        super().__init__(path)

    def append(self, entry: Mapping[str, Any], *, durable: bool = True) -> None:
        super().append(entry, durable=False)
        self._send({"event": "entry", "line": encode_line(entry)[:-1].decode(), "durable": durable})


@dataclass
class MemoryStore:
    """Everything in this process: for runs that nobody needs afterwards. It is its own log."""

    entries: list[Entry] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    where: str = "memory"

    @property
    def contents(self) -> Contents:
        return Contents(tuple(self.entries), 0, False)

    def log(self) -> MemoryStore:
        return self

    def append(self, entry: Mapping[str, Any], *, durable: bool = True) -> None:
        self.entries.append(dict(entry))

    def put(self, name: str, content: bytes) -> None:
        self.kept[name] = content

    def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def discard(self) -> None:
        self.kept.clear()

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(self, *_: object) -> None: ...
