"""The fingerprint of a workload, computed: its data, and what it makes of them at a few seeded probe configurations.

A comment, an import or the place of a file changes nothing here; whatever changes rows, a model or its first steps
does. Models are built, so that a worker computes it. TensorFlow is imported when ``behaviour`` is called.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hptune_bench.core import tensorflow as runtime
from hptune_bench.core.errors import Failure, attempt
from hptune_bench.core.fingerprint import UNSTABLE, Fingerprint, close, declared, digest_of
from hptune_bench.core.protocols import Data, Split, Workload
from hptune_bench.core.seeds import data_seed, derive
from hptune_bench.core.space import Boolean, Choice, Configuration

PROBES = 3
"""Probe configurations beside the untuned one; every value of a choice of so many is in one of them."""
ROWS = 32
"""Rows that a model meets in a first step."""
STEPS = 2
"""Steps of training: what acts on a bias, which starts at zero, needs more than one."""
_AUTOMATIC = re.compile(r'0x[0-9a-f]+|_\d+(?=")|"shared_object_id": \d+')
_PLACES = ("module", "registered_name")


@dataclass(frozen=True)
class _Seen:
    """What one probe shows: digests of prepared rows and of the model, and its first losses."""

    prepared: str
    model: str
    losses: tuple[float | None, ...]


def behaviour(workload: Workload) -> Fingerprint:
    """What a workload does, on the data of seed 1.

    Every probe is made twice; what differs between the two (a model that seeds nothing) is not compared later.

    Raises:
        UserError: the workload refuses its data.
    """
    runtime.import_quietly()
    runtime.settle()
    data = workload.load(data_seed(workload.family, 1))
    configurations = probes(workload)
    # A first build imports modules, some of which draw from the generators that are seeded below.
    attempt(functools.partial(_built, workload, configurations[0], data))
    pairs = [tuple(_seen(workload, each, data) for _ in range(2)) for each in configurations]
    exact = {
        **declared(workload).exact,
        "data": digest_of(data.train, data.validation, data.test),
        "prepared": _stable([[seen.prepared for seen in pair] for pair in pairs]),
        "models": _stable([[seen.model for seen in pair] for pair in pairs]),
    }
    cap = attempt(lambda: float(workload.cap(data)))
    losses: list[float | None] = [data.facts[name] for name in sorted(data.facts)]
    losses.append(None if isinstance(cap, Failure) else cap)
    for one, two in pairs:
        alike = len(one.losses) == len(two.losses)
        losses += [x if alike and _agree(x, y) else None for x, y in zip(one.losses, two.losses, strict=False)]
    return Fingerprint(exact, tuple(losses))


def probes(workload: Workload) -> list[Configuration]:
    """The untuned configuration, then seeded draws in which choices take their values in turn."""
    rng = np.random.default_rng(derive("fingerprint", "probes"))
    found: list[Configuration] = [workload.untuned]
    for number in range(PROBES):
        drawn = {hp.name: hp.draw(rng) for hp in workload.space}
        turns = {hp.name: hp.grid[number % len(hp.grid)] for hp in workload.space if isinstance(hp, Choice | Boolean)}
        found.append(workload.space.active({**drawn, **turns}))
    return found


def described_model(model: Any) -> str:
    """Configuration of model, loss and optimizer, without automatic names, addresses and places of code."""
    parts = []
    for ask in (model.get_config, model.get_compile_config, lambda: model.optimizer.get_config()):
        config = attempt(ask)
        parts.append(None if isinstance(config, Failure) else _without_places(config))
    if parts[0] is None:
        parts[0] = [type(layer).__name__ for layer in model.layers]
    # Which weights decay is shown by no configuration, and too slowly by first losses: biases start at zero.
    decays = getattr(model.optimizer, "_use_weight_decay", lambda variable: True)
    spared = [not decays(variable) for variable in model.trainable_variables]
    return _AUTOMATIC.sub("", json.dumps([type(model).__name__, *parts, spared], default=str, sort_keys=True))


def _without_places(value: Any) -> Any:
    """A configuration without the modules of its classes and the byte code of lambdas, which holds line numbers."""
    if isinstance(value, Mapping):
        kept = {str(key): _without_places(part) for key, part in value.items() if key not in _PLACES}
        if kept.get("class_name") == "__lambda__" and isinstance(kept.get("config"), dict):
            kept["config"].pop("code", None)
        return kept
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return [_without_places(part) for part in value] if isinstance(value, list | tuple) else value


def _built(workload: Workload, configuration: Configuration, data: Data) -> tuple[Data, Any]:
    prepared = workload.prepare(configuration, data)
    return prepared, workload.build(configuration, prepared)


def _seen(workload: Workload, configuration: Configuration, data: Data) -> _Seen:
    """One probe, freshly seeded; what cannot be made is known by the kind of its error."""
    random.seed(1)
    np.random.seed(1)
    made = attempt(lambda: _built(workload, configuration, data))
    if isinstance(made, Failure):
        return _Seen("", type(made.error).__name__, ())
    prepared, model = made
    ask = getattr(workload, "fit_arguments", None)
    arguments = sorted(ask(configuration, data).items()) if ask else []
    text = f"{described_model(model)} {workload.fit(configuration)!r} {arguments!r}"
    losses = attempt(lambda: _first_losses(workload, configuration, prepared, model))
    kind = type(losses.error).__name__ if isinstance(losses, Failure) else ""
    return _Seen(
        digest_of(prepared.train, prepared.validation, prepared.test),
        hashlib.sha256(f"{text} {kind}".encode()).hexdigest(),
        () if isinstance(losses, Failure) else tuple(losses),
    )


def _first_losses(workload: Workload, configuration: Configuration, data: Data, model: Any) -> list[float | None]:
    """Scores before and after the first steps on a few rows, the steps' own, and the workload's ``truth``."""
    before = _step(model, model.test_step, data.validation)
    truth = workload.truth(model, data)
    own_fit = getattr(workload, "own_fit", None)
    if own_fit is not None:
        steps = [_fitted(own_fit, configuration, data, model)]
    else:
        steps = [_step(model, model.train_step, data.train) for _ in range(STEPS)]
    after = _step(model, model.test_step, data.validation)
    return [float(part[name]) for part in (before, truth, *steps, after) for name in sorted(part)]


def _step(model: Any, step: Callable[[Any], Any], split: Split) -> Mapping[str, Any]:
    """A step of Keras, run eagerly: tracing it would take longer than doing it."""
    import tensorflow as tf

    model.reset_metrics()
    rows = split.take(slice(ROWS))
    step(tf.nest.map_structure(tf.constant, rows.parts))
    found: Mapping[str, Any] = model.get_metrics_result()
    return found


def _fitted(own_fit: Any, configuration: Configuration, data: Data, model: Any) -> Mapping[str, Any]:
    """The training log of one epoch of a user's own ``fit`` on a few rows."""
    import keras
    import tensorflow as tf

    tf.random.set_seed(1)
    log = keras.callbacks.History()
    train, validation = (split.take(slice(ROWS)) for split in (data.train, data.validation))
    own_fit(
        configuration,
        model,
        train.x,
        train.y,
        validation_data=validation.parts,
        epochs=1,
        callbacks=[log],
        **({} if train.weight is None else {"sample_weight": train.weight}),
    )
    return {name: values[-1] for name, values in log.history.items()}


def _stable(pairs: Sequence[Sequence[str]]) -> str:
    """One digest for what all probes show; ``UNSTABLE`` where one does not show the same twice."""
    if any(len(set(pair)) > 1 for pair in pairs):
        return UNSTABLE
    return hashlib.sha256(json.dumps([pair[0] for pair in pairs]).encode()).hexdigest()


def _agree(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and close(one, other)
