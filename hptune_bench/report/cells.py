"""Cells of tables: words with units, and the value that the column is sorted by."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from hptune_bench.analysis.statistics import Interval
from hptune_bench.core import text
from hptune_bench.report.blocks import Cell


def count(value: Any) -> Cell:
    """A whole number; a dash where it is unknown."""
    known = value is not None and not pd.isna(value)
    return Cell(f"{int(value):,}" if known else text.MISSING, value if known else None)


def measure(value: float, low: float | None = None, high: float | None = None, **marks: Any) -> Cell:
    """A number, or one with its interval."""
    return Cell(text.interval(value, low, high) if low is not None else text.number(value), value, **marks)


def duration(value: float) -> Cell:
    """Seconds."""
    return Cell(text.seconds(value), value)


def percent(share: float) -> Cell:
    """A share as per cent."""
    return Cell(text.percent(share), share)


def part(count: int, whole: int) -> Cell:
    """So many of so many, sorted by the share."""
    return Cell(f"{count:,} of {whole:,}", count / whole)


def ranged_percent(share: float, ends: Interval | None, places: int = 0, **marks: Any) -> Cell:
    """A share as per cent with its range where there is one; no sign on zero."""
    if math.isnan(share):
        return Cell(text.MISSING)
    return Cell(text.ranged_percent(share, (ends.low, ends.high) if ends else None, places), share, **marks)
