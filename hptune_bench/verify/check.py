"""What a check of results says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "differs", "not checked"]


@dataclass(frozen=True)
class Check:
    """One thing that was checked, and what came of it in one sentence."""

    name: str
    status: Status
    detail: str
