"""The seam between a campaign and its executors: one that shares no disk with the campaign gives the same results."""

from __future__ import annotations

import json
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.commands import tables, write_benchmark

from hptune_bench.benchmark import read_benchmark
from hptune_bench.cli.observers import PlainObserver
from hptune_bench.core.errors import UserError
from hptune_bench.execution.campaign import Campaign
from hptune_bench.execution.executors.base import Done, Workplace, event_of
from hptune_bench.execution.executors.inline import InlineExecutor
from hptune_bench.execution.executors.local import LocalExecutor
from hptune_bench.execution.perform import Desk, Kept, perform
from hptune_bench.execution.tasks import task_of

TUNERS = ["manual_sweep", "hyperband_repaired"]


class Lost(BaseException):
    """The machine went away."""


class Elsewhere:
    """Another machine in a few lines: a folder of its own for each task; all that leaves it are messages."""

    def __init__(self, place: Workplace, scratch: Path, lost_at: set[int]) -> None:
        self.held, self.scratch, self.lost_at = place.held, scratch, lost_at
        self.sent, self.queue = 0, deque()

    def run(self, tasks):
        self.queue.extend(tasks)
        while self.queue:
            original = self.queue.popleft()
            task, said = task_of(json.loads(json.dumps(original.message()))), []
            folder = Path(tempfile.mkdtemp(dir=self.scratch))
            for name, content in self.held(original).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)

            def send(message, said=said):
                self.sent += 1
                if self.sent in self.lost_at:
                    raise Lost
                said.append(json.loads(json.dumps(message)))

            try:
                end = perform(task, Desk(Kept(), folder, send, lambda: False, streams=True))
            except Lost:
                end = None
            yield from [event_of(original, 0, message) for message in said]
            if end is None:  # nobody's fault: not for the campaign to judge
                self.again(original)
            else:
                yield Done(original, **end)

    def again(self, task):
        self.queue.appendleft(task)

    def stop(self):
        raise AssertionError("nobody stops it")


def campaign(tmp_path: Path, name: str, executor, tuners=TUNERS) -> Path:
    Campaign(
        benchmark=read_benchmark(write_benchmark(tmp_path / "b.toml", tuners=tuners, seeds=1)),
        folder=tmp_path / name,
        workers=1,
        command="",
        observer=PlainObserver(Console(quiet=True)),
        executor=executor,
    ).run()
    return tmp_path / name


def entries(folder: Path) -> dict[str, int]:
    """How many lines each journal has."""
    paths = folder.rglob("*.jsonl")
    return {path.relative_to(folder).as_posix(): len(path.read_bytes().splitlines()) for path in paths}


def test_an_executor_without_a_shared_disk_gives_the_same_results_even_when_machines_go_away(tmp_path):
    here = campaign(tmp_path, "here", InlineExecutor)
    made = []

    def elsewhere(place):
        (tmp_path / "scratch").mkdir()
        made.append(Elsewhere(place, tmp_path / "scratch", lost_at={60, 150, 151}))
        return made[0]

    there = campaign(tmp_path, "there", elsewhere)
    assert made[0].sent > 151, "all three losses happened"
    assert tables(there) == tables(here)
    assert entries(there) == entries(here)
    assert not list(there.rglob("*.state")), "states of trials are gone with their runs"


def test_worker_processes_that_do_not_see_the_results_folder_send_what_they_write(tmp_path):
    here = campaign(tmp_path, "here", InlineExecutor, TUNERS[:1])
    away = tmp_path / "away"
    there = campaign(
        tmp_path, "there", lambda place: LocalExecutor(replace(place, folder=away, streams=True)), TUNERS[:1]
    )
    assert tables(there) == tables(here)
    assert entries(there) == entries(here) == entries(away)


def test_a_worker_cannot_write_outside_of_the_results_folder(tmp_path):
    class Bad(Elsewhere):
        def run(self, tasks):
            message = {"event": "file", "name": "../stolen", "content": ""}
            yield event_of(next(iter(tasks)), 0, message)

    with pytest.raises(UserError, match="outside of the results folder"):
        campaign(tmp_path, "out", lambda place: Bad(place, tmp_path, set()))
    assert not (tmp_path / "stolen").exists()
