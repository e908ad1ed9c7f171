"""From journals to the CSV files: a pure view, rebuilt whole each time, sorted so that no order of work shows."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hptune_bench.core.errors import UserError
from hptune_bench.core.files import open_atomic
from hptune_bench.core.space import canonical
from hptune_bench.core.stock_rule import stock_would_stop_at
from hptune_bench.store import columns
from hptune_bench.store.csv import CsvFile
from hptune_bench.store.journal import Contents, JournalDamaged
from hptune_bench.store.layout import CSVS, RunId, noise_path, stock_clock_path
from hptune_bench.store.packed import Journals
from hptune_bench.store.trial import NOISE, TRIALS, Measures, Trial


def found_runs(folder: Path, workloads: Container[str]) -> list[RunId]:
    """Every run of these workloads that has a journal in the folder."""
    with Journals(folder) as journals:
        return [run for run in journals.runs() if run.workload in workloads]


def collect(
    folder: Path,
    runs: Iterable[RunId],
    workloads: Mapping[str, Measures],
    stock: Container[str] = (),
    out: Path | None = None,
) -> None:
    """Rebuild ``runs.csv``, ``trials.csv``, ``epochs.csv``, ``noise.csv`` and ``stock_clock.csv``.

    Args:
        stock: tuners of which can be said where stock KerasTuner would have stopped (``TunerInfo.stock``).
        out: where to write; None: the folder.

    Unfinished runs appear as ``interrupted`` with the trials that they have.

    Raises:
        journal.JournalDamaged: a journal is not intact.
    """
    out = out or folder
    with contextlib.ExitStack() as stack:
        journals = stack.enter_context(Journals(folder))
        csvs = {name: stack.enter_context(CsvFile()) for name in CSVS}
        for run in sorted(set(runs)):
            contents = journals.read(run.path)
            if not contents.entries:
                continue
            _check_history(folder / run.path, contents, workloads[run.workload])
            for name, rows in rows_of(run, contents, workloads[run.workload], run.tuner in stock).items():
                csvs[name].add(rows)
            csvs["noise.csv"].add(retrainings(run, contents))
        for name in sorted(workloads):
            csvs["noise.csv"].add(retrainings(RunId(name, "", 1), journals.read(noise_path(name))))
            measured = folder / stock_clock_path(name)
            if measured.exists():
                csvs["stock_clock.csv"].add(_clock(measured))
        for name, csv in csvs.items():
            if csv.empty:
                (out / name).unlink(missing_ok=True)
                continue
            with open_atomic(out / name) as stream:
                text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
                csv.write(text)
                text.detach()  # flushes, and leaves the stream open


def _check_history(path: Path, contents: Contents, workload: Measures) -> None:
    """Every trained epoch has the objective."""
    for line, entry in enumerate(contents.entries, start=1):
        if entry["kind"] == "trial" and entry["epochs"] and workload.objective not in entry["history"]:
            raise JournalDamaged(path, line, f"key 'history' lacks {workload.objective!r}")


def _clock(path: Path) -> list[dict[str, Any]]:
    """The measured cost of stock Keras.

    Raises:
        UserError: it is not what a campaign writes.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid JSON ({error}); delete it to have it measured again") from None
    if not isinstance(rows, list) or not all(isinstance(entry, dict) for entry in rows):
        raise UserError(f"{path}: is no list of measurements; delete it to have them made again")
    return rows


def rows_of(run: RunId, contents: Contents, measures: Measures, stock: bool) -> dict[str, list[dict[str, Any]]]:
    """The rows of one journal by the name of their table; ``stock``: see ``collect``."""
    found = contents.trials
    trials, epochs = [], []
    spent, elapsed, best_so_far = 0, 0.0, math.inf
    for trial in found:
        begun = elapsed + trial.tuner_s
        curve = measures.curve(trial.history)
        for index in range(trial.epochs):
            best_so_far = min(best_so_far, curve[index] if math.isfinite(curve[index]) else math.inf)
            epoch = {
                "trial": trial.trial,
                "epoch": trial.first_epoch + index + 1,
                "spent_epochs": spent + index + 1,
                "elapsed_s": begun + trial.train_s * (index + 1) / trial.epochs,
                "best_so_far": best_so_far,
                "logs": {name: values[index] for name, values in trial.history.items()},
            }
            epochs.append(columns.row(columns.EPOCHS, {**vars(run), **epoch}))
        spent += trial.charged
        elapsed = begun + trial.train_s
        trials.append(columns.row(TRIALS, trial.row(run, measures, spent, elapsed)))
    rows = {"runs.csv": [columns.row(columns.RUNS, _run(run, contents, found, elapsed, stock))]}
    return {**rows, "trials.csv": trials, "epochs.csv": epochs}


def _run(run: RunId, contents: Contents, trials: Sequence[Trial], elapsed: float, stock: bool) -> dict[str, Any]:
    """The values of ``columns.RUNS``."""
    unfinished = {"status": "interrupted", "reason": "not finished", "unspent": 0, "wall_s": math.nan}
    end = contents.end or unfinished
    best = next((trial for trial in reversed(trials) if trial.incumbent), None)
    sums = ("epochs", "train_s", "tuner_s", "compile_s", "scoring_s", "cpu_s")
    return {
        **vars(run),
        **{key: end[key] for key in unfinished},
        **{key: sum(getattr(trial, key) or 0.0 for trial in trials) for key in sums},
        "trials": len(trials),
        "failed": sum(trial.status not in ("completed", "truncated") for trial in trials),
        "elapsed_s": elapsed,
        "best_trial": best.trial if best else None,
        "best_score": best.score if best else math.inf,
        "best_epoch": best.best_epoch if best else None,
        "stock_would_stop_at": stock_would_stop_at([t.reported for t in trials]) if stock else None,
        "test_score": best.test_score if best else None,
        "facts": contents.entries[0].get("facts", {}),
        "test": best.test if best else {},
        "hp": best.request.configuration if best else {},
    }


def best_known(workload: str, journals: Mapping[RunId, Contents]) -> dict[str, Any] | None:
    """The best seed-mean test score that any tuner's selected model has reached on a workload: y*, for regrets.

    None where no tuner has a test score for every seed that it finished.
    """
    scores: dict[str, list[float]] = {}
    for run, contents in journals.items():
        if run.workload == workload and contents.end is not None:
            selected = [trial.test_score for trial in contents.trials if trial.incumbent]
            score = selected[-1] if selected else None
            scores.setdefault(run.tuner, []).append(math.inf if score is None else score)
    means = {tuner: sum(found) / len(found) for tuner, found in scores.items()}
    finite = {tuner: mean for tuner, mean in means.items() if math.isfinite(mean)}
    if not finite:
        return None
    tuner = min(finite, key=lambda name: (finite[name], name))
    return {"test_score": finite[tuner], "tuner": tuner, "seeds": len(scores[tuner])}


def retrainings(run: RunId, contents: Contents) -> Iterator[dict[str, Any]]:
    """The rows of ``noise.csv`` that one journal gives."""
    for entry in contents.of_kind("retraining"):
        values = {**vars(run), **entry, "configuration": canonical(entry["configuration"])}
        yield columns.row(NOISE, values)
