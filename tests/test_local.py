"""Which task a worker gets: what it has compiled should serve the next one, and no round waits for another."""

from __future__ import annotations

from pathlib import Path

from hptune_bench.execution.executors.local import Callbacks, LocalExecutor, Worker


def tasks(seeds, workloads, tuners):
    return [{"seed": s, "workload": w, "tuner": t} for s in seeds for w in workloads for t in tuners]


def test_workers_keep_to_a_workload_and_the_rounds_stay_in_order():
    executor = LocalExecutor(2, Path(), Callbacks(lambda *_: None, lambda *_: None, lambda *_: False))
    planned = tasks([1, 2], ["a", "b"], ["x", "y", "z"])
    executor._queue.extend(planned)
    workers = [Worker(slot, process=None) for slot in range(2)]
    executor._workers.update(enumerate(workers))
    given = []
    for turn in range(len(planned)):
        worker = workers[turn % 2]
        task = executor._take(worker)
        worker.workload = task["workload"]
        given.append(task)
    assert [task["seed"] for task in given] == [1] * 6 + [2] * 6
    assert sorted(map(str, given)) == sorted(map(str, planned))
    assert {task["workload"] for task in given[0::2]} == {"a"}
    assert {task["workload"] for task in given[1::2]} == {"b"}


def test_a_worker_that_has_nothing_of_its_own_left_helps():
    executor = LocalExecutor(2, Path(), Callbacks(lambda *_: None, lambda *_: None, lambda *_: False))
    executor._queue.extend(tasks([1], ["b"], ["x", "y"]))
    idle = Worker(0, process=None, workload="a")
    executor._workers.update({0: idle, 1: Worker(1, process=None, workload="b")})
    assert executor._take(idle) == {"seed": 1, "workload": "b", "tuner": "x"}
