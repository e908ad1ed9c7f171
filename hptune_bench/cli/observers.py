"""How a campaign shows itself: live lines on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from hptune_bench.core.text import clean, seconds, value
from hptune_bench.execution.executors.base import Said, Task
from hptune_bench.store.layout import RunId


class _Progress:
    """Plain lines about so much of so much, with what is left at the pace so far."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()
        self._total = self._done = self._already = 0

    def _plan(self, what: str, total: int, done: int) -> None:
        self._total, self._done, self._already = total, done, done
        held = f", {done} of them done already" if done else ""
        self._say(f"{total} {what} planned{held}")

    def _left(self) -> str:
        fresh = self._done - self._already
        left = (time.monotonic() - self._began) / fresh * (self._total - self._done) if fresh else 0.0
        return f", about {seconds(left)} left" if self._done < self._total else ""

    def note(self, text: str) -> None:
        self._say(f"note: {text}")

    def _say(self, text: str) -> None:
        self.console.print(Text(clean(text)), soft_wrap=True)


class PlainObserver(_Progress):
    """One plain line per finished run: for logs, pipes and narrow terminals."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._best: dict[str, float] = {}

    def planned(self, runs: Sequence[RunId], done: list[RunId]) -> None:
        self._plan("runs", len(runs), len(done))

    def event(self, said: Said) -> None:
        if said.what["event"] == "trial":
            self._best[_name(said.task)] = said.what["best"]

    def finished(self, task: Task, status: str) -> None:
        if task.kind != "run":
            return
        self._done += 1
        best = self._best.pop(_name(task), None)
        found = "" if best is None else f", best score {best:.4f}"
        self._say(f"[{self._done}/{self._total}] {_name(task)}: {status}{found}{self._left()}")

    def round_done(self, seed: int) -> None:
        self._say(f"seed {seed} of every tuner is done")

    def traceback(self, text: str) -> None:
        """Many lines as they are, without what a terminal would obey."""
        for line in text.splitlines():
            self.console.print(Text("  " + "".join(char for char in line if char.isprintable())), soft_wrap=True)

    def stopping(self) -> None:
        self._say("stopping after the current trials; interrupt again to stop at once")


class LiveObserver(PlainObserver):
    """One line per worker and a total, redrawn in place; finished runs scroll by above."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._slots: dict[int, str] = {}
        self._live: Live | None = None

    def __enter__(self) -> LiveObserver:
        self._live = Live(self._picture(), console=self.console, refresh_per_second=4, transient=True)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def event(self, said: Said) -> None:
        super().event(said)
        if said.what["event"] == "start":
            best = self._best.get(_name(said.task))
            known = "" if best is None else f", best so far {best:.4f}"
            values = assigned(said.what["configuration"])
            self._slots[said.slot] = f"{_name(said.task)}, trial {said.what['trial']}{known}: {values}"
            self._draw()

    def finished(self, task: Task, status: str) -> None:
        super().finished(task, status)
        self._draw()

    def _draw(self) -> None:
        if self._live is not None:
            self._live.update(self._picture())

    def _picture(self) -> Group:
        lines = [
            Text.from_markup(f"[bold]{slot + 1}[/] {escape(clean(text))}") for slot, text in sorted(self._slots.items())
        ]
        elapsed = seconds(time.monotonic() - self._began)
        lines.append(Text(f"{self._done} of {self._total} runs, {elapsed} so far{self._left()}", style="cyan"))
        for line in lines:
            line.truncate(max(20, self.console.width - 1), overflow="ellipsis")
        return Group(*lines)


class TableProgress(_Progress):
    """How far a complete table is: plain lines, at most one every ``every`` seconds."""

    def __init__(self, console: Console, every: float = 20.0) -> None:
        super().__init__(console)
        self._every = every
        self._said = self._began

    def planned(self, trainings: int, done: int) -> None:
        self._began = self._said = time.monotonic()
        self._plan("trainings", trainings, done)

    def trained(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._said >= self._every:
            self._said = now
            self._say(f"{self._done} of {self._total} trainings{self._left()}")


def _name(task: Task) -> str:
    return f"{task.workload} / {task.tuner} / seed {task.seed}"


def assigned(configuration: Mapping[str, Any]) -> str:
    """A configuration in one line: ``rate 0.01, units 32``."""
    return ", ".join(f"{name} {value(each)}" for name, each in configuration.items())
