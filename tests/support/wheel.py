"""The package as an installed wheel holds it, without building one: pip and a build backend need a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
_COMMAND = "import hptune_bench, sys; print(hptune_bench.__file__); from hptune_bench.cli.main import main; main()"


def install(target: Path) -> Path:
    """Copy what ``pyproject.toml`` puts into the wheel; fails on a rule that this function does not know."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    rules = build["targets"]["wheel"]
    assert build.keys() == {"targets"}
    assert rules.keys() <= {"packages", "force-include"}
    sources = {**{name: name for name in rules["packages"]}, **rules.get("force-include", {})}
    for source, inside in sources.items():
        shutil.copytree(ROOT / source, target / inside, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def call(package: Path, folder: Path, *arguments: object) -> tuple[int, str]:
    """Exit code and output of a command of that package, given in an empty folder."""
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-c", _COMMAND, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    where, _, said = done.stdout.partition("\n")
    assert Path(where).is_relative_to(package), where + done.stderr
    assert not any(folder.iterdir())
    return done.returncode, said + done.stderr
