"""Making complete tables: recording is an ordinary training; whatever is killed, the next call finishes."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from support.commands import call, children, kill, start, wait_for
from support.training_models import Small, assert_identical, cut_words, job, text_model, texts

from hptune_bench.analysis.tabular.importance import exact_importance
from hptune_bench.analysis.tabular.scores import scores_of
from hptune_bench.core.protocols import Fit
from hptune_bench.core.seeds import data_seed, training_seed
from hptune_bench.tabular import shards
from hptune_bench.tabular.parquet import read_table
from hptune_bench.tabular.table import CurveTable
from hptune_bench.training import make_trainer
from hptune_bench.workloads.linear_regression import LinearRegression

SMALL = ("--levels", "learning_rate=3", "--levels", "neurons=1", "--set", "points=60")


def table(out: Path, *more: object, expect: int = 0) -> CurveTable | None:
    call("table", "linear_regression", "--out", out, *SMALL, *more, expect=expect)
    return read_table(out / "linear_regression.parquet") if expect == 0 else None


def assert_same(one: CurveTable, other: CurveTable) -> None:
    """Everything but seconds."""
    assert one.configurations == other.configurations
    assert one.facts == other.facts
    assert one.metrics == other.metrics
    for name in one.metrics:
        np.testing.assert_array_equal(one.curves[name], other.curves[name], err_msg=name)


# --- recording does not change a training --------------------------------------------------------------------------


class Patient(LinearRegression):
    """Without early stopping, so that an ordinary training has every epoch."""

    def fit(self, configuration):
        return Fit(batch_size=32, patience=None)


@pytest.mark.parametrize("engine", ["xla", "loop", "stock"])
@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 0.01), ("sgd", 0.2)])
def test_a_recorded_training_is_an_ordinary_one_to_the_bit(engine, optimizer, rate):
    stopped, patient = LinearRegression(points=515), Patient(points=515)
    for workload in (stopped, patient):
        object.__setattr__(workload, "engine", engine)
    asked = job({"normalize": True, "neurons": 8, "learning_rate": rate, "optimizer": optimizer}, epochs=25)
    recorded = make_trainer("compiled", stopped).train(job(asked.configuration, epochs=25, record=True))
    plain = make_trainer("compiled", patient).train(asked)
    assert_identical(recorded, plain)
    assert not recorded.ended
    assert len(recorded.tests) == 25
    if recorded.best is not None:
        assert dict(recorded.tests[recorded.best]) == pytest.approx(dict(plain.test()), rel=1e-5)


def test_a_recorded_training_with_dropout_is_an_ordinary_one_to_the_bit_at_every_length():
    trainer = make_trainer("compiled", Small(text_model, texts, cut_words))
    for words in (12, 7, 9):
        plain = trainer.train(job({"words": words}, epochs=4))
        expected = dict(plain.test())
        kept = plain.weights()
        recorded = trainer.train(job({"words": words}, epochs=4, record=True))
        assert [dict(row) for row in recorded.history] == [dict(row) for row in plain.history]
        for a, b in zip(recorded.weights(), kept, strict=True):
            np.testing.assert_array_equal(a, b)
        assert dict(recorded.tests[recorded.best]) == pytest.approx(expected, rel=1e-6)
    assert trainer.structures == 1


def test_a_table_holds_the_trainings_of_live_runs(tmp_path):
    # One worker: each structure is compiled once.
    found = table(tmp_path, "--data-seeds", 2, "--training-seeds", 2, "--workers", 1)
    assert found.shape == (12, 2, 2, 50)
    assert set(found.metrics) == {
        *("loss", "mae", "val_loss", "val_mae"),
        *("test:loss", "test:mae", "test:excess_loss"),
    }
    workload = LinearRegression(points=60)
    trainer = make_trainer("compiled", workload)
    for c, d, k in ((0, 0, 0), (6, 1, 1), (11, 0, 1)):
        configuration = found.configurations[c]
        seed = data_seed(workload.family, d + 1)
        live = trainer.train(job(configuration, 50, seed, training_seed=training_seed(seed, configuration, k)))
        recorded = found.curves["val_loss"][c, d, k, : len(live.history)]
        np.testing.assert_array_equal(recorded, np.float32([row["val_loss"] for row in live.history]))
        assert found.facts[d] == {**trainer.data(seed).facts, "cap": workload.cap(trainer.data(seed))}
    assert found.definition["rows"] == {"train": 48, "validation": 12, "test": 12}
    assert (found.seconds > 0).all()
    assert not (tmp_path / "linear_regression.parts").exists()


# --- nothing is lost -----------------------------------------------------------------------------------------------

FAKE = ("--trainer", "fake", "--data-seeds", 2, "--training-seeds", 12, "--levels", "learning_rate=6")
BIG = ("table", "linear_regression", "--levels", "neurons=4", *FAKE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> CurveTable:
    out = tmp_path_factory.mktemp("whole")
    call(*BIG, "--out", out, "--workers", 1)
    return read_table(out / "linear_regression.parquet")


def parts(out: Path) -> list[Path]:
    return list((out / "linear_regression.parts").glob("*.npz"))


@pytest.mark.parametrize("victim", ["SIGINT", "parent", "group", "worker"])
def test_whatever_is_killed_the_same_command_finishes_the_same_table(whole, tmp_path, victim):
    process = start(*BIG, "--out", tmp_path, "--workers", 2)
    wait_for(lambda: len(parts(tmp_path)) >= 2, process)
    if victim == "worker":
        for worker in children(process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    else:
        kill(process, victim)
        process.communicate(timeout=60)
        held = {path: path.stat().st_mtime_ns for path in parts(tmp_path)}
        assert held
        assert not (tmp_path / "linear_regression.parquet").exists()
        said = call(*BIG, "--out", tmp_path).stdout
        assert "of them done already" in said
    assert_same(read_table(tmp_path / "linear_regression.parquet"), whole)


def test_a_damaged_part_is_made_again(whole, tmp_path):
    process = start(*BIG, "--out", tmp_path)
    wait_for(lambda: len(parts(tmp_path)) >= 2, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    first, second = parts(tmp_path)[:2]
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(bytes(content))
    second.write_bytes(b"")
    call(*BIG, "--out", tmp_path)
    assert_same(read_table(tmp_path / "linear_regression.parquet"), whole)


def test_a_part_that_is_none_is_not_read(tmp_path):
    for content in (b"", b"PK\x03\x04", b"x" * 100):
        (tmp_path / "part.npz").write_bytes(content)
        assert shards.read(tmp_path / "part.npz", "key", (1, 1, 1)) is None
    assert shards.read(tmp_path / "none.npz", "key", (1, 1, 1)) is None


def test_a_finished_table_is_not_made_again_and_another_is_refused(tmp_path):
    few = ("--trainer", "fake", "--data-seeds", 1, "--training-seeds", 1)
    table(tmp_path, *few)
    path = tmp_path / "linear_regression.parquet"
    before = path.stat().st_mtime_ns
    assert "there already" in call("table", "linear_regression", "--out", tmp_path, *SMALL, *few).stdout
    assert path.stat().st_mtime_ns == before
    more = ("--trainer", "fake", "--data-seeds", 1, "--training-seeds", 2)
    error = call("table", "linear_regression", "--out", tmp_path, *SMALL, *more, expect=2).stderr
    assert "training_replicates differs" in error
    assert path.stat().st_mtime_ns == before
    assert table(tmp_path, *more, "--fresh").shape[2] == 2
    assert json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["training_replicates"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "no workload 'nothing'"),
        (("friedman1",), "without conditions"),
        (("linear_regression", "--levels", "neurons"), "NAME=VALUE"),
        (("linear_regression", "--levels", "neurons=many"), "whole number"),
        (("linear_regression", "--levels", "neurons=" + 5000 * "9"), "whole number"),
        (("linear_regression", "--set", "law=cubic"), "choose one of"),
        (("linear_regression", "--trainer", "table"), "choose one of"),
        (("linear_regression", "--data-seeds", "1000", "--training-seeds", "1000"), "fewer levels"),
    ],
)
def test_what_cannot_be_tabulated_is_refused_in_one_sentence(tmp_path, arguments, said):
    error = call("table", *arguments, "--out", tmp_path / "out", expect=2).stderr
    assert said in error.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_what_nothing_reads_comes_out_at_zero_within_noise(tmp_path):
    """The notebook's dead vocab_count, beside a word_count that is read; really trained."""
    few = ("--levels", "word_count=2", "--levels", "vocab_count=3", "--set", "reviews=4000")
    call("table", "review_sentiment_as_written", "--out", tmp_path, *few, "--training-seeds", 2)
    made = read_table(tmp_path / "review_sentiment_as_written.parquet")
    found = exact_importance(made, scores_of(made), {}).scoring
    assert found.zero("vocab_count")
    assert found.zero("word_count", "vocab_count")
    assert not found.zero("word_count")
    assert found.share("word_count") > 0.2 > abs(found.share("vocab_count"))
