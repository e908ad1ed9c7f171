"""Options of a workload: the fields of its dataclass, given by name in a benchmark file."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any, TypeVar

from hptune_bench.core.errors import UserError

Kind = TypeVar("Kind")


def configured(kind: type[Kind], **options: Any) -> Kind:
    """A workload with its options.

    Args:
        kind: a dataclass with a ``name``.

    Raises:
        UserError: an unknown option, or one that cannot be used.
    """
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(options) - set(known))
    if unknown:
        hint = f"it has {', '.join(known)}" if known else "it has none"
        raise UserError(f"workload {kind.name}: unknown option {unknown[0]!r}; {hint}")  # type: ignore[attr-defined]
    return kind(**options)


def changed(workload: Any) -> dict[str, Any]:
    """The options that differ from their defaults."""
    return {each.name: value for each in fields(workload) if (value := getattr(workload, each.name)) != each.default}


def require_whole(workload: Any, option: str, least: int, most: int | None = None) -> None:
    """Raises UserError where an option is not a whole number from ``least`` to ``most``."""
    value = getattr(workload, option)
    if (
        not isinstance(value, int)
        or isinstance(value, bool)
        or value < least
        or value > (math.inf if most is None else most)
    ):
        span = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise UserError(f"workload {workload.name}: {option} = {value!r}; give a whole number {span}")


def require_amount(workload: Any, option: str) -> None:
    """Raises UserError where an option is not a finite number of at least 0."""
    value = getattr(workload, option)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise UserError(f"workload {workload.name}: {option} = {value!r}; give a number of at least 0")
