"""A worker process: takes tasks as JSON lines on its standard input, reports events as JSON lines on its output.

A line is ``{"task": ..., "folder": ..., "streams": ...}``, see ``perform.Desk``, or ``{}``: nothing is left to do.

``python -m`` of this module is a fresh interpreter, so nothing of the parent's memory, threads or ``__main__`` leaks
into a training. What a user's code prints goes to the log, never between the events. When the parent dies, its end of
the pipe closes and the worker exits at once: an orphan must not write beside its successor.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import psutil

from hptune_bench.core.kernels import settle_numpy
from hptune_bench.execution.executors.watchdog import Watchdog

MAX_STRUCTURES = 100
"""Compiled structures after which a worker retires."""
MAX_MEMORY = 2 * 2**30 - 300 * 2**20
"""Bytes of resident memory after a task that retire a worker: 2 GB, less what one more run may add."""


def main() -> None:
    """Serve tasks until the input closes, nothing is left, or this process has grown enough to be replaced."""
    settle_numpy()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what it means
    stopping = threading.Event()
    signal.signal(signal.SIGUSR1, lambda number, frame: stopping.set())  # the parent: no further trial
    out = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    watchdog = Watchdog()

    def send(event: Mapping[str, Any]) -> None:
        watchdog.heard(event)
        out.write(json.dumps(event) + "\n")

    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin, tasks), daemon=True).start()
    pin(int(os.environ.get("HPTUNE_BENCH_CORE", "0")))
    send({"event": "ready"})
    kept: Any = None
    while line := tasks.get():
        began = time.perf_counter()
        from hptune_bench.core.tensorflow import configure_tensorflow, release
        from hptune_bench.execution.perform import Desk, Kept, perform
        from hptune_bench.execution.tasks import task_of

        task, kept = task_of(line["task"]), kept or Kept()
        configure_tensorflow(as_installed=task.as_installed)
        result = perform(task, Desk(kept, Path(line["folder"]), send, stopping.is_set, line.get("streams", False)))
        release()
        retire = kept.structures >= MAX_STRUCTURES or psutil.Process().memory_info().rss >= MAX_MEMORY
        send({"event": "done", "retire": retire, "seconds": time.perf_counter() - began, **result})
        if retire:
            return


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pin(slot: int) -> None:
    """Stay on one core: trainings on a shared core would disturb each other's clocks."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {allowed[slot % len(allowed)]})


def _listen(stream: TextIO, tasks: queue.Queue[dict[str, Any]]) -> None:
    for line in stream:
        tasks.put(json.loads(line))
    os._exit(1)


if __name__ == "__main__":
    main()
