"""How numbers, intervals, p-values, durations and lists are worded, wherever they are read: the one place for it."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import timedelta

MISSING = "–"
"""What a cell shows where there is no value."""

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_SPACES = re.compile(r"\s+")

DIGITS = 12
"""Significant digits of a computed number that are the same on every processor."""


def steady(value: float) -> float:
    """A computed number without the digits that depend on the processor: what is rounded further rounds alike."""
    return float(f"{value:.{DIGITS}g}")


def clean(text: object) -> str:
    """One line of visible characters: terminal escapes dropped, control and format characters shown as ``�``.

    Lone surrogates, which no file can hold, are shown in the same way.
    """
    line = _SPACES.sub(" ", _ANSI.sub("", str(text))).strip()
    return "".join("�" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char for char in line)


def absent(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def number(value: float | None, digits: int = 4) -> str:
    """A number with ``digits`` significant digits; ``failed`` for infinity, a dash where there is none."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "failed" if value > 0 else "-inf"
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value)}"
    text = f"{steady(value):.{digits}g}"
    if "e" not in text:
        return text
    return f"{value:,.0f}" if 1 <= abs(value) < 1e9 else _scientific(text)


def _scientific(text: str) -> str:
    mantissa, exponent = text.split("e")
    return f"{mantissa}e{int(exponent)}"


def decimals(*spread: float) -> int:
    """Decimal places so that the smallest positive finite spread keeps two significant digits (0 to 6)."""
    widths = [abs(steady(width)) for width in spread if width and math.isfinite(width)]
    return min(6, max(0, 1 - math.floor(math.log10(min(widths))))) if widths else 4


def interval(value: float | None, low: float | None, high: float | None) -> str:
    """``value [low, high]``, all rounded to two significant digits of the interval's width."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value) or low is None or high is None or math.isnan(low) or math.isnan(high):
        return number(value)
    ends = [end for end in (low, high) if math.isfinite(end)]
    places = max(decimals(max(ends) - min(ends)), decimals(value)) if len(ends) == 2 else decimals(value)
    return f"{fixed(value, places)} [{fixed(low, places)}, {fixed(high, places)}]"


def alike(values: list[float]) -> Callable[[float], str]:
    """How to show values that are read beside each other: equal decimals, enough to tell them apart.

    Values that differ by more than a factor of 20 are shown with three significant digits each.
    """
    finite = sorted(value for value in values if math.isfinite(value))
    if not finite or finite[0] <= 0 or finite[-1] / finite[0] > 20:
        return lambda value: number(value, 3)
    places = decimals(finite[-1] - finite[0], finite[0] / 10)
    return lambda value: fixed(value, places)


def fixed(value: float, places: int) -> str:
    """With so many decimals; beyond a million, where no digit behind the point means anything, as ``number`` has it."""
    return number(value) if not math.isfinite(value) or abs(value) >= 1e6 else f"{steady(value):.{places}f}"


def signed(value: float, places: int) -> str:
    """A difference with its sign; zero has none."""
    text = f"{steady(value):+.{places}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def seconds(value: float | None) -> str:
    """A duration with its unit: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "never"
    value = steady(value)
    if value < 10:
        return f"{value:.2g} s"
    if value < 120:
        return f"{value:.0f} s"
    whole = timedelta(seconds=round(value)).total_seconds()
    minutes, rest = divmod(int(whole), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes and hours < 48 else f"{hours} h"


def percent(share: float | None) -> str:
    """A share as per cent; never 0 % or 100 % unless it is exactly that."""
    if share is None or math.isnan(share):
        return MISSING
    share = steady(share)
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 < share < 1:
        return ">99 %"
    return f"{100 * share:.0f} %"


def value(entry: object) -> str:
    """The value of a hyperparameter: floats with four significant digits, everything else as it is."""
    if absent(entry):
        return MISSING
    if isinstance(entry, float):
        return number(entry)
    return clean(entry)


def probability(p: float | None) -> str:
    """A p-value: three digits, never ``0``."""
    if p is None or math.isnan(p):
        return MISSING
    p = steady(p)
    return "<0.001" if p < 0.001 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def columns(words: str) -> int:
    """How many Latin letters wide the words are: East Asian wide characters count twice."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in words)


def sentence(words: str) -> str:
    """Words with a capital letter in front and a full stop behind; the rest as it is."""
    line = words.strip()
    return line[:1].upper() + line[1:] + ("" if line[-1:] in ("", ".", "!", "?") else ".")


def listing(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def ranged_percent(share: float, ends: tuple[float, float] | None, places: int = 0) -> str:
    """A share as per cent with its range where there is one; no sign on zero."""

    def shown(value: float) -> str:
        return f"{round(100 * steady(value), places) + 0.0:.{places}f}"

    brackets = f" [{shown(ends[0])}, {shown(ends[1])}]" if ends else ""
    return f"{shown(share)} %{brackets}"
