"""Names: what may be one, what was probably meant by a wrong one, and ``my_model.py:build_model``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

_SAFE_NAME = re.compile(r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[A-Za-z0-9][A-Za-z0-9_.-]{0,98}(?<!\.)")


def safe_name(name: str) -> str:
    """A name that becomes a folder or a file: inside the results folder, and readable on every system.

    Raises:
        ValueError: anything else: separators, ``..``, control characters, names that systems reserve.
    """
    if not _SAFE_NAME.fullmatch(name):
        raise ValueError(
            "a name starts with a letter or digit, has only letters, digits, '_', '-' and '.' (at most 99), and is "
            "none that a system reserves"
        )
    return name


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an error message: ``; did you mean 'hyperband'?`` or the list of what there is."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


SOURCE = "source"
"""The option that names file and object; an entry of a benchmark with it is a user's own workload."""


USUAL = "build_model"


OWN_NAME = re.compile(r"(?P<file>.+\.py):(?P<object>[^:/\\]+)")


def is_own(name: str) -> bool:
    """Whether a workload's name means an object in a file."""
    return OWN_NAME.fullmatch(name) is not None


def own_name(source: str) -> str:
    """The workload's name in folders and tables: the file's stem, and the object's name unless it is the usual one."""
    match = OWN_NAME.fullmatch(source)
    assert match is not None
    stem, attribute = Path(match["file"]).stem, match["object"]
    text = stem if attribute == USUAL else f"{stem}_{attribute}"
    return plain_name(text)


def plain_name(text: str) -> str:
    """A name that may become a folder: letters, digits, ``_`` and ``-``; ``own`` where none is left."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text).lstrip("_-")[:99] or "own"
