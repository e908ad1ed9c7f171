"""Where everything lies in a results folder: every path is a pure function of what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MANIFEST = "manifest.json"
LOCK = ".lock"
LOGS = "logs"
RUNS, NOISE, STOCK_CLOCK = "runs", "noise", "stock_clock"
CSVS = ("runs.csv", "trials.csv", "epochs.csv", "noise.csv", "stock_clock.csv")
"""The tables that are made from the journals."""
JOURNALS = "journals.zip"
"""Where all journals of a packed folder lie."""
PACKED_CSVS = ("trials.csv", "epochs.csv")
"""The tables that a packed folder holds compressed, with ``.gz`` after their names: the large ones."""
REPORT, PAGE = "report.md", "report.html"
PLOTS, TABLES = "plots", "tables"


@dataclass(frozen=True, order=True)
class RunId:
    """One run: a tuner on a workload with a seed."""

    workload: str
    tuner: str
    seed: int

    @property
    def path(self) -> str:
        """Its journal, relative to the results folder."""
        return f"{RUNS}/{self.workload}/{self.tuner}/s{self.seed:02d}.jsonl"

    def __str__(self) -> str:
        return f"{self.workload} / {self.tuner} / seed {self.seed}"


def noise_path(workload: str) -> str:
    """Journal of the untuned configuration's retrainings, relative to the results folder."""
    return f"{NOISE}/{workload}.jsonl"


def stock_clock_path(workload: str) -> str:
    """The measured cost of stock Keras, relative to the results folder."""
    return f"{STOCK_CLOCK}/{workload}.json"


def fingerprint_path(workload: str) -> str:
    """What a workload did when its first run began, see ``core.fingerprint``."""
    return f"fingerprints/{workload}.json"


def check_path(workload: str) -> str:
    """The findings of the check of a workload, relative to the results folder."""
    return f"checks/{workload}.json"


def model_path(workload: str) -> str:
    """The best model of a workload, relative to the results folder."""
    return f"models/{workload}.keras"


BEST = "best"
"""Name of the weights of a run's incumbent, which are kept until its model is saved."""


def state_name(trial: int) -> str:
    """Name of a trial's state, which is kept while its run goes on."""
    return f"state/{trial}"


def kept_path(journal: Path, name: str) -> Path:
    """Where a run keeps arrays of such a name."""
    return journal.parent / f"{journal.stem}.{name}.npz"


def states_folder(journal: Path) -> Path:
    """Where the states of all trials of a run are kept."""
    return journal.with_suffix(".state")


def damaged_path(journal: Path) -> Path:
    """Where a journal is put that is not intact."""
    return journal.with_suffix(".damaged")


def of_report(name: str) -> bool:
    """Whether a file, named relative to the results folder, is one that a report writes."""
    return name.startswith((REPORT, PAGE, f"{PLOTS}/", f"{TABLES}/"))


def lasting(name: str) -> bool:
    """Whether a file, named relative to the results folder, is a result: neither the manifest, which lists them, nor a
    lock, a log, a half-written file or a temporary state."""
    hidden = name.rpartition("/")[2].startswith(".")
    return not (hidden or name == MANIFEST or name.startswith(f"{LOGS}/") or ".state/" in name or name.endswith(".npz"))
