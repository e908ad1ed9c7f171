"""The noise floor of a workload: measured by retraining, or read off the complete table that it was replayed from."""

from __future__ import annotations

import math
from dataclasses import replace

from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.noise import Noise, noise
from hptune_bench.analysis.statistic import Given, Statistic
from hptune_bench.analysis.tabular.scores import retraining_sd, scores_of
from hptune_bench.analysis.tabular.truth import places
from hptune_bench.tabular.table import CurveTable


def with_table_noise(noise: Noise, records: Records, table: CurveTable) -> Noise:
    """The noise floor of a replayed workload, where nothing was retrained: from the table's trainings of the untuned
    configuration, pooled within data draws. Unchanged where it was measured, or where some of these failed."""
    untuned = records.about.get("untuned")
    if noise.margin is not None or not untuned or table.shape[2] < 2:
        return noise
    scores = scores_of(table)
    place = int(places(table, [untuned], records.about.get("space") or ())[0])
    judged_sd, validation_sd = (retraining_sd(values[place]) for values in (scores.judged, scores.validation))
    if not (math.isfinite(judged_sd) and judged_sd > 0):
        return noise
    count = scores.judged[place].size
    return replace(
        noise,
        margin=judged_sd,
        margin_source=(
            f"the margin is the standard deviation of the {records.judged_by} score over the table's {count} trainings "
            "of the untuned configuration, within data draws"
        ),
        retrainings=count,
        test_sd=judged_sd if records.judged_by == "test" else math.nan,
        validation_sd=validation_sd,
    )


def _of_workload(given: Given) -> Noise:
    found = noise(given.records)
    return found if given.table is None else with_table_noise(found, given.records, given.table)


STATISTICS = (
    Statistic(
        "noise",
        _of_workload,
        lambda given: given["noise"].margin_source,
        part="margin",
        missing=lambda found: found.margin is None,
    ),
)
