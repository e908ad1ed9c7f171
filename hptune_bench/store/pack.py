"""Packing a finished results folder, and unpacking it to go on: see ``packed``."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path

from hptune_bench.core.errors import UserError
from hptune_bench.core.files import write_atomic
from hptune_bench.store.folder import checksums
from hptune_bench.store.layout import JOURNALS, MANIFEST, NOISE, PACKED_CSVS, RUNS
from hptune_bench.store.lock import locked
from hptune_bench.store.manifest import read_manifest, write_manifest
from hptune_bench.store.packed import Journals, archive, compressed, extract, table_bytes


def pack(folder: Path) -> None:
    """Pack a finished folder: equal results give equal bytes. One that was packed before stays as it is.

    Raises:
        UserError: it is no results folder, not finished, or not what its manifest says; nothing was changed.
    """
    manifest = read_manifest(folder / MANIFEST)
    if manifest["status"] != "finished" or not manifest["files"]:
        raise UserError(f"{folder}: its campaign is not finished; give its command again, then pack")
    with locked(folder):
        found = checksums(folder)
        wrong = [name for name, digest in manifest["files"].items() if found.get(name) != digest]
        if wrong:
            raise UserError(f"{folder / wrong[0]}: is not what was written; see hptune-bench verify {folder}")
        with Journals(folder) as journals:
            names, content = journals.names, archive(journals)
            for name in set(names) & set(found) - set(manifest["files"]):  # left by a command that was killed
                if journals.archived(name) != (folder / name).read_bytes():
                    raise UserError(f"{folder / name}: is not in the manifest; see hptune-bench verify {folder}")
        made = {JOURNALS: content} if names else {}
        for name in PACKED_CSVS:
            if (table := table_bytes(folder / name)) is not None:
                made[f"{name}.gz"] = compressed(table)
                names.append(name)
        for name, content in made.items():
            write_atomic(folder / name, content)
        _replace(folder, names, made)


def unpack(folder: Path) -> None:
    """Make a packed folder plain again; a plain one stays as it is. The folder's lock must be held.

    Raises:
        UserError: a packed file is damaged or hostile.
    """
    packed = [path.name for path in (folder / JOURNALS, *folder.glob("*.csv.gz")) if path.exists()]
    if packed:
        _replace(folder, packed, extract(folder))


def _replace(folder: Path, old: Iterable[str], new: Iterable[str]) -> None:
    """Delete files that others, written before, hold now; the manifest names those, and is the first to change."""
    with contextlib.suppress(UserError):  # a damaged one stays: whoever reads it says so
        manifest = read_manifest(folder / MANIFEST)
        if manifest["files"]:
            sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in new}
            files = {name: digest for name, digest in manifest["files"].items() if name not in set(old)}
            write_manifest(folder, {**manifest, "files": dict(sorted({**files, **sums}.items()))})
    for name in old:
        (folder / name).unlink(missing_ok=True)
    for top in (RUNS, NOISE):
        for path in sorted((folder / top).rglob("*"), reverse=True):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        with contextlib.suppress(OSError):
            (folder / top).rmdir()
