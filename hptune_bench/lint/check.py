"""A linter for workloads and search spaces: what would spoil a long run, found before it.

Three parts: ``budget`` is arithmetic, ``before_training`` builds models and trains none (but those of a hyperparameter
that seems dead, on a few rows), ``probe`` trains a few short ones. TensorFlow is imported by the last two when they are
called.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hptune_bench.core import seeds
from hptune_bench.core.budget import Limits
from hptune_bench.core.errors import Failure, attempt, users_line
from hptune_bench.core.fingerprint import digest_of
from hptune_bench.core.protocols import Data, Job, Outcome, Split, Trainer, Workload
from hptune_bench.core.space import Configuration, Float, Hyperparameter, Int, Space, Value, default_of

PROBES, PROBE_EPOCHS, NOISE_PROBES = 12, 5, 4
TRIES = 4
"""Configurations in which a hyperparameter is changed before it is called dead."""
TRAINED, TRAINED_ROWS, TRAINED_EPOCHS = 3, 64, 2
"""Changes of a hyperparameter that seems dead which are trained too, on so many rows for so many epochs."""
SAMPLES = 4
"""Samples that are compared where each configuration draws its own."""
MEANINGLESS = "a name that means nothing"
MOST_ROWS = 20_000
"""Rows of a split that are compared with those of another."""
SHARED = 0.01
"""Share of a split's rows that may stand in another by chance."""
HEAD = 30
"""Numbers of a vocabulary that are too frequent for their neighbours to be alike."""
MOST_WORDS = 1_000_000
"""Whole numbers from this one on are no words of a vocabulary."""
EXPLODED = 10.0
"""Multiples of the score of a model that has learned nothing from which a probe counts as diverged."""


@dataclass(frozen=True)
class Finding:
    """One warning.

    Attributes:
        key: kind of finding, one word.
        seen: what was seen, with numbers.
        remedy: what to do.
    """

    key: str
    seen: str
    remedy: str

    @property
    def text(self) -> str:
        return f"{self.seen}. {self.remedy[0].upper()}{self.remedy[1:]}."


def everything(
    workload: Workload, limits: Limits, tuners: Iterable[str], trainer: Trainer, probes: int = PROBES
) -> Iterator[Finding]:
    """What all three parts find, nothing twice; without ``probes`` the first two."""
    told = set()
    for finding in itertools.chain(budget(workload, limits, tuners), before_training(workload)):
        told.add(finding.key)
        yield finding
    for finding in probe(workload, trainer, probes) if probes else ():
        if not (finding.key == "trainer" and "stock" in told):  # the same in other words
            yield finding


# --- the budget ----------------------------------------------------------------------------------------------------


def budget(workload: Workload, limits: Limits, tuners: Iterable[str]) -> Iterator[Finding]:
    """What KerasTuner's tuners cannot do within this budget."""
    trials = math.inf if limits.epochs is None else limits.epochs / workload.full_epochs
    trials = min(trials, math.inf if limits.trials is None else limits.trials)
    # KerasTuner 1.4.8, BayesianOptimizationOracle: max(3 x dimensions, 3) random points.
    initial = max(3 * len(workload.space), 3)
    names = list(tuners)
    if bayesian := [name for name in names if name.startswith("bayesian_optimization") and trials <= initial]:
        start, they_are, them = ("starts", "it is", "it") if len(bayesian) == 1 else ("start", "they are", "them")
        yield Finding(
            "random_points",
            f"{workload.name}: {' and '.join(bayesian)} {start} with {initial} random points, and the budget is "
            f"{trials:g} full training{'' if trials == 1 else 's'}",
            f"{they_are} random search here; raise the budget or leave {them} out",
        )
    most, epochs = hyperband_iteration(workload.full_epochs)
    wanted = (
        (limits.trials, most, "trials", f"{most} trials"),
        (limits.epochs, epochs, "epochs", f"{math.ceil(epochs / workload.full_epochs)} trainings"),
    )
    short = [
        (f"{limit} {unit}", enough) for limit, needed, unit, enough in wanted if limit is not None and limit < needed
    ]
    if short and (hyperbands := [name for name in names if name.startswith("hyperband")]):
        ends, enough = " or ".join(end for end, _ in short), " and ".join(what for _, what in short)
        yield Finding(
            "hyperband",
            f"{workload.name}: an iteration of {' and '.join(hyperbands)} at {workload.full_epochs} epochs takes "
            f"{most} trials and {epochs} epochs, and the budget ends after {ends}",
            f"raise the budget to {enough}, or read its result as that of its first brackets",
        )


def hyperband_iteration(full_epochs: int, factor: int = 3) -> tuple[int, int]:
    """Trials and newly trained epochs of one iteration of KerasTuner 1.4.8's Hyperband over all its brackets."""
    brackets = 1
    while full_epochs / factor**brackets >= 1:
        brackets += 1
    ends = math.ceil(1 + math.log(full_epochs, factor))
    trials = epochs = 0
    for bracket in range(brackets):
        reached = 0
        for round_ in range(bracket + 1):
            size = math.ceil(ends / (bracket + 1) * factor ** (bracket - round_))
            target = math.ceil(full_epochs / factor ** (bracket - round_))
            trials += size
            epochs += size * (target - reached)
            reached = target
    return trials, epochs


# --- without training ----------------------------------------------------------------------------------------------


def before_training(workload: Workload, seed: int = 1) -> Iterator[Finding]:
    """What building models and reading data shows."""
    from hptune_bench.training import structure

    data_seed = seeds.data_seed(workload.family, seed)
    data = workload.load(data_seed)
    yield from _loader(workload, data, data_seed)
    if data.test is None:
        yield Finding(
            "no_test",
            f"{workload.name}: there is no test split, so that tuners are compared on the rows that they tuned on",
            "give test rows, or one set of rows without a validation split, which is parted into three",
        )
    yield from _shared_rows(workload, data)
    portraits = _Portraits(workload, data)
    yield from _leaks(workload, data, portraits)
    if portraits.draws:
        yield Finding(
            "fresh_sample",
            f"{workload.name}: the rows that a configuration is trained on change with the configuration",
            "scores are partly the luck of a sample; train every configuration of a seed on the same rows",
        )
    rng = np.random.default_rng(seeds.derive("check", "dead"))
    for hp in workload.space:
        if (tried := _dead(workload, hp, portraits, rng)) is not None:
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


def _loader(workload: Workload, data: Data, data_seed: int) -> Iterator[Finding]:
    again = [workload.load(data_seed)]
    if (reloaded := getattr(workload, "reloaded", None)) is not None:
        again.append(reloaded(data_seed))
    if any(_data_digest(each) != _data_digest(data) for each in again):
        yield Finding(
            "loader",
            f"{workload.name}: loading the data of one seed twice gives other rows, or another order",
            "seed every random draw: tuners would be compared on different data",
        )


def _shared_rows(workload: Workload, data: Data) -> Iterator[Finding]:
    rows = {name: set(_rows(split)) for name, split in _splits(data).items()}
    for small, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        if small in rows and other in rows:
            common = len(rows[small] & rows[other])
            if common > SHARED * len(rows[small]):
                yield Finding(
                    "shared_rows",
                    f"{workload.name}: {common} of {len(rows[small])} different {small} rows are {other} rows too",
                    "part the rows anew: a model is rewarded for what it has seen",
                )


def _leaks(workload: Workload, data: Data, portraits: _Portraits) -> Iterator[Finding]:
    """Preprocessing that depends on validation rows.

    They are exchanged, and neither the model nor the prepared training rows must change. What was fitted before this
    workload got its rows shows in them: a mean of all rows, or words numbered by their frequency in all rows.
    """
    count = min(len(data.validation), len(data.train))
    other = Data(data.train, _head(data.train, count), None, data.facts, data.extra)
    before, after = portraits.of(workload.untuned), portraits.of(workload.untuned, other)
    leaking = any(before[part] != after[part] for part in ("constants", "weights"))
    rows = [digest_of(workload.prepare(workload.untuned, each).train) for each in (data, data, other)]
    leaking |= rows[0] == rows[1] != rows[2]
    if leaking or _fitted_on_all(portraits.model, data) or _numbered_by_all(workload, data):
        yield Finding(
            "preprocessing",
            f"{workload.name}: preprocessing is fitted on validation rows, too",
            "adapt it on the training rows alone (build_model(hp, train) gets those of the seed)",
        )


def _fitted_on_all(model: Any, data: Data) -> bool:
    """Whether a Normalization layer holds the mean of more rows than the training rows."""
    from hptune_bench.training import structure

    layers = structure.layers(model)
    means = [np.ravel(layer.mean) for layer in layers if type(layer).__name__ == "Normalization"]
    columns = {name: [_columns(split).get(name) for split in _splits(data).values()] for name in _columns(data.train)}
    for parts in columns.values():
        held = [np.asarray(part, dtype=np.float64) for part in parts if part is not None and part.dtype.kind in "fiu"]
        for mean in means:
            held = [part.reshape(len(part), -1) for part in held]
            if not held or held[0].shape[1] != mean.size:
                continue
            own = held[0].mean(0)
            for count in range(2, len(held) + 1):
                every = np.concatenate(held[:count]).mean(0)
                apart = np.abs(own - every).max()
                if apart > 1e-5 * (np.abs(own).max() + 1e-12) and np.abs(mean - every).max() < 0.05 * apart:
                    return True
    return False


def _numbered_by_all(workload: Workload, data: Data) -> bool:
    """Whether whole-number inputs are numbered by frequency in training and validation rows together.

    A tokeniser numbers words by their frequency in the rows that it is fitted on. Neighbours in the numbering are then
    about equally frequent in those rows, and if validation rows are among them, a word that is rarer in the training
    rows than its neighbour must be more frequent in the validation rows: the two differences go against each other.
    Fitted on the training rows alone, they know nothing of each other.
    """
    ends = [{**workload.untuned, hp.name: workload.hand_picked[hp.name][-1]} for hp in workload.space]
    for configuration in (workload.untuned, *ends):
        prepared = workload.prepare(_complete(workload.space, configuration), data)
        others = _columns(prepared.validation)
        for name, column in _columns(prepared.train).items():
            if column.ndim < 2 or column.dtype.kind not in "iu" or column.min() < 0 or column.max() >= MOST_WORDS:
                continue
            if _against_each_other(column, others[name]):
                return True
        if prepared is data:
            break
    return False


def _against_each_other(train: np.ndarray, validation: np.ndarray) -> bool:
    """Whether differences between the counts of neighbouring numbers are correlated negatively in two splits.

    The first numbers are left out: there are padding and unknown words among them, and true differences are large.
    """
    size = int(max(train.max(), validation.max())) + 1
    counts = np.array([np.bincount(split.ravel(), minlength=size) for split in (train, validation)], dtype=float)
    counts = counts[:, HEAD:]
    total = counts.sum(axis=0)
    weight = np.sqrt(total[1:] + total[:-1])  # the standard deviation of a difference of two counts
    known = weight > 0
    half = len(total) // 2
    if known.sum() < 100 or total[:half].sum() < 2 * total[half:].sum():
        return False  # too few, or not numbered by frequency
    one, two = np.diff(counts)[:, known] / weight[known]
    if not one.any() or not two.any():
        return False
    correlation = float(np.corrcoef(one, two)[0, 1])
    return correlation < -max(0.2, 5 / math.sqrt(known.sum()))


class _Portraits:
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
            "model": _described(model),
            "weights": _digest(weights),
            "constants": "" if self.draws else _digest(constants),
            "rows": _shapes(prepared) if self.draws else _data_digest(Data(prepared.train, prepared.train, None)),
            "validation": "" if self.draws else _data_digest(prepared),
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
        few = Data(_head(prepared.train, TRAINED_ROWS), _head(prepared.validation, TRAINED_ROWS), None)
        seed_everything(1)
        model = self._workload.build(configuration, prepared)
        job = Job(configuration, TRAINED_EPOCHS, data_seed=1, training_seed=1)
        history = fit_model(self._workload, job, few, model, Clock()).history
        return [value for row in history for _, value in sorted(row.items())]

    def _rows(self, configuration: Configuration) -> str:
        prepared = attempt(lambda: self._workload.prepare(configuration, self._data))
        if isinstance(prepared, Failure):  # it refuses a name that it does not know: then it draws nothing from it
            prepared = self._workload.prepare(dict(self._workload.untuned), self._data)
        return _data_digest(prepared)

    def _samples(self, configuration: Configuration) -> np.ndarray:
        """Smallest and largest value of each column, in several samples: float (samples, numbers)."""
        drawn = []
        for number in range(SAMPLES):
            prepared = self._workload.prepare({**configuration, MEANINGLESS: number}, self._data)
            columns = [c for split in (prepared.train, prepared.validation) for c in _columns(split).values()]
            drawn.append([float(end) for c in columns if c.dtype.kind in "fiub" for end in (c.min(), c.max())])
        return np.array(drawn)


def _same(one: list[float], two: list[float]) -> bool:
    """Whether two training logs are the same but for the order of sums."""
    return len(one) == len(two) and np.allclose(one, two, rtol=1e-6, atol=1e-12, equal_nan=True)


def _apart(one: np.ndarray, two: np.ndarray) -> bool:
    """Whether two sets of samples differ by more than samples do: five standard deviations in some column."""
    spread = np.sqrt((one.var(0, ddof=1) + two.var(0, ddof=1)) / 2)
    return bool((np.abs(one.mean(0) - two.mean(0)) > 5 * spread).any())


def _dead(workload: Workload, hp: Hyperparameter, portraits: _Portraits, rng: np.random.Generator) -> int | None:
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
            changed = _complete(workload.space, {**base, hp.name: value})
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


def _complete(space: Space, values: Configuration) -> dict[str, Value]:
    return space.active({**{hp.name: default_of(hp) for hp in space}, **values})


# --- with a few short trainings ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """One short training: the score is inf where it diverged or failed."""

    configuration: Configuration
    score: float
    curve: tuple[float, ...]


def probe(
    workload: Workload, trainer: Trainer, probes: int = PROBES, epochs: int = PROBE_EPOCHS, seed: int = 1
) -> Iterator[Finding]:
    """What ``probes`` random configurations and a few retrainings of the untuned one show after ``epochs`` epochs."""
    data_seed = seeds.data_seed(workload.family, seed)
    data = trainer.data(data_seed)
    cap = data.facts["cap"] if "cap" in data.facts else workload.cap(data)
    epochs = min(epochs, workload.full_epochs)
    rng = np.random.default_rng(seeds.derive("check", "probes"))
    found: list[Probe] = []
    failed: list[tuple[Configuration, Exception]] = []
    for number in range(probes):
        configuration = workload.space.sample(rng)
        tried = attempt(functools.partial(_probe, workload, trainer, configuration, epochs, data_seed, number, cap))
        if isinstance(tried, Failure):
            failed.append((configuration, tried.error))
            tried = Probe(configuration, math.inf, ())
        found.append(tried)
    if failed:
        where, raised = failed[0]
        place = users_line(raised)
        first = str(raised).strip().partition("\n")[0][:200]
        yield Finding(
            "fails",
            f"{workload.name}: {len(failed)} of {probes} random configurations fail, the first with "
            f"{type(raised).__name__}: {first}{f' ({place})' if place else ''} at {_words(where)}",
            "mend the model, or take these values out of the search space",
        )
    if trainer.note:
        yield Finding("trainer", f"the compiled trainer: {trainer.note}", "expect slower trainings")
    yield from _never_moves(workload, found, epochs)
    yield from _diverging(workload, found)
    finite = [each for each in found if math.isfinite(each.score)]
    if len(finite) < 6:
        return
    numbers = itertools.count(probes)

    def train(configuration: Configuration) -> float:
        tried = attempt(lambda: _probe(workload, trainer, configuration, epochs, data_seed, next(numbers), cap))
        return math.inf if isinstance(tried, Failure) else tried.score  # failures are told above, where common

    again = [score for _ in range(NOISE_PROBES) if math.isfinite(score := train(workload.untuned))]
    if len(again) >= 3:
        noise = statistics.stdev(again)
        yield from _narrow(workload, finite, noise, epochs)
        yield from _edges(workload, min(finite, key=lambda each: each.score), noise, epochs, train)


def _probe(
    workload: Workload,
    trainer: Trainer,
    configuration: Configuration,
    epochs: int,
    data_seed: int,
    number: int,
    cap: float,
) -> Probe:
    seed = seeds.derive("check", seeds.training_seed(data_seed, configuration, number))
    outcome: Outcome = trainer.train(Job(configuration, epochs, data_seed, seed))
    curve = outcome.objective
    exploded = cap > 0 and outcome.best is not None and curve[outcome.best] > EXPLODED * cap
    lost = outcome.best is None or not math.isfinite(curve[-1]) or exploded
    return Probe(configuration, math.inf if lost or outcome.best is None else curve[outcome.best], curve)


def _never_moves(workload: Workload, probes: list[Probe], epochs: int) -> Iterator[Finding]:
    curves = [each.curve for each in probes if len(each.curve) > 1 and math.isfinite(each.score)]
    still = sum(max(curve) - min(curve) <= 1e-9 * max(1.0, abs(curve[0])) for curve in curves)
    if curves and still > len(curves) / 2:
        yield Finding(
            "still",
            f"{workload.name}: in {still} of {len(curves)} probes {workload.objective} is the same after each of "
            f"{epochs} epochs",
            "look whether the model learns at all, and whether this objective can show it",
        )


def _diverging(workload: Workload, probes: list[Probe]) -> Iterator[Finding]:
    """Thirds of a range in which most probes are lost."""
    for hp in workload.space:
        if not isinstance(hp, Int | Float):
            continue
        placed = [(_place(hp, p.configuration[hp.name]), p) for p in probes if hp.name in p.configuration]
        whole = sum(math.isinf(p.score) for _, p in placed)
        for third in range(3):
            mine = [p for place, p in placed if min(2, int(3 * place)) == third]
            lost = sum(math.isinf(p.score) for p in mine)
            elsewhere = whole - lost
            rest = len(placed) - len(mine)
            # Only where it is this range's doing: lost twice as often as in the rest of it.
            if len(mine) >= 3 and lost > len(mine) / 2 and (not rest or lost / len(mine) >= 2 * elsewhere / rest):
                values = [float(p.configuration[hp.name]) for p in mine]
                yield Finding(
                    "diverging",
                    f"{workload.name}: {lost} of {len(mine)} probes with {hp.name} from {min(values):.3g} to "
                    f"{max(values):.3g} diverge or fail",
                    f"narrow the range ({hp.low:g} to {hp.high:g}), unless failing there is what you want to see",
                )


def _edges(
    workload: Workload, best: Probe, noise: float, epochs: int, train: Callable[[Configuration], float]
) -> Iterator[Finding]:
    """Ends of ranges that beat the best probe, and a value a little inside too, by more than twice the noise."""
    for hp in workload.space:
        if not isinstance(hp, Int | Float) or hp.name not in best.configuration or hp.low == hp.high:
            continue
        for end, place, inside in (("lower", 0.0, 0.2), ("upper", 1.0, 0.8)):
            at_end = train({**best.configuration, hp.name: _at(hp, place)})
            if best.score - at_end <= 2 * noise:
                continue
            if train({**best.configuration, hp.name: _at(hp, inside)}) - at_end > 2 * noise:
                yield Finding(
                    "edge",
                    f"{workload.name}: after {epochs} epochs the best configuration found gets better when {hp.name} "
                    f"goes to the {end} end of {hp.low:g} to {hp.high:g}",
                    "widen the range on that side: the best value may lie outside",
                )


def _narrow(workload: Workload, probes: list[Probe], noise: float, epochs: int) -> Iterator[Finding]:
    low, _, high = statistics.quantiles([each.score for each in probes], n=4)
    if high - low <= 2 * noise:
        yield Finding(
            "narrow",
            f"{workload.name}: after {epochs} epochs the middle half of {len(probes)} random configurations spans "
            f"{high - low:.3g}, and retraining one configuration has a standard deviation of {noise:.3g}",
            "tuners can hardly differ here; widen the ranges, tune something else, or give more data",
        )


def _at(hp: Int | Float, place: float) -> Value:
    """The value at a place of the range, see ``_place``."""
    if hp.grid is not None:
        return hp.grid[round(place * (len(hp.grid) - 1))]
    low, high = float(hp.low), float(hp.high)
    if hp.log:
        value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
    else:
        value = low + place * (high - low)
    return min(max(value, low), high)


def _place(hp: Int | Float, value: Any) -> float:
    """Where a value lies in its range, from 0 to 1, on the range's own scale."""
    low, high, at = float(hp.low), float(hp.high), float(value)
    if hp.log:
        low, high, at = math.log(low), math.log(high), math.log(at)
    return 0.5 if high == low else (at - low) / (high - low)


# --- small parts ---------------------------------------------------------------------------------------------------


def _splits(data: Data) -> dict[str, Split]:
    held = {"train": data.train, "validation": data.validation}
    return held if data.test is None else {**held, "test": data.test}


def _columns(split: Split) -> dict[str, np.ndarray]:
    return dict(split.x) if isinstance(split.x, Mapping) else {"x": np.asarray(split.x)}


def _head(split: Split, count: int) -> Split:
    x = {k: v[:count] for k, v in split.x.items()} if isinstance(split.x, Mapping) else split.x[:count]
    return Split(x, split.y[:count])


def _shapes(data: Data) -> str:
    columns = [(n, c) for split in (data.train, data.validation) for n, c in _columns(split).items()]
    return repr([(name, column.shape, str(column.dtype)) for name, column in columns])


def _rows(split: Split) -> Iterator[bytes]:
    """Each row, x and y, as a digest."""
    columns = [np.asarray(c)[:MOST_ROWS] for c in (*_columns(split).values(), split.y)]
    for row in range(len(columns[0])):
        digest = hashlib.blake2b(digest_size=16)
        for column in columns:
            value = column[row]
            digest.update(repr(value).encode() if column.dtype == object else np.asarray(value).tobytes())
        yield digest.digest()


def _data_digest(data: Data) -> str:
    return digest_of(data.train, data.validation, data.test)


def _digest(arrays: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(np.shape(array)).encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _described(model: Any) -> str:
    """Configuration of model, loss and optimizer without automatic names and addresses."""
    try:
        layers: Any = model.get_config()
    except (NotImplementedError, ValueError, TypeError):
        layers = [type(layer).__name__ for layer in model.layers]
    try:
        compiled: Any = model.get_compile_config()
    except (NotImplementedError, ValueError, TypeError):
        compiled = None
    text = json.dumps([layers, compiled, model.optimizer.get_config()], default=str, sort_keys=True)
    text = re.sub(r'"shared_object_id": \d+', "", text)
    return re.sub(r"0x[0-9a-f]+", "", re.sub(r'_\d+(?=")', "", text))


def _words(configuration: Configuration) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in configuration.items())
