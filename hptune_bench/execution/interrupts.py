"""Ctrl-C and SIGTERM: the first ends politely, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class Interrupts:
    """Catches the signals while it is entered; in another thread than the main one it does nothing.

    Attributes:
        count: signals so far.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        """``stop`` is called by the first signal. It may come amid a write: it must write nothing."""
        self.count = 0
        self._stop = stop
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._caught) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _caught(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
        self._stop()
