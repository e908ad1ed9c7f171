"""The game: scripted persons against a table, and their logs as a tuner."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path

import pytest
from support.closed_form import POST, Counting
from support.commands import call
from support.synthetic_table import tabulated
from support.toy import ToyWorkload

from hptune_bench import registry
from hptune_bench.core.budget import Budget, Limits
from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import BudgetExhausted
from hptune_bench.play import game as games
from hptune_bench.play.game import Place, play
from hptune_bench.play.person import text_plot
from hptune_bench.training.fake import FakeTrainer
from hptune_bench.training.table import TableTrainer
from hptune_bench.tuners.expert import ExpertLog, Log, Request, read_log

OPPONENTS = ("untuned", "manual_sweep", "manual_grid")


@pytest.fixture(scope="module")
def trainer() -> TableTrainer:
    workload = ToyWorkload()
    return TableTrainer(workload, tabulated(workload, FakeTrainer(workload), {"rate": 7}))


def game(trainer, tmp_path, lines: list[str], budget="6trainings", opponents=OPPONENTS):
    """What was said, the person's score, the opponents, and the log if one was saved."""
    said: list[str] = []
    left = iter(lines)

    def ask(question: str) -> str:
        said.append(question)
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    path = tmp_path / "log.json"
    score, places = play(ToyWorkload(), trainer, Budget.parse(budget), 1, opponents, 20, ask, said.append, path)
    return "\n".join(said), score, places, path


def test_the_command_meets_the_usual_opponents(trainer, monkeypatch):
    answers = iter(["", "quit", "n"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    monkeypatch.setattr(games, "on_table", lambda workload, tables: (ToyWorkload(), trainer))
    said = call("play", "toy", "--budget", "3trainings", "--runs", 2).stdout
    for name in games.usual_opponents():
        assert f"  {name}: median" in said


def test_a_wrong_opponent_is_refused_before_the_game(trainer, tmp_path):
    with pytest.raises(UserError, match="did you mean 'untuned'"):
        game(trainer, tmp_path, ["", "quit", "y"], opponents=("untund",))


def test_a_whole_game_is_counted_shown_compared_and_saved_with_consent(trainer, tmp_path):
    lines = ["", "rate=0.01", "flag=no epochs=3", "continue=3", "list", "help", "quit", "y"]
    said, score, places, path = game(trainer, tmp_path, lines)
    log = read_log(path)
    assert [(request.epochs, request.resume) for request in log.requests] == [
        (10, None),
        (10, None),
        (3, None),
        (10, 3),
    ]
    assert log.requests[1].configuration == {"flag": True, "rate": 0.01}
    assert log.requests[3].configuration == {"flag": False, "rate": 0.01}
    assert math.isfinite(score)
    assert [place.tuner for place in places] == list(OPPONENTS)
    assert all(len(place.scores) == 20 for place in places)
    assert "60 of 60 epochs left" in said
    assert "trial 4: " in said
    assert "your best so far" in said
    assert "manual_grid: median" in said
    assert set(json.loads(path.read_text(encoding="utf-8"))) == {
        *("kind", "schema", "workload", "budget", "seed", "table", "requests")
    }


def test_without_consent_nothing_is_saved(trainer, tmp_path):
    for lines in (["", "quit"], ["", "quit", "n"], ["", "quit", "please do"], ["quit"], []):
        assert not game(trainer, tmp_path, lines, opponents=("untuned",))[3].exists()


def test_the_budget_ends_the_game_and_cuts_the_last_training(trainer, tmp_path):
    said, _, _, path = game(trainer, tmp_path, ["epochs=2", "epochs=2", "epochs=2", "y"], "5epochs", ())
    assert len(read_log(path).requests) == 3
    assert "1 of 5 epochs left" in said
    assert "trial 3" not in said, "as a tuner, he is not told of what the budget cut"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("rate", "write name=value"),
        ("speed=3", "there is no 'speed'"),
        ("rate=fast", "0.0001 to 0.1, log"),
        ("rate=5", "0.0001 to 0.1, log"),
        ("rate=nan", "0.0001 to 0.1, log"),
        ("flag=perhaps", "False or True"),
        ("epochs=0", "whole number from 1 to 10"),
        ("epochs=99", "whole number from 1 to 10"),
        ("continue=1", "no trial yet"),
        ("\x00", "write name=value"),
    ],
)
def test_what_cannot_be_done_is_answered_in_a_sentence_and_costs_nothing(trainer, tmp_path, line, answer):
    said, score, places, _ = game(trainer, tmp_path, [line, "quit"])
    assert answer in said
    assert said.count("60 of 60 epochs left") == 2
    assert math.isnan(score)
    assert places == []


def test_a_saved_log_gets_the_same_score_as_a_tuner(trainer, tmp_path):
    _, score, _, path = game(trainer, tmp_path, ["rate=0.03", "flag=no", "epochs=2", "continue=3", "quit", "y"])
    tuner = registry.make_tuner("expert_log", {"file": str(path)})
    limits = Limits(epochs=60)
    assert games._selected(ToyWorkload(), trainer, tuner, limits, 1, "expert_log") == score


def test_the_default_budgets_are_those_of_the_main_job():
    post = tomllib.loads((Path(__file__).parents[1] / "benchmarks/post.toml").read_text(encoding="utf-8"))
    for entry in post["workloads"]:
        budget = Budget.parse(games.BUDGETS[entry["name"]])
        assert budget.model_dump(exclude_none=True) == entry["budget"]


def test_who_is_better_than_how_many():
    place = Place("x", (1.0, 2.0, 2.0, math.nan))
    assert place.beaten_by(2.0) == (0 + 0.5 + 0.5 + 1) / 4
    assert place.beaten_by(0.5) == 1
    assert Place("x", (math.nan, 1.0)).beaten_by(1.5) == 0.5
    assert Place("x", (math.nan, 1.0)).beaten_by(math.nan) == 0.25


# --- the plot ------------------------------------------------------------------------------------------------------


def test_a_curve_falls_from_the_left_to_the_right():
    rows = text_plot([5, 4, 3, 2, 1, 0], height=6)
    assert [row.split("|")[1].find("*") for row in rows[:-2]] == [0, 1, 2, 3, 4, 5]
    assert rows[0].split("|")[0].strip() == "5"
    assert rows[-3].split("|")[0].strip() == "0"
    assert rows[-2].endswith("+------")
    assert rows[-1].strip() == "epochs 1 to 6"


def test_what_is_not_finite_is_marked_and_one_large_value_does_not_press_the_rest_flat():
    assert "!!!" in text_plot([math.nan, math.inf, math.nan])[0]
    assert text_plot([2.0, math.nan, 1.0])[-3].endswith("|" + " !*")
    rows = text_plot([1e9, 5, 4, 3, 2.5, 2, 2])
    assert sum("*" in row for row in rows) >= 3
    assert max(map(len, text_plot(list(range(1000))))) <= 80
    assert text_plot([3.0, 3.0])


# --- the log as a tuner --------------------------------------------------------------------------------------------


def log_of(*requests: Request) -> Log:
    return Log(workload="linear_regression", budget=100, seed=1, table="", requests=list(requests))


def test_the_tuner_asks_for_what_the_log_holds():
    one = {"normalize": True, "neurons": 8, "learning_rate": 0.01, "optimizer": "adam"}
    requests = [Request(configuration=one, epochs=5), Request(configuration=one, epochs=50, resume=1)]
    evaluate = Counting(POST)
    ExpertLog(log_of(*requests)).search(POST, evaluate, 1)
    assert [(call.epochs, call.resume) for call in evaluate.calls] == [(5, None), (50, 1)]
    with pytest.raises(BudgetExhausted):
        ExpertLog(log_of(*requests)).search(POST, Counting(POST, epochs=7), 1)
    with pytest.raises(ValueError, match="comes later"):
        ExpertLog(log_of(requests[1])).search(POST, Counting(POST), 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not valid JSON"),
        ("[1]", "log"),
        ('{"kind": "expert_log"}', "workload"),
        ("[" * 100_000, "not valid JSON"),
        (log_of().to_json().replace('"seed": 1', '"seed": 1, "name": "Ada"'), "name"),
        (log_of().to_json().replace("linear_regression", "../x"), "workload"),
    ],
)
def test_what_is_no_log_is_refused_in_one_sentence(tmp_path, content, said):
    path = tmp_path / "log.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_log(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_log(tmp_path / "none.json")


def test_options_of_tuners_are_checked():
    with pytest.raises(UserError, match="which log"):
        registry.make_tuner("expert_log")
    with pytest.raises(UserError, match="unknown option 'path'"):
        registry.make_tuner("expert_log", {"path": "x"})
    with pytest.raises(UserError, match="it has none"):
        registry.make_tuner("untuned", {"file": "x"})
