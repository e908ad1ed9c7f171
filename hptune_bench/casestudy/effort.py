"""The post's real argument, counted: what a method asks of the person, from the example scripts themselves."""

from __future__ import annotations

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHOOSE = re.compile(r"#[^\n]*?\bchoose\b(?: (\d+))?")
LOOK = re.compile(r"#[^\n]*?\blook\b(?: (\d+))?")


@dataclass(frozen=True)
class Effort:
    """What one script asks, compared with the plain training script.

    Attributes:
        method: file name without ``.py``.
        lines: lines of code (no blank lines, comments, docstrings).
        added, removed: lines of the diff from the plain script, on lines of code.
        choices: values that a person has to choose: sum of the marks ``# choose N`` (``# choose``: 1).
        looks: times that a person has to look at results before going on: sum of the marks ``# look N``.
        lines_changed: added + removed.
    """

    method: str
    lines: int
    added: int
    removed: int
    choices: int
    looks: int

    @property
    def lines_changed(self) -> int:
        return self.added + self.removed


def efforts(scripts: Mapping[str, str], plain: str = "plain") -> tuple[Effort, ...]:
    """One per script, in the given order; empty if there is no plain script. The caller reads the files.

    Args:
        scripts: method name to source text (``benchmarks/examples/effort/*.py``).

    Raises:
        SyntaxError: a script is no Python.
    """
    if plain not in scripts:
        return ()
    base = code_lines(scripts[plain])
    return tuple(_effort(method, source, base) for method, source in scripts.items())


def _effort(method: str, source: str, base: list[str]) -> Effort:
    mine = code_lines(source)
    changes = [line[0] for line in difflib.ndiff(base, mine)]
    return Effort(
        method=method,
        lines=len(mine),
        added=changes.count("+"),
        removed=changes.count("-"),
        choices=_marks(CHOOSE, source),
        looks=_marks(LOOK, source),
    )


def _marks(pattern: re.Pattern[str], source: str) -> int:
    return sum(int(count or 1) for count in pattern.findall(source))


def code_lines(source: str) -> list[str]:
    """Lines that hold code, without comments, docstrings and trailing space."""
    documented: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and body
            and ast.get_docstring(node) is not None
        ):
            documented |= set(range(body[0].lineno, (body[0].end_lineno or body[0].lineno) + 1))
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, start = token.start
            lines[row - 1] = lines[row - 1][:start]
    return [text.rstrip() for i, text in enumerate(lines, start=1) if text.strip() and i not in documented]


def scripts() -> dict[str, str]:
    """The example scripts by method: those that came with the package, else those of the checkout it runs from."""
    packed = Path(__file__).with_name("scripts")
    folder = packed if packed.is_dir() else Path(__file__).resolve().parents[2] / "benchmarks" / "examples" / "effort"
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
