"""What the speed scripts share: where they write, how they talk, which searches they time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path("results/published/speed")
_MARK = "RESULT "


def answer(result: Mapping[str, Any] | Sequence[Any]) -> None:
    """What a script says to the one that started it by ``in_process``."""
    print(_MARK + json.dumps(result))


def in_process(script: str, arguments: Sequence[str], **environment: str) -> tuple[float, Any]:
    """Run a speed script in a process of its own: its seconds from start to end, and its ``answer``."""
    began = time.perf_counter()
    command = [sys.executable, "-m", f"benchmarks.speed.{script}", *arguments]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, check=True, text=True)
    seconds = time.perf_counter() - began
    line = next(line for line in done.stdout.splitlines() if line.startswith(_MARK))
    return seconds, json.loads(line.removeprefix(_MARK))


def write(name: str, rows: Sequence[Mapping[str, Any]], folder: Path = FOLDER) -> pd.DataFrame:
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / f"{name}.csv", index=False)
    print(frame.to_string(index=False), flush=True)
    return frame


def interleaved(variants: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measure all variants in turn, again and again, so that a busy moment of the machine hits all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, measure in variants.items():
            seconds[name].append(measure())
    return seconds


def summary(seconds: Mapping[str, Sequence[float]], reference: str, **columns: Any) -> list[dict[str, Any]]:
    """One row per variant; the ratio is the median over the repeats of (reference / variant)."""
    return [
        {
            **columns,
            "variant": name,
            "median_ms": 1000 * statistics.median(values),
            "min_ms": 1000 * min(values),
            "times_faster": statistics.median(r / v for r, v in zip(seconds[reference], values, strict=True)),
            "repeats": len(values),
        }
        for name, values in seconds.items()
    ]


def declare(space: Any, hp: Any) -> dict[str, Any]:
    """The configuration that a KerasTuner ``hp`` proposes for a space without conditions."""
    from hptune_bench.core.space import Boolean, Choice

    values: dict[str, Any] = {}
    for each in space:
        if isinstance(each, Boolean):
            values[each.name] = hp.Boolean(each.name)
        elif isinstance(each, Choice):
            values[each.name] = hp.Choice(each.name, list(each.values))
        else:
            kind = hp.Int if type(each).__name__ == "Int" else hp.Float
            values[each.name] = kind(
                each.name, each.low, each.high, step=each.step, sampling="log" if each.log else "linear"
            )
    return values
