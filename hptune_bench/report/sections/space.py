"""The search space: the score over each hyperparameter, and the ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Column, Figure, column, table
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import caption, corner, file_name, score_label, seeds
from hptune_bench.report.plots import space


def _dots(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    records = found.records
    spaces = [hp for hp in records.about.get("space", ()) if f"hp:{hp['name']}" in records.trials]
    tuners = ctx.main(found)
    frame = space.dots(records.trials, tuners, [hp["name"] for hp in spaces])
    if not spaces or not len(frame):
        return
    bad = int((~np.isfinite(space.without_exploded(frame["validation"].to_numpy(float)))).sum())
    exploded = f"{text.percent(bad / len(frame))} have no finite score, or an exploded one (crosses at the top)"
    takeaway = f"{text.plural(len(frame), 'trial')} of {text.listing([ctx.label(name) for name in tuners])}"
    takeaway += f"; {exploded}." if bad else "."
    every = max(1, math.ceil(len(frame) / space.MAX_DOTS))
    thin = f" One trial in {every} is drawn; all are in the CSV." if every > 1 else ""
    copied, label = records.about.get("untuned") or {}, score_label(found, "validation")
    yield Figure(
        name=file_name("space", found),
        takeaway=takeaway,
        detail=f"One dot per trial, {seeds(found)}; dotted: the untuned value.{thin}",
        alt=f"Scatter plots of the validation score over each hyperparameter. {takeaway}",
        data=frame,
        draw=lambda: space.draw_dots(frame, spaces, copied, ctx.styles, label, corner(found)),
    )


def _space(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    about = found.records.about
    if not about.get("space"):
        return

    def known(kind: str) -> Mapping[str, Any]:
        return about.get(kind) or {}

    columns = [
        column("Hyperparameter", text.clean, "name"),
        column("Kind", str, "kind"),
        Column("Range", _range),
        column("As copied", lambda name: text.value(known("untuned").get(name)), "name"),
        column(
            "Values tried by hand", lambda name: _values(known("hand_picked").get(name, ())) or text.MISSING, "name"
        ),
        column("The post's winner", lambda name: text.value(known("published").get(name)), "name"),
    ]
    yield table(file_name("space", found), caption(found, "Search space"), columns, about["space"], text_columns=6)


def _values(values: Iterable[Any]) -> str:
    return ", ".join(text.value(value) for value in values)


def _range(hp: Mapping[str, Any]) -> str:
    """The range of one hyperparameter of the manifest in a few words, with the conditions it is there under."""
    only = "; ".join(f"{each['parent']} in {_values(each['values'])}" for each in hp.get("conditions", ()))
    return _bounds(hp) + (f" (only with {only})" if only else "")


def _bounds(hp: Mapping[str, Any]) -> str:
    if hp["kind"] == "Boolean":
        return "False or True"
    if hp["kind"] == "Choice":
        return _values(hp["values"])
    step = f", step {text.number(hp['step'])}" if hp.get("step") not in (None, 1) else ""
    return f"{text.number(hp['low'])} to {text.number(hp['high'])}{step}{', log' if hp.get('log') else ''}"


DOTS = Section("Score over each hyperparameter", 180, each(_dots))
SPACE = Section("Search space", 190, each(_space))
