"""Where the time went, and how slow a model must be before a tuner pays."""

from __future__ import annotations

from collections.abc import Iterable

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Cell, Figure, column, table
from hptune_bench.report.cells import duration, measure, percent
from hptune_bench.report.context import Context, Section, each, reason
from hptune_bench.report.naming import caption, file_name, plain, seeds, title_of
from hptune_bench.report.plots import times


def _time(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not len(found.costs.time):
        return reason(found, "costs")
    frame = ctx.ordered(found.costs.time)
    most = frame.iloc[int(frame["share_tuner"].fillna(-1).to_numpy(float).argmax())]
    takeaway = (
        f"{ctx.label(most['tuner'])} spends the largest share of its search clock on itself: "
        f"{text.percent(float(most['share_tuner']))}."
    )
    figure = Figure(
        name=file_name("time", found),
        takeaway=takeaway,
        detail=f"Medians over {seeds(found)} on this machine, with the campaign's trainer, not plain Keras.",
        alt=f"Stacked bars of training, tuner, compiling and other seconds per method. {takeaway}",
        data=frame,
        draw=lambda: times.draw_time(frame, ctx.styles, title_of(found)),
    )
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Training", duration, "training"),
        column("Tuner's own time", duration, "tuner_time"),
        column("Share of tuner", percent, "share_tuner"),
        column("Tuner per trial", duration, "per_trial_tuner_s"),
        column("Compiling", duration, "compile"),
        column("Other", duration, "other"),
        column("With plain Keras", duration, "stock_s"),
    ]
    words = caption(found, "Where the time went")
    return [
        figure,
        table(file_name("time", found), words, columns, found.costs.time, "Medians over runs, this machine."),
    ]


def _break_even(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    if found.costs is None or not found.costs.break_even:
        return reason(found, "break_even")

    def in_words(sentence: str) -> str:
        return text.sentence(plain(ctx, sentence))

    tuners = [name for name in ctx.main(found) if name != found.records.against]
    main = [pair for pair in found.costs.break_even if pair.tuner in tuners and len(pair.curve)]
    blocks: list[Block] = []
    if main:
        takeaway = " ".join(in_words(pair.sentence) for pair in main[:2])
        blocks.append(
            Figure(
                name=file_name("break-even", found),
                takeaway=takeaway,
                detail=(
                    "Time to the same quality (the worse of the two medians), relative to the reference; below 1 the "
                    f"tuner is faster. A marker shows where it starts to be. Medians over {seeds(found)}, without a "
                    "band: a description, no test."
                ),
                alt=f"Curves of relative time over the seconds per epoch of a model. {takeaway}",
                data=times.break_even_data(main),
                draw=lambda: times.draw_break_even(main, ctx.styles, title_of(found)),
            )
        )
    columns = [
        column("Method", ctx.label, "tuner"),
        column("Against", ctx.label, "reference"),
        column("In words", in_words, "sentence"),
        column("Faster from", lambda at: Cell(_from(at), at), "seconds_per_epoch"),
        column("At quality", measure, "quality"),
    ]
    note = "From medians, without an interval: a description of these runs, no test."
    words = caption(found, "Break-even")
    blocks.append(table(file_name("break-even", found), words, columns, found.costs.break_even, note, text_columns=3))
    return blocks


def _from(at: float | None) -> str:
    return "never in this budget" if at is None else "always" if at == 0 else f"{text.number(at, 3)} s per epoch"


TIME = Section("Where the time went", 220, each(_time))
BREAK_EVEN = Section("Break-even: how slow must your model be?", 230, each(_break_even))
