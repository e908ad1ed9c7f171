"""What holds for all modules of the package at once."""

from __future__ import annotations

import ast
from pathlib import Path

import hptune_bench

PACKAGE = Path(hptune_bench.__file__).parent
EVERYTHING = {"Exception", "BaseException"}


def caught(handler: ast.ExceptHandler) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {"BaseException" if kind is None else ast.unparse(kind) for kind in kinds}


def passes_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def hiding_places() -> list[str]:
    """Functions that catch every exception and do not raise it again."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                hides = isinstance(node, ast.ExceptHandler) and caught(node) & EVERYTHING and not passes_on(node)
                suppresses = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
                if hides or (suppresses and EVERYTHING & {ast.unparse(kind) for kind in node.args}):
                    found.append(f"{path.relative_to(PACKAGE)}: {function.name}")
    return found


def test_one_function_catches_every_exception():
    assert hiding_places() == ["errors.py: attempt"]
