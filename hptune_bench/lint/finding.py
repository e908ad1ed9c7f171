"""What a linter says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One warning.

    Attributes:
        key: kind of finding, one word.
        seen: what was seen, with numbers.
        remedy: what to do.
    """

    key: str
    seen: str
    remedy: str

    @property
    def text(self) -> str:
        return f"{self.seen}. {self.remedy[0].upper()}{self.remedy[1:]}."
