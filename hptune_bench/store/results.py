"""The results folder: what a campaign leaves, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from hptune_bench.core.errors import UserError
from hptune_bench.core.fingerprint import same
from hptune_bench.store.columns import EPOCHS, RUNS, STOCK_CLOCK, Column
from hptune_bench.store.csv import armed
from hptune_bench.store.layout import MANIFEST
from hptune_bench.store.manifest import read_manifest
from hptune_bench.store.packed import require_table, table_path
from hptune_bench.store.trial import NOISE, TRIALS


@dataclass(frozen=True)
class Results:
    """A results folder in memory. The frames have the columns of ``columns``; absent files give empty frames.

    Attributes:
        manifest: see ``docs/results.md``.
        stock_clock: columns workload, method (``plain``, ``keras_tuner``), structure (canonical JSON of the
            hyperparameters that change the cost), overhead_s (per trial), epoch_s, checkpoint_s, aging_s; empty where
            it was not measured.
    """

    path: Path
    manifest: dict[str, Any]
    runs: pd.DataFrame
    trials: pd.DataFrame
    epochs: pd.DataFrame
    noise: pd.DataFrame
    stock_clock: pd.DataFrame


def read_results(path: Path, epochs: bool = True) -> Results:
    """Read a results folder.

    Args:
        epochs: False leaves ``epochs`` empty. Analysis and report need runs and trials only, and the file of the epochs
            is by far the largest.

    Raises:
        UserError: the folder or its manifest is missing or damaged.
    """
    manifest = read_manifest(path / MANIFEST)
    frames = {
        name: _read(path / f"{name}.csv", columns, manifest) if epochs or name != "epochs" else pd.DataFrame()
        for name, columns in _COLUMNS.items()
    }
    return Results(path=path, manifest=manifest, **frames)


_COLUMNS = {"runs": RUNS, "trials": TRIALS, "epochs": EPOCHS, "noise": NOISE, "stock_clock": STOCK_CLOCK}


def _read(path: Path, columns: Sequence[Column], manifest: dict[str, Any]) -> pd.DataFrame:
    path = table_path(path)
    if not path.exists():
        return pd.DataFrame()
    if path.suffix == ".gz":
        require_table(path)
    remedy = "run the benchmark again or restore the file"
    texts = {"workload": str, "tuner": str, "configuration": str, "status": str, "reason": str, "error": str}
    try:
        frame = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""], low_memory=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({_one_line(error)}); {remedy}") from None
    frame = frame.rename(columns=armed)
    wanted = {column.name: column.kind for column in columns if column.around is None}
    for name, kind in wanted.items():
        if name not in frame:
            raise UserError(f"{path}: column {name!r} is missing; {remedy}")
        fine = kind is str or (frame[name].dtype == bool if kind is bool else _numeric(frame[name]))
        if not fine:
            raise UserError(f"{path}: column {name!r} holds something that is no {kind.__name__}; {remedy}")
        if kind is int and not (frame[name].dropna() % 1 == 0).all():
            raise UserError(f"{path}: column {name!r} holds a broken number; {remedy}")
    for name in frame.columns.difference([*wanted]) if columns is not STOCK_CLOCK else ():
        if not name.startswith("hp:") and not _numeric(frame[name]):
            raise UserError(f"{path}: column {name!r} holds something that is no number; {remedy}")
    unknown = set(frame["workload"]) - set(manifest["workloads"])
    if unknown:
        raise UserError(f"{path}: workload {sorted(map(str, unknown))[0]!r} is not in the manifest; {remedy}")
    if columns is EPOCHS:
        for workload in frame["workload"].unique():
            if (objective := manifest["workloads"][workload]["objective"]) not in frame:
                raise UserError(f"{path}: column {objective!r} is missing; {remedy}")
    if "configuration" in frame:
        _check_configurations(path, frame["configuration"], remedy)
    return frame


def _numeric(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and column.dtype != bool) or bool(column.isna().all())


def _check_configurations(path: Path, column: pd.Series, remedy: str) -> None:
    for text in column.unique():
        try:
            fine = isinstance(json.loads(text), dict)
        except (TypeError, ValueError, RecursionError):
            fine = False
        if not fine:
            raise UserError(f"{path}: column 'configuration' holds something that is no JSON object; {remedy}")


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def merge(campaigns: Sequence[Results]) -> Results:
    """Campaigns of one benchmark as one: other seeds, tuners or workloads of the same definition.

    A run that several of them hold counts once, from the first that has it. The first manifest speaks for all; what
    only others hold (workloads, tuners, warnings, best models, commands) is added, and ``took_s`` is the seconds of all
    of them (absent where one is not known).

    Raises:
        UserError: no campaign, other benchmarks, or one workload with two definitions.
    """
    if not campaigns:
        raise UserError("no results folder to report on; give at least one")
    first = campaigns[0]
    if len(campaigns) == 1:
        return first
    manifest = dict(first.manifest)
    for other in campaigns[1:]:
        if other.manifest.get("name") != first.manifest.get("name"):
            raise UserError(
                f"{other.path}: this is benchmark {other.manifest.get('name')!r}, but {first.path} is "
                f"{first.manifest.get('name')!r}; report on folders of one benchmark"
            )
        _same_workloads(first, other, manifest.get("workloads") or {})
        for key in ("tuners", "workloads", "best_models", "best_known"):
            manifest[key] = {**(other.manifest.get(key) or {}), **(manifest.get(key) or {})}
        manifest["warnings"] = list(
            dict.fromkeys([*(manifest.get("warnings") or []), *(other.manifest.get("warnings") or [])])
        )
        if other.manifest.get("status") != "finished":
            manifest["status"] = other.manifest.get("status")
    frames = {}
    for name in ("runs", "trials", "epochs", "noise"):
        frames[name] = _first_of_each([getattr(campaign, name) for campaign in campaigns])
    clocks = [campaign.stock_clock for campaign in campaigns if len(campaign.stock_clock)]
    runs = frames["runs"]
    finished = int((runs["status"] != "interrupted").sum()) if len(runs) else 0
    manifest["finished_runs"] = finished
    manifest["planned_runs"] = finished + sum(_missing_runs(campaign.manifest) for campaign in campaigns)
    manifest["command"] = "\n".join(dict.fromkeys(str(c.manifest.get("command") or "") for c in campaigns))
    benchmarks = [campaign.manifest.get("benchmark") or {} for campaign in campaigns]
    manifest["benchmark"] = {
        **benchmarks[0],
        "tuners": list(dict.fromkeys(tuner for each in benchmarks for tuner in each.get("tuners") or ())),
        "seeds": int(runs["seed"].nunique()) if len(runs) else benchmarks[0].get("seeds"),
    }
    spent = [seconds for campaign in campaigns if (seconds := took(campaign.manifest)) is not None]
    if len(spent) == len(campaigns):
        manifest["took_s"] = sum(spent)
    return Results(path=first.path, manifest=manifest, stock_clock=clocks[0] if clocks else pd.DataFrame(), **frames)


def _missing_runs(manifest: dict[str, Any]) -> int:
    return max(0, int(manifest.get("planned_runs") or 0) - int(manifest.get("finished_runs") or 0))


def took(manifest: dict[str, Any]) -> float | None:
    """Seconds on the wall of all commands of a campaign, up to its last report; of merged ones the sum. None where it
    is not known."""
    if "took_s" in manifest:
        return float(manifest["took_s"])
    try:
        start, end = (datetime.fromisoformat(manifest[key]) for key in ("started", "finished"))
        return (end - start).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None


def _same_workloads(first: Results, other: Results, known: dict[str, Any]) -> None:
    for name, about in (other.manifest.get("workloads") or {}).items():
        if name in known and not same(known[name], about):
            raise UserError(
                f"{other.path}: workload {name!r} is defined differently from the one in {first.path}; "
                "report on them one by one"
            )


def _first_of_each(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """All rows, but each run's from the first frame that holds it."""
    keys = ["workload", "tuner", "seed"]
    kept: list[pd.DataFrame] = []
    seen = pd.MultiIndex.from_arrays([[], [], []], names=keys)
    for frame in frames:
        if len(frame):
            index = pd.MultiIndex.from_frame(frame[keys].fillna({"tuner": ""}))
            kept.append(frame[~index.isin(seen)])
            seen = seen.union(index.unique(), sort=False)
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()
