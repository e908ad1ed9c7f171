"""ONE run: a tuner calls ``evaluate``; the ledger cuts it, the trainer trains, the journal remembers.

A run is resumed by asking its tuner again from the start and answering from the journal until the journal ends: no
tuner state is ever pickled, and the resumed run is identical to an uninterrupted one.
"""

from __future__ import annotations

import functools
import time
import traceback

from hptune_bench.core import seeds
from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.protocols import (
    BudgetExhausted,
    Problem,
    Workload,
)
from hptune_bench.execution.evaluate import Evaluation
from hptune_bench.execution.setup import RunFailed, RunSetup, first_line, remembering
from hptune_bench.store.journal import Entry
from hptune_bench.store.runstore import Log


def problem_of(workload: Workload, cap: float, trainings: float | None) -> Problem:
    """What a tuner may know of this workload."""
    return Problem(
        space=workload.space,
        untuned=workload.space.check(workload.untuned, f"workload {workload.name}, untuned"),
        hand_picked=workload.hand_picked,
        full_epochs=workload.full_epochs,
        cap=cap,
        sweep_order=workload.sweep_order,
        published=workload.published,
        trainings=trainings,
    )


def conduct(setup: RunSetup) -> Entry:
    """Carry one run to its end, from wherever its journal stands, and return the closing entry.

    A tuner that raises fails its run only. The closing entry is journaled; an interruption is not.

    Raises:
        Interrupted: ``setup.stopping`` said so.
        JournalMismatch: the journal belongs to another proposal sequence.
        CannotWrite: the disk is full, or the folder is gone.
        UserError: the workload's own definition is wrong, or the journal is damaged.
    """
    began = time.perf_counter()
    with remembering(setup.store):
        log = setup.store.log()
    with log:
        contents = log.contents
        if contents.end is not None:
            return contents.end
        data_seed = seeds.data_seed(setup.workload.family, setup.run.seed)
        data = setup.trainer.data(data_seed)
        cap = data.facts["cap"] if "cap" in data.facts else setup.workload.cap(data)
        if not contents.entries:
            rows = {name: len(split) for name, split in data.splits.items()}
            _remember(setup, log, {**setup.header, "kind": "run", "facts": {**data.facts, "cap": cap}, "rows": rows})
        evaluation = Evaluation(setup, log, contents, data_seed)
        status, reason, detail = _search(setup, evaluation, cap)
        evaluation.finish_replay()
        if not contents.of_kind("retraining") and (retraining := evaluation.retrain_selected()) is not None:
            _remember(setup, log, retraining)
        end = {
            "kind": "end",
            "status": status,
            "reason": reason,
            "detail": detail,
            "trainer_note": setup.trainer.note,
            "unspent": evaluation.ledger.unspent,
            "wall_s": time.perf_counter() - began + evaluation.journaled_wall_s,
        }
        _remember(setup, log, end)
    setup.store.discard()
    return end


def _remember(setup: RunSetup, log: Log, entry: Entry) -> None:
    with remembering(setup.store):
        log.append(entry, durable=not setup.trainer.replays)


def _search(setup: RunSetup, evaluation: Evaluation, cap: float) -> tuple[str, str, str]:
    """Let the tuner search; status, reason and detail of the end."""
    workload, run, tuner = setup.workload, setup.run, setup.tuner
    assert tuner is not None
    trainings = None if setup.limits.epochs is None else setup.limits.epochs / workload.full_epochs
    problem = problem_of(workload, cap, trainings)
    seed = seeds.tuner_seed(workload.name, run.tuner, run.seed)
    try:
        searched = attempt(functools.partial(tuner.search, problem, evaluation, seed))
    except BudgetExhausted:
        return "done", evaluation.ledger.ended_by or "exhausted", ""
    except RunFailed as failure:
        return "failed", str(failure), ""
    if isinstance(searched, Failure):  # whatever a tuner raises fails its own run and no other
        return "failed", first_line(searched.error), "".join(traceback.format_exception(searched.error))
    return "done", "nothing left to propose", ""
