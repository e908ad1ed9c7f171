"""Long-lived worker processes on this machine, one per core.

The executor hands out tasks in order, keeps a task's worker under watch, and starts a new worker where one died or
retired. It knows nothing of tuners or results: whoever gives it tasks says, by callbacks, what a death means.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hptune_bench.core.errors import UserError

MAX_STILLBORN = 3
"""Workers in a row that end before they are ready, after which the campaign is given up."""
PATIENCE = 100
"""Trial timeouts after which a task is killed that trains no trial: a check, or the measurement of stock Keras."""

Task = Mapping[str, Any]
Event = Mapping[str, Any]


@dataclass
class Worker:
    """One process and what it is doing.

    Attributes:
        workload: of the last task that it was given.
        training: what it said when it began the trial or retraining that it is in.
        since: when it began that, or its task, on the monotonic clock.
        overdue: whether it was killed for its time, and the training that took it; it may have ended that just before.
    """

    slot: int
    process: subprocess.Popen[str]
    ready: bool = False
    task: Task | None = None
    workload: str | None = None
    training: Event | None = None
    since: float = 0.0
    overdue: tuple[Event | None] | None = None
    buffer: str = field(default="", repr=False)


@dataclass(frozen=True)
class Callbacks:
    """What the executor reports.

    Attributes:
        event: anything a worker says, with the task it is about and the slot of the worker.
        done: a task ended with this event.
        died: a worker died in this task (with the event that began the trial or retraining it was in, if any, and the
            seconds if it was killed for its time); returns True where the task is to be started again.
        stopping: called once after ``stop``, outside of any signal handler.
    """

    event: Callable[[int, Task, Event], None]
    done: Callable[[Task, Event], None]
    died: Callable[[Task, Event | None, float | None], bool]
    stopping: Callable[[], None] = lambda: None


class LocalExecutor:
    """Runs tasks on ``workers`` processes until the queue is empty or ``stop`` was called."""

    def __init__(self, workers: int, logs: Path, callbacks: Callbacks, trial_timeout: float | None = None) -> None:
        self._size = workers
        self._logs = logs
        self._callbacks = callbacks
        self._timeout = trial_timeout
        self._queue: deque[Task] = deque()
        self._workers: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._stillborn = 0

    def run(self, tasks: Iterable[Task]) -> None:
        """Work until nothing is left. On any exception the workers are killed."""
        self._queue.extend(tasks)
        announced = False
        try:
            for slot in range(0 if self._stopping else min(self._size, len(self._queue))):
                self._spawn(slot)
            while self._workers:
                if self._stopping and not announced:
                    announced = True
                    self._callbacks.stopping()
                for key, _ in self._selector.select(timeout=0.5):
                    self._read(key.data)
                self._kill_overdue()
        finally:
            for worker in self._workers.values():
                worker.process.kill()
            for worker in self._workers.values():
                worker.process.wait()
            self._selector.close()

    def stop(self) -> None:
        """Let every worker finish its trial, then end. Safe in a signal handler: it writes to no stream."""
        self._stopping = True
        for worker in list(self._workers.values()):
            worker.process.send_signal(signal.SIGUSR1)

    def _spawn(self, slot: int) -> None:
        self._logs.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            # One thread each: two workers on two cores must not fight over them, and BayesianOptimization's proposals
            # depend on the number of threads in their last digits.
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
            "PYTHONHASHSEED": "0",
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
            "HPTUNE_BENCH_CORE": str(slot),
        }
        with (self._logs / f"worker-{slot + 1}.log").open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "hptune_bench.execution.executors.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
                encoding="utf-8",
            )
        worker = Worker(slot, process)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        self._workers[slot] = worker

    def _read(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        chunk = os.read(worker.process.stdout.fileno(), 1 << 16)
        if not chunk:
            self._gone(worker)
            return
        worker.buffer += chunk.decode("utf-8", errors="replace")
        *lines, worker.buffer = worker.buffer.split("\n")
        for line in lines:
            self._heard(worker, json.loads(line))

    def _heard(self, worker: Worker, event: Event) -> None:
        kind = event["event"]
        if kind == "ready":
            worker.ready, self._stillborn = True, 0
            self._give(worker)
            return
        assert worker.task is not None
        if kind in ("start", "retraining"):
            worker.training, worker.since = event, time.monotonic()
        elif kind in ("trial", "retrained"):
            worker.training = None
        if kind == "done":
            task, worker.task, worker.training = worker.task, None, None
            if not event["retire"]:
                self._give(worker)  # before the callback: the worker must not wait while a report is written
            self._callbacks.done(task, event)
        else:
            self._callbacks.event(worker.slot, worker.task, event)

    def _give(self, worker: Worker) -> None:
        if self._queue and not self._stopping:
            worker.task, worker.since = self._take(worker), time.monotonic()
            worker.workload = worker.task.get("workload")
            self._tell(worker, worker.task)
        else:
            self._tell(worker, {"kind": "quit"})

    def _take(self, worker: Worker) -> Task:
        """The first task of the round at the head of the queue that is of the worker's last workload.

        What a worker has compiled serves the same workload only, and fills its memory. If there is none: one of a
        workload that no other worker has, or else the first.
        """
        taken = {other.workload for other in self._workers.values() if other is not worker}
        seed = self._queue[0].get("seed")
        head = list(itertools.takewhile(lambda task: task.get("seed") == seed, self._queue))

        def cost(task: Task) -> tuple[bool, bool]:
            return task.get("workload") != worker.workload, task.get("workload") in taken

        task = min(head, key=cost)
        self._queue.remove(task)
        return task

    def _tell(self, worker: Worker, message: Task) -> None:
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: its end of file is on its way
            worker.process.stdin.write(json.dumps(message) + "\n")
            worker.process.stdin.flush()

    def _gone(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        assert worker.process.stdin is not None
        self._selector.unregister(worker.process.stdout)
        worker.process.wait()
        worker.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.close()
        del self._workers[worker.slot]
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= MAX_STILLBORN and not self._stopping:
                log = self._logs / f"worker-{worker.slot + 1}.log"
                raise UserError(f"{log}: no worker process can start here; this log says why")
        if worker.task is not None and not self._stopping:
            if worker.overdue is not None and worker.overdue != (worker.training,):
                again = True  # it had gone on to the next trial when it was killed: nobody's fault
            else:
                seconds = None if worker.overdue is None else time.monotonic() - worker.since
                again = self._callbacks.died(worker.task, worker.training, seconds)
            if again:
                self._queue.appendleft(worker.task)
        if self._queue and not self._stopping:
            self._spawn(worker.slot)

    def _kill_overdue(self) -> None:
        if self._timeout is None:
            return
        for worker in self._workers.values():
            if worker.training is not None:
                limit = self._timeout
            elif worker.task is not None and worker.task["kind"] in ("check", "stock_clock"):
                limit = PATIENCE * self._timeout
            else:
                continue  # tuners take their time between trials
            if time.monotonic() - worker.since > limit:
                worker.overdue = (worker.training,)
                worker.process.kill()
