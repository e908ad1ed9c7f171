"""Whether a hyperparameter changes anything: what two configurations make of a workload, compared."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from hptune_bench.core.behaviour import described_model
from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.protocols import Data, Job, Workload
from hptune_bench.core.space import Configuration, Hyperparameter, Space, Value, default_of
from hptune_bench.lint.rows import columns_of, data_digest, digest_of_arrays, shapes

TRIES = 4
"""Configurations in which a hyperparameter is changed before it is called dead."""


TRAINED, TRAINED_ROWS, TRAINED_EPOCHS = 3, 64, 2
"""Changes of a hyperparameter that seems dead which are trained too, on so many rows for so many epochs."""


SAMPLES = 4
"""Samples that are compared where each configuration draws its own."""


MEANINGLESS = "a name that means nothing"


class Portraits:
    """What a configuration makes of a workload, as comparable digests.

    Attributes:
        model: the untuned model.
        draws: whether the prepared rows change for a configuration that is the same but for a name that means nothing.
    """

    def __init__(self, workload: Workload, data: Data) -> None:
        self._workload, self._data = workload, data
        self.draws = False
        untuned = dict(workload.untuned)
        self.model = workload.build(untuned, workload.prepare(untuned, data))
        self.draws = self._rows(untuned) != self._rows({**untuned, MEANINGLESS: 0})
        one, two = self.of(untuned), self.of(untuned)
        self._volatile = {part for part in one if one[part] != two[part]}

    def of(self, configuration: Configuration, data: Data | None = None) -> dict[str, str]:
        from hptune_bench.training import structure
        from hptune_bench.training.common import seed_everything

        data = self._data if data is None else data
        seed_everything(1)
        prepared = self._workload.prepare(configuration, data)
        model = self._workload.build(configuration, prepared)
        ask = getattr(self._workload, "fit_arguments", None)
        arguments: Mapping[str, Any] = ask(configuration, data) if ask else {}
        weights = [np.shape(w) if self.draws else w for w in model.get_weights()]
        constants = [tensor.numpy() for _, _, tensor in structure.constants(model)]
        return {
            "model": described_model(model),
            "weights": digest_of_arrays(weights),
            "constants": "" if self.draws else digest_of_arrays(constants),
            "rows": shapes(prepared) if self.draws else data_digest(Data(prepared.train, prepared.train, None)),
            "validation": "" if self.draws else data_digest(prepared),
            "fit": repr((self._workload.fit(configuration), sorted(arguments.items()))),
        }

    def differ(self, one: Configuration, two: Configuration) -> bool:
        """Whether two configurations are different models, data or trainings."""
        a, b = self.of(one), self.of(two)
        if any(a[part] != b[part] for part in a if part not in self._volatile):
            return True
        return self.draws and _apart(self._samples(one), self._samples(two))

    def scores_differ(self, one: Configuration, two: Configuration) -> bool:
        """Whether short trainings of two configurations that look alike have other scores; so, too, if nobody can tell.

        What a model of the user's own class, a loss or a ``fit`` does with a value need not show in its description.
        """
        first, again, other = (self._trained(each, one) for each in (one, one, two))
        return not (_same(first, again) and _same(first, other))

    def _trained(self, configuration: Configuration, rows_of: Configuration) -> list[float]:
        """The training log on a few rows, those of another configuration where each draws its own."""
        from hptune_bench.training.common import Clock, seed_everything
        from hptune_bench.training.stock import fit_model

        prepared = self._workload.prepare(rows_of if self.draws else configuration, self._data)
        few = Data(prepared.train.take(slice(TRAINED_ROWS)), prepared.validation.take(slice(TRAINED_ROWS)), None)
        seed_everything(1)
        model = self._workload.build(configuration, prepared)
        job = Job(configuration, TRAINED_EPOCHS, data_seed=1, training_seed=1)
        history = fit_model(self._workload, job, few, model, Clock()).history
        return [value for row in history for _, value in sorted(row.items())]

    def _rows(self, configuration: Configuration) -> str:
        prepared = attempt(lambda: self._workload.prepare(configuration, self._data))
        if isinstance(prepared, Failure):  # it refuses a name that it does not know: then it draws nothing from it
            prepared = self._workload.prepare(dict(self._workload.untuned), self._data)
        return data_digest(prepared)

    def _samples(self, configuration: Configuration) -> np.ndarray:
        """Smallest and largest value of each column, in several samples: float (samples, numbers)."""
        drawn = []
        for number in range(SAMPLES):
            prepared = self._workload.prepare({**configuration, MEANINGLESS: number}, self._data)
            columns = [c for split in (prepared.train, prepared.validation) for c in columns_of(split).values()]
            drawn.append([float(end) for c in columns if c.dtype.kind in "fiub" for end in (c.min(), c.max())])
        return np.array(drawn)


def _same(one: list[float], two: list[float]) -> bool:
    """Whether two training logs are the same but for the order of sums."""
    return len(one) == len(two) and np.allclose(one, two, rtol=1e-6, atol=1e-12, equal_nan=True)


def _apart(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two sets of samples differ by more than samples do: five standard deviations in some column."""
    spread = np.sqrt((one.var(0, ddof=1) + two.var(0, ddof=1)) / 2)
    return bool((np.abs(one.mean(0) - two.mean(0)) > 5 * spread).any())


def dead(workload: Workload, hp: Hyperparameter, portraits: Portraits, rng: np.random.Generator) -> int | None:
    """The number of changes of a hyperparameter that changed nothing; None where one did, or none could be made."""
    tried = 0
    for number in range(2 if portraits.draws else TRIES):
        base = dict(workload.untuned) if number == 0 else _with(workload.space, hp, rng)
        if hp.name not in base:
            continue
        ends = workload.hand_picked[hp.name]
        for value in dict.fromkeys((ends[0], ends[-1], hp.draw(rng))):
            if value == base[hp.name]:
                continue
            changed = complete(workload.space, {**base, hp.name: value})
            different = attempt(functools.partial(portraits.differ, base, changed))
            if isinstance(different, Failure):
                continue  # a configuration that cannot be built says nothing here; a trial records it
            if different:
                return None
            if tried < TRAINED:
                different = attempt(functools.partial(portraits.scores_differ, base, changed))
                if different is True:
                    return None
            tried += 1
    return tried or None


def _with(space: Space, hp: Hyperparameter, rng: np.random.Generator) -> dict[str, Value]:
    """A random configuration in which a hyperparameter is active, if a few draws find one."""
    for _ in range(20):
        drawn = space.sample(rng)
        if hp.name in drawn:
            return drawn
    return drawn


def complete(space: Space, values: Configuration) -> dict[str, Value]:
    return space.active({**{hp.name: default_of(hp) for hp in space}, **values})
