"""What a journal gives back is what was written, or it says so."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hptune_bench.store import journal
from hptune_bench.store.journal import Journal, JournalDamaged

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner), max_leaves=8
)
entries = st.dictionaries(st.text(min_size=1), values, max_size=4).map(lambda entry: {**entry, "kind": "trial"})


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(entries)
def test_an_entry_survives_the_journal_to_the_last_bit(entry):
    line = journal.encode_line(entry)
    assert line.count(b"\n") == 1
    assert same(journal.decode_line(line[:-1]), entry)


def line(number):
    header = {"kind": "run", "definition": {}, "facts": {"third": 1 / 3}}
    return {"kind": "death", "trial": number, "third": number / 3} if number else header


def written(path, count=5):
    with Journal(path) as log:
        for number in range(count):
            log.append(line(number))
    return path.read_bytes()


def test_every_torn_tail_is_dropped_and_written_over(tmp_path):
    path = tmp_path / "run.jsonl"
    whole = written(path)
    lines = whole.splitlines(keepends=True)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        contents = journal.read(path)
        intact = sum(1 for index in range(len(lines)) if len(b"".join(lines[: index + 1])) <= cut)
        assert len(contents.entries) == intact
        assert contents.torn == (cut > len(b"".join(lines[:intact])))
        with Journal(path) as log:
            for number in range(intact, 5):
                log.append(line(number))
        assert path.read_bytes() == whole


def test_a_flipped_byte_in_the_middle_is_detected_with_its_line(tmp_path):
    path = tmp_path / "run.jsonl"
    whole = written(path)
    second = whole.index(b"\n") + 1
    end = whole.index(b"\n", second)
    for position in range(second, end):
        damaged = bytearray(whole)
        damaged[position] ^= 0x01
        path.write_bytes(bytes(damaged))
        with pytest.raises(JournalDamaged) as caught:
            journal.read(path)
        assert caught.value.line == 2


def test_a_missing_journal_is_an_empty_one(tmp_path):
    contents = journal.read(tmp_path / "none.jsonl")
    assert contents.entries == ()
    assert contents.end is None


def test_a_journal_that_another_process_writes_is_waited_for(tmp_path, monkeypatch):
    """What an orphaned worker still writes is there when its successor reads."""
    path = tmp_path / "run.jsonl"
    orphan = Journal(path)
    orphan.append(line(0))

    def ends(_):
        orphan.append(line(1))
        orphan.close()

    monkeypatch.setattr(journal.time, "sleep", ends)
    with Journal(path) as successor:
        assert len(successor.contents.entries) == 2
    monkeypatch.setattr(journal, "PATIENCE_S", -1.0)
    with Journal(path), pytest.raises(BlockingIOError):
        Journal(path)
