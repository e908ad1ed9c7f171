"""Tuners declare themselves: nothing outside their own files knows them by name."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pytest
from support.synthetic_campaign import synthetic_campaign

import hptune_bench
from hptune_bench.analysis import analyse
from hptune_bench.core.errors import UserError
from hptune_bench.core.tuner_info import ROLES, from_json, primary, usual, with_role
from hptune_bench.store import upgrade
from hptune_bench.store.manifest import read_manifest, tuners_of
from hptune_bench.store.results import Results
from hptune_bench.tuners import built_in

PACKAGE = Path(hptune_bench.__file__).parent
PUBLISHED = PACKAGE.parent / "results/published/post/manifest.json"
SCHEMA_1 = Path(__file__).parent / "support" / "manifest_schema_1.json"
"""A published manifest as it was written before schema 2, without its list of files."""
KNOWN = ("tuners/", "store/upgrade.py", "casestudy/")
"""Where tuners may be named: beside their code, where schema 1 is upgraded, and where the post is the subject."""
WORDS = {"untuned", "hyperband"}
"""Names that are words as well: a key of manifests (the untuned configuration), and the key of a finding."""


def literals(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_no_other_module_names_a_tuner() -> None:
    paths = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    named = {name: literals(path) & set(built_in()) - WORDS for name, path in paths.items()}
    assert {name: found for name, found in named.items() if found and not name.startswith(KNOWN)} == {}
    assert named["tuners/manual.py"] >= {"manual_sweep", "manual_grid"}


def renamed(campaign: Results, prefix: str) -> Results:
    """The campaign of tuners that have other names, in the same order, and are the same in all else."""

    def text(value: str) -> str:
        return f"{prefix}{value}"

    manifest = json.loads(json.dumps(campaign.manifest))
    infos = {
        name: {**entry, "repairs": entry["repairs"] and text(entry["repairs"])}
        for name, entry in manifest["tuners"].items()
    }
    manifest["tuners"] = {text(name): entry for name, entry in infos.items()}
    benchmark = manifest["benchmark"]
    benchmark["tuners"] = [text(name) for name in benchmark["tuners"]]
    benchmark["primary"] = {
        "tuners": [text(name) for name in benchmark["primary"]["tuners"]],
        "against": text(benchmark["primary"]["against"]),
    }
    for known in manifest["best_known"].values():
        known["tuner"] = text(known["tuner"])
    frames = {name: getattr(campaign, name) for name in ("runs", "trials", "epochs", "noise")}
    changed = {
        name: frame.assign(tuner=frame["tuner"].map(lambda tuner: tuner and text(tuner)))
        for name, frame in frames.items()
        if len(frame)
    }
    return dataclasses.replace(campaign, manifest=manifest, **changed)


def flat(value: object) -> Iterator[str]:
    """All that a result holds, as text, one thing a line."""
    if isinstance(value, pd.DataFrame | pd.Series):
        yield from value.to_csv().splitlines()
    elif dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            yield from flat(getattr(value, item.name))
    elif isinstance(value, Mapping | list | tuple):
        for item in value.items() if isinstance(value, Mapping) else value:
            yield from flat(item)
    else:
        yield repr(value)


def test_an_analysis_knows_tuners_by_what_they_declare() -> None:
    """Tuners with other names, and the same declarations, get the same sentences, tables and curves."""
    campaign = synthetic_campaign(
        seeds=6,
        tuners=[name for name, info in built_in().items() if not info.options],
        workloads=["linear_regression"],
        epochs=False,
    )
    known, other = analyse(campaign), analyse(renamed(campaign, "my_"))

    def words(analysis) -> list[str]:
        return [found.text for found in (*analysis.verdict, *analysis.warnings)]

    assert [text.replace("my_", "") for text in words(other)] == words(known)
    assert any("my_manual_sweep" in text for text in words(other))
    assert [line.replace("my_", "") for line in flat(other.workloads)] == list(flat(known.workloads))


def test_the_manifest_keeps_what_a_tuner_declares() -> None:
    for info in built_in().values():
        assert from_json(json.loads(json.dumps(info.to_json()))) == info
        assert info.role in ROLES
        assert info.make is not None


def test_schema_1_means_the_tuners_of_its_time() -> None:
    """Today's tuners are still what they were then; where one changes, this test says so and upgrade.py stays."""
    manifest = read_manifest(SCHEMA_1)
    assert json.loads(SCHEMA_1.read_text(encoding="utf-8"))["schema"] == 1
    assert (manifest["schema"], manifest["csv_schema"]) == (upgrade.SCHEMA, upgrade.CSV_SCHEMA)
    infos = tuners_of(manifest)
    assert infos == {name: dataclasses.replace(info, description="") for name, info in built_in().items()}
    assert list(infos) == list(built_in())
    assert primary(infos) == ("random_search", "bayesian_optimization", "hyperband")
    assert usual(infos)[:3] == ("untuned", "untuned_restarts", "manual_sweep")
    assert with_role(infos, "loop") == "manual_sweep"
    odd = upgrade.upgraded({"schema": 1, "benchmark": {"workloads": [{"tuners": ["mine_too"]}]}})
    assert from_json(odd["tuners"]["mine_too"]).clock == "plain"


@pytest.mark.parametrize("key", ["schema", "csv_schema"])
def test_results_of_a_newer_version_are_refused_in_one_sentence(tmp_path: Path, key: str) -> None:
    manifest = {**read_manifest(PUBLISHED), key: 99, "tuners": "of another kind"}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UserError, match=f"made by a newer hptune-bench \\({key} 99.*update") as refused:
        read_manifest(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("wrong", [{"role": "king"}, {"clock": 3}, {"label": "x" * 999}, {"options": "file"}])
def test_a_broken_declaration_is_bad_input(tmp_path: Path, wrong: dict[str, object]) -> None:
    manifest = read_manifest(PUBLISHED)
    manifest["tuners"]["hyperband"] |= wrong
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UserError, match=r"tuners\.hyperband"):
        read_manifest(path)
