"""What proposes configurations: the methods written by hand, and KerasTuner's.

Each module of this folder declares its tuners in a mapping ``TUNERS``, name to ``TunerInfo``: a new tuner is a new
file. Nothing heavy is imported here: TensorFlow and KerasTuner come when a tuner is made.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from hptune_bench.core.tuner_info import TunerInfo, by_order


@cache
def built_in() -> dict[str, TunerInfo]:
    """The built-in tuners by name, in the order in which tables list them."""
    found: dict[str, TunerInfo] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= getattr(importlib.import_module(f"{__name__}.{module.name}"), "TUNERS", {})
    return by_order(found)
