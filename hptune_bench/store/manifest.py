"""The shape of ``manifest.json``: checked when it is read, because it is data from outside."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hptune_bench.core.errors import UserError, complaint
from hptune_bench.core.files import write_atomic
from hptune_bench.core.names import safe_name
from hptune_bench.core.tuner_info import Clock, Role, TunerInfo, by_order, from_json
from hptune_bench.store.layout import MANIFEST
from hptune_bench.store.upgrade import CSV_SCHEMA, SCHEMA, upgraded

MAX_BYTES = 64 * 2**20
_Name = Annotated[str, AfterValidator(safe_name)]
Scalar = bool | int | float | str


class _Open(BaseModel):
    """Later versions may add keys; what is here must be as it is written."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Hyperparameter(_Open):
    name: str
    kind: Literal["Boolean", "Choice", "Int", "Float"]
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    values: list[Scalar] | None = None
    default: Scalar | None = None
    conditions: list[dict[str, Any]] = []


class _Workload(_Open):
    title: str
    teaches: str
    data_label: str
    family: str
    objective: str
    direction: Literal["min", "max"]
    metrics: dict[str, Literal["min", "max"]]
    test_metric: str
    full_epochs: int = Field(ge=1)
    budget_epochs: int | None
    space: list[_Hyperparameter]
    untuned: dict[str, Scalar]
    hand_picked: dict[str, list[Scalar]]
    sweep_order: list[str] | None
    published: dict[str, Scalar] | None
    trainer_note: str | None
    rows: dict[str, int] | None = None


class _Primary(_Open):
    tuners: list[str]
    against: str


class _Entry(_Open):
    name: _Name
    tuners: list[str]


class _Benchmark(_Open):
    name: _Name
    seeds: int = Field(ge=1)
    trainer: str
    primary: _Primary | None = None
    checkpoint_trials: int | None = Field(default=None, ge=1)
    workloads: list[_Entry] = Field(min_length=1)


class _BestModel(_Open):
    file: str | None
    tuner: str
    seed: int
    trial: int
    score: float
    configuration: dict[str, Scalar] = {}
    test: dict[str, float]


class _Tuner(_Open):
    """See ``core.tuner_info.TunerInfo``."""

    label: Annotated[str, Field(max_length=200)]
    description: str = ""
    role: Role = "search"
    library: str = ""
    clock: Clock = "plain"
    trains_once: bool = False
    restarts: bool = False
    repairs: str = ""
    random_points: int = Field(default=0, ge=0, le=10**6)
    halving: int = Field(default=0, ge=0)
    usual: bool = False
    options: list[str] = []
    order: int = 100
    style: str = ""


class _Manifest(_Open):
    schema_: Literal[2] = Field(alias="schema")
    csv_schema: Literal[1]
    name: _Name
    title: str
    status: Literal["running", "finished", "interrupted"]
    command: str
    started: str
    finished: str | None
    benchmark: _Benchmark
    environment: dict[str, str | int | float]
    tuners: dict[_Name, _Tuner]
    workloads: dict[_Name, _Workload]
    seconds: dict[str, float] = {}
    took_s: float = 0.0
    planned_runs: int = Field(ge=0)
    finished_runs: int = Field(ge=0)
    warnings: list[str]
    best_models: dict[str, _BestModel]
    best_known: dict[str, dict[str, Any]]
    files: dict[str, str]


class Newer(UserError):
    """A results folder that a later version made."""


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a results folder, in the form of today (see ``upgrade``).

    Raises:
        Newer: a later version wrote it.
        UserError: it is missing, unreadable, or not what a campaign writes; with the key.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: is larger than any manifest; restore the file")
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path.parent}: no manifest.json, so this is no results folder; give the folder of a run"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error}); run the benchmark again or restore it") from None
    manifest = _of_today(path, manifest)
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        raise UserError(f"{path}: {complaint(error)}; run the benchmark again or restore the file") from None
    missing = [
        entry["name"] for entry in manifest["benchmark"]["workloads"] if entry["name"] not in manifest["workloads"]
    ]
    if missing:
        raise UserError(f"{path}: key 'workloads' lacks {missing[0]!r}; run the benchmark again or restore the file")
    return manifest


def _of_today(path: Path, manifest: Any) -> Any:
    """Upgraded, or refused where only a later version can read it; what is no manifest at all as it is."""
    if not isinstance(manifest, dict):
        return manifest
    for key, known in (("schema", SCHEMA), ("csv_schema", CSV_SCHEMA)):
        if isinstance(found := manifest.get(key), int) and found > known:
            raise Newer(
                f"{path}: made by a newer hptune-bench ({key} {found}, this one reads up to {known}); update it"
            )
    return upgraded(manifest)


def tuners_of(manifest: Mapping[str, Any]) -> dict[str, TunerInfo]:
    """What the tuners of a manifest declare, by name, in the order of tables."""
    return by_order({name: from_json(entry) for name, entry in (manifest.get("tuners") or {}).items()})


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    write_atomic(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False, default=str) + "\n")
