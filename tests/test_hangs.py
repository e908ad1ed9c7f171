"""Whatever a model holds, its training ends: each kind is trained for real, in a process with a time limit."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from hptune_bench.execution.executors.watchdog import STUCK

LIMIT_S = 600
"""A program that waits for itself never ends; a slow machine takes seconds."""
WAITING = (
    "condition in a layer",
    "condition that changes a variable",
    "case in a layer",
    "condition in a loss",
    "condition in an optimizer",
    "gradient accumulation",
    "averaged weights that overwrite",
    "schedule that warms up",
    "mixed_float16",
    "assertion",
    "function of its own",
    "loop of a function of its own",
)
OTHERS = (
    "loops",
    "Python and NumPy functions",
    "maps and scans",
    "lookup of words",
    "lookup of numbers",
    "recurrent with a mask",
)
PROGRAM = """
import dataclasses
import sys
from hptune_bench.core import tensorflow as runtime
runtime.import_quietly()
from support.hanging_models import KINDS
from support.training_models import Small, assert_identical, job
from hptune_bench.training import make_trainer

for kind in sys.argv[1:]:
    workload = Small(*KINDS[kind])
    plain, trainer = (make_trainer(name, workload) for name in ("stock", "compiled"))
    first, later = job(epochs=2, keep_state=True), job(epochs=4, first_epoch=2, keep_state=True)
    half = trainer.train(first)
    assert_identical(half, plain.train(first))
    later = dataclasses.replace(later, start=half.state)
    assert_identical(trainer.train(later), plain.train(later))
    print(f"{kind}: {trainer.note}", flush=True)
"""


def notes(kinds: tuple[str, ...]) -> dict[str, str]:
    """What the compiled trainer said of each kind, after it trained like ``fit`` to the bit."""
    tests = Path(__file__).parent
    paths = os.pathsep.join([str(tests), str(tests.parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *kinds],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


def test_conditions_are_trained_by_the_usual_executor_like_fit_to_the_bit() -> None:
    said = notes(WAITING)
    assert list(said) == list(WAITING)
    assert all("usual executor" in note for note in said.values()), said


def test_all_else_that_may_wait_is_trained_in_one_thread_like_fit_to_the_bit() -> None:
    said = notes(OTHERS)
    assert said == dict.fromkeys(OTHERS, "None")


STUCK_PROGRAM = """
import threading, time
from hptune_bench.execution.executors.watchdog import Watchdog
watchdog = Watchdog(looks=3, period_s=0.1)
time.sleep(1)  # outside of a training, a worker may wait
watchdog.heard({"event": "start", "trial": 1})
began = time.process_time()
while time.process_time() - began < 0.5:  # and a training may take its time
    pass
threading.Event().wait()
"""


def test_a_worker_whose_training_computes_nothing_ends_itself() -> None:
    began = time.monotonic()
    assert subprocess.run([sys.executable, "-c", STUCK_PROGRAM], timeout=LIMIT_S).returncode == STUCK
    assert time.monotonic() - began > 1.5
