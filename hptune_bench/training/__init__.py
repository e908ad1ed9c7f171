"""Trainers: one job in, one outcome out.

Each module of this package that holds a trainer has a function ``trainer(workload)``, so that asking for one trainer
imports nothing of the others.
"""

from __future__ import annotations

import importlib

from hptune_bench.errors import UserError
from hptune_bench.interfaces import Trainer, Workload

TRAINERS = ("compiled", "stock", "fake")


def make_trainer(name: str, workload: Workload) -> Trainer:
    """The trainer of that name for one workload.

    Raises:
        UserError: there is no trainer of that name.
    """
    if name not in TRAINERS:
        raise UserError(f"unknown trainer {name!r}: choose one of {', '.join(TRAINERS)}")
    trainer: Trainer = importlib.import_module(f"hptune_bench.training.{name}").trainer(workload)
    return trainer
