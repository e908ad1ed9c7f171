"""What the notebook's mistakes do to its conclusion: the arithmetic by hand, the sentence, both sides or nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest
from support.synthetic_campaign import synthetic_campaign

from hptune_bench.analysis.frames import Records, by_workload
from hptune_bench.casestudy.mistakes import AS_WRITTEN, DONE_RIGHT, mistakes
from hptune_bench.casestudy.sections.mistakes import blocks, sentence

WORDS, VOCABULARIES = (10, 20, 30), (500, 600, 700)


def records(name: str, loops: list[list[float]], untuned: float, tests: bool) -> Records:
    """A loop over three word counts at vocabulary 500, then over three vocabularies; a list of six scores per seed."""
    template = by_workload(synthetic_campaign(seeds=1, workloads=(DONE_RIGHT,), epochs=False))[0]
    trials: list[dict[str, Any]] = []
    runs: list[dict[str, Any]] = []
    for seed, scores in enumerate(loops, start=1):
        proposals = [(words, 500) for words in WORDS] + [(20, vocabulary) for vocabulary in VOCABULARIES]
        for i, (score, (words, vocabulary)) in enumerate(zip(scores, proposals, strict=True), start=1):
            proposal = {"hp:word_count": words, "hp:vocab_count": vocabulary}
            row = {"tuner": "manual_sweep", "seed": seed, "trial": i, "score": score, "validation": score}
            trials.append({**row, **proposal})
        for tuner, score in (("untuned", untuned), ("manual_sweep", min(scores))):
            test = score + 0.1 if tests else float("nan")
            runs.append({"tuner": tuner, "seed": seed, "final_validation": score, "final_test": test, "finished": True})
    return dataclasses.replace(template, name=name, trials=pd.DataFrame(trials), runs=pd.DataFrame(runs))


LUCK = [[0.9, 0.8, 0.85, 0.8, 0.79, 0.82], [0.9, 0.8, 0.85, 0.8, 0.81, 0.76], [0.9, 0.8, 0.85, 0.8, 0.81, 0.82]]


def test_gains_by_hand() -> None:
    found = mistakes(records(AS_WRITTEN, LUCK, 0.9, False), records(DONE_RIGHT, LUCK[:2], 0.85, True))
    assert found is not None
    assert (found.dead.runs, found.dead.improved) == (3, 2)
    assert found.dead.picked == {500: 1, 600: 1, 700: 1}
    assert found.dead.gain.value == pytest.approx(0.01)  # the median of 0.01, 0.04 and 0
    assert found.claimed.value == pytest.approx(0.11)  # of 0.11, 0.14 and 0.1
    assert found.claimed.pairs == 3
    assert found.claimed.interval is None
    assert found.live.runs == 2
    assert found.true.value == pytest.approx(found.selected.value)
    assert "2 of 3 seeds" in sentence(found)
    assert "too few seeds" in sentence(found)


def test_intervals_from_six_seeds_on_and_a_table_of_both_sides() -> None:
    both = {name: records(name, LUCK * 2, 0.9, tests) for name, tests in ((AS_WRITTEN, False), (DONE_RIGHT, True))}
    prose, table = blocks(both)
    assert "[" in prose.text  # type: ignore[union-attr]
    assert [len(row) for row in table.rows] == [3] * 5  # type: ignore[union-attr]


def test_nothing_is_said_without_both_sides() -> None:
    right = records(DONE_RIGHT, LUCK, 0.9, True)
    assert blocks({DONE_RIGHT: right}) == ()
    unfinished = records(AS_WRITTEN, LUCK, 0.9, False)
    unfinished = dataclasses.replace(unfinished, runs=unfinished.runs.assign(finished=False))
    assert mistakes(unfinished, right) is None
