"""The suite itself: kinds name files that are there, and the scripts of benchmarks/ import what they use."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from conftest import KINDS

ROOT = Path(__file__).parent.parent
SCRIPTS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "benchmarks").rglob("*.py"))
    if "examples" not in path.parts
]


def test_kinds_name_files_of_tests() -> None:
    here = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert set().union(*KINDS.values()) <= here


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_can_be_imported(name: str) -> None:
    importlib.import_module(name)
