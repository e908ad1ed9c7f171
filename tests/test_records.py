"""The contract between the half that runs and the half that reads."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hptune_bench.store.columns import EPOCHS, RUNS, dictionary
from hptune_bench.store.csv import CsvFile
from hptune_bench.store.trial import NOISE, TRIALS, best_of


def to_csv(rows):
    with CsvFile() as table:
        table.add(rows)
        buffer = io.StringIO()
        table.write(buffer)
        return buffer.getvalue()


def test_the_documentation_has_every_column_as_the_code_has_it():
    text = Path("docs/results.md").read_text(encoding="utf-8")
    for table in (RUNS, TRIALS, EPOCHS, NOISE):
        assert dictionary(table) in text


def test_rows_with_other_columns_keep_theirs_together_and_formulas_are_disarmed():
    text = to_csv([{"a": 1, "hp:x": 0.1, "z": "=cmd"}, {"a": 2, "hp:x": math.inf, "hp:y": None, "z": "fine"}])
    assert text == "a,hp:x,hp:y,z\n1,0.1,,'=cmd\n2,inf,,fine\n"
    assert to_csv([{"=name": 1}]) == "'=name\n1\n"


@given(st.lists(st.fixed_dictionaries({"n": st.floats(allow_nan=False), "text": st.text(min_size=1)}), min_size=1))
def test_numbers_survive_the_csv_to_the_last_bit(rows):
    found = list(csv.DictReader(io.StringIO(to_csv(rows), newline="")))
    assert [float(row["n"]) for row in found] == [row["n"] for row in rows]
    for got, row in zip(found, rows, strict=True):
        assert got["text"].isprintable()
        if row["text"].isprintable() and row["text"][0] not in "=+-@'":
            assert got["text"] == row["text"]


@given(st.lists(st.floats()), st.sampled_from(["min", "max"]))
def test_the_best_value_is_the_earliest_best_finite_one(values, direction):
    finite = [value for value in values if math.isfinite(value)]
    found = best_of(values, direction)
    if not finite:
        assert found is None
    else:
        best = min(finite) if direction == "min" else max(finite)
        assert found == (best, values.index(best))
