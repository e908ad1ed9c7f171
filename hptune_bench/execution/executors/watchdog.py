"""A worker that is stuck in a training ends itself: a blocked call of TensorFlow cannot be interrupted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from typing import Any

from hptune_bench.execution.executors.base import training_after

STUCK = 75
"""Exit code of a worker whose training made no progress."""
LOOKS, PERIOD_S = 20, 3.0
"""So many looks in a row, so many seconds apart, find nothing done. A process that is suspended does not look."""
LEAST_CPU_S = 0.003
"""Processor seconds between two looks below which nothing was done: a training that waits for others has far more."""


class Watchdog:
    """Looks from a thread of its own whether a training uses the processor at all.

    No time limit: an epoch may take an hour, but one that computes nothing for a minute never ends.
    """

    def __init__(self, looks: int = LOOKS, period_s: float = PERIOD_S) -> None:
        self._looks, self._period_s = looks, period_s
        self._training: Mapping[str, Any] | None = None
        threading.Thread(target=self._watch, daemon=True).start()

    def heard(self, event: Mapping[str, Any]) -> None:
        """What the worker says: it tells when a training begins and ends."""
        self._training = training_after(self._training, event)

    def _watch(self) -> None:
        idle, last, before = 0, None, time.process_time()
        while True:
            time.sleep(self._period_s)
            now, training = time.process_time(), self._training
            still = training is not None and training is last and now - before < LEAST_CPU_S
            idle, last, before = idle + 1 if still else 0, training, now
            if idle >= self._looks:
                os._exit(STUCK)
