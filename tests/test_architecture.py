"""What holds for all modules of the package at once."""

from __future__ import annotations

import ast
from pathlib import Path

import hptune_bench

PACKAGE = Path(hptune_bench.__file__).parent
EVERYTHING = {"Exception", "BaseException"}

ROOMS: dict[str, set[str]] = {
    "core": set(),
    "store": {"core"},
    "tabular": {"core"},
    "workloads": {"core"},
    "tuners": {"core"},
    "training": {"core", "tabular"},
    "benchmark": {"core"},
    "registry": {"core", "workloads", "tuners"},
    "lint": {"core", "training", "registry"},
    "execution": {"core", "store", "tabular", "training", "benchmark", "registry", "lint"},
    "analysis": {"core", "store", "tabular"},
    "report": {"core", "store", "tabular", "analysis"},
    "casestudy": {"core", "store", "analysis", "report"},
    "verify": {"core", "store", "tabular", "training", "benchmark", "registry", "execution", "analysis", "report"},
    "play": {"core", "store", "tabular", "tuners", "training", "registry", "execution"},
    "api": {"core", "store", "workloads", "benchmark", "registry", "execution", "analysis", "report", "cli"},
    "cli": {
        *("core", "store", "tabular", "workloads", "tuners", "training", "benchmark", "registry", "lint", "execution"),
        *("analysis", "report", "verify", "play"),
    },
    "__main__": {"cli"},
    "__init__": {"api"},
}
"""What each room may import. The rooms that read (analysis, report, casestudy) know none of those that run."""
MOST_LINES, MOST_FUNCTION_LINES = 350, 60

# Today's violations: these lists may only shrink.
FORBIDDEN_IMPORTS: set[str] = set()
LONG_MODULES: set[str] = set()
LONG_FUNCTIONS: set[str] = set()


def trees() -> dict[str, ast.Module]:
    """Every module by its path inside the package."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def room_of(module: str) -> str:
    """The folder of a module (``store/csv.py``, or ``store.csv``), or its name where it lies at the top."""
    return module.replace(".py", "").replace("/", ".").partition(".")[0]


def imported(tree: ast.Module) -> set[str]:
    """What a module imports of the package, anywhere: dotted names without the package's own."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            known = (PACKAGE.parent / node.module.replace(".", "/")).is_dir()
            found |= {f"{node.module}.{alias.name}" for alias in node.names} if known else {node.module}
    names = {name.partition(".")[2] for name in found if name.partition(".")[0] == PACKAGE.name}
    return {name if room_of(name) in ROOMS else "__init__" for name in names if name}


def test_rooms_import_only_what_they_may():
    found = set()
    for path, tree in trees().items():
        here = room_of(path)
        for name in imported(tree):
            if room_of(name) not in {here, *ROOMS[here]} and name != "__init__":
                found.add(f"{path} -> {name}")
    assert found == FORBIDDEN_IMPORTS


def test_no_circle_of_rooms():
    allowed, done = dict(ROOMS), set()
    while free := {room for room, needs in allowed.items() if needs <= done}:
        done |= free
        allowed = {room: needs for room, needs in allowed.items() if room not in done}
    assert not allowed


def test_modules_and_functions_are_short():
    modules, functions = set(), set()
    for path, tree in trees().items():
        if len((PACKAGE / path).read_text(encoding="utf-8").splitlines()) > MOST_LINES:
            modules.add(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= MOST_FUNCTION_LINES:
                functions.add(f"{path}: {node.name}")
    assert modules == LONG_MODULES
    assert functions == LONG_FUNCTIONS


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
    assert hiding_places() == ["core/errors.py: attempt"]
