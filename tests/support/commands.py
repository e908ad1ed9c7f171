"""The command line for tests: in this process where that shows the same, in one of its own where it must.

A process of its own costs seconds of imports. It is needed where something is killed, where its environment or folder
differ, or where a worker's TensorFlow must not be this process's.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from hptune_bench.cli import main as cli
from hptune_bench.store import journal
from hptune_bench.store.columns import TIME_COLUMNS

SECONDS = 900
"""Longer than any command of a test takes: beyond it, it hangs."""
TUNERS = ["untuned", "untuned_restarts", "manual_sweep", "manual_grid"]
BENCHMARK = """
name = "fake"
seeds = {seeds}
trainer = "fake"
tuners = {tuners}
[[workloads]]
name = "linear_regression"
budget = {{ trainings = {trainings} }}
"""

Done = subprocess.CompletedProcess[str]


def write_benchmark(path: Path, seeds: int = 2, tuners: list[str] = TUNERS, trainings: int = 10) -> Path:
    """A benchmark file with the fake trainer."""
    path.write_text(BENCHMARK.format(seeds=seeds, tuners=json.dumps(tuners), trainings=trainings), encoding="utf-8")
    return path


def command(*arguments: object) -> list[str]:
    """What starts the command line in a process of its own."""
    return [sys.executable, "-m", "hptune_bench", *map(str, arguments)]


def answer(*arguments: object, seconds: int = SECONDS) -> tuple[int, str, str]:
    """Exit code, output and errors of a command in this process, with its own parsing and error handling.

    Raises:
        TimeoutError: it takes longer than ``seconds``. Whatever else the command lets through, too.
    """

    def hangs(*_: object) -> None:
        raise TimeoutError(f"{arguments} hangs")

    out, errors = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["hptune-bench", *map(str, arguments)]
    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(seconds)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            cli.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        sys.argv = argv
    return code, out.getvalue(), errors.getvalue()


def call(*arguments: object, expect: int = 0) -> Done:
    """A command in this process that ends as expected; its workers are processes as ever."""
    code, out, errors = answer(*arguments)
    assert code == expect, out + errors
    return subprocess.CompletedProcess(command(*arguments), code, out, errors)


def launch(*arguments: object, expect: int = 0, **options: object) -> Done:
    """A command in a process of its own; ``options`` are those of ``subprocess.run``."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=SECONDS, check=False, **options)
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def run(benchmark: Path, out: Path, *more: object, expect: int = 0) -> Done:
    """``run`` without a report, in this process."""
    return call("run", benchmark, "--out", out, "--no-report", *more, expect=expect)


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    """A command in a process and a process group of its own, to be killed."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    return subprocess.Popen(command(*arguments), **{**streams, **options})


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Until the condition holds; fails with what the process said if it ends first."""
    while not condition():
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.002)


def children(pid: int) -> list[int]:
    """The worker processes of a command."""
    import psutil

    return [child.pid for child in psutil.Process(pid).children() if "worker" in " ".join(child.cmdline())]


def kill(process: subprocess.Popen[str], victim: str) -> None:
    """``group`` and ``parent`` are killed, a signal's name is sent."""
    if victim == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGKILL if victim == "parent" else getattr(signal, victim))


def journaled(out: Path) -> int:
    """How many trials the journals of a folder hold."""
    return sum(len(journal.read(path).of_kind("trial")) for path in (out / "runs").rglob("*.jsonl"))


def tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The CSVs without their clocks."""
    found = {}
    for name in ("runs", "trials", "epochs", "noise"):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        found[name] = [{key: value for key, value in row.items() if key not in TIME_COLUMNS} for row in rows]
    return found
