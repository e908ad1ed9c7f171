"""Tasks done in this process, one after the other: for what no other process can import, such as a notebook's function.

One worker, not pinned to a core, with the threads that TensorFlow already has: scores are the same kind of scores, but
times are those of this process. A death of the process is the end of the campaign; the journal lets it go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hptune_bench.execution.executors.local import Callbacks, Task


class InlineExecutor:
    """Offers what ``local.LocalExecutor`` offers."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._stopping = False

    def run(self, tasks: Iterable[Task]) -> None:
        """Work until nothing is left, or ``stop`` was called."""
        from hptune_bench.execution.tasks import perform

        for task in tasks:
            if self._stopping:
                self._callbacks.stopping()
                return

            def send(event: Mapping[str, Any], task: Task = task) -> None:
                self._callbacks.event(0, task, event)

            # No other process can build the models, so stock Keras is measured here, too.
            asked = {**task, "kind": "measurement"} if task["kind"] == "stock_clock" else task
            self._callbacks.done(task, perform(asked, send, lambda: self._stopping))

    def stop(self) -> None:
        """Finish the trial, then end."""
        self._stopping = True
