"""One run, to the epoch: budgets, failures, continuation, and resuming from every point of its journal."""

import contextlib
import math

import numpy as np
import pytest
from support.toy import FailingTrainer, LadderTuner, RandomTuner, ToyWorkload, conduct_toy, timeless

from hptune_bench.core.budget import Limits
from hptune_bench.execution.ledger import FREE_PROPOSALS
from hptune_bench.execution.setup import Interrupted, JournalMismatch
from hptune_bench.store import journal
from hptune_bench.store.journal import Journal, encode_line


def trials(contents):
    return contents.of_kind("trial")


@pytest.mark.parametrize("tuner", [RandomTuner(), LadderTuner()])
@pytest.mark.parametrize("limit", [1, 7, 100, 333])
def test_the_epochs_trained_equal_the_budget_to_the_epoch(tmp_path, tuner, limit):
    contents = conduct_toy(tmp_path / "run.jsonl", tuner, limits=Limits(epochs=limit))
    assert sum(trial["charged"] for trial in trials(contents)) == limit
    assert contents.end["reason"] == "epochs"
    assert contents.end["unspent"] == 0


def test_a_trial_cut_by_the_budget_is_truncated_counts_for_the_incumbent_and_is_never_told(tmp_path):
    told = []

    class Telling(RandomTuner):
        def search(self, problem, evaluate, seed):
            while True:
                told.append(evaluate(problem.untuned).trial)

    workload = ToyWorkload(patience=None)
    contents = conduct_toy(tmp_path / "run.jsonl", Telling(), workload=workload, limits=Limits(epochs=13))
    first, second = trials(contents)
    assert (first["status"], second["status"]) == ("completed", "truncated")
    assert (first["epochs"], second["epochs"]) == (10, 3)
    assert told == [1]
    short = conduct_toy(tmp_path / "short.jsonl", Telling(), workload=workload, limits=Limits(epochs=3))
    assert trials(short)[0]["status"] == "truncated"
    assert trials(short)[0]["incumbent"]


def test_only_incumbents_see_the_test_split_and_the_best_so_far_falls(tmp_path):
    best = math.inf
    for trial in trials(conduct_toy(tmp_path / "run.jsonl", RandomTuner())):
        assert trial["incumbent"] == (trial["score"] < best)
        assert bool(trial["test"]) == trial["incumbent"]
        best = min(best, trial["score"])


def test_a_repeat_sees_fresh_noise(tmp_path):
    class Repeating(RandomTuner):
        def search(self, problem, evaluate, seed):
            while True:
                evaluate(problem.untuned)

    scores = [trial["score"] for trial in trials(conduct_toy(tmp_path / "run.jsonl", Repeating()))]
    assert len(set(scores)) == len(scores) > 3


def test_a_trial_that_raises_costs_an_epoch_keeps_its_reason_and_the_run_goes_on(tmp_path):
    workload = ToyWorkload()
    trainer = FailingTrainer(workload, bad={2})
    contents = conduct_toy(tmp_path / "run.jsonl", RandomTuner(), trainer=trainer, workload=workload)
    failed = trials(contents)[1]
    assert (failed["status"], failed["charged"], failed["epochs"]) == ("error", 1, 0)
    assert failed["error"] == "RuntimeError: no luck"
    assert "second line" in failed["detail"]
    assert contents.end["status"] == "done"
    assert sum(trial["charged"] for trial in trials(contents)) == 100


def test_a_search_where_every_trial_fails_ends(tmp_path):
    workload = ToyWorkload()
    trainer = FailingTrainer(workload, bad=range(1000))
    contents = conduct_toy(tmp_path / "run.jsonl", RandomTuner(), trainer=trainer, workload=workload)
    assert len(trials(contents)) == 100
    assert contents.end["status"] == "done"
    assert not any(trial["incumbent"] for trial in trials(contents))


def test_a_tuner_that_raises_fails_its_run_with_its_reason(tmp_path):
    class Broken(RandomTuner):
        def search(self, problem, evaluate, seed):
            evaluate(problem.untuned)
            raise ZeroDivisionError("in the tuner")

    end = conduct_toy(tmp_path / "run.jsonl", Broken()).end
    assert (end["status"], end["reason"]) == ("failed", "ZeroDivisionError: in the tuner")
    assert "Traceback" in end["detail"]


def test_a_proposal_outside_the_space_fails_the_run(tmp_path):
    class Outside(RandomTuner):
        def search(self, problem, evaluate, seed):
            evaluate({"flag": True, "rate": 7.0})

    end = conduct_toy(tmp_path / "run.jsonl", Outside()).end
    assert end["status"] == "failed"
    assert "outside the search space" in end["reason"]


def test_proposals_that_cost_nothing_end_the_run_as_exhausted(tmp_path):
    calls = []

    class Free(RandomTuner):
        continues = True

        def search(self, problem, evaluate, seed):
            first = evaluate(problem.untuned)
            while True:
                calls.append(evaluate(problem.untuned, resume=first.trial))

    contents = conduct_toy(tmp_path / "run.jsonl", Free())
    assert contents.end["reason"] == "exhausted"
    assert contents.end["unspent"] > 0
    assert len(calls) == FREE_PROPOSALS - 1
    assert {(call.trial, call.epochs) for call in calls} == {(1, 0)}
    assert len(trials(contents)) == 1


@pytest.mark.parametrize("tuner", [RandomTuner(), LadderTuner()])
def test_resuming_from_every_line_of_the_journal_gives_the_same_journal(tmp_path, tuner):
    whole = conduct_toy(tmp_path / "whole.jsonl", tuner)
    wanted = [timeless(entry) for entry in whole.entries]
    for cut in range(len(whole.entries)):
        path = tmp_path / f"cut{cut}.jsonl"
        seen = []

        def stopping(seen=seen, cut=cut):
            seen.append(None)
            return len(seen) > cut

        with contextlib.suppress(Interrupted):
            conduct_toy(path, tuner, stopping=stopping)
        resumed = conduct_toy(path, tuner)
        assert [timeless(entry) for entry in resumed.entries] == wanted
    assert not list(tmp_path.glob("*.state"))


def test_a_restart_begins_where_its_parent_was_asked_to_get_and_a_stopped_trial_is_not_resumed(tmp_path):
    class Promoting(RandomTuner):
        continues = True

        def search(self, problem, evaluate, seed):
            rng = np.random.default_rng(seed)
            while True:
                configuration = problem.space.sample(rng)
                parent = evaluate(configuration, epochs=60)
                if parent.epochs < 60 and math.isfinite(parent.score):
                    assert evaluate(configuration, epochs=90, resume=parent.trial).epochs == 0
                    evaluate(configuration, epochs=90, restart=parent.trial)
                    return

    workload, limits = ToyWorkload(patience=1), Limits(epochs=10_000)
    parent, child = trials(conduct_toy(tmp_path / "run.jsonl", Promoting(), workload=workload, limits=limits))[-2:]
    assert parent["ended"]
    assert parent["epochs"] < 60
    assert child["first_epoch"] == 60
    assert child["epochs"] <= 30


def test_a_finished_run_is_not_touched(tmp_path):
    path = tmp_path / "run.jsonl"
    conduct_toy(path, RandomTuner())
    before = path.read_bytes()
    conduct_toy(path, RandomTuner(), trainer=FailingTrainer(ToyWorkload(), bad=range(1000)))
    assert path.read_bytes() == before


def test_a_journal_of_other_proposals_stops_the_run(tmp_path):
    path = tmp_path / "run.jsonl"
    whole = conduct_toy(path, RandomTuner())
    entries = [dict(entry) for entry in whole.entries[:-4]]
    third = next(entry for entry in entries if entry["kind"] == "trial" and entry["trial"] == 3)
    third["request"] = {**third["request"], "configuration": {"flag": True, "rate": 0.05}}
    path.write_bytes(b"".join(encode_line(entry) for entry in entries))
    with pytest.raises(JournalMismatch, match=r"trial 3 was asked as .*0\.05"):
        conduct_toy(path, RandomTuner())


def test_a_tuner_that_now_asks_for_less_than_the_journal_holds_stops_the_run(tmp_path):
    class Short(RandomTuner):
        def search(self, problem, evaluate, seed):
            evaluate(problem.untuned)

    path = tmp_path / "run.jsonl"
    conduct_toy(path, Short())
    contents = journal.read(path)
    extra = {**contents.of_kind("trial")[0], "trial": 2}
    path.write_bytes(b"".join(encode_line(entry) for entry in [*contents.entries[:-2], extra]))
    with pytest.raises(JournalMismatch, match="stops after 1"):
        conduct_toy(path, Short())


def interrupted_in_trial(path, number, deaths):
    """A journal as ``deaths`` dead workers leave it, all in one trial."""
    seen = []

    def stopping():
        seen.append(None)
        return len(seen) >= number

    with pytest.raises(Interrupted):
        conduct_toy(path, RandomTuner(), stopping=stopping)
    with Journal(path) as log:
        for _ in range(deaths):
            log.append({"kind": "death", "trial": number})


def test_the_first_death_in_a_trial_is_forgiven_the_second_makes_it_crashed(tmp_path):
    once, twice = tmp_path / "once.jsonl", tmp_path / "twice.jsonl"
    interrupted_in_trial(once, 3, deaths=1)
    assert {trial["status"] for trial in trials(conduct_toy(once, RandomTuner()))} <= {
        "completed",
        "truncated",
        "diverged",
    }
    interrupted_in_trial(twice, 3, deaths=2)
    crashed = trials(conduct_toy(twice, RandomTuner()))[2]
    assert (crashed["status"], crashed["charged"]) == ("crashed", 1)


def test_three_crashed_trials_fail_the_run(tmp_path):
    path = tmp_path / "run.jsonl"
    interrupted_in_trial(path, 2, deaths=2)
    with Journal(path) as log:
        for number in (3, 4):
            for _ in range(2):
                log.append({"kind": "death", "trial": number})
    contents = conduct_toy(path, RandomTuner())
    assert [trial["status"] for trial in trials(contents)[1:]] == ["crashed"] * 3
    assert (contents.end["status"], contents.end["reason"]) == ("failed", "3 trials crashed their worker")


def test_a_trial_killed_for_its_time_is_a_timeout(tmp_path):
    path = tmp_path / "run.jsonl"
    interrupted_in_trial(path, 2, deaths=1)
    with Journal(path) as log:
        log.append({"kind": "timeout", "trial": 2, "seconds": 9.0, "error": "killed after 9 s (trial_timeout)"})
    late = trials(conduct_toy(path, RandomTuner()))[1]
    assert (late["status"], late["train_s"], late["charged"]) == ("timeout", 9.0, 1)


def test_a_maximised_metric_is_negated_once(tmp_path):
    workload = ToyWorkload(
        objective="val_accuracy", direction="max", metrics={"val_accuracy": "max"}, test_metric="accuracy"
    )
    contents = conduct_toy(tmp_path / "run.jsonl", RandomTuner(), workload=workload)
    for trial in trials(contents):
        finite = [-value for value in trial["history"]["val_accuracy"] if math.isfinite(value)]
        assert trial["score"] == min(finite, default=math.inf)
        if trial["incumbent"]:
            assert trial["test_score"] == -trial["test"]["accuracy"]
