"""A report written again against the one that is there: files to the byte, or what they say where rounding differs."""

from __future__ import annotations

import csv
import math
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hptune_bench.core.environment import environment
from hptune_bench.store.layout import REPORT
from hptune_bench.store.results import Results
from hptune_bench.verify.check import Check

TOLERANCE = 1e-9
"""Relative difference up to which two computed numbers are called the same on two processors."""
PASSING = frozenset({"load average at the start", "commit", "uncommitted changes"})
"""What the manifest says of an environment that is no property of the machine or the versions."""
_PICTURE = re.compile(r"<svg.*?</svg>", re.S)


def check_environment(results: Results) -> Check:
    """What differs between the machine that made the results and this one; a difference is no failure."""
    apart = differing(results)
    if not apart:
        return Check("environment", "ok", "the same machine and versions")
    return Check("environment", "not checked", "; ".join(f"{key}: {then}, here {now}" for key, then, now in apart))


def differing(results: Results) -> list[tuple[str, str, str]]:
    """What of the machine and the versions is not as it was: name, then, now."""
    then: Mapping[str, Any] = results.manifest.get("environment", {})
    return [
        (key, str(then.get(key, "unknown")), str(now))
        for key, now in environment().items()
        if key not in PASSING and str(then.get(key)) != str(now)
    ]


@dataclass(frozen=True)
class Difference:
    """How far two files are apart: a relative difference of numbers, inf where they do not say the same; and where."""

    size: float
    where: str


def check_report(folder: Path, results: Results) -> Check:
    """The report, written again elsewhere.

    On the machine that made it, with the same versions, its files are equal to the byte. Elsewhere numbers may differ
    by ``TOLERANCE``, and pictures are compared by the data behind them, since they show no more digits.
    """
    from hptune_bench.report import write_report

    name = "report from tables"
    if not (folder / REPORT).exists():
        return Check(name, "not checked", "there is no report yet")
    with tempfile.TemporaryDirectory() as other:
        target = Path(other)
        write_report([results], target)
        made = sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())
        changed = [path for path in made if not _equal(folder / path, target / path)]
        if not changed:
            return Check(name, "ok", f"{len(made)} files agree")
        if not differing(results):
            return Check(name, "differs", f"{changed[0]} ({len(changed)} of {len(made)} files)")
        found = {path: compare(folder / path, target / path, path.as_posix()) for path in changed}
    worst = max(found.values(), key=lambda each: each.size)
    if worst.size > TOLERANCE:
        count = sum(each.size > TOLERANCE for each in found.values())
        return Check(name, "differs", f"{worst.where} ({count} of {len(made)} files)")
    largest = f": the largest difference is {worst.size:.1e} of a number, in {worst.where}" if worst.size else ""
    return Check(name, "ok", f"{len(made)} files agree, {len(changed)} of them not to the byte{largest}")


def _equal(one: Path, two: Path) -> bool:
    return one.exists() and one.read_bytes() == two.read_bytes()


def compare(there: Path, made: Path, name: str) -> Difference:
    """How far a file of a report is from the same one made again."""
    if not there.exists():
        return Difference(math.inf, f"{name} is missing")
    if made.suffix in (".png", ".svg"):
        old, new = there.with_suffix(".csv"), made.with_suffix(".csv")
        if old.exists() and new.exists():
            return compare(old, new, Path(name).with_suffix(".csv").as_posix())
        return Difference(math.inf, f"{name} has no data behind it")
    if made.suffix == ".csv":
        return max(_numbers(there, made, name), key=lambda each: each.size)
    texts = [_PICTURE.sub("", path.read_text(encoding="utf-8")) for path in (there, made)]
    return Difference(0.0, name) if texts[0] == texts[1] else Difference(math.inf, f"{name} says something else")


def _numbers(there: Path, made: Path, name: str) -> Iterator[Difference]:
    yield Difference(0.0, name)
    with there.open(encoding="utf-8", newline="") as one, made.open(encoding="utf-8", newline="") as two:
        for line, (old, new) in enumerate(zip_longest(csv.reader(one), csv.reader(two)), start=1):
            if old is None or new is None or len(old) != len(new):
                yield Difference(math.inf, f"{name}, line {line}: another number of rows or columns")
                return
            for then, now in zip(old, new, strict=True):
                if then != now:
                    yield Difference(_apart(then, now), f"{name}, line {line}: {then}, now {now}")


def _apart(then: str, now: str) -> float:
    """The relative difference of two numbers; inf for words, and where only one is finite."""
    try:
        a, b = float(then), float(now)
    except ValueError:
        return math.inf
    apart = abs(a - b) / max(abs(a), abs(b), 1e-300)
    return apart if math.isfinite(apart) else math.inf
