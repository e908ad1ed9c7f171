"""The results folder: what a campaign leaves, and how it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hptune_bench.errors import UserError


@dataclass(frozen=True)
class Campaign:
    """A results folder in memory. The frames have the columns of ``records``; absent files give empty frames.

    Attributes:
        manifest: see ``docs/results.md``.
        stock_clock: columns workload, method (``plain``, ``keras_tuner``), structure (canonical JSON of the
            hyperparameters that change the cost), overhead_s (per trial), epoch_s; empty where it was not measured.
    """

    path: Path
    manifest: dict[str, Any]
    runs: pd.DataFrame
    trials: pd.DataFrame
    epochs: pd.DataFrame
    noise: pd.DataFrame
    stock_clock: pd.DataFrame


def read_campaign(path: Path) -> Campaign:
    """Read a results folder.

    Raises:
        UserError: the folder or its manifest is missing or damaged.
    """
    manifest_path = path / "manifest.json"
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no manifest.json, so this is no results folder; give the folder of a run") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{manifest_path}: cannot be read ({error}); run the benchmark again or restore it") from None
    frames = {name: _read(path / f"{name}.csv") for name in ("runs", "trials", "epochs", "noise", "stock_clock")}
    return Campaign(path=path, manifest=manifest, **frames)


def _read(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame()
    try:
        return pd.read_csv(path, keep_default_na=True, dtype={"workload": str, "tuner": str, "configuration": str})
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error}); run the benchmark again or restore it") from None
