"""Verdict and warnings: sentences that the analysis has made."""

from __future__ import annotations

from collections.abc import Iterable

from hptune_bench.report.blocks import Block, Items
from hptune_bench.report.context import Context, Section
from hptune_bench.report.naming import in_words


def _verdict(ctx: Context) -> Iterable[Block]:
    yield Items(in_words(ctx, [sentence.text for sentence in ctx.analysis.verdict]))


def _warnings(ctx: Context) -> Iterable[Block]:
    several = len(ctx.workloads) > 1
    ordered = sorted(ctx.analysis.warnings, key=lambda warning: not warning.first_page)
    sentences = [f"{w.workload}: {w.text}" if several and w.workload else w.text for w in ordered]
    if sentences:
        yield Items(in_words(ctx, sentences))


VERDICT = Section("Verdict", 10, _verdict, folded=False, quick=True)
WARNINGS = Section("Warnings", 100, _warnings, folded=False, quick=True)
