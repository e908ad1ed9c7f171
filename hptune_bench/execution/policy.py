"""What the death of a worker means: for the training that it was in, for its run, and for the campaign."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hptune_bench.execution.executors.base import Died
from hptune_bench.execution.retrain import lost_retraining
from hptune_bench.execution.setup import MAX_DEATHS
from hptune_bench.execution.tasks import RunTask
from hptune_bench.store.journal import Entry

MAX_TASK_DEATHS = 3
"""Deaths of a task's worker, outside any trial, after which the task is given up."""


@dataclass(frozen=True)
class Verdict:
    """What follows from a death.

    Attributes:
        again: whether the task is started again.
        entry: for its journal.
        warns: whether the report says so, too.
    """

    text: str
    again: bool
    entry: Entry | None = None
    warns: bool = False


class Policy:
    """Counts the deaths of one campaign."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._deaths: Counter[str] = Counter()

    def judge(self, death: Died) -> Verdict:
        """What follows from one more death."""
        name, training, seconds = str(death.task), death.training, death.seconds
        if death.stuck:
            return Verdict(f"{name}: a training made no progress; model.fit trains {death.task.workload} now", True)
        if training is not None and training["event"] == "retraining":
            return self._retraining(death)
        if training is not None:
            trial = training["trial"]
            if seconds is None:
                entry, what = {"kind": "death", "trial": trial}, f"the worker died in trial {trial}"
            else:
                entry = {"kind": "timeout", "trial": trial, "seconds": seconds, "error": _timeout(seconds)}
                what = f"trial {trial} was killed after {seconds:.0f} s"
            return Verdict(f"{name}: {what}; the run goes on from its journal", True, entry)
        if seconds is not None:
            return Verdict(f"{name}: given up after {seconds:.0f} s (trial_timeout)", False, warns=True)
        self._deaths[name] += 1
        if self._deaths[name] < MAX_TASK_DEATHS:
            return Verdict(f"{name}: the worker died; it is started again", True)
        reason = f"the worker died {MAX_TASK_DEATHS} times (see {self._logs})"
        end = {"kind": "end", "status": "failed", "reason": reason, "detail": "", "unspent": 0, "wall_s": 0.0}
        return Verdict(
            f"{name}: given up: {reason}", False, end if death.task.kind == RunTask.kind else None, warns=True
        )

    def _retraining(self, death: Died) -> Verdict:
        """It is tried once more, then recorded as without a score."""
        assert death.training is not None
        repeat, configuration = death.training["repeat"], death.training["configuration"]
        name = f"{death.task}: retraining {repeat}"
        self._deaths[name] += 1
        if death.seconds is not None:
            status, error = "timeout", _timeout(death.seconds)
        elif self._deaths[name] >= MAX_DEATHS:
            status, error = "crashed", f"the worker died {MAX_DEATHS} times in it"
        else:
            return Verdict(f"{name}: the worker died; it is started again", True)
        return Verdict(f"{name}: {error}", True, lost_retraining(repeat, configuration, status, error), warns=True)


def _timeout(seconds: float) -> str:
    return f"killed after {seconds:.0f} s (trial_timeout)"
