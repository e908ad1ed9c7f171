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
    workload, run = setup.workload, setup.run
    began = time.perf_counter()
    durable = not setup.trainer.replays
    with remembering(setup.store):
        journal = setup.store.log()
    with journal:
        contents = journal.contents
        if contents.end is not None:
            return contents.end
        data_seed = seeds.data_seed(workload.family, run.seed)
        data = setup.trainer.data(data_seed)
        cap = data.facts["cap"] if "cap" in data.facts else workload.cap(data)
        trainings = None if setup.limits.epochs is None else setup.limits.epochs / workload.full_epochs
        if not contents.entries:
            rows = {name: len(split) for name, split in data.splits.items()}
            header = {**setup.header, "kind": "run", "facts": {**data.facts, "cap": cap}, "rows": rows}
            with remembering(setup.store):
                journal.append(header, durable=durable)
        evaluation = Evaluation(setup, journal, contents, data_seed)
        status, reason, detail = "done", "", ""
        try:
            assert setup.tuner is not None
            searched = attempt(
                functools.partial(
                    setup.tuner.search,
                    problem_of(workload, cap, trainings),
                    evaluation,
                    seeds.tuner_seed(workload.name, run.tuner, run.seed),
                )
            )
            reason = "nothing left to propose"
            if isinstance(searched, Failure):  # whatever a tuner raises fails its own run and no other
                status, reason = "failed", first_line(searched.error)
                detail = "".join(traceback.format_exception(searched.error))
        except BudgetExhausted:
            reason = evaluation.ledger.ended_by or "exhausted"
        except RunFailed as failure:
            status, reason = "failed", str(failure)
        evaluation.finish_replay()
        if not contents.of_kind("retraining") and (retraining := evaluation.retrain_selected()) is not None:
            with remembering(setup.store):
                journal.append(retraining, durable=durable)
        end = {
            "kind": "end",
            "status": status,
            "reason": reason,
            "detail": detail,
            "trainer_note": setup.trainer.note,
            "unspent": evaluation.ledger.unspent,
            "wall_s": time.perf_counter() - began + evaluation.journaled_wall_s,
        }
        with remembering(setup.store):
            journal.append(end, durable=durable)
    setup.store.discard()
    return end
