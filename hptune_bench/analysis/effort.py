"""The post's real argument, counted: what a method asks of the person, from the example scripts themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """What one script asks, compared with the plain training script.

    Attributes:
        method: file name without ``.py``. lines: code lines (no blank lines, comments, docstrings). added, removed: lines
            of the line diff from the plain script. choices: values that a person has to choose, marked ``# choose`` in
            the script. looks: times a person has to look at results before going on, marked ``# look``.
        lines_changed: added + removed.
    """

    method: str
    lines: int
    added: int
    removed: int
    choices: int
    looks: int

    @property
    def lines_changed(self) -> int:
        return self.added + self.removed


def efforts(scripts: Mapping[str, str], plain: str = "plain") -> tuple[Effort, ...]:
    """One per script, in the given order. scripts: method name to source text (``benchmarks/examples/effort/*.py``).

    The caller reads the files; empty if there is no plain script.
    """
    raise NotImplementedError
