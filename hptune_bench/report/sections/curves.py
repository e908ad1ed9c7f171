"""Best score so far: on the first page, over the other axes, as test score, and of every method."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.anytime import AXES, Axis, Score
from hptune_bench.analysis.comparisons import FULL
from hptune_bench.analysis.data_draws import testable, these
from hptune_bench.core import text
from hptune_bench.core.tuner_info import with_role
from hptune_bench.report.blocks import Block, Figure, Prose, Table, column, table
from hptune_bench.report.cells import count, measure, percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import all_seeds, caption, corner, file_name, name_of, score_label, seeds
from hptune_bench.report.plots import curves
from hptune_bench.report.plots.curves import Panel

FIRST_AXES: tuple[Axis, ...] = ("stock_s", "spent_epochs", "elapsed_s", "trials")
"""What the first figure is drawn against: the first of these that was recorded."""
FIRST_PANELS = 4
"""Workloads in the first figure; the others' curves are among the folded ones."""
SCORES = {"validation": "best validation score so far", "test": "test score of the best trial so far"}


def untuned_score(found: WorkloadAnalysis, score: Score) -> float:
    """Median score of the copied configuration over the seeds; NaN if it was not among the tuners.

    Not that of its retrainings: they share the data of one seed, and the other medians do not.
    """
    summary = found.summary
    rows = (
        summary[(summary["tuner"] == found.records.with_role("copied")) & (summary["at"] == FULL)]
        if len(summary)
        else summary
    )
    return float(rows[f"{score}_median"].iloc[0]) if len(rows) else math.nan


def _axis(found: WorkloadAnalysis, wanted: Iterable[Axis]) -> Axis | None:
    return next((axis for axis in wanted if (axis, "validation") in found.curves), None)


def _panel(found: WorkloadAnalysis, axis: Axis, score: Score, tuners: Sequence[str], title: str) -> Panel:
    known = untuned_score(found, score)
    label = score_label(found, score)
    return Panel(title, corner(found), found.curves[axis, score], tuple(tuners), known, label)


def _figure(ctx: Context, name: str, panels: Sequence[Panel], seeds: str) -> Figure:
    several = len({panel.title for panel in panels if not panel.title.startswith("Over ")}) > 1
    takeaway = " ".join(_ending(ctx, panel, several) for panel in (panels if several else panels[:1]))
    names = ", ".join(dict.fromkeys(ctx.label(tuner) for panel in panels for tuner in panel.tuners))
    many = max(len(panel.tuners) for panel in panels) > curves.MAX_BANDS
    band = "quartiles are in the CSV" if many else "band: lower to upper quartile"
    band = "a single seed has no band" if seeds == "1 seed" else band
    even = any((panel.curves.bands["runs"] % 2 == 0).any() for panel in panels)
    lower = " (of an even number the lower of the two in the middle, so not quite the tables' median)" if even else ""
    zero = ""
    if any(panel.curves.excess for panel in panels):
        zero = (
            " Above its noise floor: minus the noise in that split, so 0 is the law that made the data; the best of "
            "many trials can fall below it by luck."
        )
    scores = " and ".join(dict.fromkeys(SCORES[panel.curves.score] for panel in panels))
    return Figure(
        name=name,
        takeaway=text.sentence(takeaway),
        detail=(
            f"Line: median of the {scores} over {seeds}{lower}; {band}; right-continuous steps: nothing is known "
            "before a trial ends. Smaller is better. Dotted line: untuned. The score axis leaves out how the curves "
            f"start.{zero}"
        ),
        alt=f"Step curves of {names}. {takeaway}",
        data=curves.data(panels),
        draw=lambda: curves.draw(panels, ctx.styles),
    )


def _ending(ctx: Context, panel: Panel, several: bool) -> str:
    """Who ends where, in one sentence."""
    last = panel.curves.bands.groupby("tuner", sort=False)["median"].agg(lambda medians: medians.iloc[-1])
    finite = {name: float(last[name]) for name in panel.tuners if name in last and math.isfinite(last[name])}
    prefix = f"{panel.title}: " if several else ""
    if not finite:
        return f"{prefix}no method's median run ends with a finite score."
    ordered = sorted(finite, key=lambda name: finite[name])
    show = text.alike([*finite.values(), panel.untuned])
    ends = "ends lowest at" if len(ordered) > 1 else "ends at"
    words = f"{ctx.label(ordered[0])} {ends} {show(finite[ordered[0]])}"
    loop = with_role({name: ctx.infos[name] for name in finite}, "loop")
    reference = loop if loop is not None and ordered[0] != loop else ordered[-1]
    if reference != ordered[0]:
        words += f", {ctx.label(reference)} at {show(finite[reference])}"
    if math.isfinite(panel.untuned):
        words += f", untuned is {show(panel.untuned)}"
    return f"{prefix}{words}."


# --- the sections --------------------------------------------------------------------------------------------------


def _first(ctx: Context) -> Iterable[Block]:
    shown = [(found, axis) for found in ctx.workloads[:FIRST_PANELS] if (axis := _axis(found, FIRST_AXES))]
    if not shown:
        return [Prose("No trial has finished yet, so there is no curve to draw.")]
    panels = [_panel(found, axis, "validation", ctx.main(found), name_of(found)) for found, axis in shown]
    return [_figure(ctx, "best-so-far", panels, all_seeds(found for found, _ in shown))]


def _other_axes(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    first = _axis(found, FIRST_AXES)
    return _over(ctx, found, "axes", [axis for axis in AXES if axis != first], "validation")


def _test(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    return _over(ctx, found, "test", ("stock_s", "spent_epochs"), "test")


def _over(ctx: Context, found: WorkloadAnalysis, kind: str, axes: Iterable[Axis], score: Score) -> list[Block]:
    """One figure with a panel for each of these axes that was recorded."""
    known = [axis for axis in axes if (axis, score) in found.curves]
    panels = [_panel(found, axis, score, ctx.main(found), f"Over {AXES[axis]}") for axis in known]
    return [_figure(ctx, file_name(kind, found), panels, seeds(found))] if panels else reason(found, "curves")


def _all_methods(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if axis := _axis(found, ("spent_epochs", "trials", "elapsed_s")):
        panel = _panel(found, axis, "validation", ctx.searchers(found), name_of(found))
        yield _figure(ctx, file_name("all", found), [panel], seeds(found))
    if found.costs is not None and len(found.costs.defaults):
        yield _defaults(ctx, found)


def _defaults(ctx: Context, found: WorkloadAnalysis) -> Table:
    assert found.costs is not None
    chance = ""
    if not testable(found.records.draws):
        chance = f"Interval and outcome: of the tuners' own chance on {these(found.records.draws or 1)}. "
    return table(
        file_name("defaults", found),
        caption(found, "What KerasTuner's defaults cost"),
        [
            column("Method", ctx.label, "tuner"),
            column("Stock − repaired (test score)", measure, "median_difference", "low", "high"),
            column("Stock is", str, "outcome"),
            column("Epochs wasted, stock", percent, "wasted_share_stock"),
            column("Epochs wasted, repaired", percent, "wasted_share_repaired"),
            column("Runs that stock would have crashed", count, "stock_crashes"),
            column("n", count, "n"),
        ],
        found.costs.defaults,
        f"{chance}Above 0 = the defaults cost quality. Wasted = spent on trials that failed or diverged.",
    )


FIRST = Section("Best loss so far", 20, _first, folded=False, quick=True)
AXES_SECTION = Section("The same curves over epochs, search clock and trials", 110, each(_other_axes))
TEST = Section("Test score of the chosen model", 120, each(_test))
ALL = Section("Every method, and what KerasTuner's defaults cost", 130, each(_all_methods))
