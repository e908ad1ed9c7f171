"""What a check of results says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Status = Literal["ok", "differs", "not checked"]


class Grade(IntEnum):
    """How like a run done again is. ``DIVERGED``: up to a comparison that rounding decided; both runs are sound."""

    IDENTICAL = 0
    EQUIVALENT = 1
    DIVERGED = 2
    DIFFERENT = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Check:
    """One thing that was checked, and what came of it in one sentence; ``grade``: of a run that was done again."""

    name: str
    status: Status
    detail: str
    grade: Grade | None = None


def graded(name: str, grade: Grade, detail: str) -> Check:
    """The check of a run done again: only what is different is a defect."""
    return Check(name, "differs" if grade == Grade.DIFFERENT else "ok", f"{grade}: {detail}", grade)
