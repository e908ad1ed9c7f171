"""How fast the processor is while something else is measured on it.

On a shared machine the same work takes up to 1.6 times as long from one second to the next, in processor time, too: a
core shares its units and caches with jobs that no one here can see. So a fixed piece of work is timed again and again
beside what is measured, and two measurements can be compared at equal speed.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

EVERY_S = 0.25
"""Time between two samples, on the wall: while a timer of processor time runs, Linux knows that only to 4 ms."""
_WORK = {f"layer {number}": [number / 7, str(number), {"units": number}] for number in range(300)}


@dataclass
class Speed:
    """Samples of a fixed piece of work: the processor seconds of each."""

    samples: list[float] = field(default_factory=list)

    @property
    def spent_s(self) -> float:
        """What the samples themselves cost."""
        return sum(self.samples)

    @property
    def per_s(self) -> float:
        """Pieces of work in a second of processor time, mean over the time that was measured."""
        return sum(1 / sample for sample in self.samples) / len(self.samples)


@contextmanager
def sampled() -> Iterator[Speed]:
    """Sample the speed of this process's core while the block runs, in the main thread; at the start and end, too."""
    speed = Speed()

    def sample(*_: object) -> None:
        began = time.process_time()
        json.loads(json.dumps(_WORK))
        speed.samples.append(time.process_time() - began)

    before = signal.signal(signal.SIGALRM, sample)
    signal.siginterrupt(signal.SIGALRM, False)  # no system call of another thread fails because of it
    signal.setitimer(signal.ITIMER_REAL, EVERY_S, EVERY_S)
    try:
        sample()
        yield speed
        sample()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
