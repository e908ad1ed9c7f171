"""A results folder as a whole: its files' checksums, and how it is emptied."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hptune_bench.core.errors import UserError
from hptune_bench.store.layout import LOCK, MANIFEST, lasting, of_report
from hptune_bench.store.manifest import write_manifest


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of every lasting file of a results folder, see ``layout.lasting``."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if lasting(name)}


def renew_report_checksums(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Put the checksums of a report written anew into the manifest; those of all other files stay what they were."""
    kept = {name: digest for name, digest in manifest["files"].items() if not of_report(name)}
    made = {name: digest for name, digest in checksums(folder).items() if of_report(name)}
    write_manifest(folder, {**manifest, "files": dict(sorted({**kept, **made}.items()))})


def discard(folder: Path) -> None:
    """Empty a results folder, after making sure that it is one.

    Raises:
        UserError: the folder has files but no manifest: it is not ours to empty.
    """
    entries = [path for path in folder.iterdir() if path.name != LOCK]
    if entries and not (folder / MANIFEST).exists():
        raise UserError(
            f"{folder}: is no results folder (no manifest.json), so --fresh does not empty it; give another"
        )
    for path in entries:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
