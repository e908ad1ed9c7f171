"""A complete table: every configuration of a discretised space really trained, several times, epoch by epoch.

Two files: ``<workload>.parquet`` with one row per configuration, data replicate, training replicate and epoch, and
``<workload>.json``, the manifest that says what the rows mean and what made them. Whoever has a table has the truth
about a small world: the best score there is, the noise, and as many replayed searches as wanted.

Nothing here imports TensorFlow, and nothing that is read is evaluated or unpickled.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hptune_bench.core.errors import UserError, complaint
from hptune_bench.core.files import write_atomic
from hptune_bench.core.names import safe_name
from hptune_bench.core.protocols import Direction
from hptune_bench.core.space import Configuration, Value

FOLDERS = (Path("results/tables"), Path("results/published/tables"))
"""Where tables are looked for, relative to the working directory, the first that has one first."""
TEST = "test:"
"""Prefix of the names of metrics on the test split."""
MAX_BYTES = 256 * 2**20
"""Bytes of the largest Parquet file that is read."""
MAX_NUMBERS = 2**29
"""Numbers in all columns together of the largest table that is read: a small file can unpack into a large one."""
MAX_MANIFEST_BYTES = 16 * 2**20

_SECONDS = "seconds"
_PLACES = ("data_replicate", "training_replicate", "epoch")


@dataclass(frozen=True)
class Table:
    """Learning curves of C configurations x D data replicates x T training replicates x E epochs.

    Replicate (d, k), both counted from 1, has the data seed of live run d and the training seed of the k-th training
    of the configuration in that run: see ``execution.seeds``. Nothing was stopped early.

    Attributes:
        workload: its name; options: what differs from the plain workload.
        levels: the values of each hyperparameter, in order; the configurations are their product.
        configurations: all of them, the first hyperparameter changing slowest (``itertools.product``).
        metrics: the names in ``curves``: those of the training log, and ``test:<metric>`` on the test split.
        curves: float32 (C, D, T, E) by metric, as they came: NaN and infinity included.
        seconds: float32 (C, D, T): seconds per epoch, compiling excluded.
        facts: ``Data.facts`` of each data replicate, with ``cap`` (see ``interfaces.Problem``).
        objective, direction, test_metric, full_epochs: as the workload says them.
        patience, monitor, monitor_direction: the workload's early stopping; patience None: it has none.
        definition: fingerprint of the workload, versions, trainer, machine, command, rows of each split.
        sha256: of the Parquet file; empty where the table was never written.
    """

    workload: str
    options: Mapping[str, Any]
    levels: Mapping[str, tuple[Value, ...]]
    configurations: tuple[Configuration, ...]
    metrics: tuple[str, ...]
    curves: Mapping[str, np.ndarray]
    seconds: np.ndarray
    facts: tuple[Mapping[str, float], ...]
    objective: str
    direction: Direction
    test_metric: str
    full_epochs: int
    patience: int | None
    monitor: str
    definition: Mapping[str, Any]
    monitor_direction: Direction = "min"
    sha256: str = ""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(C, D, T, E)."""
        configurations, data, training, epochs = self.curves[self.objective].shape
        return configurations, data, training, epochs

    @property
    def sign(self) -> int:
        """What turns a value of the objective or the test metric into a score, of which smaller is better."""
        return 1 if self.direction == "min" else -1

    @cached_property
    def stops(self) -> np.ndarray:
        """Epochs (C, D, T) that the workload's early stopping lets pass."""
        return stop_epochs(self.curves[self.monitor], self.patience, self.monitor_direction)


def digest(table: Table) -> str:
    """SHA-256 (hex) of all that a replay depends on: the numbers and what they mean."""
    meaning = [
        *(table.sha256, table.workload, dict(table.options), {name: list(each) for name, each in table.levels.items()}),
        *(table.objective, table.direction, table.test_metric, table.full_epochs, table.patience, table.monitor),
        *(table.monitor_direction, [dict(facts) for facts in table.facts], table.definition.get("fingerprint")),
    ]
    return hashlib.sha256(json.dumps(meaning, sort_keys=True, default=str).encode()).hexdigest()


def configurations_of(levels: Mapping[str, tuple[Value, ...]]) -> tuple[Configuration, ...]:
    """The full factorial, the first hyperparameter changing slowest."""
    return tuple(dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values()))


# --- what a search would have seen ---------------------------------------------------------------------------------


class Selected(NamedTuple):
    """Every training of a table as a search sees it: arrays (C, D, T), of which smaller scores are better.

    Attributes:
        score: objective at the best finite epoch before early stopping ends the training; +inf if none was finite.
        test_score: test metric at that epoch; NaN if there is none.
        best_epoch: that epoch, from 1; 0 if there is none.
        epochs: epochs trained until the stop.
    """

    score: np.ndarray
    test_score: np.ndarray
    best_epoch: np.ndarray
    epochs: np.ndarray


def selected(table: Table) -> Selected:
    """Early stopping as the workload has it, applied to every recorded curve, and the best epoch before it."""
    reached = np.arange(table.shape[3]) < table.stops[..., None]
    values = table.sign * table.curves[table.objective].astype(np.float64)
    values = np.where(np.isfinite(values) & reached, values, math.inf)
    best = values.argmin(axis=-1)
    score = np.take_along_axis(values, best[..., None], axis=-1)[..., 0]
    found = np.isfinite(score)
    test_score = np.full(score.shape, math.nan)
    tested = table.curves.get(TEST + table.test_metric)
    if tested is not None:
        at_best = table.sign * np.take_along_axis(tested, best[..., None], axis=-1)[..., 0].astype(np.float64)
        test_score = np.where(found, at_best, math.nan)
    return Selected(score, test_score, np.where(found, best + 1, 0), table.stops)


def stop_epochs(monitored: np.ndarray, patience: int | None, direction: Direction) -> np.ndarray:
    """Epochs trained under Keras' ``EarlyStopping(min_delta=0)``: int (...) for curves (..., E).

    As in Keras 3 (and ``training.common.early_stopping``), the first value becomes the best even if it is NaN, and
    nothing improves on that; values are compared in single precision.
    """
    epochs = monitored.shape[-1]
    stops = np.full(monitored.shape[:-1], epochs)
    if patience is None:
        return stops
    curves = monitored.astype(np.float32)
    best, wait = curves[..., 0].copy(), np.zeros(stops.shape, dtype=int)
    for epoch in range(1, epochs):
        current = curves[..., epoch]
        better = current < best if direction == "min" else current > best
        best = np.where(better, current, best)
        wait = np.where(better, 0, wait + 1)
        stops = np.where((stops == epochs) & ~better & (wait >= patience), epoch + 1, stops)
    return stops


# --- files ---------------------------------------------------------------------------------------------------------


class _Manifest(BaseModel):
    """The manifest as it is written; later versions may add keys."""

    model_config = ConfigDict(extra="allow", strict=True)

    schema_: Literal[1] = Field(alias="schema")
    workload: Annotated[str, AfterValidator(safe_name)]
    options: dict[str, Any]
    levels: dict[str, list[bool | int | float | str]] = Field(min_length=1)
    data_replicates: int = Field(ge=1)
    training_replicates: int = Field(ge=1)
    metrics: list[str] = Field(min_length=1)
    same: dict[str, str] = {}
    facts: list[dict[str, int | float]]
    objective: str
    direction: Literal["min", "max"]
    test_metric: str
    full_epochs: int = Field(ge=1)
    patience: int | None
    monitor: str
    monitor_direction: Literal["min", "max"]
    definition: dict[str, Any]
    sha256: str


def find_table(workload: str, folder: str | Path | None = None) -> Path:
    """The Parquet file of a workload's table, in a folder or where tables are looked for.

    Raises:
        UserError: there is none.
    """
    folders = FOLDERS if folder is None else (Path(folder),)
    for place in folders:
        if (path := place / f"{workload}.parquet").exists():
            return path
    raise UserError(
        f"there is no table of {workload!r} in {' or '.join(str(place) for place in folders)}: make one with "
        f"hptune-bench table {workload}, or give its folder (key `tables` of a benchmark file, --tables of a command)"
    )


def write_table(path: Path, table: Table) -> None:
    """Write the Parquet file and, last, the manifest beside it (``.json``)."""
    same = _duplicates(table)
    content = _parquet(table, [name for name in table.metrics if name not in same])
    configurations, data, training, _ = table.shape
    manifest = {
        "schema": 1,
        "workload": table.workload,
        "options": dict(table.options),
        "levels": {name: list(values) for name, values in table.levels.items()},
        "configurations": configurations,
        "data_replicates": data,
        "training_replicates": training,
        "metrics": list(table.metrics),
        "same": same,
        "facts": [dict(facts) for facts in table.facts],
        "objective": table.objective,
        "direction": table.direction,
        "test_metric": table.test_metric,
        "full_epochs": table.full_epochs,
        "patience": table.patience,
        "monitor": table.monitor,
        "monitor_direction": table.monitor_direction,
        "definition": dict(table.definition),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomic(path, content)
    write_atomic(path.with_suffix(".json"), json.dumps(manifest, indent=1, ensure_ascii=False, default=str) + "\n")


def read_table(path: Path) -> Table:
    """Read a table by its Parquet file.

    Raises:
        UserError: it is missing, too large, damaged, or not what ``write_table`` writes.
    """
    path = Path(path)
    manifest = _read_manifest(path.with_suffix(".json"))
    content = _read_bytes(path, MAX_BYTES)
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != manifest.sha256:
        raise UserError(f"{path}: its checksum is not the one in its manifest; restore both files, or make it again")
    levels = {name: tuple(values) for name, values in manifest.levels.items()}
    count = math.prod(len(values) for values in levels.values())
    shape = (count, manifest.data_replicates, manifest.training_replicates, manifest.full_epochs)
    columns = [_SECONDS, *(name for name in manifest.metrics if name not in manifest.same)]
    if math.prod(shape) * len(columns) > MAX_NUMBERS:
        raise UserError(f"{path}: the table is larger than any that is read; check its manifest")
    arrays = _read_columns(path, content, columns, math.prod(shape))
    return Table(
        workload=manifest.workload,
        options=manifest.options,
        levels=levels,
        configurations=configurations_of(levels),
        metrics=tuple(manifest.metrics),
        curves={name: arrays[manifest.same.get(name, name)].reshape(shape) for name in manifest.metrics},
        seconds=arrays[_SECONDS].reshape(shape)[..., 0].copy(),
        facts=tuple(manifest.facts),
        objective=manifest.objective,
        direction=manifest.direction,
        test_metric=manifest.test_metric,
        full_epochs=manifest.full_epochs,
        patience=manifest.patience,
        monitor=manifest.monitor,
        monitor_direction=manifest.monitor_direction,
        definition=manifest.definition,
        sha256=checksum,
    )


def _duplicates(table: Table) -> dict[str, str]:
    """Metrics whose every number is that of an earlier one, with its name: they are not written twice."""
    same: dict[str, str] = {}
    for place, name in enumerate(table.metrics):
        for other in table.metrics[:place]:
            if other not in same and np.array_equal(table.curves[name], table.curves[other], equal_nan=True):
                same[name] = other
                break
    return same


def _parquet(table: Table, metrics: list[str]) -> bytes:
    """The rows as Parquet: curves as split bytes, which compress where their digits do; everything else as runs."""
    shape = table.shape
    places: dict[str, Any] = {}
    index = np.arange(shape[0])
    for name, values in reversed(list(table.levels.items())):
        index, at = np.divmod(index, len(values))
        rows = np.repeat(at.astype(np.int32), math.prod(shape[1:]))
        places[name] = pa.DictionaryArray.from_arrays(pa.array(rows), pa.array(list(values)))
    columns = dict(reversed(places.items()))
    for axis, name in enumerate(_PLACES, start=1):
        counts = np.arange(1, shape[axis] + 1, dtype=np.int32).reshape([-1 if a == axis else 1 for a in range(4)])
        columns[name] = pa.array(np.broadcast_to(counts, shape).ravel())
    columns[_SECONDS] = pa.array(np.broadcast_to(table.seconds[..., None], shape).astype(np.float32).ravel())
    repeated = list(columns)
    for name in metrics:
        columns[name] = pa.array(table.curves[name].astype(np.float32).ravel())
    buffer = io.BytesIO()
    pq.write_table(
        pa.table(columns),
        buffer,
        compression="zstd",
        compression_level=19,
        use_dictionary=repeated,
        use_byte_stream_split=metrics,
        write_statistics=False,
        store_schema=False,
    )
    return buffer.getvalue()


def _read_columns(path: Path, content: bytes, columns: list[str], rows: int) -> dict[str, np.ndarray]:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        held = {file.schema_arrow.field(i).name: file.schema_arrow.field(i).type for i in range(len(file.schema_arrow))}
        for name in columns:
            if held.get(name) != pa.float32():
                raise UserError(f"{path}: column {name!r} is missing or holds no 32-bit floats; make the table again")
        if file.metadata.num_rows != rows:
            raise UserError(
                f"{path}: holds {file.metadata.num_rows} rows where its manifest says {rows}; make the table again"
            )
        # Arrow's threads, still starting when a short command ends, abort the process (seen in 1 of 160).
        read = file.read(columns=columns, use_threads=False)
        # What is missing in a column would become NaN, and NaN means that a training exploded.
        if any(read.column(name).null_count for name in columns):
            raise UserError(f"{path}: a column has gaps, which no table has; make the table again")
        return {name: read.column(name).to_numpy() for name in columns}
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: is no readable Parquet file ({first}); make the table again") from None


def _read_manifest(path: Path) -> _Manifest:
    content = _read_bytes(path, MAX_MANIFEST_BYTES)
    remedy = "restore the file, or make the table again"
    try:
        manifest = _Manifest.model_validate(json.loads(content))
    except ValidationError as error:
        raise UserError(f"{path}: {complaint(error)}; {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid JSON ({error}); {remedy}") from None
    for name, values in manifest.levels.items():
        if not values or len({(type(value), value) for value in values}) < len(values):
            raise UserError(f"{path}: key 'levels': {name!r} has no values, or one twice; {remedy}")
    wanted = [manifest.objective, *([] if manifest.patience is None else [manifest.monitor])]
    for name in wanted:
        if name not in manifest.metrics:
            raise UserError(f"{path}: key 'metrics' lacks {name!r}; {remedy}")
    if len(set(manifest.metrics)) < len(manifest.metrics) or _SECONDS in manifest.metrics:
        raise UserError(f"{path}: key 'metrics' names a column twice; {remedy}")
    if not set(manifest.same) <= set(manifest.metrics) or not set(manifest.same.values()) <= set(
        manifest.metrics
    ) - set(manifest.same):
        raise UserError(f"{path}: key 'same' names what is not in 'metrics'; {remedy}")
    if len(manifest.facts) != manifest.data_replicates:
        raise UserError(f"{path}: key 'facts' has not one entry for each data replicate; {remedy}")
    return manifest


def _read_bytes(path: Path, limit: int) -> bytes:
    try:
        if path.stat().st_size > limit:
            raise UserError(f"{path}: is larger than any such file of a table; check the path")
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file; a table is a .parquet file with a .json beside it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from None
