"""``my_model.py:build_model``: an object in a user's file, and the workload that it makes.

Importing this module does not import TensorFlow; importing a user's file usually does.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from hptune_bench.core.errors import Failure, UserError, attempt, users_line, users_traceback
from hptune_bench.core.names import OWN_NAME, SOURCE, USUAL
from hptune_bench.core.protocols import Workload
from hptune_bench.core.space import Space
from hptune_bench.workloads.own.script import stopping_at_a_search


def workload_of(name: str, options: Mapping[str, Any], space: Space | None = None) -> Workload:
    """The workload of an object in a user's file.

    Args:
        name: what the workload is called in files.
        options: ``source`` (``file.py:object``, the file relative to the working directory) and those of ``own``.
        space: of a ``build_model``, where it is known already; None: models are built to find it.

    Raises:
        UserError: no such file or object, or one that makes no workload.
    """
    source = options[SOURCE]
    match = OWN_NAME.fullmatch(source) if isinstance(source, str) else None
    if match is None:
        raise UserError(f"{source!r} names no object in a file; write it as my_model.py:{USUAL}")
    path, attribute = Path(match["file"]), match["object"]
    module = import_file(path)
    if not hasattr(module, attribute):
        there = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        mine = [key for key in there if getattr(getattr(module, key), "__module__", "") == module.__name__]
        raise UserError(f"{path} has no {attribute!r}; it has {', '.join(mine) or 'no functions'}")
    found = getattr(module, attribute)
    rest = {key: value for key, value in options.items() if key != SOURCE}
    if all(hasattr(found, each) for each in ("space", "load", "build", "fit", "untuned")):
        if rest:
            raise UserError(f"{source} is a workload of its own and takes no option {min(rest)!r}; remove it")
        return found
    from hptune_bench.workloads.own.assembly import from_module

    own: Any = from_module(name, found, module, rest, options, source, space)
    return own


@contextlib.contextmanager
def beside(source: Any) -> Iterator[None]:
    """Within it, modules beside the file of ``file.py:object`` can be imported, also late, by what is called.

    Other sources change nothing, and nothing stays changed afterwards.
    """
    match = OWN_NAME.fullmatch(source) if isinstance(source, str) else None
    folder = None if match is None else str(Path(match["file"]).resolve().parent)
    if folder is None or folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def import_file(path: Path) -> ModuleType:
    """The module of a file, run once per process and content; its folder is where it may import from.

    Raises:
        UserError: no such file, or its code raises; then with the user's traceback.
    """
    try:
        code = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    name = f"{path.stem}_{hashlib.sha256(str(path.resolve()).encode() + code).hexdigest()[:12]}"
    return sys.modules[name] if name in sys.modules else _executed(path, name)


def import_again(module: ModuleType) -> ModuleType:
    """A second copy of a user's module, made by running its file again, as another process does."""
    assert module.__file__ is not None
    again = _executed(Path(module.__file__), f"{module.__name__}_again")
    del sys.modules[again.__name__]
    return again


def _executed(path: Path, name: str) -> ModuleType:
    from hptune_bench.core.tensorflow import import_quietly

    import_quietly()
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with beside(f"{path}:{USUAL}"):
        executed = attempt(functools.partial(_run, spec.loader.exec_module, module))
    if isinstance(executed, Failure):
        del sys.modules[name]
        if isinstance(executed.error, UserError):
            raise executed.error
        raise UserError(*failure(f"{path}: cannot be imported", executed.error)) from executed.error
    return module


def _run(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    with stopping_at_a_search(module):
        execute(module)


def failure(what: str, error: BaseException) -> tuple[str, str]:
    """What failed in a user's code as one sentence, and his traceback."""
    first = str(error).strip().partition("\n")[0]
    place = users_line(error)
    return f"{what}: {type(error).__name__}: {first}{f' ({place})' if place else ''}", users_traceback(error)
