"""A folder that was touched is found out, and what was touched is named."""

from __future__ import annotations

import json
import shutil

import pytest
from support.commands import call, run, write_benchmark
from support.wheel import ROOT, install
from support.wheel import call as wheel_call

from hptune_bench.store import journal
from hptune_bench.verify.files import check_files


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    benchmark = write_benchmark(
        folder / "b.toml", tuners=["untuned", "manual_sweep", "hyperband_repaired"], trainings=8
    )
    run(benchmark, folder / "out")
    return folder / "out"


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


def differing(folder):
    return {check.name: check.detail for check in check_files(folder, report=False) if check.status == "differs"}


def test_an_untouched_folder_holds_and_its_runs_come_out_the_same(made):
    said = call("verify", made, "--rerun", "all").stdout
    assert "all hold" in said
    assert said.count("proposals: identical") == 6
    assert said.count("to the bit") == 6


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_changed_table_is_named(copy):
    path = copy / "runs.csv"
    edit(path, "manual_sweep,1,done,", "manual_sweep,1,done!,")
    found = differing(copy)
    assert "runs.csv is not what was written" in found["checksums"]
    assert "runs.csv" in found["tables from journals"]
    assert call("verify", copy, expect=1).stdout.count("differs") >= 2


def test_a_score_that_its_curve_does_not_have_is_found(copy):
    path = copy / "trials.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split('"')
    head = cells[-1].split(",")
    head[1] = "0.5"
    lines[1] = '"'.join([*cells[:-1], ",".join(head)])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "score 0.5" in differing(copy)["rows: scores"]


def test_a_damaged_journal_is_found_with_its_line(copy):
    path = copy / "runs/linear_regression/manual_sweep/s01.jsonl"
    content = bytearray(path.read_bytes())
    content[content.index(b"\n") + 40] ^= 1
    path.write_bytes(bytes(content))
    assert "line 2 is damaged" in differing(copy)["tables from journals"]


def test_a_damaged_measurement_is_named_by_its_own_path(copy):
    folder = copy / "stock_clock"
    folder.mkdir(exist_ok=True)
    (folder / "linear_regression.json").write_text("[{", encoding="utf-8")
    found = differing(copy)["tables from journals"]
    assert str(folder / "linear_regression.json") in found


def test_a_missing_and_an_extra_file_are_named(copy):
    (copy / "note.txt").write_text("hello", encoding="utf-8")
    assert "note.txt is not in the manifest" in differing(copy)["checksums"]
    (copy / "epochs.csv").unlink()
    assert "epochs.csv is missing" in differing(copy)["checksums"]


def test_a_rewritten_journal_is_found_by_asking_and_by_training(copy):
    """Consistent in itself, checksums included, but not what tuner and trainer give."""
    path = copy / "runs/linear_regression/manual_sweep/s01.jsonl"
    entries = [dict(entry) for entry in journal.read(path).entries]
    third = next(entry for entry in entries if entry["kind"] == "trial" and entry["trial"] == 3)
    third["request"] = {**third["request"], "configuration": {**third["request"]["configuration"], "neurons": 20}}
    path.write_bytes(b"".join(journal.encode_line(entry) for entry in entries))
    said = call("verify", copy, "--rerun", "all", expect=1).stdout
    assert "manual_sweep / seed 1: proposals: different: trial 3 was asked as" in said
    assert "first different: trial 3" in said


@pytest.mark.usefixtures("undrawn")
def test_a_report_written_again_holds_and_vouches_for_no_other_file(copy):
    call("report", copy)
    assert "checksums" not in differing(copy)
    edit(copy / "runs.csv", "manual_sweep,1,done,", "manual_sweep,1,done!,")
    call("report", copy)
    assert "runs.csv is not what was written" in differing(copy)["checksums"]


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"benchmark": 3}', "\xff", json.dumps({"benchmark": {}})])
def test_what_is_no_results_folder_is_said_in_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content.encode("latin-1"))
    error = call("verify", tmp_path, expect=2).stderr
    assert len(error.strip().splitlines()) == 1
    assert str(tmp_path) in error


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    return install(tmp_path_factory.mktemp("wheel"))


def test_an_installed_wheel_in_an_empty_folder_gives_the_same_answer(made, wheel, tmp_path):
    done = call("verify", made)
    assert wheel_call(wheel, tmp_path / "empty", "verify", made) == (done.returncode, done.stdout)


@pytest.mark.long
def test_an_installed_wheel_verifies_what_is_published(wheel, tmp_path):
    folder = ROOT / "results/published/post"
    code, said = wheel_call(wheel, tmp_path / "empty", "verify", folder)
    assert (code, "all hold" in said) == (0, True), said
