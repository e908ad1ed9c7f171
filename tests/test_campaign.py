"""Whole campaigns through the real command line and real worker processes, with the fake trainer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from rich.console import Console
from support.commands import TUNERS, children, journaled, kill, launch, run, start, tables, wait_for, write_benchmark

from hptune_bench.benchmark import read_benchmark
from hptune_bench.cli.observers import PlainObserver
from hptune_bench.execution.campaign import Campaign
from hptune_bench.execution.executors.inline import InlineExecutor
from hptune_bench.store.lock import locked
from hptune_bench.store.manifest import read_manifest


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An uninterrupted campaign, one worker."""
    folder = tmp_path_factory.mktemp("whole")
    run(write_benchmark(folder / "b.toml"), folder / "out", "--workers", 1)
    return folder / "out"


def test_a_campaign_leaves_records_and_manifest(whole):
    records = tables(whole)
    assert len(records["runs"]) == 2 * len(TUNERS)
    assert {row["status"] for row in records["runs"]} == {"done"}
    for each in records["runs"]:
        mine = [row for row in records["trials"] if (row["tuner"], row["seed"]) == (each["tuner"], each["seed"])]
        assert int(each["trials"]) == len(mine)
        assert int(each["epochs"]) == sum(int(row["epochs"]) for row in mine)
        if each["tuner"] not in ("untuned",):
            assert int(each["epochs"]) == 500
    manifest = json.loads((whole / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "finished"
    assert set(manifest["files"]) >= {"runs.csv", "trials.csv", "epochs.csv"}


def test_workers_order_of_tuners_hash_seed_and_directory_do_not_show(whole, tmp_path):
    benchmark = write_benchmark(tmp_path / "b.toml", tuners=TUNERS[::-1])
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(Path(__file__).parents[1])}
    more = ("--out", tmp_path / "out", "--no-report", "--workers", 4)
    launch("run", benchmark, *more, cwd=tmp_path, env=environment)
    assert tables(tmp_path / "out") == tables(whole)


def test_more_seeds_and_tuners_extend_a_campaign_and_nothing_is_run_again(whole, tmp_path):
    few = write_benchmark(tmp_path / "few.toml", seeds=1, tuners=TUNERS[:3])
    many = write_benchmark(tmp_path / "many.toml")
    run(few, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "runs").rglob("*.jsonl")}
    assert len(before) == 3
    first = read_manifest(tmp_path / "out" / "manifest.json")
    run(many, tmp_path / "out")
    both = read_manifest(tmp_path / "out" / "manifest.json")
    assert both["started"] == first["started"]
    assert both["finished"] >= first["finished"]  # in whole seconds; took_s below is finer
    for what in ("run", "wall"):
        assert both["seconds"][what] > first["seconds"][what], "the seconds of both commands"
    assert both["took_s"] > first["took_s"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert tables(tmp_path / "out") == tables(whole)


def test_another_budget_is_refused_by_name_and_nothing_is_lost(whole, tmp_path):
    benchmark = write_benchmark(tmp_path / "b.toml")
    run(benchmark, tmp_path / "out")
    before = tables(tmp_path / "out")
    error = run(benchmark, tmp_path / "out", "--budget", "5trainings", expect=2).stderr
    assert "budget: epochs = 500, now 250" in error
    assert "--fresh" in error
    assert tables(tmp_path / "out") == before
    run(benchmark, tmp_path / "out", "--budget", "5trainings", "--fresh")
    assert tables(tmp_path / "out") != before


def test_fresh_does_not_empty_a_folder_that_is_not_ours(tmp_path):
    (tmp_path / "precious.txt").write_text("thesis", encoding="utf-8")
    error = run(write_benchmark(tmp_path / "b.toml"), tmp_path, "--fresh", expect=2).stderr
    assert "no results folder" in error
    assert (tmp_path / "precious.txt").exists()


def start_run(benchmark: Path, out: Path) -> subprocess.Popen[str]:
    return start("run", benchmark, "--out", out, "--no-report", "--workers", 2)


@pytest.mark.parametrize("victim", ["SIGINT", "SIGTERM", "parent", "group"])
@pytest.mark.parametrize("after", [1, 60])
def test_whatever_is_killed_the_next_run_finishes_with_the_same_tables(whole, tmp_path, victim, after):
    benchmark, out = write_benchmark(tmp_path / "b.toml"), tmp_path / "out"
    process = start_run(benchmark, out)
    wait_for(lambda: journaled(out) >= after, process)
    kill(process, victim)
    process.communicate(timeout=60)
    run(benchmark, out)
    assert tables(out) == tables(whole)


def test_a_killed_worker_is_replaced_and_its_run_goes_on(whole, tmp_path):
    benchmark, out = write_benchmark(tmp_path / "b.toml"), tmp_path / "out"
    process = start_run(benchmark, out)
    for after in (1, 15, 30):
        wait_for(lambda after=after: journaled(out) >= after, process)
        for worker in children(process.pid)[:1]:
            os.kill(worker, signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert tables(out) == tables(whole)


def test_a_damaged_journal_is_put_aside_and_its_run_done_again(whole, tmp_path):
    benchmark, out = write_benchmark(tmp_path / "b.toml"), tmp_path / "out"
    run(benchmark, out)
    path = out / "runs/linear_regression/manual_grid/s01.jsonl"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    said = run(benchmark, out).stdout.replace("\n", "")
    assert "damaged" in said
    assert path.with_suffix(".damaged").exists()
    assert tables(out) == tables(whole)


def test_two_runs_on_one_folder_the_second_names_the_first(whole, tmp_path):
    benchmark, out = write_benchmark(tmp_path / "b.toml"), tmp_path / "out"
    with locked(out):
        error = run(benchmark, out, expect=2).stderr
        assert f"process {os.getpid()} is writing here" in error
    assert not (out / "manifest.json").exists()
    run(benchmark, out)  # the lock of a process that has gone is free
    assert tables(out) == tables(whole)


def test_a_folder_with_spaces_and_other_letters(whole, tmp_path):
    out = tmp_path / "Ergebnisse für 튜닝"
    run(write_benchmark(tmp_path / "b.toml"), out)
    assert tables(out) == tables(whole)


def test_the_executor_in_this_process_gives_the_same_tables(whole, tmp_path):
    folder = tmp_path / "out"
    campaign = Campaign(
        benchmark=read_benchmark(write_benchmark(tmp_path / "b.toml")),
        folder=folder,
        workers=1,
        command="",
        observer=PlainObserver(Console(quiet=True)),
        executor=InlineExecutor,
    )
    campaign.run()
    assert tables(folder) == tables(whole)
