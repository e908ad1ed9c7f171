"""Tasks done in this process, one after the other: for what no other process can import, such as a notebook's function.

One worker, not pinned to a core, with the threads that TensorFlow already has: scores are the same kind of scores, but
times are those of this process. A death of the process is the end of the campaign; the journal lets it go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from hptune_bench.core.protocols import Workload
from hptune_bench.execution.executors.base import Event, Stopping, Task, Workplace, event_of
from hptune_bench.execution.perform import Desk, Kept, perform


class InlineExecutor:
    """See ``base.Executor``. What a task says is passed on when it has ended."""

    def __init__(self, place: Workplace, here: Mapping[str, Workload] | None = None) -> None:
        """``here``: workloads that only this process has, by name."""
        self._said: list[Mapping[str, Any]] = []
        self._desk = Desk(Kept(here), place.folder.resolve(), self._said.append, lambda: self._stopping, alone=True)
        self._queue: deque[Task] = deque()
        self._stopping = False

    def run(self, tasks: Iterable[Task]) -> Generator[Event | Stopping]:
        self._queue.extend(tasks)
        while self._queue:
            if self._stopping:
                yield Stopping()
                return
            task = self._queue.popleft()
            self._said.append({"event": "done", **perform(task, self._desk)})
            yield from [event_of(task, 0, message) for message in self._said]
            self._said.clear()

    def again(self, task: Task) -> None:
        self._queue.appendleft(task)

    def stop(self) -> None:
        self._stopping = True
