"""The seam between a campaign and those who do its work: tasks go in, events come out.

An executor knows no kinds of task. It hands each to a worker, which does ``execution.perform``, and passes on what the
worker says. No disk is shared unless both sides choose to: what a worker needs of the results folder can be asked of
``Workplace.held``, and what belongs there comes back as events. The campaign alone decides what a death means.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hptune_bench.store.journal import decode_line


@dataclass(frozen=True, kw_only=True)
class Task:
    """What an executor knows of a piece of work; what is to be done stands in the kinds of it, all of it JSON.

    Attributes:
        workload: whoever has compiled models of it is faster at the next task of it.
        seed: the round; no task comes before those of an earlier round.
        trial_timeout: seconds after which a training in it is killed; None: never.
        timeout: seconds after which it is killed outside of a training; None: never, tuners take their time.
        as_installed: TensorFlow must be as a reader has it, in a process that has done nothing else.
    """

    kind: ClassVar[str] = ""
    workload: str
    seed: int = 1
    tuner: str = ""
    trial_timeout: float | None = None
    timeout: float | None = None
    as_installed: bool = False

    @property
    def journal(self) -> str | None:
        """The journal that it goes on from, relative to the results folder."""
        return None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.kind, self.workload, self.tuner, self.seed) if part != "")

    def plain(self) -> Task:
        """The same task with trainings by ``model.fit`` alone, for a workload whose compiled programs get stuck."""
        return self

    def message(self) -> dict[str, Any]:
        """This as JSON: see ``tasks.task_of``."""
        return {"kind": self.kind, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class Event:
    """Something that happened to a task."""

    task: Task


@dataclass(frozen=True)
class Said(Event):
    """How far the task is, as the worker in a slot said it: ``what["event"]`` is ``start``, ``trial`` ..."""

    slot: int
    what: Mapping[str, Any]


@dataclass(frozen=True)
class Logged(Event):
    """An entry for the task's journal, from a worker that cannot write it there."""

    entry: Mapping[str, Any]
    durable: bool


@dataclass(frozen=True)
class Made(Event):
    """A file for the results folder."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Done(Event):
    """The task ended: ``done``, ``failed``, ``interrupted``, ``error`` or ``unwritable``; see ``perform.perform``."""

    status: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Died(Event):
    """Its worker died; ``again`` starts it again. The loss of a machine is no death: its executor starts it again.

    Attributes:
        training: what the worker said when it began the training that it was in; None outside of one.
        seconds: how long that had taken when it was killed for its time; None where it died by itself.
        stuck: it ended itself because the training made no progress; the workload is trained by ``fit`` from now on.
    """

    training: Mapping[str, Any] | None
    seconds: float | None
    stuck: bool = False


@dataclass(frozen=True)
class Stopping:
    """The executor has heard of ``stop``: said once."""


@dataclass(frozen=True)
class Workplace:
    """What an executor is made with.

    Attributes:
        folder: where workers write journals, and logs lie: the results folder, where they share its disk.
        held: what the results folder holds that a task goes on from, by name inside it, as it is now.
        streams: ``folder`` is the workers' own: what they write there comes back as events, too.
    """

    folder: Path
    workers: int
    held: Callable[[Task], Mapping[str, bytes]] = lambda task: {}
    streams: bool = False


class Executor(Protocol):
    """Does tasks, in order as far as it can. Closing the iterator, or an exception in it, kills what is under way."""

    def run(self, tasks: Iterable[Task]) -> Generator[Event | Stopping]: ...

    def again(self, task: Task) -> None:
        """Answer to ``Died``, before the next event is asked for: the task comes first."""

    def stop(self) -> None:
        """Let every worker finish its training, then end. Called in a signal handler: it writes to no stream."""


def event_of(task: Task, slot: int, message: Mapping[str, Any]) -> Event:
    """What a worker said, typed."""
    kind = message["event"]
    if kind == "done":
        return Done(task, message["status"], message.get("reason", ""), message.get("seconds", 0.0))
    if kind == "entry":
        return Logged(task, decode_line(message["line"].encode()), message["durable"])
    if kind == "file":
        return Made(task, message["name"], base64.b64decode(message["content"]))
    return Said(task, slot, message)


def file_message(name: str, content: bytes) -> dict[str, Any]:
    """A file for the results folder, as a worker says it."""
    return {"event": "file", "name": name, "content": base64.b64encode(content).decode()}


def training_after(before: Mapping[str, Any] | None, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The training that a worker is in after it said something; None: in none."""
    if message["event"] in ("start", "retraining"):
        return message
    return None if message["event"] in ("trial", "retrained") else before


class TaskQueue(deque[Task]):
    """Tasks in order of rounds."""

    def take(self, last: str | None, others: set[str | None]) -> Task:
        """The first task of the round at the head that is of the workload that the worker had last.

        What a worker has compiled serves the same workload only, and fills its memory. If there is none: one of a
        workload that no other worker has, or else the first.
        """
        head = list(itertools.takewhile(lambda task: task.seed == self[0].seed, self))
        task = min(head, key=lambda task: (task.workload != last, task.workload in others))
        self.remove(task)
        return task
