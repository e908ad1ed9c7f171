"""What one run needs, and how it can end before its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hptune_bench.core.budget import Limits
from hptune_bench.core.protocols import Trainer, Tuner, Workload
from hptune_bench.store.layout import RunId
from hptune_bench.store.runstore import RunStore

MAX_DEATHS = 2
"""Deaths of the worker in one trial that make it ``crashed``."""


MAX_CRASHED = 3
"""Crashed trials that fail the run."""


Progress = Callable[[Mapping[str, Any]], None]


class Interrupted(BaseException):
    """The campaign is being stopped; the run goes on from its journal next time."""


class RunFailed(BaseException):
    """The run cannot go on; it is recorded as failed. No library may swallow it, nor a mismatch."""


class JournalMismatch(BaseException):
    """What the tuner asks now is not what the journal says it asked before, or what it asks for is gone.

    Attributes:
        trial: the first that is not asked for as before; 0 where it is none's fault.
    """

    def __init__(self, what: str, trial: int = 0) -> None:
        super().__init__(what)
        self.trial = trial


class CannotWrite(BaseException):
    """The disk refuses what a run must remember; that is no fault of its tuner, and the run stays unfinished."""


@dataclass(frozen=True)
class RunSetup:
    """Everything that one run needs.

    Attributes:
        header: the run's definition, written as the first journal entry.
        store: where it remembers itself.
        stopping: asked between trials; True ends the run as interrupted.
    """

    run: RunId
    workload: Workload
    tuner: Tuner | None
    trainer: Trainer
    limits: Limits
    header: Mapping[str, Any]
    store: RunStore
    progress: Progress = lambda event: None
    stopping: Callable[[], bool] = lambda: False


@contextlib.contextmanager
def remembering(store: RunStore) -> Iterator[None]:
    """Tell the disk's errors from those of tuners and trainings, which are results."""
    try:
        yield
    except OSError as error:
        raise CannotWrite(f"{store.where}: cannot be written ({error.strerror})") from None


def first_line(error: BaseException) -> str:
    """An exception as class and first line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
