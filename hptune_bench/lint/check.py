"""A linter for workloads and search spaces: what would spoil a long run, found before it.

Three parts: ``budget`` is arithmetic, ``before_training`` builds models and trains none (but those of a hyperparameter
that seems dead, on a few rows), ``probe`` trains a few short ones. TensorFlow is imported by the last two when they are
called.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from hptune_bench.core import seeds
from hptune_bench.core.budget import Limits
from hptune_bench.core.protocols import Trainer, Workload
from hptune_bench.core.tuner_info import TunerInfo
from hptune_bench.lint.budget import budget
from hptune_bench.lint.data import leaks, shared_rows, unsteady_loader
from hptune_bench.lint.finding import Finding
from hptune_bench.lint.portraits import Portraits, dead
from hptune_bench.lint.probes import PROBES, probe


def everything(
    workload: Workload, limits: Limits, tuners: Mapping[str, TunerInfo], trainer: Trainer, probes: int = PROBES
) -> Iterator[Finding]:
    """What all three parts find, nothing twice; without ``probes`` the first two."""
    told = set()
    for finding in itertools.chain(budget(workload, limits, tuners), before_training(workload)):
        told.add(finding.key)
        yield finding
    for finding in probe(workload, trainer, probes) if probes else ():
        if not (finding.key == "trainer" and "stock" in told):  # the same in other words
            yield finding


def before_training(workload: Workload, seed: int = 1) -> Iterator[Finding]:
    """What building models and reading data shows."""
    from hptune_bench.training import structure

    data_seed = seeds.data_seed(workload.family, seed)
    data = workload.load(data_seed)
    for doubt in getattr(workload, "doubts", ()):
        seen, _, remedy = doubt.rpartition(": ")
        yield Finding("two_ranges", f"{workload.name}: {seen}", remedy)
    yield from unsteady_loader(workload, data, data_seed)
    if data.test is None:
        yield Finding(
            "no_test",
            f"{workload.name}: there is no test split, so that tuners are compared on the rows that they tuned on",
            "give test rows, or one set of rows without a validation split, which is parted into three",
        )
    yield from shared_rows(workload, data)
    portraits = Portraits(workload, data)
    yield from leaks(workload, data, portraits)
    if portraits.draws:
        yield Finding(
            "fresh_sample",
            f"{workload.name}: the rows that a configuration is trained on change with the configuration",
            "scores are partly the luck of a sample; train every configuration of a seed on the same rows",
        )
    rng = np.random.default_rng(seeds.derive("check", "dead"))
    for hp in workload.space:
        if (tried := dead(workload, hp, portraits, rng)) is not None:
            yield Finding(
                "dead",
                f"{workload.name}: hyperparameter {hp.name!r} changes neither the model nor its data nor its "
                f"score ({tried} changes tried)",
                "use it in the model, or take it out of the search space: tuners spend budget on it",
            )
    if workload.engine != "stock":
        reason = structure.why_stock(portraits.model)
        if reason is not None:
            yield Finding(
                "stock",
                f"{workload.name}: the compiled trainer cannot take this model ({reason})",
                "it is trained by plain model.fit: expect minutes where others take seconds",
            )
    elif getattr(workload, "own_fit", None) is not None:
        yield Finding(
            "stock",
            f"{workload.name}: the compiled trainer cannot take a HyperModel with a fit of its own",
            "it is trained by that fit: expect minutes where others take seconds",
        )
