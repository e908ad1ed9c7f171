"""A packed folder says what a plain one says, can be gone on with, and nothing in it is trusted."""

from __future__ import annotations

import gzip
import json
import shutil
import warnings
import zipfile
from pathlib import Path

import pytest
from support.commands import call, run, tables, write_benchmark

from hptune_bench.core.errors import UserError
from hptune_bench.store import packed as module
from hptune_bench.store.pack import pack
from hptune_bench.verify.files import check_files

TUNERS = ["untuned", "manual_sweep"]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    call("run", write_benchmark(folder / "b.toml", tuners=TUNERS, trainings=3), "--out", folder / "out")
    return folder / "out"


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture
def packed(copy) -> Path:
    pack(copy)
    return copy


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_every_command_that_reads_says_the_same_of_both_forms(made, copy, tmp_path):
    before = files(copy)
    assert call("pack", copy).stdout.strip() == str(copy)
    assert {"journals.zip", "trials.csv.gz", "epochs.csv.gz"} == files(copy).keys() - before.keys()
    assert not [path for path in copy.rglob("*") if path.suffix == ".jsonl" or path.name in ("runs", "noise")]
    assert call("show", copy).stdout == call("show", made).stdout
    assert call("compare", copy, made).stdout == call("compare", made, made).stdout
    call("report", copy, "--out", tmp_path / "report")
    assert files(tmp_path / "report") == {name: before[name] for name in files(tmp_path / "report")}
    plain, said = list(check_files(made)), list(check_files(copy))
    assert {check.status for check in said} == {"ok"}
    assert said[1:] == plain[1:]
    assert "all hold" in call("verify", copy, "--rerun", "1").stdout


def test_equal_results_give_equal_bytes_and_packing_again_changes_nothing(made, packed, tmp_path):
    other = shutil.copytree(made, tmp_path / "other")
    pack(other)
    assert files(other) == files(packed)
    pack(packed)
    assert files(other) == files(packed)


def test_packing_that_was_killed_is_finished_and_a_strange_journal_is_not_swallowed(made, packed):
    whole, name = files(packed), "runs/linear_regression/untuned/s01.jsonl"
    (packed / name).parent.mkdir(parents=True)
    shutil.copy(made / name, packed / name)
    pack(packed)
    assert files(packed) == whole
    (packed / name).parent.mkdir(parents=True)
    (packed / name).write_bytes(b"")
    with pytest.raises(UserError, match="is not in the manifest"):
        pack(packed)


def test_a_packed_folder_goes_on_with_more_seeds(made, packed, tmp_path):
    more = write_benchmark(tmp_path / "more.toml", seeds=3, tuners=TUNERS, trainings=3)
    run(more, packed)
    run(more, shutil.copytree(made, tmp_path / "plain"))
    assert tables(packed) == tables(tmp_path / "plain")
    assert files(packed).keys() - {"report.md"} == files(tmp_path / "plain").keys() - {"report.md"}
    assert not list(packed.glob("*.gz"))


def test_a_refused_run_leaves_a_folder_that_holds(packed, tmp_path):
    other = write_benchmark(tmp_path / "other.toml", tuners=TUNERS, trainings=4)
    assert "another definition" in run(other, packed, expect=2).stderr
    assert {check.status for check in check_files(packed, report=False)} == {"ok"}


def test_only_what_is_finished_and_as_it_was_written_is_packed(copy, tmp_path):
    with (copy / "epochs.csv").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert "epochs.csv: is not what was written" in call("pack", copy, expect=2).stderr
    manifest = copy / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "status": "interrupted"}), encoding="utf-8")
    assert "is not finished" in call("pack", copy, expect=2).stderr
    assert "no results folder" in call("pack", tmp_path, expect=2).stderr
    assert not (copy / "journals.zip").exists()


def archive(folder: Path, *members: tuple[str, bytes]) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(folder / "journals.zip", "a") as stream:
        warnings.simplefilter("ignore")  # of a name that comes twice
        for name, content in members:
            stream.writestr(name, content)


GOOD = "runs/linear_regression/untuned/s01.jsonl"


@pytest.mark.parametrize(
    "name",
    ["../../evil.jsonl", "/tmp/evil.jsonl", "runs/a/../s01.jsonl", "runs/a/b/s1.jsonl", "noise/.jsonl", "x", GOOD],
)
def test_an_archive_holds_journals_and_nothing_else(packed, tmp_path, name):
    archive(packed, (name, b""))
    benchmark = write_benchmark(tmp_path / "b.toml", tuners=TUNERS, trainings=3)
    error = run(benchmark, packed, expect=2).stderr
    assert len(error.strip().splitlines()) == 1
    assert "journals.zip: holds" in error
    assert not list(tmp_path.rglob("evil.jsonl"))
    assert not (packed / "runs").exists()


def test_more_than_any_journal_or_table_holds_is_not_read(packed, monkeypatch):
    monkeypatch.setattr(module, "MAX_TABLE", 2**20)
    (packed / "trials.csv.gz").write_bytes(gzip.compress(bytes(2**21)))
    assert "trials.csv.gz: holds more than any table" in call("show", packed, expect=2).stderr
    monkeypatch.setattr(module, "MAX_JOURNAL", 100)
    with pytest.raises(UserError, match="is larger than any journal"):
        module.Journals(packed)


def complaints(folder: Path) -> str:
    """What is wrong with a folder, in one text; empty where nothing is."""
    try:
        return "\n".join(check.detail for check in check_files(folder, report=False) if check.status != "ok")
    except UserError as error:
        return str(error)


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("name", ["journals.zip", "trials.csv.gz"])
def test_a_damaged_byte_or_a_lost_end_is_found_and_never_used(packed, name, at):
    whole = (packed / name).read_bytes()
    place = min(int(at * len(whole)), len(whole) - 1)
    for damaged in (whole[:place], bytes([*whole[:place], whole[place] ^ 64, *whole[place + 1 :]])):
        (packed / name).write_bytes(damaged)
        assert name in complaints(packed)
