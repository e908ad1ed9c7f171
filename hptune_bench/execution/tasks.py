"""What a worker can be asked: a run, the noise floor, the check, the stock clock, the best model, a table's part."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from hptune_bench import registry
from hptune_bench.core import seeds
from hptune_bench.core.budget import Limits
from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.files import write_atomic
from hptune_bench.core.protocols import Trainer, Tuner, Workload
from hptune_bench.core.space import restored
from hptune_bench.execution.retrain import retrain
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import CannotWrite, Interrupted, JournalMismatch, RunSetup, first_line, remembering
from hptune_bench.store import findings as remarks
from hptune_bench.store import weights as states
from hptune_bench.store.layout import RunId, model_path
from hptune_bench.store.runstore import FileStore
from hptune_bench.tabular import shards

Send = Callable[[Mapping[str, Any]], None]
Task = Mapping[str, Any]


def perform(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Do one task and say how it ended: ``{"status": ..., "reason": ...}``.

    ``done``, ``failed``, ``interrupted``; ``error``: it could not be done, and nothing was decided; ``unwritable``: the
    disk refuses to remember it.
    """
    kinds = {
        "run": _run,
        "noise": _noise,
        "stock_clock": _stock_clock,
        "measurement": _measurement,
        "model": _model,
        "check": _check,
        "cells": _cells,
    }
    try:
        done = attempt(lambda: kinds[task["kind"]](task, send, stopping))
    except Interrupted:
        return {"status": "interrupted"}
    except JournalMismatch as mismatch:
        return {"status": "error", "reason": str(mismatch)}
    except CannotWrite as failure:
        return {"status": "unwritable", "reason": str(failure)}
    if isinstance(done, Failure):  # a task that cannot be done must not take the worker with it
        traceback.print_exception(done.error)
        return {"status": "error", "reason": first_line(done.error)}
    return done


def _setup(task: Task, tuner: Tuner | None, send: Send, stopping: Callable[[], bool]) -> RunSetup:
    folder = Path(task["folder"])
    workload = _workload_of(task)
    run = RunId(task["workload"], task["tuner"], task["seed"])
    return RunSetup(
        run=run,
        workload=workload,
        tuner=tuner,
        trainer=_trainer_of(task),
        limits=Limits(**task["limits"]),
        header=task["header"],
        store=FileStore(folder / task["path"]),
        progress=send,
        stopping=stopping,
    )


def _run(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    setup = _setup(task, registry.make_tuner(task["tuner"], task.get("tuner_options")), send, stopping)
    end = conduct(setup)
    return {"status": end["status"], "reason": end["reason"]}


def _noise(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Retrain the untuned configuration with fresh seeds: how far apart two trainings of one configuration lie."""
    setup = _setup(task, None, send, stopping)
    data_seed = seeds.data_seed(setup.workload.family, task["seed"])
    with remembering(setup.store):
        log = setup.store.log()
    with log:
        done = len(log.contents.of_kind("retraining"))
        if not log.contents.entries:
            with remembering(setup.store):
                log.append({**setup.header, "kind": "run", "facts": {}})
        for repeat in range(done + 1, task["repeats"] + 1):
            if stopping():
                raise Interrupted
            entry = retrain(setup, setup.workload.untuned, data_seed, repeat, salt="noise")
            with remembering(setup.store):
                log.append(entry)
    return {"status": "done"}


def _stock_clock(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Have stock Keras measured by a process of its own, as a reader's search is: what this one keeps slows it down."""
    command = [sys.executable, "-m", "hptune_bench.execution.executors.worker"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "encoding": "utf-8"}
    events: list[dict[str, Any]] = []
    # A broken pipe: it died before it was asked anything.
    with contextlib.suppress(BrokenPipeError), subprocess.Popen(command, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in ({**task, "kind": "measurement"}, {"kind": "quit"}):
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        events = [json.loads(line) for line in process.stdout]
    ends = [event for event in events if event["event"] == "done"]
    if not ends:
        return {"status": "error", "reason": "the process that measures stock Keras died; the worker's log may say why"}
    return {key: ends[0][key] for key in ("status", "reason") if key in ends[0]}


def _measurement(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    from hptune_bench.training.stock_clock import measure

    workload = _workload_of(task)
    rows = [dict(row) for row in measure(workload)]
    write_atomic(Path(task["folder"]) / task["path"], json.dumps(rows, indent=1) + "\n")
    return {"status": "done"}


def _check(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    """What can be found wrong with a workload without training."""
    from hptune_bench.lint.check import before_training

    workload = _workload_of(task)
    remarks.keep_findings(Path(task["folder"]) / task["path"], [finding.text for finding in before_training(workload)])
    return {"status": "done"}


def _model(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    """Save the best model of a workload as a ``.keras`` file."""
    folder = Path(task["folder"])
    workload, trainer = _workload_of(task), _trainer_of(task)
    weights = states.load_weights(FileStore(folder / task["path"]))
    if weights is None:
        return {"status": "error", "reason": "its weights are gone"}
    data = trainer.data(seeds.data_seed(workload.family, task["seed"]))
    model = workload.build(task["configuration"], workload.prepare(task["configuration"], data))
    model.set_weights(weights)
    target = folder / model_path(task["workload"])
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp.keras")
    model.save(temporary)
    os.replace(temporary, target)
    return {"status": "done"}


def _cells(task: Task, send: Send, stopping: Callable[[], bool]) -> dict[str, Any]:
    """A shard of a complete table."""
    trained = 0

    def before() -> None:
        nonlocal trained
        if stopping():
            raise Interrupted
        if trained:
            send({"event": "cell"})
        trained += 1

    shard = shards.train_shard(
        _workload_of(task),
        _trainer_of(task),
        task["configurations"],
        task["replicate"],
        task["trainings"],
        task["key"],
        before,
    )
    with remembering(FileStore(Path(task["path"]))):
        shards.write(Path(task["path"]), shard)
    send({"event": "cell"})
    return {"status": "done"}


def _workload_of(task: Task) -> Workload:
    """The workload of a task, one object per process; a user's space comes with the task, found by the parent."""
    return _workload(task["workload"], *(json.dumps(task.get(key), sort_keys=True) for key in ("options", "space")))


@functools.cache
def _workload(name: str, options: str, space: str) -> Workload:
    found = json.loads(space)
    return registry.make_workload(name, json.loads(options), space=None if found is None else restored(found))


_TRAINERS: dict[tuple[str, str, str, str | None], Trainer] = {}
"""The trainers of this process: what one has compiled serves the next task."""


def _trainer_of(task: Task) -> Trainer:
    from hptune_bench.training import make_trainer

    table = task.get("table")
    key = (task["trainer"], task["workload"], json.dumps(task["options"], sort_keys=True), table)
    if key not in _TRAINERS:
        _TRAINERS[key] = make_trainer(task["trainer"], _workload_of(task), None if table is None else Path(table))
    return _TRAINERS[key]


def forget() -> None:
    """Drop every workload and trainer of this process: their names may mean others now."""
    _workload.cache_clear()
    _TRAINERS.clear()


def structures() -> int:
    """Structures compiled so far by this process."""
    return sum(getattr(trainer, "structures", 0) for trainer in _TRAINERS.values())


def memory() -> int:
    """Resident bytes of this process."""
    return psutil.Process().memory_info().rss
