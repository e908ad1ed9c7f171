"""Complete tables: what is written is read, what is damaged is refused, what a search would have seen."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hptune_bench.core.errors import UserError
from hptune_bench.tabular import parquet
from hptune_bench.tabular.parquet import find_table, read_table, write_table
from hptune_bench.tabular.table import TEST, CurveTable, configurations_of, selected, stop_epochs
from hptune_bench.training.common import Patience, best_index, early_stopping

LEVELS = {"flag": (False, True), "units": (4, 8), "rate": (0.001, 0.01, 0.1), "kind": ("adam", "sgd")}
SHAPE = (24, 2, 3, 12)


def made(direction="min", patience=3, seed=0, **changes) -> CurveTable:
    """A table of noise with NaN, infinities and repeated values, so that every rule is met."""
    rng = np.random.default_rng(seed)
    curves = {
        name: np.round(rng.normal(size=SHAPE), 1).astype(np.float32)
        for name in ("loss", "val_loss", TEST + "loss", TEST + "mae")
    }
    spoiled = curves["val_loss"]
    spoiled[rng.random(SHAPE) < 0.1] = math.nan
    spoiled[rng.random(SHAPE) < 0.05] = math.inf
    spoiled[3], spoiled[5, :, :, 0] = math.nan, math.nan
    return CurveTable(
        workload="toy",
        options={"points": 7},
        levels=LEVELS,
        configurations=configurations_of(LEVELS),
        metrics=tuple(curves),
        curves=curves,
        seconds=rng.random(SHAPE[:3]).astype(np.float32),
        facts=({"cap": 1.5, "train_noise": 2.0}, {"cap": 1.25, "train_noise": 2.5}),
        objective="val_loss",
        direction=direction,
        test_metric="mae",
        full_epochs=SHAPE[3],
        patience=patience,
        monitor="val_loss",
        monitor_direction=direction,
        definition={"fingerprint": "abc", "versions": {"keras": "3"}},
        **changes,
    )


@pytest.fixture
def path(tmp_path) -> Path:
    write_table(tmp_path / "toy.parquet", made())
    return tmp_path / "toy.parquet"


def test_what_is_written_is_read_to_the_bit(path):
    written, found = made(), read_table(path)
    for field in dataclasses.fields(CurveTable):
        if field.name not in ("curves", "seconds", "sha256"):
            assert getattr(found, field.name) == getattr(written, field.name), field.name
    assert [type(value) for value in found.configurations[0].values()] == [bool, int, float, str]
    np.testing.assert_array_equal(found.seconds, written.seconds)
    for name in written.metrics:
        assert found.curves[name].dtype == np.float32
        np.testing.assert_array_equal(found.curves[name], written.curves[name])
    assert found.configurations[1] == {"flag": False, "units": 4, "rate": 0.001, "kind": "sgd"}


def test_a_metric_that_repeats_another_is_written_once_and_read_twice(tmp_path):
    table = made()
    twice = dataclasses.replace(
        table, metrics=(*table.metrics, "mse"), curves={**table.curves, "mse": table.curves["val_loss"].copy()}
    )
    write_table(tmp_path / "twice.parquet", twice)
    assert "mse" not in pq.read_schema(tmp_path / "twice.parquet").names
    found = read_table(tmp_path / "twice.parquet")
    assert found.metrics == twice.metrics
    np.testing.assert_array_equal(found.curves["mse"], table.curves["val_loss"])


def test_equal_tables_give_equal_bytes(path, tmp_path):
    write_table(tmp_path / "again.parquet", made())
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_the_file_says_by_itself_what_each_row_is(path):
    frame = pq.read_table(path).to_pandas()
    assert list(frame.columns[:8]) == [*LEVELS, "data_replicate", "training_replicate", "epoch", "seconds"]
    row = frame.iloc[(17 * 2 + 1) * 3 * 12 + 2 * 12 + 5]
    expected = {**made().configurations[17], "data_replicate": 2, "training_replicate": 3, "epoch": 6}
    assert {name: row[name] for name in expected} == expected
    assert row["loss"] == made().curves["loss"][17, 1, 2, 5]


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("patience", [None, 0, 1, 3, 30])
def test_selection_is_what_the_trainers_do_one_by_one(direction, patience):
    table = made(direction, patience)
    found = selected(table)
    for place in np.ndindex(*SHAPE[:3]):
        curve = [float(value) for value in table.curves["val_loss"][place]]
        state, stop = Patience(), len(curve)
        for epoch, value in enumerate(curve):
            state, ended = early_stopping(state, value, epoch, patience, direction)
            if ended:
                stop = epoch + 1
                break
        sign = 1 if direction == "min" else -1
        best = best_index([sign * value for value in curve[:stop]])
        assert found.epochs[place] == stop
        assert found.best_epoch[place] == (0 if best is None else best + 1)
        assert found.score[place] == (math.inf if best is None else sign * curve[best])
        tested = math.nan if best is None else sign * float(table.curves["test:mae"][(*place, best)])
        assert found.test_score[place] == pytest.approx(tested, nan_ok=True, abs=0)
    assert np.isinf(found.score[3]).all(), "the spoiled configuration has no finite epoch"


def test_without_patience_nothing_stops():
    assert (stop_epochs(np.zeros((2, 9)), None, "min") == 9).all()
    assert (stop_epochs(np.zeros((2, 9)), 2, "min") == 3).all()


# --- damage --------------------------------------------------------------------------------------------------------


def refused(path: Path) -> str:
    with pytest.raises(UserError) as error:
        read_table(path)
    sentence = str(error.value)
    assert sentence.startswith(str(path.parent))
    assert "\n" not in sentence
    return sentence


def test_a_byte_that_changed_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    assert "checksum" in refused(path)


def test_missing_files_are_named(path):
    path.with_suffix(".json").rename(path.with_suffix(".away"))
    assert "toy.json: there is no such file" in refused(path)
    path.with_suffix(".away").rename(path.with_suffix(".json"))
    path.unlink()
    assert "toy.parquet: there is no such file" in refused(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"levels": {}}, "levels"),
        ({"levels": {"flag": [True, True]}}, "one twice"),
        ({"levels": {"flag": [[1]]}}, "levels.flag"),
        ({"levels": {"flag": [False, True]}}, "rows where its manifest says"),
        ({"full_epochs": "12"}, "full_epochs"),
        ({"full_epochs": 0}, "full_epochs"),
        ({"full_epochs": 10**12}, "larger than any that is read"),
        ({"metrics": ["loss"]}, "lacks 'val_loss'"),
        ({"metrics": ["val_loss", "nothing"]}, "column 'nothing'"),
        ({"metrics": ["val_loss", "rate"]}, "column 'rate'"),
        ({"metrics": ["val_loss", "val_loss"]}, "twice"),
        ({"same": {"loss": "nothing"}}, "'same'"),
        ({"same": {"loss": "loss"}}, "'same'"),
        ({"facts": []}, "facts"),
        ({"workload": "../x"}, "workload"),
        ({"sha256": "0"}, "checksum"),
        ({"schema": 2}, "schema"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(path, change, said):
    manifest = path.with_suffix(".json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    assert said in refused(path)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, "null"])
def test_a_manifest_that_is_none_is_refused(path, text):
    path.with_suffix(".json").write_text(text, encoding="utf-8")
    refused(path)


def replace_parquet(path: Path, content: bytes) -> None:
    """Other bytes with a manifest that vouches for them, as an attacker would write it."""
    import hashlib

    path.write_bytes(content)
    manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    manifest["sha256"] = hashlib.sha256(content).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1"])
def test_what_is_no_parquet_is_refused(path, content):
    replace_parquet(path, content)
    assert "no readable Parquet file" in refused(path)


def test_a_column_with_gaps_is_refused(path, tmp_path):
    table = pq.read_table(path)
    gap = pa.array([None, *table.column("loss").to_pylist()[1:]], type=pa.float32())
    pq.write_table(table.set_column(table.column_names.index("loss"), "loss", gap), tmp_path / "gap.parquet")
    replace_parquet(path, (tmp_path / "gap.parquet").read_bytes())
    assert "gaps" in refused(path)


def test_larger_files_than_any_table_are_not_read(path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_BYTES", 10)
    assert "larger than any" in refused(path)


def test_a_table_is_found_or_its_making_explained(path, monkeypatch, tmp_path):
    assert find_table("toy", path.parent) == path
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="hptune-bench table toy"):
        find_table("toy")
    (tmp_path / "results/published").mkdir(parents=True)
    path.parent.joinpath("t").mkdir()
    write_table(Path("results/published/tables/toy.parquet"), made())
    assert find_table("toy") == Path("results/published/tables/toy.parquet")
