"""What a workload is, as one hash: its settings, its search space, its code and the bytes of its data."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from hptune_bench.core.protocols import Split, Workload
from hptune_bench.core.seeds import data_seed
from hptune_bench.core.space import described


def fingerprint(workload: Workload, *, with_data: bool = True) -> str:
    """SHA-256 (hex) over everything that could change a trial of this workload.

    Args:
        with_data: include the splits of seed 1; False where nothing is trained.
    """
    digest = hashlib.sha256()
    digest.update(json.dumps(settings(workload), sort_keys=True, default=str).encode())
    for module in _modules(type(workload)):
        digest.update(inspect.getsource(sys.modules[module]).encode())
    if with_data:
        data = workload.load(data_seed(workload.family, 1))
        for split in (data.train, data.validation, data.test):
            _add(digest, split)
    return digest.hexdigest()


def digest_of(*parts: object) -> str:
    """SHA-256 (hex) of splits or arrays: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part)
    return digest.hexdigest()


def settings(workload: Workload) -> dict[str, Any]:
    """What a workload declares, as JSON-ready values; the manifest holds it too."""
    return {
        "title": workload.title,
        "teaches": workload.teaches,
        "data_label": workload.data_label,
        "family": workload.family,
        "objective": workload.objective,
        "direction": workload.direction,
        "metrics": dict(workload.metrics),
        "test_metric": workload.test_metric,
        "full_epochs": workload.full_epochs,
        "engine": workload.engine,
        "options": dict(workload.options),
        "space": described(workload.space),
        "untuned": dict(workload.untuned),
        "hand_picked": {name: list(values) for name, values in workload.hand_picked.items()},
        "sweep_order": None if workload.sweep_order is None else list(workload.sweep_order),
        "published": None if workload.published is None else dict(workload.published),
    }


def _modules(kind: type) -> list[str]:
    """Where the workload's class and those that it inherits from are written, Python's own left out."""
    modules = dict.fromkeys(each.__module__ for each in kind.__mro__)
    return [name for name in modules if name.partition(".")[0] not in sys.stdlib_module_names]


def _add(digest: Any, part: object) -> None:
    if isinstance(part, Split):
        _add(digest, part.x)
        _add(digest, part.y)
    elif isinstance(part, Mapping):
        for name in sorted(part):
            digest.update(str(name).encode())
            _add(digest, part[name])
    elif part is not None:
        array = np.ascontiguousarray(part)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())
