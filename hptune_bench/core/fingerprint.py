"""What a workload is, told by what it does and not by how it is written.

A fingerprint has parts that must be equal (settings, data, prepared data, models) and numbers that must be close: first
losses, because processors round differently. ``core.behaviour`` computes it; here it is kept and compared.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hptune_bench.core.protocols import Split, Workload
from hptune_bench.core.space import described

CLOSE = 1e-4
"""Relative difference up to which first losses count as equal."""
UNSTABLE = ""
"""Digest of a part that differs from one computation to the next, so that it proves nothing."""
_DECIDING = (
    *("family", "objective", "direction", "metrics", "test_metric", "full_epochs", "engine", "options"),
    *("space", "untuned", "hand_picked", "sweep_order", "published"),
)
"""Settings that a number may depend on: all but words."""


class Difference(NamedTuple):
    """Where two fingerprints part: the part's name and what each has there, as a few characters."""

    part: str
    was: str
    now: str


@dataclass(frozen=True)
class Fingerprint:
    """What a workload does.

    Attributes:
        exact: SHA-256 (hex) by part: ``settings``, and where models could be built ``data``, ``prepared``, ``models``.
        losses: first losses and scores of models that have hardly learned, in a fixed order; None where one cannot be
            computed or differs from one computation to the next.
    """

    exact: Mapping[str, str]
    losses: tuple[float | None, ...] = ()

    def difference(self, now: Fingerprint) -> Difference | None:
        """The first part that differs, among those that both have; None where there is none."""
        for part, was in self.exact.items():
            is_now = now.exact.get(part, UNSTABLE)
            if was != is_now and UNSTABLE not in (was, is_now):
                return Difference(part, was[:8], is_now[:8])
        if self.losses and now.losses and len(self.losses) != len(now.losses):
            return Difference("first losses", f"{len(self.losses)} numbers", f"{len(now.losses)}")
        for one, other in zip(self.losses, now.losses, strict=False):
            if one is not None and other is not None and not close(one, other):
                return Difference("first losses", f"{one:.6g}", f"{other:.6g}")
        return None

    def record(self) -> dict[str, Any]:
        """JSON-ready values, with what is not finite as text; ``recorded`` reads them back."""
        losses = [x if x is None or math.isfinite(x) else str(x) for x in self.losses]
        return {**self.exact, "losses": losses}


def recorded(record: Any) -> Fingerprint | None:
    """The fingerprint of a record; None for one of another form, as folders of schema 1 have (a hash of source code).

    Nothing can be said about a workload by comparing two forms: compare its settings then.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("losses"), list):
        return None
    try:
        losses = tuple(None if x is None else float(x) for x in record["losses"])
    except (TypeError, ValueError):
        return None
    return Fingerprint({str(part): str(value) for part, value in record.items() if part != "losses"}, losses)


def differ(was: Any, now: Any) -> Difference | None:
    """Where two records, of any form, show two workloads; None where they do not, or cannot be compared."""
    one, other = recorded(was), recorded(now)
    if one is not None and other is not None:
        return one.difference(other)
    if isinstance(was, str) and isinstance(now, str) and was != now:
        return Difference("code or data", was[:8], now[:8])
    return None


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two manifests speak of one workload: by fingerprints of one form, else by its settings."""
    was, now = one.get("fingerprint"), other.get("fingerprint")
    if type(was) is type(now):
        return was == now or (isinstance(was, Mapping) and differ(was, now) is None)
    return settings_digest(one) == settings_digest(other)


def short(record: Any) -> str:
    """A record, of any form, as 16 characters to look at; empty for none."""
    found = recorded(record)
    text = json.dumps(dict(found.exact), sort_keys=True) if found else ""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if found else str(record or "")[:16]


def close(one: float, other: float) -> bool:
    """Whether two losses are equal but for the rounding of processors; NaN equals NaN."""
    return bool(np.isclose(one, other, rtol=CLOSE, atol=1e-7, equal_nan=True))


def declared(workload: Workload) -> Fingerprint:
    """The part that needs neither data nor models, for where nothing is trained: settings and search space."""
    return Fingerprint({"settings": settings_digest(settings(workload))})


def settings(workload: Workload) -> dict[str, Any]:
    """What a workload declares, as JSON-ready values; the manifest holds it too."""
    return {
        "title": workload.title,
        "teaches": workload.teaches,
        "data_label": workload.data_label,
        "family": workload.family,
        "objective": workload.objective,
        "direction": workload.direction,
        "metrics": dict(workload.metrics),
        "test_metric": workload.test_metric,
        "full_epochs": workload.full_epochs,
        "engine": workload.engine,
        "options": dict(workload.options),
        "space": described(workload.space),
        "untuned": dict(workload.untuned),
        "hand_picked": {name: list(values) for name, values in workload.hand_picked.items()},
        "sweep_order": None if workload.sweep_order is None else list(workload.sweep_order),
        "published": None if workload.published is None else dict(workload.published),
    }


def settings_digest(about: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of ``settings``, or of what a manifest holds of them: all that a number can depend on.

    Left out of the options: ``code``, a hash of a user's file, which a comment changes.
    """
    held = {name: about.get(name) for name in _DECIDING}
    held["options"] = {name: value for name, value in (held["options"] or {}).items() if name != "code"}
    return hashlib.sha256(json.dumps(held, sort_keys=True, default=str).encode()).hexdigest()


def digest_of(*parts: object) -> str:
    """SHA-256 (hex) of splits or arrays: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part)
    return digest.hexdigest()


def _add(digest: Any, part: object) -> None:
    if isinstance(part, Split):
        for each in part.parts:
            _add(digest, each)
    elif isinstance(part, tuple):
        for each in part:
            _add(digest, each)
    elif isinstance(part, Mapping):
        for name in sorted(part):
            digest.update(str(name).encode())
            _add(digest, part[name])
    elif part is not None:
        array = np.ascontiguousarray(part)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(repr(array.tolist()).encode() if array.dtype == object else array.tobytes())
