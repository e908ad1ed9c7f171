"""Full disks, foreign folders, narrow terminals, no home, clocks set back, many runs, many trials: handled."""

from __future__ import annotations

import csv
import errno
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from support.commands import answer, call, command, journaled, launch, run, start, tables, wait_for, write_benchmark
from support.misbehaving import BENCHMARK, installed
from support.toy import RandomTuner, conduct_toy, timeless

from hptune_bench import registry
from hptune_bench.core.budget import Limits
from hptune_bench.execution.setup import CannotWrite
from hptune_bench.store import journal


def full_after(writes, monkeypatch):
    """A disk that fills up: after so many flushes to it every further one fails."""
    real = os.fsync
    left = [writes]

    def fsync(handle):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("writes", [0, 1, 2, 5, 9])
def test_a_disk_that_fills_up_fails_no_run_and_loses_no_trial(tmp_path, monkeypatch, writes):
    whole = conduct_toy(tmp_path / "whole.jsonl", RandomTuner())
    path = tmp_path / "run.jsonl"
    with monkeypatch.context() as patch:
        full_after(writes, patch)
        with pytest.raises(CannotWrite, match="No space left"):
            conduct_toy(path, RandomTuner())
    kept = journal.read(path)
    assert kept.end is None
    assert not kept.torn
    resumed = conduct_toy(path, RandomTuner())
    assert [timeless(entry) for entry in resumed.entries] == [timeless(entry) for entry in whole.entries]


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 200 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("file systems can be mounted by root alone; the test before this one needs none")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_in_one_sentence_and_the_campaign_goes_on_when_there_is_room(tiny_disk, tmp_path):
    benchmark = write_benchmark(tmp_path / "b.toml")
    filler = tiny_disk / "filler"
    filler.write_bytes(b"x" * 150 * 1024)
    error = run(benchmark, tiny_disk / "out", "--workers", 1, expect=2).stderr
    assert "No space left on device" in error
    assert len(error.strip().splitlines()) == 1
    subprocess.run(["mount", "-o", "remount,size=8m", str(tiny_disk)], check=True)
    run(benchmark, tiny_disk / "out")
    run(benchmark, tmp_path / "elsewhere")
    assert tables(tiny_disk / "out") == tables(tmp_path / "elsewhere")


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    benchmark = write_benchmark(tmp_path / "b.toml")
    for out in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/nowhere")):
        error = run(benchmark, out, expect=2).stderr
        assert str(out) in error
        assert len(error.strip().splitlines()) == 1


def test_no_home_a_narrow_terminal_and_a_strange_path(tmp_path):
    out = tmp_path / "ein Ordner mit Leerzeichen, ü und 数"
    benchmark = write_benchmark(tmp_path / "b.toml", seeds=1, tuners=["untuned", "manual_sweep"], trainings=2)
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "TERM", "LANG", "LC_ALL")}
    environment |= {
        "COLUMNS": "40",
        "MPLCONFIGDIR": str(tmp_path / "mpl"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    said = launch("run", benchmark, "--out", out, env=environment, cwd=tmp_path).stdout
    assert "2 of 2 runs done" in said
    assert (out / "report.md").exists()
    shown = launch("show", out, env=environment).stdout
    assert "manual_sweep" in shown.replace("\n", "")
    launch("verify", out, env=environment)


def test_a_clock_that_is_set_back_changes_nothing(tmp_path, monkeypatch):
    whole = conduct_toy(tmp_path / "whole.jsonl", RandomTuner(), limits=Limits(epochs=50))
    now = [1e9]

    def backwards():
        now[0] -= 3600
        return now[0]

    monkeypatch.setattr(time, "time", backwards)
    back = conduct_toy(tmp_path / "back.jsonl", RandomTuner(), limits=Limits(epochs=50))
    assert [timeless(entry) for entry in back.entries] == [timeless(entry) for entry in whole.entries]
    assert all(entry["tuner_s"] >= 0 for entry in back.of_kind("trial"))


@pytest.mark.parametrize("seeds", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_thousands_of_runs_in_a_folder(tmp_path, monkeypatch, seeds):
    """Expanded, recognised as done, and collected."""
    from hptune_bench.execution import campaign as runner

    benchmark = write_benchmark(tmp_path / "b.toml", seeds=1, tuners=["untuned"], trainings=1)
    run(benchmark, tmp_path / "out")
    monkeypatch.setattr(runner.Campaign, "_execute", lambda self, tasks: None)
    folder = tmp_path / "out/runs/linear_regression/untuned"
    content = (folder / "s01.jsonl").read_bytes()
    for seed in range(2, seeds + 1):
        (folder / f"s{seed:02d}.jsonl").write_bytes(content)
    many = write_benchmark(tmp_path / "many.toml", seeds=seeds, tuners=["untuned"], trainings=1)
    code, said, errors = answer("run", many, "--out", tmp_path / "out", "--no-report")
    assert code == 0, errors
    assert f"{seeds} of {seeds} runs done" in said
    with (tmp_path / "out/runs.csv").open(encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == seeds


def test_memory_and_file_handles_stay_flat_over_a_thousand_trials(tmp_path):
    process = psutil.Process()
    handles, resident = [], []

    class Watching(RandomTuner):
        def search(self, problem, evaluate, seed):
            def watched(*arguments, **options):
                handles.append(process.num_fds())
                resident.append(process.memory_info().rss)
                return evaluate(*arguments, **options)

            super().search(problem, watched, seed)

    contents = conduct_toy(tmp_path / "run.jsonl", Watching(), limits=Limits(trials=1000))
    assert len(contents.of_kind("trial")) == 1000
    assert max(handles) == min(handles)
    assert resident[-1] - resident[100] < 20 * 2**20


def test_memory_stays_flat_over_a_hundred_real_trainings_in_one_process():
    """Two structures, a hundred learning rates: what is left behind must be theirs, not each trial's.

    Ten trials are a run, after which a worker releases what Keras keeps; without that they would leave 25 MB.
    """
    from hptune_bench.core import seeds
    from hptune_bench.core.protocols import Job
    from hptune_bench.core.tensorflow import release
    from hptune_bench.training import make_trainer

    workload = registry.make_workload("linear_regression", {"points": 400})
    trainer = make_trainer("compiled", workload)
    process = psutil.Process()
    resident, handles = [], []
    for number in range(100):
        configuration = {**workload.untuned, "normalize": number % 2 == 0, "learning_rate": 1e-4 * 1.05**number}
        trainer.train(Job(configuration, 2, seeds.data_seed(workload.family, 1), training_seed=number + 1))
        if number % 10 == 0:
            release()
        resident.append(process.memory_info().rss)
        handles.append(process.num_fds())
    assert trainer.structures == 2
    assert resident[90] - resident[20] < 10 * 2**20
    assert handles[-1] == handles[20]


def test_what_a_worker_releases_is_not_the_users_dtype_policy():
    import keras

    from hptune_bench.core.tensorflow import release

    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("float64")
        release()
        assert keras.config.dtype_policy().name == "float64"
        assert keras.layers.Dense(1).name == "dense"
    finally:
        keras.config.set_dtype_policy(before)


def test_the_second_interrupt_stops_at_once_and_the_report_says_what_is_missing(tmp_path):
    """In a trial that never ends the first interrupt waits; the second does not."""
    path, out = tmp_path / "b.toml", tmp_path / "out"
    path.write_text(BENCHMARK.format(how="hang", trials=12, more=""), encoding="utf-8")
    more = ("--out", out, "--no-report", "--workers", 1)
    process = start("run", path, *more, env=installed(tmp_path / "site"))
    wait_for(lambda: list(out.rglob("s01.jsonl")), process)
    workers = psutil.Process(process.pid).children()
    time.sleep(1)  # by now the draw that hangs has been made
    os.kill(process.pid, signal.SIGINT)
    time.sleep(2)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "interrupt again to stop at once" in output
    assert "Traceback" not in output
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
    call("report", out)
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "0 of 2 runs finished" in report
    assert "The campaign is not finished: 0 of 2 runs are done" in report.replace("\n", " ")


def test_the_terminal_is_left_clean(tmp_path):
    """On a real terminal the live lines hide the cursor; an interrupted campaign shows it again."""
    import pty

    benchmark, out = write_benchmark(tmp_path / "b.toml", seeds=20), tmp_path / "out"
    parent, child = pty.openpty()
    process = subprocess.Popen(
        command("run", benchmark, "--out", out, "--no-report", "--workers", 1),
        stdin=child,
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(child)
    said = b""
    interrupted = False
    while True:
        try:
            chunk = os.read(parent, 1 << 16)
        except OSError:
            break
        if not chunk:
            break
        said += chunk
        if not interrupted and b"\x1b[?25l" in said and out.exists() and journaled(out) >= 10:
            interrupted = True
            os.kill(process.pid, signal.SIGINT)
    os.close(parent)
    assert process.wait(timeout=60) == 130, said
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l") >= 0
    assert b"Traceback" not in said
