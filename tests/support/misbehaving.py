"""Workloads and tuners as an installed package would offer them, some of which take their worker with them."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from hptune_bench.core.protocols import Fit
from hptune_bench.core.space import Boolean, Float, Space
from support.toy import RandomTuner, ToyWorkload

NASTY = "../../<script>alert(1)</script>|=cmd"
MESSAGE = "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script> | [bold]x[/bold] =cmd"
SEEN: set[tuple] = set()
"""Configurations that this process has trained."""
ENTRY_POINTS = """[hptune_bench.workloads]
misbehaving = misbehaving:Misbehaving
[hptune_bench.tuners]
draws = misbehaving:Draws
raising = misbehaving:Raising
"""

BENCHMARK = """
name = "bad"
seeds = 1
trainer = "fake"
tuners = ["draws", "untuned"]
budget = {{ trials = {trials} }}
{more}
[[workloads]]
name = "misbehaving"
options = {{ how = "{how}" }}
"""


class Draws(RandomTuner):
    """Uniform draws."""


class Raising(RandomTuner):
    """Raises after one trial."""

    def search(self, problem, evaluate, seed):
        evaluate(problem.untuned)
        raise ValueError(MESSAGE)


@dataclass
class Misbehaving(ToyWorkload):
    """About every fourth configuration does what ``how`` says; the fake trainer asks ``fit`` in every training.

    With ``... again`` each configuration does it, but not before its second training in one process.
    """

    name: str = "misbehaving"
    family: str = "misbehaving"
    how: str = "not at all"
    space: Space = field(default_factory=lambda: Space((Boolean("flag"), Float(NASTY, 1e-4, 1e-1, log=True))))
    untuned: dict = field(default_factory=lambda: {"flag": True, NASTY: 1e-3})

    @property
    def options(self):
        return {"how": self.how}

    @options.setter
    def options(self, value):
        pass

    def fit(self, configuration):
        if self.how in ("hang again", "kill again"):
            if tuple(configuration.values()) in SEEN:
                time.sleep(3600) if self.how == "hang again" else os.kill(os.getpid(), signal.SIGKILL)
            SEEN.add(tuple(configuration.values()))
        if not configuration["flag"] and configuration[NASTY] > 3e-3:
            if self.how == "hang":
                time.sleep(3600)
            if self.how == "exit":
                os._exit(7)
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "leave":
                sys.exit(MESSAGE)
            if self.how == "raise":
                raise ValueError(MESSAGE)
        return Fit(patience=3)


def installed(folder: Path, entry_points: str = ENTRY_POINTS) -> dict[str, str]:
    """The environment of a process that sees this module as an installed package."""
    info = folder / "misbehaving-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: misbehaving\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    here = Path(__file__).parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, here, here.parent)))}
