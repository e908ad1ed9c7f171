"""The scripts of benchmarks/examples/effort do what their page says: they run as they are, with fewer rows here."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent.parent / "benchmarks" / "examples" / "effort").glob("*.py"))
SHORTER = {
    "10_000": "200",
    "8_000": "160",
    "9_000": "180",
    "epochs=50": "epochs=2",
    "max_trials=10": "max_trials=2",
    "[4, 16, 32]": "[4, 16]",
    "[0.0001, 0.001, 0.01, 0.1]": "[0.001]",
}
"""What a reader's script spends minutes on."""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_effort_script_runs(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    random.seed(1)  # KerasTuner draws its seed from here
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "0"

    monkeypatch.setattr("builtins.input", answer)
    text = script.read_text(encoding="utf-8")
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    assert "epochs=50" not in text
    exec(compile(text, script.name, "exec"), {"__name__": "__main__"})  # noqa: S102 - a script of this repository
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert re.fullmatch(r"test loss \d+(\.\d+)?(e[+-]\d+)?|test loss nan", last)
    assert bool(asked) == ("# look" in text)
