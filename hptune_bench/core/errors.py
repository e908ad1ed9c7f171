"""The one exception for input that a user can mend, and how an error in a user's own code is shown."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import ValidationError

T = TypeVar("T")


class UserError(Exception):
    """Bad input: one sentence that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with code 2.

    Attributes:
        detail: the traceback of the user's own code, where that is what failed; else empty.
    """

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.detail = detail


def complaint(error: ValidationError) -> str:
    """The first complaint of pydantic about what was read: ``key 'files.0': field required``."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"key {key!r}: {first['msg'].lower()}" if key else first["msg"].lower()


@dataclass(frozen=True)
class Failure:
    """What code that is not ours raised."""

    error: Exception


def attempt(call: Callable[[], T]) -> T | Failure:
    """Call into code that is not ours and may raise anything: a workload, a model, a tuner, a user's file.

    The only place of the package that catches every ``Exception``. There a failure is a result; anywhere else it is a
    bug, and must not be hidden.
    """
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - see above
        return Failure(error)


def users_traceback(error: BaseException) -> str:
    """The traceback of an error from the first frame of a user's file on; the whole one where no such frame is.

    A user's file is one that is neither of this package nor installed: what leads to his function is not his business.
    """
    frames = traceback.extract_tb(error.__traceback__)
    first = next((index for index, frame in enumerate(frames) if _is_users(frame.filename)), 0)
    head, *tail = traceback.format_exception(type(error), error, None)
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames[first:]), head, *tail]
    return "".join(lines)


def users_line(error: BaseException) -> str:
    """``file.py, line 12, in build_model``: the last frame in a user's file; empty where there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name}" if frames else ""


def _is_users(file: str) -> bool:
    if file.startswith("<frozen"):
        return False
    # The suites of installed packages, the standard library and this package are not the user's.
    paths = sysconfig.get_paths()
    others = [Path(__file__).parents[1], *(Path(paths[name]) for name in ("stdlib", "purelib", "platlib"))]
    return not any(Path(file).is_relative_to(folder) for folder in others)
