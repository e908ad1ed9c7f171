"""A worker process as its executor sees it: what it is told, what it says, and when it has taken too long."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hptune_bench.execution.executors.base import Task

Message = Mapping[str, Any]


@dataclass
class Worker:
    """One process and what it is doing.

    Attributes:
        workload: of the last task that it was given.
        training: what it said when it began the training that it is in.
        since: when it began that, or its task, on the monotonic clock.
        overdue: whether it was killed for its time, and the training that took it; it may have ended that just before.
        unread: the beginning of a line.
    """

    slot: int
    process: subprocess.Popen[bytes]
    ready: bool = False
    task: Task | None = None
    workload: str | None = None
    training: Message | None = None
    since: float = 0.0
    overdue: tuple[Message | None] | None = None
    unread: list[bytes] = field(default_factory=list, repr=False)

    def tell(self, message: Message) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: its end of file is on its way
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def heard(self) -> list[Message] | None:
        """What it has said since; None: it is gone."""
        assert self.process.stdout is not None
        chunk = os.read(self.process.stdout.fileno(), 1 << 16)
        if not chunk:
            return None
        *lines, rest = chunk.split(b"\n")
        if lines:
            lines[0] = b"".join([*self.unread, lines[0]])
            self.unread.clear()
        self.unread.append(rest)
        return [json.loads(line) for line in lines]

    def kill_if_overdue(self) -> None:
        if self.task is None:
            return
        limit = self.task.timeout if self.training is None else self.task.trial_timeout
        if limit is not None and time.monotonic() - self.since > limit:
            self.overdue = (self.training,)
            self.process.kill()
