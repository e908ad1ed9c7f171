"""A user's data as splits: arrays, dicts and lists of arrays (see ``forms``), ``tf.data.Dataset``, or a CSV file.

TensorFlow is only touched for data that came from it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hptune_bench.core.errors import UserError
from hptune_bench.core.nested import named
from hptune_bench.core.protocols import Data, Split
from hptune_bench.core.seeds import derive
from hptune_bench.workloads.own.forms import array, arrays, of_frame

SHARE = 0.2
"""Share of the rows that become a validation split, and a test split, where a user gives only training rows."""
SPLITS = ("train", "validation", "test")


def splits(parts: Mapping[str, Any], where: str) -> dict[str, Split]:
    """The parts that are there (not None) as splits of arrays with one row count.

    Raises:
        UserError: no training rows, an unknown form, or rows that do not match.
    """
    if parts.get("train") is None:
        raise UserError(f"{where}: there are no training rows; give train = (x, y), or a tf.data.Dataset")
    return {name: _split(parts[name], f"{where}, {name}") for name in SPLITS if parts.get(name) is not None}


def data_of(fixed: Mapping[str, Split], seed: int) -> Data:
    """The splits of one data seed.

    Training and validation rows that the user has parted stay as they are for every seed. Without a validation split
    the training rows are shuffled by the seed and parted: ``SHARE`` of them for validation, and as many for the test
    unless there is a test split.
    """
    train, test = fixed["train"], fixed.get("test")
    if "validation" in fixed:
        return Data(train, fixed["validation"], test)
    order = np.random.default_rng(derive("own", "split", seed)).permutation(len(train))
    count = max(1, round(SHARE * len(train)))
    held, rest = order[:count], order[count:]
    if test is None:
        test, rest = train.take(rest[:count]), rest[count:]
    return Data(train.take(rest), train.take(held), test)


def read_csv(path: Path, target: str, where: str) -> Split:
    """A CSV file with a header: x is a float32 matrix where all other columns are numbers, else a dict of columns.

    A target of text becomes class numbers in alphabetical order. In a dict each column has the shape (rows, 1).

    Raises:
        UserError: the file or the column is not there, or cells are empty.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{where}: data {str(path)!r} cannot be read as CSV ({reason}); check the path") from None
    if target not in frame.columns:
        names = ", ".join(map(str, frame.columns))
        raise UserError(f"{where}: data {str(path)!r} has no column {target!r}; choose the target from {names}")
    for name in frame.columns:
        if empty := int(frame[name].isna().sum()):
            raise UserError(f"{where}: column {name!r} of {str(path)!r} has {empty} empty cells; fill or drop them")
    y = frame.pop(target)
    x = of_frame(frame, np.float32)
    if not pd.api.types.is_numeric_dtype(y):
        return Split(x, np.unique(y.to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64))
    floats = pd.api.types.is_float_dtype(y)
    return Split(x, y.to_numpy(dtype=np.float32 if floats else np.int64))


def _split(part: Any, where: str) -> Split:
    if isinstance(part, Split):
        return part
    if _is_dataset(part):
        return _of_dataset(part, where)
    if _is_generator(part):
        raise UserError(
            f"{where}: is {_what(part)}, whose rows are made as they are asked for, so that no two tuners would get "
            "the same; give arrays (x, y) or a tf.data.Dataset that ends; what changes rows at random becomes a layer "
            "of the model, such as keras.layers.GaussianNoise or RandomFlip"
        )
    if not isinstance(part, Sequence) or len(part) not in (2, 3):
        raise UserError(
            f"{where}: is {_what(part)}; give a pair (x, y), or (x, y, sample_weight), or a tf.data.Dataset of such"
        )
    x, y = arrays(part[0], part[1], f"{where}: x"), arrays(part[1], part[0], f"{where}: y")
    split = Split(x, y, None if len(part) == 2 or part[2] is None else array(part[2], f"{where}: sample_weight"))
    _check_rows(split, where)
    return split


def _check_rows(split: Split, where: str) -> None:
    names = zip(("x", "y", "sample_weight"), split.parts, strict=False)
    columns = {name: column for kind, part in names for name, column in named(part, kind).items()}
    if not columns or any(column.ndim == 0 for column in columns.values()):
        raise UserError(f"{where}: x and y need one row per example; give arrays")
    for name, column in columns.items():
        if len(column) != len(split):
            raise UserError(f"{where}: {name} has {len(column)} rows and y {len(split)}; give as many of both")
    if not len(split):
        raise UserError(f"{where}: has no rows; give some")


def _of_dataset(dataset: Any, where: str) -> Split:
    """All rows of a ``tf.data.Dataset`` of (x, y): batched as ``model.fit`` takes it, or one example at a time."""
    import tensorflow as tf

    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise UserError(f"{where}: the dataset gives {spec!r:.80}; it must give pairs (x, y), or (x, y, sample_weight)")
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise UserError(f"{where}: the dataset never ends; give it without repeat()")
    leading = {
        None if s.shape.rank is None else (s.shape[0] if s.shape.rank else "scalar") for s in tf.nest.flatten(spec)
    }
    batched = "scalar" not in leading and len(leading - {None}) <= 1
    if not batched:
        dataset = dataset.batch(1024)
    batches = [tf.nest.map_structure(np.asarray, batch) for batch in dataset.as_numpy_iterator()]
    if not batches:
        raise UserError(f"{where}: the dataset is empty; give one with rows")
    split = Split(*tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *batches))
    _check_rows(split, where)
    return split


def _is_dataset(part: Any) -> bool:
    """Whether it is a ``tf.data.Dataset``; only then TensorFlow is loaded already."""
    return "tensorflow" in sys.modules and isinstance(part, sys.modules["tensorflow"].data.Dataset)


def _is_generator(part: Any) -> bool:
    keras = sys.modules.get("keras")
    return isinstance(part, Iterator) or (keras is not None and isinstance(part, keras.utils.PyDataset))


def _what(part: Any) -> str:
    return f"a {type(part).__name__}" + (f" of {len(part)}" if isinstance(part, Sequence) else "")
