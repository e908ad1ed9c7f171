"""The stock clock: what is measured, by whom, and that the parts of a trial are told apart."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.speed.stock_clock import predicted
from hptune_bench.execution import perform
from hptune_bench.execution.executors.base import Made, event_of
from hptune_bench.execution.tasks import StockClockTask
from hptune_bench.training import stock_clock
from hptune_bench.training.stock_clock import Cycle
from hptune_bench.workloads.linear_regression import LinearRegression

OPTIONS = {"points": 100}
TINY = """
import keras
import numpy as np

EPOCHS = 2
x = np.linspace(0, 1, 40, dtype="float32")[:, None]
train = validation = test = (x, x)
UNTUNED = {"units": 2}


def build_model(hp):
    hidden = keras.layers.Dense(hp.Int("units", 2, 3))
    model = keras.Sequential([keras.Input(shape=(1,)), hidden, keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    return model
"""


def cycle(
    before: float, epoch: float, checkpoint: float, after: float, improved: list[bool], collections: tuple[float, ...]
) -> Cycle:
    """A trial whose parts are known: what comes before and after its epochs, and the pauses to save weights."""
    saves = [checkpoint * better for better in improved]
    ends = list(itertools.accumulate([epoch + save for save in saves[:-1]], initial=sum(collections) + before + epoch))
    return Cycle(ends[-1] + saves[-1] + after, tuple(ends), tuple(saves), collections)


def test_overhead_epochs_and_checkpoints_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = itertools.cycle([[True, True, False, True], [True, False, False, False]])
    trained = 0
    for name, parts in (("plain_loop", (0.4, 0.3, 0.0, 0.1)), ("stock_search", (0.7, 0.3, 0.05, 0.2))):

        def timed(
            workload: object, data: object, chosen: list[object], epochs: int, name=name, parts=parts
        ) -> list[Cycle]:
            nonlocal trained
            found = []
            for position in range(len(chosen)):
                collection = 0.2 + 0.01 * (trained + position)  # there is more to look through after each training
                full = (collection, collection) if name == "stock_search" else ()
                found.append(cycle(*parts, next(curves), full))
            trained += len(chosen)
            return found

        monkeypatch.setattr(stock_clock, name, timed)
    monkeypatch.setattr(stock_clock, "_full_collections", lambda: [0.2 + 0.01 * trained])
    rows = stock_clock.measure(LinearRegression(**OPTIONS))
    assert {row["method"] for row in rows} == {"plain", "keras_tuner"}
    for method in ("plain", "keras_tuner"):
        mine = [row for row in rows if row["method"] == method]
        plain = method == "plain"
        for row in mine:
            assert row["epoch_s"] == pytest.approx(0.3)
            assert row["checkpoint_s"] == pytest.approx(0.0 if plain else 0.05)
            assert row["aging_s"] == pytest.approx(0.0 if plain else 0.02, abs=1e-12)
        overhead_s = sum(row["overhead_s"] for row in mine) / len(mine)
        assert overhead_s == pytest.approx(0.5 if plain else 0.9 + 2 * 0.2)


def ask(folder: Path, workload: str, options: Mapping[str, object] = OPTIONS) -> dict[str, str]:
    """Do the task as a worker does, and write what it makes to ``clock.json``."""
    sent = []
    task = StockClockTask(workload=workload, options=options)
    said = perform.perform(task, perform.Desk(perform.Kept(), folder, sent.append, lambda: False))
    for event in (event_of(task, 0, message) for message in sent):
        assert isinstance(event, Made)
        assert event.name == f"stock_clock/{workload}.json"
        (folder / "clock.json").write_bytes(event.content)
    return said


def test_a_structure_of_each_kind_is_timed() -> None:
    workload = LinearRegression(**OPTIONS)
    costly, chosen = stock_clock.representative(workload, workload.load(1), 6)
    assert set(costly) == {"normalize", "neurons", "optimizer"}
    assert len(chosen) == 4, "the copied one, without normalisation, few units, SGD"
    assert len(stock_clock.representative(workload, workload.load(1), 3)[1]) == 3


def test_it_is_measured_by_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_clock, "measure", lambda workload: pytest.fail("measured in this process"))
    (tmp_path / "tiny.py").write_text(TINY, encoding="utf-8")
    source = f"{tmp_path / 'tiny.py'}:build_model"
    assert ask(tmp_path, "tiny", {"source": source}) == {"status": "done"}
    rows = json.loads((tmp_path / "clock.json").read_text(encoding="utf-8"))
    structures = {row["structure"] for row in rows}
    assert structures == {'{"units":2}', '{"units":3}'}
    assert sorted((row["method"], row["structure"]) for row in rows) == sorted(
        itertools.product(("plain", "keras_tuner"), structures)
    )
    assert all(row["epoch_s"] > 0 and row["overhead_s"] > 0 for row in rows)
    assert all((row["checkpoint_s"] > 0) == (row["method"] == "keras_tuner") for row in rows)


def test_what_goes_wrong_there_is_said_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = ask(tmp_path, "no_such_workload")
    assert said["status"] == "error"
    assert "no_such_workload" in said["reason"]
    monkeypatch.setattr(perform.sys, "executable", "/bin/false")
    said = ask(tmp_path, "linear_regression")
    assert said["status"] == "error"
    assert "died" in said["reason"]
    assert not (tmp_path / "clock.json").exists()


def test_the_clock_says_what_a_search_takes() -> None:
    clock = pd.DataFrame(
        {
            "workload": "w",
            "method": ["plain", "keras_tuner"],
            "structure": "{}",
            "overhead_s": [0.5, 1.0],
            "epoch_s": 0.25,
            "checkpoint_s": [0.0, 0.125],
            "aging_s": [0.0, 0.0625],
        }
    )
    real = {
        "epochs": [("{}", 1, 2.0), ("{}", 1, 3.0), ("{}", 2, 1.0)],
        "seconds": 3.0,
        "tuner_s": 0.1,
    }
    found = predicted(real, clock)
    assert found["predicted_s"] == pytest.approx(2 * 1.0 + 0.0625 + 3 * 0.25 + 2 * 0.125 + 0.1)
    assert (found["trials"], found["epochs"], found["checkpoints"]) == (2, 3, 2)
    assert found["error_percent"] == pytest.approx(100 * (found["predicted_s"] / 3.0 - 1))
