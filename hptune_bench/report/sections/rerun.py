"""The machine and its versions, and how to rerun."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hptune_bench.core import fingerprint, text
from hptune_bench.report.blocks import Block, Code, Column, Prose, table
from hptune_bench.report.context import Context, Section
from hptune_bench.store.results import took


def _machine(ctx: Context) -> Iterable[Block]:
    manifest = ctx.campaign.manifest
    rows: list[tuple[str, Any]] = [
        ("benchmark", manifest.get("name", "")),
        ("status", manifest.get("status", "")),
        ("runs", f"{manifest.get('finished_runs', '?')} of {manifest.get('planned_runs', '?')} finished"),
        ("started", manifest.get("started", "")),
        ("finished", manifest.get("finished") or "not yet"),
        *(manifest.get("environment") or {}).items(),
    ]
    for name, about in (manifest.get("workloads") or {}).items():
        sizes = ", ".join(f"{count:,} {split}" for split, count in (about.get("rows") or {}).items())
        note = f"; {about['trainer_note']}" if about.get("trainer_note") else ""
        rows.append((f"{name}: rows", sizes or "unknown"))
        rows.append((f"{name}: trainer", f"{about.get('trainer', '?')}, engine {about.get('engine', '?')}{note}"))
        rows.append((f"{name}: budget of a run", _budget(about)))
        rows.append((f"{name}: fingerprint", fingerprint.short(about.get("fingerprint"))))
    columns = [Column("What", lambda row: text.clean(row[0])), Column("Value", lambda row: text.clean(row[1]))]
    yield table("environment", "Machine and versions", columns, rows, text_columns=2)


def _budget(about: dict[str, Any]) -> str:
    words = ", ".join(f"{text.number(count)} {unit}" for unit, count in (about.get("budget") or {}).items())
    epochs = about.get("budget_epochs")
    return f"{words} = {epochs:,} epochs" if epochs else words or "unknown"


def _rerun(ctx: Context) -> Iterable[Block]:
    manifest = ctx.campaign.manifest
    yield Code("\n".join(line for line in str(manifest.get("command", "")).splitlines() if line.strip()))
    spent = took(manifest)
    if spent is not None:
        workers = manifest.get("workers")
        with_ = f" with {text.plural(int(workers), 'worker')}" if workers else ""
        yield Prose(f"Expect about {text.seconds(spent)}: so long it took on the machine above{with_}.")
    yield Prose(
        "Every number here comes from runs.csv, trials.csv and noise.csv of the results folder; the numbers behind "
        "each figure are in plots/, those of each table, unrounded, in tables/. The same command gives the same "
        "bytes, times aside."
    )


MACHINE = Section("Machine and versions", 260, _machine)
RERUN = Section("How to rerun", 270, _rerun)
