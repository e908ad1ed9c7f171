"""The notebook's picture: loss and accuracy over the number of words, beside its published curve."""

from __future__ import annotations

from collections.abc import Iterable

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.casestudy import review_published, words_plot
from hptune_bench.casestudy.sweep import first_sweep, flat_from
from hptune_bench.core import text
from hptune_bench.report.blocks import Block, Figure
from hptune_bench.report.context import Context, Section, each
from hptune_bench.report.naming import corner, file_name, seeds

FAMILY = "reviews"
"""The family of the notebook's own problem: only it has a published curve beside it."""


def _words(ctx: Context, found: WorkloadAnalysis) -> Iterable[Block]:
    records = found.records
    loop = first_sweep(records.trials)
    if not len(loop):
        return
    known = records.about.get("family") == FAMILY
    published = review_published.WORD_COUNT_LOOP if known else ()
    frame = words_plot.data(loop, published, review_published.SECOND_LOOP_WORD_COUNT if known else None)
    picks = sorted(int(value) for value in loop.groupby("seed")["picked"].first())
    flat = flat_from(frame[(frame["metric"] == "val_loss") & (frame["source"] != "published")])
    takeaway = (
        f"The loss falls until about {'?' if flat is None else text.number(flat)} words and is flat after that, so "
        f"what a single run picks is partly luck: {_spread(picks)}."
    )
    data = f"{records.data_label} data, " if records.data_label else ""
    rows = records.about.get("rows") or {}
    size = f"{rows['train']:,} training reviews" if rows.get("train") else "the reviews of this campaign"
    vocab = loop["hp:vocab_count"].iloc[0] if "hp:vocab_count" in loop else None
    held = f" at vocabulary {text.number(vocab)}" if vocab is not None else ""
    detail = (
        f"First loop of the hand-written method ({data}{size}{held}): median and quartiles over {seeds(found)}; bars "
        "below: how many runs picked that value."
    )
    if known:
        detail += (
            f" Dashed: the notebook's published curve ({review_published.REVIEWS:,} real reviews, vocabulary "
            f"{review_published.VOCAB_COUNT}), read off its figure; a fresh sample for every point, and more data."
        )
    yield Figure(
        name=file_name("words", found),
        takeaway=takeaway,
        detail=detail,
        alt=f"Loss and accuracy over word_count, this campaign beside the notebook. {takeaway}",
        data=frame,
        draw=lambda: words_plot.draw(frame, corner(found)),
    )


def _spread(picks: list[int]) -> str:
    if len(set(picks)) == 1:
        return f"{'all runs' if len(picks) > 1 else 'the run'} picked {picks[0]}"
    return f"{len(picks)} runs picked {len(set(picks))} different values from {picks[0]} to {picks[-1]}"


SECTION = Section("The notebook's picture", 70, each(_words), folded=False)
