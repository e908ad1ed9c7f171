"""Hundreds of damaged inputs (thousands in ``make fuzz``), thrown at the commands: they end well, see ``ends_well``.

The commands run in this process, with their own parsing and error handling; only the workers are left out. Damage is
of two kinds: to the bytes, and to the meaning (a value or key replaced, with checksums made right again).
"""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from support.commands import answer, run, write_benchmark

from hptune_bench.execution import bookkeeping
from hptune_bench.execution import campaign as runner
from hptune_bench.store import journal

SECONDS = 30
"""Longer than any command takes on a folder as small as this one: beyond it, it hangs."""

NASTY = [
    None,
    True,
    -1,
    0,
    3.5,
    10**6,
    10**400,
    float("inf"),
    float("nan"),
    "",
    "x" * 300,
    "../../up",
    "/etc/passwd",
    "\x1b[2J<script>",
    "a\nb",
    "\u0000",
    "=cmd",
    "fake",
    "xgboost",
    [],
    {},
    [1, "a"],
    {"name": 3},
    [[[[[]]]]],
]
TOKENS = [b"null", b"-1", b"1e999", b'""', b"[", b"{", b"]]", b"=", b'"', b"\n", b"\x00", b"\xff", b"[" * 5000, b",,,"]


def fuzz(examples):
    """So many inputs: a quarter of them, always the same, unless ``FUZZ_SEED`` asks for fresh ones (``make fuzz``)."""
    chosen = os.environ.get("FUZZ_SEED")
    fixed = settings(
        max_examples=examples if chosen else examples // 4,
        derandomize=not chosen,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    return (lambda test: seed(int(chosen))(fixed(test))) if chosen else fixed


@st.composite
def damage(draw, content: bytes) -> bytes:
    """Bytes with one to three wounds."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), place + draw(st.sampled_from([1, 2, 10, 200, 5000])))
        new = draw(st.sampled_from([b"", *TOKENS, content[place:end] * 2]) | st.binary(max_size=4))
        if draw(st.integers(0, 3)):
            new += content[end:]
        content = content[:place] + new
    return content


@st.composite
def twist(draw, tree):
    """The same tree with one or two values replaced, removed or added."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 2))):
        places = list(_places(tree))
        if not places:
            return tree
        parent, key = draw(st.sampled_from(places))
        action = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if action == "replace":
            parent[key] = copy.deepcopy(draw(st.sampled_from(NASTY)))
        elif action == "remove":
            del parent[key]
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(["x", "", "name", "seeds", "../up"]))] = copy.deepcopy(
                draw(st.sampled_from(NASTY))
            )
        else:
            parent.append(copy.deepcopy(draw(st.sampled_from(NASTY))))
    return tree


def _places(tree):
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def call(*arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of a command in this process."""
    return answer(*arguments, seconds=SECONDS)


def ends_well(path: Path, where: tuple[str, ...], *arguments: object, codes=(0, 1)) -> int:
    """Success, or one sentence that names the file and one of ``where``; the file stays as it was."""
    content = path.read_bytes()
    code, _, errors = call(*arguments)
    assert code in (*codes, 2), errors
    if code == 2:
        assert len(errors.strip().splitlines()) == 1, errors
        assert errors.isprintable() or errors[:-1].isprintable(), errors
        assert path.name in errors, errors
        assert any(word in errors for word in where), errors
    assert path.read_bytes() == content
    return code


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A small finished campaign, without a report."""
    folder = tmp_path_factory.mktemp("fuzz")
    benchmark = write_benchmark(folder / "b.toml", seeds=2, tuners=["untuned", "manual_sweep"], trainings=2)
    run(benchmark, folder / "out")
    return folder


@pytest.fixture
def folder(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


@pytest.fixture
def without_workers(monkeypatch):
    """``run`` up to the point where workers would start, and from where they have ended."""
    here = bookkeeping.environment()
    monkeypatch.setattr(bookkeeping, "environment", lambda: here)
    monkeypatch.setattr(runner.Campaign, "_execute", lambda self, tasks: None)


# --- what is whole is accepted -------------------------------------------------------------------------------------


def test_what_is_whole_is_accepted(made, folder, without_workers):
    assert call("verify", folder)[0] == 0
    assert call("show", folder)[0] == 0
    assert call("run", made / "b.toml", "--out", folder, "--no-report")[0] == 0
    path = made / "fuzzed.toml"
    path.write_text(BENCHMARK, encoding="utf-8")
    code, said, _ = call("run", path, "--out", made / "fuzzed", "--no-report")
    assert (code, "0 failed, 6 missing" in said) == (1, True), said


# --- benchmark files -----------------------------------------------------------------------------------------------

BENCHMARK = """name = "fuzzed"
title = "some words"
seeds = 2
trainer = "fake"
tuners = ["untuned", "manual_sweep"]
checkpoint_trials = 2
trial_timeout = 10.0
noise_repeats = 1
stock_clock = false
[budget]
trainings = 2.5
[primary]
tuners = ["manual_sweep"]
against = "untuned"
[[workloads]]
name = "linear_regression"
tuners = ["untuned", "manual_sweep", "manual_grid"]
budget = { epochs = 30, seconds = 10 }
options = { points = 1000 }
"""
BENCHMARK_WORDS = ("key", "line", "byte", "end of", "column", "workload", "tuner", "primary", "larger", "at least")


def toml(tree) -> str:
    """TOML of a benchmark's tree, as far as TOML can say it: None and huge numbers become words."""

    def value(item):
        if isinstance(item, dict):
            return "{" + ", ".join(f"{json.dumps(key)} = {value(entry)}" for key, entry in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(map(value, item)) + "]"
        return repr(item) if isinstance(item, float) else json.dumps(item)

    return "\n".join(f"{json.dumps(key)} = {value(item)}" for key, item in tree.items()) + "\n"


def test_a_benchmark_survives_being_written_again(tmp_path):
    assert tomllib.loads(toml(tomllib.loads(BENCHMARK))) == tomllib.loads(BENCHMARK)


@pytest.mark.parametrize("kind", ["bytes", "meaning"])
def test_benchmark_files(tmp_path, without_workers, kind):
    path = tmp_path / "fuzzed.toml"
    whole = damage(BENCHMARK.encode()) if kind == "bytes" else twist(tomllib.loads(BENCHMARK)).map(toml)
    codes = []

    @fuzz(400)
    @given(whole)
    def throw(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
        out = tmp_path / "out"
        codes.append(ends_well(path, BENCHMARK_WORDS, "run", path, "--out", out, "--no-report"))
        shutil.rmtree(out, ignore_errors=True)

    throw()
    assert codes.count(2) > len(codes) / 3


# --- results folders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bytes", "meaning"])
def test_journals(folder, kind):
    path = folder / "runs/linear_regression/manual_sweep/s01.jsonl"
    content = path.read_bytes()
    entries = list(journal.read(path).entries)
    lines = twist(entries).map(lambda tree: b"".join(_line(entry) for entry in tree))
    codes, found = [], []

    @fuzz(200)
    @given(damage(content) if kind == "bytes" else lines)
    def throw(new):
        path.write_bytes(new)
        code, said, errors = call("verify", folder)
        codes.append(code)
        assert code in (0, 1), errors
        assert path.read_bytes() == new
        assert (code == 0) == (new == content), said
        if "is damaged" in said:
            found.append(said)
            assert f"{path}: line " in said

    throw()
    assert len(found) > len(codes) / 3


def _line(entry) -> bytes:
    if isinstance(entry, dict):
        return journal.encode_line(entry)
    return journal.encode_line({"entry": entry}).replace(b'{"entry":', b"", 1)


def test_a_campaign_goes_on_from_any_journal(made, folder, without_workers):
    """A damaged journal is put aside, never used and never lost."""
    path = folder / "runs/linear_regression/manual_sweep/s01.jsonl"
    content = path.read_bytes()
    aside = path.with_suffix(".damaged")
    kept = []

    @fuzz(100)
    @given(damage(content))
    def throw(new):
        path.write_bytes(new)
        code, said, errors = call("run", made / "b.toml", "--out", folder, "--no-report")
        assert code in (0, 1), said + errors
        assert (aside if aside.exists() else path).read_bytes() == new
        kept.append(aside.exists())
        aside.unlink(missing_ok=True)

    throw()
    assert sum(kept) > len(kept) / 6


TABLE_WORDS = ("column", "CSV", "workload")


@pytest.mark.parametrize("name", ["runs.csv", "trials.csv", "epochs.csv"])
@pytest.mark.parametrize("kind", ["bytes", "meaning"])
def test_tables(folder, name, kind):
    path = folder / name
    content = path.read_bytes()
    cells = list(csv.reader(io.StringIO(content.decode())))
    twisted = twist(cells).map(lambda rows: "\n".join(_cells(row) for row in rows).encode("utf-8", "replace"))
    codes = []

    @fuzz(100)
    @given(damage(content) if kind == "bytes" else twisted)
    def throw(new):
        path.write_bytes(new)
        codes.append(ends_well(path, TABLE_WORDS, "verify", folder))
        assert codes[-1] or new == content

    throw()
    assert codes.count(2) > len(codes) / 10


def _cells(row) -> str:
    if not isinstance(row, list):
        return str(row)[:1000]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([str(cell)[:1000] for cell in row])
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["bytes", "meaning"])
def test_manifests(folder, kind):
    path = folder / "manifest.json"
    content = path.read_bytes()
    twisted = twist(json.loads(content)).map(lambda tree: json.dumps(tree).encode("utf-8", "replace"))
    codes = []

    @fuzz(150)
    @given(damage(content) if kind == "bytes" else twisted)
    def throw(new):
        path.write_bytes(new)
        codes.append(ends_well(path, ("key", "cannot be read", "benchmark", "should be"), "verify", folder))

    throw()
    assert codes.count(2) > len(codes) / 4


def test_the_other_readers_of_a_folder(folder, tmp_path):
    """``show`` and ``report`` see the same files; a report takes seconds, so it gets a few."""
    names = ["runs.csv", "trials.csv", "manifest.json"]
    contents = {name: (folder / name).read_bytes() for name in names}

    @st.composite
    def wounds(draw):
        name = draw(st.sampled_from(names))
        if name == "manifest.json":
            tree = draw(twist(json.loads(contents[name])))
            return name, json.dumps(tree).encode("utf-8", "replace"), draw(st.integers(0, 11)) == 0
        rows = draw(twist(list(csv.reader(io.StringIO(contents[name].decode())))))
        text = "\n".join(_cells(row) for row in rows)
        return name, text.encode("utf-8", "replace"), draw(st.integers(0, 11)) == 0

    @fuzz(40)
    @given(wounds())
    def throw(wound):
        name, new, report = wound
        path = folder / name
        path.write_bytes(new)
        command = ("report", folder, "--out", tmp_path / "report") if report else ("show", folder)
        ends_well(path, (*TABLE_WORDS, "key", "cannot be read", "should be"), *command)
        path.write_bytes(contents[name])

    throw()
