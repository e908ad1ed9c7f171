"""Trainers: one job in, one outcome out.

Each trainer is a module with its name and a function ``trainer(workload)``, so that asking for one imports nothing of
the others.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import TRAINERS, Trainer, Workload


def require_trainer(name: str, *, training: bool = False) -> None:
    """Raises UserError where there is no trainer of that name, or (``training``) it does not train."""
    known = [each for each in TRAINERS if not training or each != "table"]
    if name not in known:
        raise UserError(f"unknown trainer {name!r}: choose one of {', '.join(known)}")


def make_trainer(name: str, workload: Workload, table: Path | None = None) -> Trainer:
    """The trainer of that name for one workload.

    Args:
        table: the Parquet file that the trainer ``table`` replays; None: where tables are looked for.

    Raises:
        UserError: there is no trainer of that name, or no table that fits the workload.
    """
    require_trainer(name)
    module = importlib.import_module(f"hptune_bench.training.{name}")
    trainer: Trainer = module.trainer(workload, *(() if table is None else (table,)))
    return trainer
