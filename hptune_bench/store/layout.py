"""Where everything lies in a results folder: every path is a pure function of what it holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class RunId:
    """One run: a tuner on a workload with a seed."""

    workload: str
    tuner: str
    seed: int

    @property
    def path(self) -> str:
        """Its journal, relative to the results folder: a pure function of what it is."""
        return f"runs/{self.workload}/{self.tuner}/s{self.seed:02d}.jsonl"

    def __str__(self) -> str:
        return f"{self.workload} / {self.tuner} / seed {self.seed}"


def noise_path(workload: str) -> str:
    """Journal of the untuned configuration's retrainings, relative to the results folder."""
    return f"noise/{workload}.jsonl"


def stock_clock_path(workload: str) -> str:
    """The measured cost of stock Keras, relative to the results folder."""
    return f"stock_clock/{workload}.json"


def check_path(workload: str) -> str:
    """The findings of the check of a workload, relative to the results folder."""
    return f"checks/{workload}.json"
