"""Replay: a search against a table is the search that would have been trained."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from support.commands import call, write_benchmark
from support.commands import tables as csvs
from support.synthetic_table import DATA, TRAININGS, tabulated
from support.toy import LadderTuner, ToyWorkload, conduct_toy, timeless

from hptune_bench.core.budget import Limits
from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Job
from hptune_bench.core.seeds import data_seed, training_seed
from hptune_bench.core.space import Boolean, Float, Space
from hptune_bench.execution.run import conduct
from hptune_bench.execution.setup import RunSetup
from hptune_bench.store import journal
from hptune_bench.store.layout import RunId
from hptune_bench.store.runstore import FileStore
from hptune_bench.tabular.parquet import read_table, write_table
from hptune_bench.tabular.table import CurveTable, selected
from hptune_bench.training import make_trainer
from hptune_bench.training.fake import FakeTrainer
from hptune_bench.training.table import TableTrainer, fitting
from hptune_bench.tuners import built_in
from hptune_bench.workloads.linear_regression import LinearRegression


class GridTuner:
    """Grid points in an order that the seed draws, some again (as often as the table has it), some continued."""

    continues = True

    def __init__(self, table: CurveTable) -> None:
        self.configurations = table.configurations

    def search(self, problem, evaluate, seed):
        rng = np.random.default_rng(seed)
        trained = [0] * len(self.configurations)
        for number in itertools.count():
            place = int(rng.choice(np.flatnonzero(np.array(trained) < TRAININGS)))
            configuration = self.configurations[place]
            trained[place] += 1 if number % 3 else 3
            if number % 3:
                evaluate(configuration)
                continue
            first = evaluate(configuration, epochs=3)
            second = evaluate(configuration, epochs=17, resume=first.trial)
            evaluate(configuration, resume=second.trial)


# --- equal to the real thing ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> tuple[LinearRegression, object, CurveTable]:
    workload = LinearRegression(points=60)
    trainer = make_trainer("compiled", workload)
    return workload, trainer, tabulated(workload, trainer, {"learning_rate": 3, "neurons": 1})


@pytest.mark.parametrize("seed", range(1, DATA + 1))
def test_a_replayed_search_equals_the_trained_one_trial_by_trial(real, tmp_path, seed):
    workload, trainer, table = real
    entries = []
    for name, each in (("live", trainer), ("replayed", TableTrainer(workload, table))):
        setup = RunSetup(
            run=RunId(workload.name, "grid", seed),
            workload=workload,
            tuner=GridTuner(table),
            trainer=each,
            limits=Limits(epochs=600),
            header={"definition": {}},
            store=FileStore(tmp_path / f"{name}.jsonl"),
        )
        assert conduct(setup)["reason"] == "epochs"
        entries.append(journal.read(tmp_path / f"{name}.jsonl").entries)
    live, replayed = entries
    trials = [entry for entry in live if entry["kind"] == "trial"]
    assert sum(entry["request"]["resume"] is not None for entry in trials) >= 4
    assert any(entry["ended"] and entry["epochs"] < 50 for entry in trials)
    asked = [json.dumps(entry["request"]["configuration"]) for entry in trials if entry["request"]["resume"] is None]
    assert len(set(asked)) < len(asked), "some configuration is trained twice"
    assert len(live) == len(replayed)
    for one, other in zip(live, replayed, strict=True):
        if one["kind"] == "retraining":
            continue  # live it has a seed that no trial has
        for key in timeless(one).keys() - {"test", "test_score"}:
            assert same(one[key], other[key]), (one["kind"], one.get("trial"), key)
        if one["kind"] == "trial":
            assert one["test"] == pytest.approx(other["test"], rel=1e-4)


def same(one, other) -> bool:
    """Equal, NaN to NaN too."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)


# --- what is looked up ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy() -> tuple[ToyWorkload, CurveTable]:
    workload = ToyWorkload()
    return workload, tabulated(workload, FakeTrainer(workload), {"rate": 7})


def look_up(toy, configuration, seed=1, repeat=0, epochs=10, **more):
    workload, table = toy
    asked = Job(configuration, epochs, data_seed(workload.family, seed), 0, repeat=repeat, **more)
    return TableTrainer(workload, table).train(asked)


def curve(outcome) -> list[float]:
    return [row["val_loss"] for row in outcome.history]


def test_replicates_are_those_of_live_runs_and_go_on_in_circles(toy):
    workload, table = toy
    trainer = FakeTrainer(workload)
    for place, configuration in enumerate(table.configurations):
        for seed, k in itertools.product(range(1, DATA + 1), range(TRAININGS)):
            found = look_up(toy, configuration, seed, k)
            named = data_seed(workload.family, seed)
            live = trainer.train(Job(configuration, 10, named, training_seed(named, configuration, k)))
            np.testing.assert_array_equal(np.float32(curve(live)), np.float32(curve(found)))
            assert found.ended == live.ended
            assert same(curve(look_up(toy, configuration, seed, k + TRAININGS)), curve(found))
            assert len(curve(found)) == selected(table).epochs[place, seed - 1, k]


def test_seeds_beyond_the_tables_draw_their_replicates(toy):
    _, table = toy
    configuration = table.configurations[3]
    starts = set()
    for seed in range(DATA + 1, 40):
        curves = [tuple(curve(look_up(toy, configuration, seed, k))) for k in range(TRAININGS)]
        recorded = [tuple(curve(look_up(toy, configuration, (seed - 1) % DATA + 1, k))) for k in range(TRAININGS)]
        assert sorted(curves) == sorted(recorded), "every replicate of its data, each once"
        starts.add(recorded.index(curves[0]))
    assert starts == set(range(TRAININGS))


def test_a_proposal_off_the_grid_gets_the_curve_of_the_nearest_point(toy):
    _, table = toy
    rates = table.levels["rate"]
    between = {"flag": True, "rate": math.sqrt(rates[2] * rates[3]) * 1.01}
    point = {"flag": True, "rate": rates[3]}
    recorded = [curve(look_up(toy, point, 1, k)) for k in range(TRAININGS)]
    assert curve(look_up(toy, between, 1)) in recorded
    several = [{"flag": True, "rate": rates[3] * (1 + 0.001 * i)} for i in range(1, 30)]
    assert len({tuple(curve(look_up(toy, each, 1))) for each in several}) == TRAININGS, "noise of its own for each"


def test_a_continued_training_is_the_rest_of_its_curve(toy):
    _, table = toy
    for configuration in table.configurations:
        whole = look_up(toy, configuration, 1, 1)
        first = look_up(toy, configuration, 1, 1, epochs=2)
        rest = look_up(toy, configuration, 1, 1, first_epoch=2, start={})
        assert same(curve(first) + curve(rest), curve(whole))
        assert not first.ended
        assert rest.ended == whole.ended
        if whole.best is not None and whole.best >= 2:
            assert dict(rest.test()) == dict(whole.test())


def test_the_clock_is_the_recorded_one(toy):
    _, table = toy
    configuration = table.configurations[0]
    found = look_up(toy, configuration)
    seconds = float(table.seconds[0, 0, 0])
    assert found.train_s == pytest.approx(seconds * len(found.history))
    cut = look_up(toy, configuration, time_limit_s=2.5 * seconds)
    assert len(cut.history) == 3, "it stops after the epoch that passes the limit"
    assert cut.cut
    assert not look_up(toy, configuration, time_limit_s=1e9).cut


def test_a_restart_was_not_recorded(toy):
    with pytest.raises(ValueError, match="cannot restart"):
        look_up(toy, toy[1].configurations[0], first_epoch=2, start={}, restart=True)


def test_a_run_keeps_no_states_and_resumes_from_its_journal(toy, tmp_path):
    workload, table = toy
    trainer = TableTrainer(workload, table)

    class Resuming(LadderTuner):
        def search(self, problem, evaluate, seed):
            rng = np.random.default_rng(seed)
            while True:
                configuration = problem.space.sample(rng)
                first = evaluate(configuration, epochs=2)
                evaluate(configuration, epochs=9, resume=first.trial)

    whole = conduct_toy(tmp_path / "whole.jsonl", Resuming(), trainer=trainer, workload=workload)
    assert [path.name for path in tmp_path.iterdir()] == ["whole.jsonl"]
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    for kept in (1, 2, 5, len(lines) - 1):
        path = tmp_path / f"kept{kept}.jsonl"
        path.write_bytes(b"".join(lines[:kept]))
        again = conduct_toy(path, Resuming(), trainer=trainer, workload=workload)
        assert list(map(timeless, again.entries)) == list(map(timeless, whole.entries))


def test_a_retraining_of_the_selected_configuration_is_one_that_the_run_has_not_seen(toy, tmp_path):
    workload, table = toy
    whole = conduct_toy(
        tmp_path / "r.jsonl", GridTuner(table), trainer=TableTrainer(workload, table), limits=Limits(trials=8)
    )
    (retraining,) = whole.of_kind("retraining")
    best = [trial for trial in whole.of_kind("trial") if trial["incumbent"]][-1]
    place = table.configurations.index(best["request"]["configuration"])
    times = sum(
        trial["request"]["configuration"] == best["request"]["configuration"] for trial in whole.of_kind("trial")
    )
    assert retraining["score"] == selected(table).score[place, 0, times % TRAININGS]


# --- tables that do not fit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"workload": "other"}, "workload = 'other'"),
        ({"options": {"points": 3}}, "options"),
        ({"full_epochs": 9}, "full_epochs"),
        ({"objective": "val_mae"}, "objective"),
        ({"direction": "max"}, "direction"),
        ({"levels": {"flag": (True,)}}, "hyperparameters"),
        ({"levels": {"flag": (True,), "rate": (0.5,)}}, "rate = 0.5 lies outside"),
    ],
)
def test_a_table_of_something_else_is_refused_in_one_sentence(toy, change, said):
    workload, table = toy
    with pytest.raises(UserError, match=said):
        fitting(dataclasses.replace(table, **change), workload, "there")


# --- campaigns -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a table of the post's regression, of closed-form curves."""
    out = tmp_path_factory.mktemp("tables")
    more = ("--trainer", "fake", "--data-seeds", 2, "--training-seeds", 2)
    call("table", "linear_regression", "--out", out, *more)
    return out


def benchmark(path: Path, folder: Path, **changes) -> Path:
    text = write_benchmark(path, **changes).read_text(encoding="utf-8")
    path.write_text(text.replace('trainer = "fake"', f'trainer = "table"\ntables = "{folder}"'), encoding="utf-8")
    return path


def test_a_replayed_campaign_equals_the_live_one_where_that_stays_on_the_grid(folder, tmp_path):
    tuners = ["untuned", "untuned_restarts"]
    call("run", benchmark(tmp_path / "r.toml", folder, tuners=tuners, trainings=2), "--out", tmp_path / "replayed")
    call("run", write_benchmark(tmp_path / "l.toml", tuners=tuners, trainings=2), "--out", tmp_path / "live")
    replayed, live = (csvs(tmp_path / name) for name in ("replayed", "live"))
    for name in ("runs", "trials", "epochs"):
        assert len(replayed[name]) == len(live[name])
        for one, other in zip(replayed[name], live[name], strict=True):
            for key, value in other.items():
                if value.replace(".", "").replace("e-", "").lstrip("-").isdigit():
                    assert float(one[key]) == pytest.approx(float(value), rel=1e-6), key
                elif key != "configuration":
                    assert one[key] == value, key


@pytest.mark.usefixtures("undrawn")
def test_the_report_says_replayed(folder, tmp_path):
    call("run", benchmark(tmp_path / "b.toml", folder), "--out", tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text(encoding="utf-8"))
    assert manifest["workloads"]["linear_regression"]["data_label"] == "replayed"
    assert manifest["workloads"]["linear_regression"]["table"]["digest"]
    assert "replayed data" in (tmp_path / "out/report.md").read_text(encoding="utf-8")
    again = call("run", benchmark(tmp_path / "b.toml", folder), "--out", tmp_path / "out").stdout
    assert "8 of them done already" in again


def test_another_table_is_another_definition(folder, tmp_path):
    call("run", benchmark(tmp_path / "b.toml", folder, tuners=["untuned"]), "--out", tmp_path / "out", "--no-report")
    table = read_table(folder / "linear_regression.parquet")
    changed = dataclasses.replace(table, curves={**table.curves, "loss": table.curves["loss"] + np.float32(1)})
    write_table(tmp_path / "other/linear_regression.parquet", changed)
    other = benchmark(tmp_path / "c.toml", tmp_path / "other", tuners=["untuned"])
    assert "table" in call("run", other, "--out", tmp_path / "out", expect=2).stderr


def test_a_tuner_that_restarts_is_refused_before_anything_runs(folder, tmp_path):
    path = benchmark(tmp_path / "b.toml", folder, tuners=["manual_sweep", "hyperband"])
    error = call("run", path, "--out", tmp_path / "out", expect=2).stderr.replace("\n", " ")
    assert "hyperband restarts trials" in error
    assert "hyperband_repaired" in error
    assert not (tmp_path / "out").exists()
    assert [name for name, info in built_in().items() if info.restarts] == ["hyperband"]


def test_hyperband_repaired_continues_on_the_table(folder, tmp_path):
    path = benchmark(tmp_path / "b.toml", folder, seeds=1, tuners=["hyperband_repaired"], trainings=4)
    call("run", path, "--out", tmp_path / "out", "--no-report")
    trials = csvs(tmp_path / "out")["trials"]
    assert any(row["resumed_from"] for row in trials)
    assert {row["status"] for row in trials} <= {"completed", "truncated", "diverged"}


def test_without_a_table_the_remedy_is_named(tmp_path):
    path = benchmark(tmp_path / "b.toml", tmp_path / "nowhere")
    assert "hptune-bench table linear_regression" in call("run", path, expect=2).stderr.replace("\n", " ")
    text = path.read_text(encoding="utf-8").replace('trainer = "table"', 'trainer = "fake"')
    path.write_text(text, encoding="utf-8")
    assert "tables" in call("run", path, expect=2).stderr


def test_a_search_space_that_grew_does_not_fit(toy):
    _, table = toy
    wider = ToyWorkload(space=Space((Boolean("flag"), Float("rate", 1e-4, 1e-1, log=True), Boolean("more"))))
    with pytest.raises(UserError, match="hyperparameters"):
        fitting(table, wider, "there")
