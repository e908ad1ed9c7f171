"""What older versions of hptune-bench wrote, told in the words of this one. Nothing else knows their schemas.

Schema 1 (until November 2026) said nothing of its tuners, so that what they were stands here, frozen: this table never
changes, whatever becomes of the tuners. Its CSV files are those of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from hptune_bench.core.tuner_info import TunerInfo, undeclared

SCHEMA = 2
"""Of the manifest that this version writes."""
CSV_SCHEMA = 1
"""Of the CSV files that this version writes: kept in the manifest, because a table of numbers has no place for it."""

_stock = partial(TunerInfo, library="keras_tuner", clock="keras_tuner")
_SCHEMA_1 = {
    "manual_sweep": TunerInfo("hand-written loop", role="loop", order=0, style="ink", usual=True),
    "random_search": _stock("random search", role="random", order=1, style="blue", usual=True),
    "bayesian_optimization": _stock("Bayesian optimization", random_points=3, order=2, style="orange", usual=True),
    "hyperband": _stock("Hyperband", restarts=True, halving=3, order=3, style="green", usual=True),
    "grid_search": _stock("grid search (KerasTuner)", role="enumeration", order=4, style="purple"),
    "bayesian_optimization_repaired": _stock(
        "Bayesian optimization (repaired)", repairs="bayesian_optimization", random_points=3, order=5, style="rust"
    ),
    "hyperband_repaired": _stock("Hyperband (repaired)", repairs="hyperband", halving=3, order=6, style="pine"),
    "manual_grid": TunerInfo("hand-written nested loops", role="grid loop", order=7, style="slate"),
    "untuned_restarts": TunerInfo("untuned, only retrained", role="restarts", order=8, style="brown", usual=True),
    "untuned": TunerInfo("untuned (as copied)", role="copied", trains_once=True, order=9, style="grey", usual=True),
    "post_winner": TunerInfo("the post's winner", role="winner", trains_once=True, order=10, style="olive"),
    "expert_log": TunerInfo("expert log", role="person", options=("file",), order=11),
}


def upgraded(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of any schema up to ``SCHEMA`` in the form of today; one of today as it is."""
    if manifest.get("schema") != 1:
        return dict(manifest)
    benchmark = manifest.get("benchmark")
    entries = benchmark.get("workloads") if isinstance(benchmark, dict) else None
    named = [name for entry in entries or () if isinstance(entry, dict) for name in entry.get("tuners") or ()]
    others = [name for name in named if isinstance(name, str) and name not in _SCHEMA_1]
    infos = {**_SCHEMA_1, **{name: undeclared(name) for name in others}}
    return {
        **manifest,
        "schema": SCHEMA,
        "csv_schema": CSV_SCHEMA,
        "tuners": {name: info.to_json() for name, info in infos.items()},
    }
