"""A complete table on the disk: a Parquet file of its numbers, and the manifest beside it that says what they mean.

Nothing that is read is evaluated or unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hptune_bench.core.errors import UserError, complaint
from hptune_bench.core.files import read_limited, write_atomic
from hptune_bench.core.names import safe_name
from hptune_bench.tabular.table import CurveTable, configurations_of

FOLDERS = (Path("results/tables"), Path("results/published/tables"))
"""Where tables are looked for, relative to the working directory, the first that has one first."""
MAX_BYTES = 256 * 2**20
"""Bytes of the largest Parquet file that is read."""
MAX_NUMBERS = 2**29
"""Numbers in all columns together of the largest table that is read: a small file can unpack into a large one."""
MAX_MANIFEST_BYTES = 16 * 2**20

_SECONDS = "seconds"
_PLACES = ("data_replicate", "training_replicate", "epoch")
_MEANING = ("objective", "direction", "test_metric", "full_epochs", "patience", "monitor", "monitor_direction")
"""What table and manifest have alike."""


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


def write_table(path: Path, table: CurveTable) -> None:
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
        **{name: getattr(table, name) for name in _MEANING},
        "definition": dict(table.definition),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_atomic(path, content)
    write_atomic(path.with_suffix(".json"), json.dumps(manifest, indent=1, ensure_ascii=False, default=str) + "\n")


def read_table(path: Path) -> CurveTable:
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
    return CurveTable(
        workload=manifest.workload,
        options=manifest.options,
        levels=levels,
        configurations=configurations_of(levels),
        metrics=tuple(manifest.metrics),
        curves={name: arrays[manifest.same.get(name, name)].reshape(shape) for name in manifest.metrics},
        seconds=arrays[_SECONDS].reshape(shape)[..., 0].copy(),
        facts=tuple(manifest.facts),
        **{name: getattr(manifest, name) for name in _MEANING},
        definition=manifest.definition,
        sha256=checksum,
    )


def _duplicates(table: CurveTable) -> dict[str, str]:
    """Metrics whose every number is that of an earlier one, with its name: they are not written twice."""
    same: dict[str, str] = {}
    for place, name in enumerate(table.metrics):
        for other in table.metrics[:place]:
            if other not in same and np.array_equal(table.curves[name], table.curves[other], equal_nan=True):
                same[name] = other
                break
    return same


def _parquet(table: CurveTable, metrics: list[str]) -> bytes:
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
    return read_limited(path, limit, "any such file of a table", "a table is a .parquet file with a .json beside it")
