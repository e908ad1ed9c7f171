"""The records of one workload, cleaned once, so that every analysis starts from the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hptune_bench.results import Campaign

REFERENCES = ("manual_sweep", "manual_grid", "untuned", "untuned_restarts")
"""What tuners are compared with; the first is the post's own loop."""
BY_HAND = ("manual_sweep", "manual_grid", "untuned", "untuned_restarts", "post_winner")
"""Methods that need no tuning library: their stock clock uses plain ``model.fit``."""
TRAINED_ONCE = ("untuned", "post_winner")
"""Methods that train one configuration once: a line in a figure, not a search."""


@dataclass(frozen=True)
class Records:
    """One workload.

    Attributes:
        name: as in the CSV files.
        about: the workload's entry in the manifest (an empty mapping where there is none).
        title, data_label, test_metric: from the manifest, else name, "" and "test_score".
        excess: whether the irreducible loss of the validation split is known and was subtracted in ``validation``.
        tuners: names in reporting order: references first, then the primary tuners, then the others.
        primary: tuners of the primary comparisons; against: the reference of them.
        checkpoint_trials: also compare after this many trials; None: no.
        seeds: planned number of seeds.
        runs: columns of ``runs.csv`` and: ``final_test`` (test score of the selected model: +inf for failed runs and for
            runs that found nothing, NaN for unfinished ones and where there is no test split), ``final_validation``
            (the same for the validation score, excess loss where ``excess``), ``failed_run``, ``finished``.
        trials: columns of ``trials.csv`` ordered by tuner, seed, trial, and: ``validation`` (score, excess loss where
            ``excess``), ``stock_s`` (stock clock at the end of the trial, seconds; NaN without a stock clock).
        noise: rows of ``noise.csv`` with ``validation``.
        stock_clock: rows of the campaign's stock clock for this workload.
    """

    name: str
    about: Mapping[str, Any]
    title: str
    data_label: str
    test_metric: str
    excess: bool
    tuners: tuple[str, ...]
    primary: tuple[str, ...]
    against: str
    checkpoint_trials: int | None
    seeds: int
    runs: pd.DataFrame
    trials: pd.DataFrame
    noise: pd.DataFrame
    stock_clock: pd.DataFrame

    @property
    def hyperparameters(self) -> tuple[str, ...]:
        """Names in the order of the space; from the ``hp:`` columns where the manifest has no space."""
        raise NotImplementedError


def by_workload(campaign: Campaign) -> tuple[Records, ...]:
    """The campaign's workloads in the order of the manifest, then those that only the CSV files know."""
    raise NotImplementedError
