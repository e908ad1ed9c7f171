"""Does a results folder still hold? Files, rows, tables and report against each other, without any code that ran it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from hptune_bench.core.errors import UserError
from hptune_bench.store import collect
from hptune_bench.store.folder import checksums
from hptune_bench.store.journal import JournalDamaged
from hptune_bench.store.layout import CSVS
from hptune_bench.store.manifest import tuners_of
from hptune_bench.store.packed import table_bytes
from hptune_bench.store.results import Results, read_results
from hptune_bench.store.trial import Measures
from hptune_bench.verify import rows
from hptune_bench.verify.check import Check
from hptune_bench.verify.report import check_report


def check_files(folder: Path, *, report: bool = True) -> Iterator[Check]:
    """Files against the manifest, rows against their invariants, tables and report against what they come from.

    Args:
        report: rebuild the report too (some ten seconds).

    Raises:
        UserError: the folder is no results folder.
    """
    campaign = read_results(folder)
    yield _checksums(folder, campaign)
    yield from rows.checks(campaign)
    yield _tables(folder, campaign)
    if report:
        yield check_report(folder, campaign)


def _checksums(folder: Path, campaign: Results) -> Check:
    listed: Mapping[str, str] = campaign.manifest.get("files") or {}
    if not listed:
        return Check("checksums", "not checked", "the manifest lists no files: the campaign is unfinished")
    found = checksums(folder)
    wrong = [name for name, digest in listed.items() if found.get(name) != digest]
    extra = sorted(set(found) - set(listed))
    if wrong:
        what = "is missing" if wrong[0] not in found else "is not what was written"
        return Check("checksums", "differs", f"{wrong[0]} {what} ({len(wrong)} of {len(listed)} files)")
    if extra:
        return Check("checksums", "differs", f"{extra[0]} is not in the manifest ({len(extra)} such files)")
    return Check("checksums", "ok", f"{len(listed)} files are what the manifest says")


def _tables(folder: Path, campaign: Results) -> Check:
    """The CSV files, rebuilt from the journals elsewhere and compared byte for byte."""
    name = "tables from journals"
    stock = {tuner for tuner, info in tuners_of(campaign.manifest).items() if info.stock}
    measures = {
        workload: Measures(about["objective"], about["direction"], about["metrics"])
        for workload, about in campaign.manifest["workloads"].items()
    }
    with tempfile.TemporaryDirectory() as other:
        try:
            collect.collect(folder, collect.found_runs(folder, measures), measures, stock, Path(other))
            there = {table: table_bytes(folder / table) for table in CSVS}
        except UserError as damage:
            return Check(name, "differs", damage.what if isinstance(damage, JournalDamaged) else str(damage))
        made = {table: table_bytes(Path(other) / table) for table in CSVS}
    differing = [table for table in CSVS if there[table] != made[table]]
    if differing:
        return Check(name, "differs", f"{differing[0]} is not what the journals give")
    return Check(name, "ok", f"{', '.join(table for table in CSVS if there[table] is not None)} agree")
