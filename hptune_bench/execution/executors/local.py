"""Long-lived worker processes on this machine, one per core, which write journals into the results folder themselves.

The executor hands out tasks in order, keeps a task's worker under watch, and starts a new worker where one died or
retired.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

from hptune_bench.core.errors import UserError
from hptune_bench.execution.executors import base
from hptune_bench.execution.executors.base import Event, Stopping, Task
from hptune_bench.execution.executors.process import Message, Worker
from hptune_bench.execution.executors.watchdog import STUCK
from hptune_bench.store.layout import LOGS

MAX_STILLBORN = 3
"""Workers in a row that end before they are ready, after which the campaign is given up."""


class LocalExecutor:
    """See ``base.Executor``."""

    def __init__(self, place: base.Workplace) -> None:
        self._place, self._logs = place, place.folder / LOGS
        self._queue = base.TaskQueue()
        self._workers: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._stillborn = 0
        self._plain: set[str] = set()

    def run(self, tasks: Iterable[Task]) -> Generator[Event | Stopping]:
        self._queue.extend(tasks)
        announced = False
        try:
            for slot in range(0 if self._stopping else min(self._place.workers, len(self._queue))):
                self._spawn(slot)
            while self._workers:
                if self._stopping and not announced:
                    announced = True
                    yield Stopping()
                for key, _ in self._selector.select(timeout=0.5):
                    worker = key.data
                    said = worker.heard()
                    if said is None:
                        yield from self._gone(worker)
                    for message in said or ():
                        yield from self._heard(worker, message)
                for worker in self._workers.values():
                    worker.kill_if_overdue()
        finally:
            for worker in self._workers.values():
                worker.process.kill()
            for worker in self._workers.values():
                self._bury(worker)
            self._workers.clear()

    def again(self, task: Task) -> None:
        self._queue.appendleft(task)

    def stop(self) -> None:
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
            "HPTUNE_BENCH_CORE": str(int(os.environ.get("HPTUNE_BENCH_CORE", "0")) + slot),
        }
        command = [sys.executable, "-m", "hptune_bench.execution.executors.worker"]
        with self._log(slot).open("a", encoding="utf-8") as log:
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=environment)
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._workers[slot] = Worker(slot, process)
        self._selector.register(process.stdout, selectors.EVENT_READ, self._workers[slot])

    def _log(self, slot: int) -> Path:
        return self._logs / f"worker-{slot + 1}.log"

    def _heard(self, worker: Worker, message: Message) -> Iterator[Event]:
        if message["event"] == "ready":
            worker.ready, self._stillborn = True, 0
            self._give(worker)
            return
        task = worker.task
        assert task is not None
        after = base.training_after(worker.training, message)
        if after is not None and after is not worker.training:
            worker.since = time.monotonic()
        worker.training = after
        if message["event"] == "done":
            worker.task = worker.training = None
            if not message["retire"]:
                self._give(worker)  # before the event: the worker must not wait while a report is written
        yield base.event_of(task, worker.slot, message)

    def _give(self, worker: Worker) -> None:
        if self._queue and not self._stopping:
            others = {other.workload for other in self._workers.values() if other is not worker}
            worker.task, worker.since = self._queue.take(worker.workload, others), time.monotonic()
            worker.workload = worker.task.workload
            folder, streams = str(self._place.folder.resolve()), self._place.streams
            task = worker.task.plain() if worker.workload in self._plain else worker.task
            worker.tell({"task": task.message(), "folder": folder, "streams": streams})
        else:
            worker.tell({})

    def _bury(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        self._selector.unregister(worker.process.stdout)
        with contextlib.suppress(BrokenPipeError), worker.process:
            pass  # closes its pipes and waits for it

    def _is_stuck(self, worker: Worker) -> bool:
        """Whether it made no progress, for the first time with this workload: ``fit`` may do better."""
        task = worker.task
        if task is None or worker.process.returncode != STUCK or worker.overdue is not None:
            return False
        if task.workload in self._plain or task.plain() == task:
            return False
        self._plain.add(task.workload)
        return True

    def _gone(self, worker: Worker) -> Iterator[Event]:
        self._bury(worker)
        del self._workers[worker.slot]
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= MAX_STILLBORN and not self._stopping:
                raise UserError(f"{self._log(worker.slot)}: no worker process can start here; this log says why")
        if worker.task is not None and not self._stopping:
            if worker.overdue is not None and worker.overdue != (worker.training,):
                self.again(worker.task)  # it had gone on to the next trial when it was killed: nobody's fault
            else:
                seconds = None if worker.overdue is None else time.monotonic() - worker.since
                yield base.Died(worker.task, worker.training, seconds, stuck=self._is_stuck(worker))
        if self._queue and not self._stopping:
            self._spawn(worker.slot)
