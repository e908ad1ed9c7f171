"""Which task a worker gets: what it has compiled should serve the next one, and no round waits for another."""

from __future__ import annotations

from hptune_bench.execution.executors.base import Task, TaskQueue


def tasks(seeds, workloads, tuners):
    return [Task(seed=s, workload=w, tuner=t) for s in seeds for w in workloads for t in tuners]


def test_workers_keep_to_a_workload_and_the_rounds_stay_in_order():
    planned = tasks([1, 2], ["a", "b"], ["x", "y", "z"])
    queue = TaskQueue(planned)
    last = [None, None]
    given = []
    for turn in range(len(planned)):
        task = queue.take(last[turn % 2], {last[1 - turn % 2]})
        last[turn % 2] = task.workload
        given.append(task)
    assert [task.seed for task in given] == [1] * 6 + [2] * 6
    assert sorted(map(str, given)) == sorted(map(str, planned))
    assert {task.workload for task in given[0::2]} == {"a"}
    assert {task.workload for task in given[1::2]} == {"b"}


def test_a_worker_that_has_nothing_of_its_own_left_helps():
    planned = tasks([1], ["b"], ["x", "y"])
    assert TaskQueue(planned).take("a", {"b"}) == planned[0]
