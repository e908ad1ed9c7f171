"""What a campaign remarks on its workloads: findings of the check, and errors in a user's own code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hptune_bench.core.errors import UserError
from hptune_bench.store.journal import Contents
from hptune_bench.store.layout import RunId, check_path


def written(findings: Iterable[str]) -> bytes:
    """The file of a check's findings."""
    return (json.dumps(list(findings), indent=1, ensure_ascii=False) + "\n").encode()


def findings(folder: Path, workloads: Iterable[str]) -> list[str]:
    """What the checks of these workloads found, as far as they have been made.

    Raises:
        UserError: a file is not what a campaign writes.
    """
    texts: list[str] = []
    for name in workloads:
        path = folder / check_path(name)
        if not path.exists():
            continue
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise UserError(f"{path}: is no list of findings; delete it to have the check made again")
        texts += found
    return texts


@dataclass(frozen=True)
class Raised:
    """One error in a user's own code, where it was seen first.

    Attributes:
        trials: how many trials of all runs met it.
        detail: the user's traceback.
    """

    run: RunId
    text: str
    trials: int
    detail: str


def raised(journals: Mapping[RunId, Contents]) -> Iterator[Raised]:
    """Errors of trials that a line in a user's file raised, each kind and line once."""
    seen: dict[tuple[str, str, str], list[tuple[RunId, dict]]] = {}
    for run in sorted(journals):
        for entry in journals[run].of_kind("trial"):
            if entry.get("place"):
                kind = entry["error"].partition(":")[0]
                seen.setdefault((run.workload, kind, entry["place"]), []).append((run, entry))
    for (workload, _, place), entries in seen.items():
        run, entry = entries[0]
        values = ", ".join(f"{name} = {value!r}" for name, value in entry["request"]["configuration"].items())
        trials = f"{len(entries)} trials" if len(entries) > 1 else "one trial"
        text = (
            f"{workload}: {trials} failed with {entry['error']} ({place}), first in {run.path} at {values}; "
            "the key 'detail' of the trial there holds the traceback"
        )
        yield Raised(run, text, len(entries), entry.get("detail", ""))
