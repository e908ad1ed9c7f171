"""Fingerprints by behaviour: edits of real helpers that must show in them, and edits that must not."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.commands import launch, write_benchmark
from support.toy import ToyWorkload

import hptune_bench
from hptune_bench import registry
from hptune_bench.benchmark import read_benchmark
from hptune_bench.core.errors import UserError
from hptune_bench.core.fingerprint import (
    Difference,
    Fingerprint,
    declared,
    differ,
    recorded,
    same,
    settings,
    settings_digest,
)
from hptune_bench.core.space import Float, Space
from hptune_bench.execution.plan import plan_of

OWN = """
import keras
import numpy as np
import helpers

EPOCHS = 2
rng = np.random.default_rng(3)
train = (rng.normal(size=(60, 4)).astype("float32"), rng.normal(size=(60, 1)).astype("float32"))


class Scaled(keras.layers.Layer):
    def call(self, x):
        return 2.0 * x


def build_model(hp):
    import late

    shift = late.SHIFT
    model = keras.Sequential([
        keras.Input((4,)), Scaled(), keras.layers.Lambda(lambda x: x + shift),
        keras.layers.Dense(hp.Int("units", 1, 8), activation=helpers.activation), keras.layers.Dense(1),
    ])
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log")), loss=helpers.loss)
    return model
"""
HELPERS = """
import keras

def activation(x):
    return keras.ops.tanh(x)

def loss(y, predicted):
    return keras.ops.mean(keras.ops.square(y - predicted))
"""
OWN_FIT = """
import keras
import keras_tuner
from model import train

EPOCHS = 2


class Model(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1)), loss="mse")
        return model

    def fit(self, hp, model, x, y, **more):
        return model.fit(x, 3 * y, verbose=0, **more)
"""
CODE = "hptune_bench/workloads"
FEW = {"reviews": 200}

SAME: dict[str, tuple[str, list[list[str]]]] = {
    "a comment in a helper": ("wine", [[f"{CODE}/networks.py", "import keras\n", "import keras  # the library\n"]]),
    "another import line": (
        "wine",
        [
            [f"{CODE}/splits.py", "import numpy as np", "import math  # noqa\nimport numpy\nnp = numpy"],
            [f"{CODE}/wine.py", "import one_hot, resplit, standardised", "import (one_hot, resplit, standardised)"],
        ],
    ),
    "words about it": ("wine", [[f"{CODE}/wine.py", "The smallest table", "The tiniest table"]]),
    "a helper in another place": (
        "review_sentiment",
        [
            [f"{CODE}/reviews/elsewhere.py", "", "from hptune_bench.workloads.reviews.text import *\n"],
            [f"{CODE}/review_sentiment.py", "workloads.reviews.text import", "workloads.reviews.elsewhere import"],
        ],
    ),
    "a comment in a user's file": ("model.py:build_model", [["model.py", "EPOCHS = 2", "# two\n\n\nEPOCHS = 2"]]),
    "a comment beside a user's file": (
        "model.py:build_model",
        [["helpers.py", "import keras", "# mine\nimport keras"]],
    ),
}
"""Edits that change nothing that a trial could show: the workload, and texts with their replacements by file."""

CHANGED: dict[str, tuple[str, list[list[str]], str]] = {
    "how reviews are cut": (
        "review_sentiment",
        [[f"{CODE}/reviews/text.py", "np.where(kept < vocab_count", "np.where(kept <= vocab_count"]],
        "prepared",
    ),
    "how words are numbered": (
        "review_sentiment",
        [[f"{CODE}/reviews/text.py", "np.lexsort((first, -counts))", "np.lexsort((-first, -counts))"]],
        "data",
    ),
    "the law of the reviews": (
        "review_sentiment",
        [[f"{CODE}/reviews/generator.py", "ZIPF_OFFSET = 15.0", "ZIPF_OFFSET = 15.01"]],
        "data",
    ),
    "a sample of each configuration": (
        "review_sentiment_as_written",
        [[f"{CODE}/review_sentiment_as_written.py", '"as written", pool.seed', '"written", pool.seed']],
        "prepared",
    ),
    "how rows are standardised": (
        "wine",
        [[f"{CODE}/splits.py", "table.std(axis=0)", "table.std(axis=0, ddof=1)"]],
        "data",
    ),
    "the shares of the splits": ("wine", [[f"{CODE}/splits.py", "= 0.6, 0.2", "= 0.5, 0.2"]], "data"),
    "momentum": (
        "wine",
        [[f"{CODE}/networks.py", 'float(configuration["momentum"])', '0.9 * float(configuration["momentum"])']],
        "models",
    ),
    "what decays": ("wine", [[f"{CODE}/networks.py", 'var_names=["bias"]', 'var_names=["none"]']], "models"),
    "the constant baseline": (
        "wine",
        [[f"{CODE}/splits.py", "return float(-np.log(data.validation.y", "return float(-2 * np.log(data.validation.y"]],
        "first losses",
    ),
    "batches": ("wine", [[f"{CODE}/networks.py", 'get("batch_size", 32)', 'get("batch_size", 64)']], "models"),
    "the law behind a test": (
        "linear_regression",
        [
            [
                f"{CODE}/linear_regression.py",
                "def truth(",
                "def truth(self, *given): return {'excess_loss': 1.0}\n    def _(",
            ]
        ],
        "first losses",
    ),
    "a range": ("wine", [[f"{CODE}/wine.py", "networks.widths(4, 64", "networks.widths(4, 32"]], "settings"),
    "a user's activation": ("model.py:build_model", [["helpers.py", "ops.tanh", "ops.sin"]], "first losses"),
    "a user's loss": ("model.py:build_model", [["helpers.py", "ops.square(", "ops.abs("]], "first losses"),
    "a user's layer": ("model.py:build_model", [["model.py", "return 2.0 * x", "return 2.1 * x"]], "first losses"),
    "a constant of a user": ("model.py:build_model", [["late.py", "SHIFT = 1", "SHIFT = 2"]], "models"),
    "a user's rows": ("model.py:build_model", [["model.py", "default_rng(3)", "default_rng(4)"]], "data"),
    "a user's fit": ("own_fit.py:Model", [["own_fit.py", "3 * y", "2 * y"]], "models"),
}
"""Edits that change rows, a model or its first steps, with the part of the fingerprint that shows it."""


def options_of(name: str) -> dict[str, Any]:
    return FEW if name.startswith("review") else {}


@pytest.fixture(scope="module")
def fingerprints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fingerprint]:
    """All cases by name, and each workload as it is by its own: one process, because TensorFlow starts slowly."""
    folder = tmp_path_factory.mktemp("copy")
    package = Path(hptune_bench.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in {"model": OWN, "helpers": HELPERS, "own_fit": OWN_FIT, "late": "SHIFT = 1\n"}.items():
        (folder / f"{file}.py").write_text(text, encoding="utf-8")
    edits = {**SAME, **{label: case[:2] for label, case in CHANGED.items()}}
    names = sorted({name for name, _ in edits.values()})
    cases: list[list[Any]] = [[name, name, options_of(name), []] for name in names]
    cases += [[label, name, options_of(name), edit] for label, (name, edit) in edits.items()]
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    program = Path(__file__).parent / "support" / "fingerprints.py"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, str(program), "cases.json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert not done.returncode, done.stderr
    found = {label: recorded(record) for label, record in json.loads(done.stdout.splitlines()[-1]).items()}
    return {label: each for label, each in found.items() if each is not None}


@pytest.mark.parametrize("label", SAME)
def test_edits_that_change_nothing_keep_the_fingerprint(fingerprints: dict[str, Fingerprint], label: str) -> None:
    before, after = fingerprints[SAME[label][0]], fingerprints[label]
    assert before.difference(after) is None
    assert before.exact == after.exact
    assert all(before.exact.values())


@pytest.mark.parametrize("label", CHANGED)
def test_edits_of_helpers_show(fingerprints: dict[str, Fingerprint], label: str) -> None:
    name, _, part = CHANGED[label]
    difference = fingerprints[name].difference(fingerprints[label])
    assert difference is not None
    assert difference.part == part
    assert difference.was != difference.now


def test_a_fingerprint_is_the_same_in_every_process(fingerprints: dict[str, Fingerprint]) -> None:
    from hptune_bench.core.behaviour import behaviour

    for name in ("wine", "review_sentiment"):
        here = behaviour(registry.make_workload(name, options_of(name)))
        assert fingerprints[name].difference(here) is None
        assert None not in here.losses


# --- records -------------------------------------------------------------------------------------------------------

ONE = Fingerprint({"settings": "a" * 64, "data": "b" * 64}, (0.5, float("nan"), None))


def test_a_record_survives_json_and_compares_equal() -> None:
    again = recorded(json.loads(json.dumps(ONE.record(), allow_nan=False)))
    assert again is not None
    assert ONE.difference(again) is None
    assert again.losses[0] == 0.5


@pytest.mark.parametrize(
    ("exact", "losses", "part"),
    [
        ({"settings": "a" * 64, "data": "c" * 64}, ONE.losses, "data"),
        (ONE.exact, (0.5001, float("nan"), None), "first losses"),
        (ONE.exact, (0.5, 1.0, None), "first losses"),
        (ONE.exact, (0.5, float("nan")), "first losses"),
        (ONE.exact, (0.5 + 1e-5, float("nan"), 7.0), None),
        ({"settings": "a" * 64, "data": ""}, ONE.losses, None),
        ({"settings": "a" * 64}, (), None),
    ],
)
def test_what_counts_as_a_difference(exact: dict[str, str], losses: tuple[float | None, ...], part: str | None) -> None:
    difference = ONE.difference(Fingerprint(exact, losses))
    assert (None if difference is None else difference.part) == part


def test_forms_are_only_compared_with_themselves() -> None:
    assert differ("0" * 64, ONE.record()) is None
    assert differ(ONE.record(), "0" * 64) is None
    assert differ(None, ONE.record()) is None
    assert differ("0" * 64, "0" * 64) is None
    assert differ("0" * 64, "1" * 64) == Difference("code or data", "0" * 8, "1" * 8)
    assert differ({"losses": ["x"]}, ONE.record()) is None


def test_settings_are_those_of_a_manifest_but_for_words() -> None:
    workload: Any = ToyWorkload()
    digest = settings_digest(json.loads(json.dumps(settings(workload))))
    assert declared(workload).exact == {"settings": digest}
    assert declared(dataclasses.replace(workload, teaches="other", title="words")).exact["settings"] == digest
    narrow = Space((*[hp for hp in workload.space if hp.name != "rate"], Float("rate", 1e-4, 1e-2, log=True)))
    for change in ({"space": narrow}, {"full_epochs": 9}, {"untuned": {"flag": False, "rate": 1e-3}}):
        assert declared(dataclasses.replace(workload, **change)).exact["settings"] != digest


def test_a_model_that_seeds_nothing_is_not_compared() -> None:
    import keras
    import numpy as np

    from hptune_bench.core.behaviour import behaviour
    from hptune_bench.workloads.wine import Wine

    class Unseeded(Wine):
        def build(self, configuration: Any, data: Any) -> Any:
            model = super().build(configuration, data)
            model.set_weights([np.random.default_rng().normal(size=w.shape) for w in model.get_weights()])
            return model

    class Failing(Wine):
        def build(self, configuration: Any, data: Any) -> Any:
            raise keras.errors.KerasError if hasattr(keras, "errors") else ValueError("no")

    one, two = behaviour(Unseeded()), behaviour(Unseeded())
    assert None in one.losses
    assert one.difference(two) is None
    assert behaviour(Failing()).difference(one) is not None


# --- campaigns -----------------------------------------------------------------------------------------------------

CAMPAIGN = """
name = "own"
seeds = 1
tuners = ["random_search"]
noise_repeats = 0
stock_clock = false
workloads = [{ name = "model.py:build_model", budget = { trials = 2 } }]
"""


def test_a_workload_that_changed_is_refused_and_a_comment_is_not(tmp_path: Path) -> None:
    """Through the command line and its workers; results of a form without fingerprints are gone on with."""
    for file, text in {"model": OWN, "helpers": HELPERS, "late": "SHIFT = 1\n"}.items():
        (tmp_path / f"{file}.py").write_text(text, encoding="utf-8")
    (tmp_path / "b.toml").write_text(CAMPAIGN, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(hptune_bench.__file__).parents[1])}
    more: dict[str, Any] = {"cwd": tmp_path, "env": environment}

    def go(seeds: int, expect: int = 0) -> str:
        done = launch("run", "b.toml", "--out", "out", "--no-report", "--seeds", seeds, expect=expect, **more)
        return done.stderr

    go(1)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    held = json.loads((tmp_path / "out" / "fingerprints" / "model.json").read_text(encoding="utf-8"))
    assert manifest["workloads"]["model"]["fingerprint"] == held
    (tmp_path / "model.py").write_text("# a comment\n" + OWN, encoding="utf-8")
    go(2)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and not {"logs", ".lock"} & {*path.parts}]
    before = {path: path.read_bytes() for path in files}
    (tmp_path / "late.py").write_text("SHIFT = 2\n", encoding="utf-8")
    error = go(3, expect=2)
    assert "holds results of another definition: model had the workload's code or data = " in error
    assert {path: path.read_bytes() for path in files} == before


def test_headers_of_the_old_form_are_told_by_the_settings_of_their_manifest(tmp_path: Path) -> None:
    plan = plan_of(read_benchmark(write_benchmark(tmp_path / "b.toml")))
    run = plan.runs[0]
    definition = dict(plan.definition(run.workload, run.tuner))
    del definition["settings"]
    header = {"definition": json.loads(json.dumps({**definition, "workload": "0" * 64}))}
    about = json.loads(json.dumps(settings(plan.workloads[run.workload])))
    plan.check_same(tmp_path, run, header, {run.workload: about})
    plan.check_same(tmp_path, run, header, {})
    with pytest.raises(UserError, match="the workload's code or data"):
        plan.check_same(tmp_path, run, header, {run.workload: {**about, "full_epochs": 7}})


def test_manifests_of_two_forms_are_compared_by_settings() -> None:
    about = settings(registry.make_workload("wine", {}))
    old, new = {**about, "fingerprint": "0" * 64}, {**about, "fingerprint": ONE.record()}
    assert same(old, new)
    assert same(new, {**new, "title": "words"})
    assert not same(old, {**new, "full_epochs": 7})
    assert not same(old, {**old, "fingerprint": "1" * 64})
    assert not same(new, {**new, "fingerprint": {**ONE.record(), "data": "c" * 64}})


def test_nothing_stays_behind_when_a_users_file_has_been_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file, text in {"model": OWN, "helpers": HELPERS, "late": "SHIFT = 1\n"}.items():
        (tmp_path / f"{file}.py").write_text(text, encoding="utf-8")
    before = list(sys.path)
    name = f"{tmp_path / 'model.py'}:build_model"
    workload = registry.make_workload(name, {})
    assert sys.path == before
    monkeypatch.delitem(sys.modules, "late")
    data = workload.load(1)
    with registry.importing(name, {}):
        workload.build(workload.untuned, data)
    assert sys.path == before
    monkeypatch.delitem(sys.modules, "late")
    monkeypatch.delitem(sys.modules, "helpers")
