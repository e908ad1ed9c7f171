"""What workloads, scores and tuners are called in words, on pages and in names of files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hptune_bench.analysis import WorkloadAnalysis
from hptune_bench.analysis.anytime import Score
from hptune_bench.analysis.frames import Records
from hptune_bench.core import text
from hptune_bench.core.protocols import oriented
from hptune_bench.report import markup

if TYPE_CHECKING:
    from hptune_bench.report.context import Context


def name_of(found: WorkloadAnalysis) -> str:
    """The workload's title, for headings."""
    title = text.clean(found.records.title)
    return title[:1].upper() + title[1:]


def title_of(found: WorkloadAnalysis) -> str:
    """The workload's title with the kind of its data, where that is special."""
    label = found.records.data_label
    return name_of(found) + (f" ({label} data)" if label else "")


def corner(found: WorkloadAnalysis) -> str:
    """The kind of data for the corner of a figure."""
    return f"{found.records.data_label} data" if found.records.data_label else ""


def caption(found: WorkloadAnalysis, words: str) -> str:
    """The caption of a table with the kind of data."""
    label = found.records.data_label
    return words + (f" ({text.clean(label)} data)" if label else "")


def file_name(kind: str, found: WorkloadAnalysis) -> str:
    """The name of a figure's or a table's file."""
    return f"{kind}-{markup.slug(found.records.name)}"


def seeds(found: WorkloadAnalysis) -> str:
    """How many seeds there are, and on how many data sets where they share them."""
    runs = found.records.runs
    counted = text.plural(int(runs["seed"].nunique() if len(runs) else 0), "seed")
    return counted if found.records.draws is None else f"{counted} on {text.plural(found.records.draws, 'data set')}"


def all_seeds(workloads: Iterable[WorkloadAnalysis]) -> str:
    """``seeds`` of several workloads, equal ones once."""
    return " / ".join(dict.fromkeys(seeds(found) for found in workloads))


# --- scores --------------------------------------------------------------------------------------------------------


def metric_name(records: Records) -> str:
    """The test score in plain words."""
    words = {"excess_loss": "excess loss", "test_score": "test score"}
    metric = words.get(records.test_metric, f"test {records.test_metric.replace('_', ' ')}")
    return oriented(metric, records.about.get("direction", "min"))


def objective_name(records: Records) -> str:
    """The validation score by the name that it has in the training log."""
    objective = text.clean(records.about.get("objective", "validation score"))
    return oriented(objective, records.about.get("direction", "min"))


def judged_name(records: Records) -> str:
    """The score that judges in plain words."""
    return metric_name(records) if records.judged_by == "test" else "validation score"


def score_label(found: WorkloadAnalysis, score: Score) -> str:
    """The score for the axis of a figure."""
    records = found.records
    if score == "test":
        return f"{metric_name(records)} on the test split"
    objective = objective_name(records)
    return f"{objective} above its noise floor" if records.excess else objective


# --- identifiers in sentences --------------------------------------------------------------------------------------


def in_words(ctx: Context, sentences: Iterable[str]) -> tuple[str, ...]:
    """Sentences that are read one after the other: what kind of data a workload has is said once."""
    said: set[str] = set()
    return tuple(text.sentence(plain(ctx, sentence, said)) for sentence in sentences)


def plain(ctx: Context, sentence: str, said: set[str] | None = None) -> str:
    """A sentence with the labels of tuners and the titles of workloads in place of their identifiers.

    Identifiers with an underscore and KerasTuner's tuners are replaced everywhere, a workload in front of a colon too.
    Others could be ordinary words: they are replaced after ``on`` and in lists, where the workload has a title.
    Parts of paths and names of files stay as they are, so that a reader finds what they name.

    Args:
        said: workloads whose kind of data has been named; those named here are added. None: always name it.
    """
    labels = {name: info.label for name, info in ctx.infos.items()}
    labels |= {name: style.label for name, style in ctx.styles.items()}
    labels = {name: f"the {label}" if label.startswith("hand-written") else label for name, label in labels.items()}
    workloads = {found.records.name: found for found in ctx.workloads}
    alone = [name for name in {**labels, **workloads} if "_" in name or (name in labels and ctx.infos[name].stock)]
    known = sorted(alone, key=len, reverse=True)

    def words_for(name: str) -> str:
        if name not in workloads:
            return labels[name]
        title = name_of(workloads[name]) if said is not None and name in said else title_of(workloads[name])
        if said is not None:
            said.add(name)
        return title

    start = ""
    about, colon, rest = sentence.partition(":")
    if colon and about in workloads:
        start, sentence = words_for(about), colon + rest
    names = rf"(?<![\w/])({'|'.join(map(re.escape, known))})"
    if words := [name for name, found in workloads.items() if name not in known and found.records.title != name]:
        names += rf"|(?:(?<=\bon )|(?<=, )|(?<=\band )|(?<=\bor ))({'|'.join(map(re.escape, words))})"
    return start + re.sub(rf"(?:{names})(?![\w/]|\.\w)", lambda match: words_for(match[0]), sentence)
