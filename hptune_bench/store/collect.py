"""From journals to the CSV files: a pure view, rebuilt whole each time, sorted so that no order of work shows."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hptune_bench.core.errors import UserError
from hptune_bench.core.files import open_atomic
from hptune_bench.core.protocols import Direction
from hptune_bench.core.space import canonical
from hptune_bench.core.stock_rule import stock_would_stop_at
from hptune_bench.store import journal
from hptune_bench.store.csv import CsvFile
from hptune_bench.store.journal import Contents, Entry, JournalDamaged
from hptune_bench.store.layout import CSVS, RUNS, RunId, noise_path, stock_clock_path
from hptune_bench.store.records import EpochRecord, NoiseRecord, RunRecord, TrialRecord, row


@dataclass(frozen=True)
class Described:
    """What collecting needs to know of a workload: its direction and the metrics whose best value is kept."""

    objective: str
    direction: Direction
    metrics: Mapping[str, Direction]


_JOURNAL = re.compile(r"s(\d{2,6})\.jsonl")


def found_runs(folder: Path, workloads: Iterable[str]) -> list[RunId]:
    """Every run of these workloads that has a journal in the folder."""
    found = []
    for name in workloads:
        for path in (folder / RUNS / name).glob("*/s*.jsonl"):
            if match := _JOURNAL.fullmatch(path.name):
                run = RunId(name, path.parent.name, int(match[1]))
                if path.name == Path(run.path).name:
                    found.append(run)
    return sorted(found)


def collect(
    folder: Path, runs: Iterable[RunId], workloads: Mapping[str, Described], stock: Container[str] = ()
) -> list[str]:
    """Rebuild ``runs.csv``, ``trials.csv``, ``epochs.csv``, ``noise.csv`` and ``stock_clock.csv``; returns their names.

    Args:
        stock: tuners of which can be said where stock KerasTuner would have stopped (``TunerInfo.stock``).

    Unfinished runs appear as ``interrupted`` with the trials that they have.

    Raises:
        journal.JournalDamaged: a journal is not intact.
    """
    with contextlib.ExitStack() as stack:
        csvs = {name: stack.enter_context(CsvFile()) for name in CSVS}
        for run in sorted(set(runs)):
            contents = journal.read(folder / run.path)
            if not contents.entries:
                continue
            _check_history(folder / run.path, contents, workloads[run.workload])
            record, trials, epochs = records_of(run, contents, workloads[run.workload], stock)
            csvs["runs.csv"].add([row(record)])
            csvs["trials.csv"].add(map(row, trials))
            csvs["epochs.csv"].add(map(row, epochs))
            csvs["noise.csv"].add(map(row, retrainings(run.workload, run.tuner, run.seed, contents)))
        for name in sorted(workloads):
            again = retrainings(name, "", 1, journal.read(folder / noise_path(name)))
            csvs["noise.csv"].add(map(row, again))
            measured = folder / stock_clock_path(name)
            if measured.exists():
                csvs["stock_clock.csv"].add(_clock(measured))
        written = []
        for name, rows in csvs.items():
            if rows.empty:
                (folder / name).unlink(missing_ok=True)
                continue
            with open_atomic(folder / name) as stream:
                text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
                rows.write(text)
                text.detach()  # flushes, and leaves the stream open
            written.append(name)
    return written


def _check_history(path: Path, contents: Contents, workload: Described) -> None:
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


def records_of(
    run: RunId, contents: Contents, workload: Described, stock: Container[str] = ()
) -> tuple[RunRecord, list[TrialRecord], list[EpochRecord]]:
    """The records of one journal."""
    sign = 1 if workload.direction == "min" else -1
    trials: list[TrialRecord] = []
    epochs: list[EpochRecord] = []
    spent, elapsed, best_so_far = 0, 0.0, math.inf
    best: Entry | None = None
    for entry in contents.of_kind("trial"):
        before = elapsed + entry["tuner_s"]
        history: Mapping[str, Sequence[float]] = entry["history"]
        for index in range(entry["epochs"]):
            value = sign * history[workload.objective][index]
            best_so_far = min(best_so_far, value if math.isfinite(value) else math.inf)
            epochs.append(
                EpochRecord(
                    workload=run.workload,
                    tuner=run.tuner,
                    seed=run.seed,
                    trial=entry["trial"],
                    epoch=entry["first_epoch"] + index + 1,
                    spent_epochs=spent + index + 1,
                    elapsed_s=before + entry["train_s"] * (index + 1) / entry["epochs"],
                    best_so_far=best_so_far,
                    logs={name: values[index] for name, values in history.items()},
                )
            )
        spent += entry["charged"]
        elapsed = before + entry["train_s"]
        if entry["incumbent"]:
            best = entry
        trials.append(_trial(run, entry, spent, elapsed, workload))
    end = contents.end
    failed = [trial for trial in trials if trial.status not in ("completed", "truncated")]
    record = RunRecord(
        workload=run.workload,
        tuner=run.tuner,
        seed=run.seed,
        status=end["status"] if end else "interrupted",
        reason=end["reason"] if end else "not finished",
        trials=len(trials),
        failed=len(failed),
        epochs=sum(trial.epochs for trial in trials),
        unspent=end["unspent"] if end else 0,
        elapsed_s=elapsed,
        train_s=sum(trial.train_s for trial in trials),
        tuner_s=sum(trial.tuner_s for trial in trials),
        compile_s=sum(trial.compile_s for trial in trials),
        scoring_s=sum(entry.get("scoring_s", 0.0) for entry in contents.of_kind("trial")),
        wall_s=end["wall_s"] if end else math.nan,
        cpu_s=sum(trial.cpu_s for trial in trials),
        best_trial=best["trial"] if best else None,
        best_score=best["score"] if best else math.inf,
        best_epoch=best["best_epoch"] if best else None,
        stock_would_stop_at=stock_would_stop_at([trial.reported for trial in trials]) if run.tuner in stock else None,
        test_score=best["test_score"] if best else None,
        facts=contents.entries[0].get("facts", {}),
        test=best["test"] if best else {},
        hp=best["request"]["configuration"] if best else {},
    )
    return record, trials, epochs


def _trial(run: RunId, entry: Entry, spent: int, elapsed: float, workload: Described) -> TrialRecord:
    best, best_at = {}, {}
    for name, direction in {workload.objective: workload.direction, **workload.metrics}.items():
        found = best_of(entry["history"].get(name, ()), direction)
        if found is not None:
            best[name], best_at[name] = found[0], entry["first_epoch"] + found[1] + 1
    request = entry["request"]
    return TrialRecord(
        workload=run.workload,
        tuner=run.tuner,
        seed=run.seed,
        trial=entry["trial"],
        status=entry["status"],
        configuration=canonical(request["configuration"]),
        score=entry["score"],
        reported=entry["reported"],
        best_epoch=entry["best_epoch"],
        first_epoch=entry["first_epoch"],
        epochs=entry["epochs"],
        improved=improvements(entry["history"].get(workload.objective, ()), workload.direction),
        charged=entry["charged"],
        spent_epochs=spent,
        elapsed_s=elapsed,
        train_s=entry["train_s"],
        tuner_s=entry["tuner_s"],
        compile_s=entry["compile_s"],
        cpu_s=entry["cpu_s"],
        incumbent=entry["incumbent"],
        test_score=entry["test_score"],
        resumed_from=request["resume"],
        restarted_from=request["restart"],
        error=entry["error"],
        best=best,
        best_at=best_at,
        test=entry["test"],
        hp=request["configuration"],
    )


def best_known(workload: str, journals: Mapping[RunId, Contents]) -> dict[str, Any] | None:
    """The best seed-mean test score that any tuner's selected model has reached on a workload: y*, for regrets.

    None where no tuner has a test score for every seed that it finished.
    """
    scores: dict[str, list[float]] = {}
    for run, contents in journals.items():
        if run.workload == workload and contents.end is not None:
            selected = [trial["test_score"] for trial in contents.of_kind("trial") if trial["incumbent"]]
            score = selected[-1] if selected else None
            scores.setdefault(run.tuner, []).append(math.inf if score is None else score)
    means = {tuner: sum(found) / len(found) for tuner, found in scores.items()}
    finite = {tuner: mean for tuner, mean in means.items() if math.isfinite(mean)}
    if not finite:
        return None
    tuner = min(finite, key=lambda name: (finite[name], name))
    return {"test_score": finite[tuner], "tuner": tuner, "seeds": len(scores[tuner])}


def best_of(values: Sequence[float], direction: Direction) -> tuple[float, int] | None:
    """The best finite value and its index (the earliest of equals); None where nothing is finite."""
    sign = 1 if direction == "min" else -1
    finite = [(sign * value, index) for index, value in enumerate(values) if math.isfinite(value)]
    if not finite:
        return None
    value, index = min(finite)
    return sign * value, index


def improvements(values: Sequence[float], direction: Direction) -> int:
    """How many values are better than all before them; the first finite one is."""
    sign = 1 if direction == "min" else -1
    best, count = math.inf, 0
    for value in values:
        if sign * value < best:
            best, count = sign * value, count + 1
    return count


def retrainings(workload: str, tuner: str, seed: int, contents: Contents) -> Iterator[NoiseRecord]:
    for entry in contents.of_kind("retraining"):
        yield NoiseRecord(
            workload=workload,
            tuner=tuner,
            seed=seed,
            repeat=entry["repeat"],
            status=entry["status"],
            configuration=canonical(entry["configuration"]),
            score=entry["score"],
            best_epoch=entry["best_epoch"],
            epochs=entry["epochs"],
            train_s=entry["train_s"],
            test_score=entry["test_score"],
            test=entry["test"],
        )
