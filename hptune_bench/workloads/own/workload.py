"""A user's own workload: a KerasTuner user's ``build_model(hp)`` or ``HyperModel``, and data.

What a file says besides the model, all optional, in capital letters so that nothing else is taken for it:

- ``EPOCHS`` (50): epochs of a full training. ``BATCH_SIZE`` (32): a number, or the name of a hyperparameter.
- ``PATIENCE`` (None): epochs without improvement of ``MONITOR`` ("val_loss") that end a training; None: never.
- ``OBJECTIVE`` ("val_loss") and ``DIRECTION`` ("min" or "max"; guessed for losses, errors, accuracies and AUC).
- ``METRICS``: further names of the training log to keep, each with its direction.
- ``UNTUNED``: the configuration to start from (the defaults of the hyperparameters where it names none).
- ``HAND_PICKED``: the values that a person would try, for the hyperparameters for which the rule's are not right.
- ``CAP``: the score of a model that has learned nothing, where it cannot be computed from the loss.
- ``ENGINE`` ("loop"): ``xla`` for tiny models without random layers, ``stock`` for plain ``model.fit``.
- ``TITLE``: a few words for headings.

Data: ``train`` and, if the user has parted them, ``validation`` and ``test``, by these names or those of the Keras
world (``x_train``, ``y_train``, ``x_val`` ..., see ``found``); or a function ``load(seed)`` that returns them. Data
that the user has parted are the same for every seed: only weights, batch order and the tuners' draws differ then, and
conclusions hold for these very rows. One set without a validation split is parted anew for each seed.

A ``build_model`` with a second parameter ``train`` gets the training rows of the seed, (x, y), for what is adapted on
them. A ``HyperModel`` with a ``fit`` of its own is trained by it, called as KerasTuner calls it.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hptune_bench.core.errors import Failure, UserError, attempt
from hptune_bench.core.keras_space import discover, hyperparameters
from hptune_bench.core.names import nearest
from hptune_bench.core.protocols import Data, Direction, Engine, Fit, minimised
from hptune_bench.core.returned import returned_score
from hptune_bench.core.space import Configuration, Space, Value, hand_picked
from hptune_bench.workloads.own.baseline import constant_loss, majority_accuracy
from hptune_bench.workloads.own.idle import Idle
from hptune_bench.workloads.own.loader import failure
from hptune_bench.workloads.own.log import log_names, missing, number_metrics_anew
from hptune_bench.workloads.own.settings import Settings


@dataclass(frozen=True, eq=False)
class OwnWorkload:
    """Implements ``core.protocols.Workload``.

    Attributes:
        model: ``build_model``, or an instance of ``keras_tuner.HyperModel``.
        loader: gives the splits of a data seed.
        options: what the fingerprint must know besides data and space.
        where: how errors name it.
        reloaded: like ``loader``, after running the user's file once more, as every worker does.
        discovered: the space, where another process has found it; None: it is found here.
        told: what was taken for what, a line each.
        doubts: what KerasTuner makes of the space that the user cannot have meant, a sentence each.
    """

    name: str
    model: Any
    loader: Callable[[int], Data]
    settings: Settings
    options: Mapping[str, Any]
    where: str
    reloaded: Callable[[int], Data] | None = None
    discovered: Space | None = None
    told: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    teaches = "A workload of your own: what comes out holds for this model, these data and this search space."
    data_label = ""
    sweep_order: ClassVar[tuple[str, ...] | None] = None
    published: ClassVar[Configuration | None] = None

    @cached_property
    def title(self) -> str:
        return self.settings.title or self.name.replace("_", " ")

    @cached_property
    def family(self) -> str:
        return self.name

    @cached_property
    def full_epochs(self) -> int:
        return self.settings.epochs

    @cached_property
    def objective(self) -> str:
        return self.settings.objective

    @cached_property
    def direction(self) -> Direction:
        assert self.settings.direction is not None
        return self.settings.direction

    @cached_property
    def metrics(self) -> Mapping[str, Direction]:
        return self.settings.metrics

    @cached_property
    def test_metric(self) -> str:
        return self.settings.objective.removeprefix("val_")

    @cached_property
    def engine(self) -> Engine:
        return self.settings.engine if self.own_fit is None else "stock"

    @cached_property
    def space(self) -> Space:
        """Everything that the model declares in 64 seeded draws, ``fit``'s hyperparameters too.

        Raises:
            UserError: the model cannot be built at the defaults (with the user's traceback), or declares nothing.
        """
        return self.explored[0] if self.discovered is None else self.discovered

    @cached_property
    def explored(self) -> tuple[Space, tuple[str, ...]]:
        """What the model declares, and what is doubtful about it; see ``space``."""
        data = self.load(1)
        calls = 0

        def declare(hps: Any) -> None:
            nonlocal calls
            calls += 1
            model = attempt(lambda: self._built(hps, data))
            if isinstance(model, Failure):
                if calls > 1:
                    return  # a configuration that cannot be built is a failed trial; it hides no other
                values = ", ".join(f"{name} = {value!r}" for name, value in hps.values.items())
                what = f"{self.where} fails at its default hyperparameters ({values or 'none declared yet'})"
                raise UserError(*failure(what, model.error)) from model.error
            if self.own_fit is not None:
                # Nothing is trained, so that what it makes of the history fails.
                attempt(lambda: self._call_fit(hps, Idle(model, {}), data))

        doubts: list[str] = []
        space = discover(declare, doubts=doubts.append)
        if not len(space):
            raise UserError(
                f"{self.where} declares no hyperparameter, so there is nothing to tune; use hp.Int, hp.Float"
            )
        return space, tuple(doubts)

    @cached_property
    def untuned(self) -> Configuration:
        given = self.settings.untuned or {}
        unknown = sorted(set(given) - set(self.space.names))
        if unknown:
            raise UserError(f"{self.where}: UNTUNED has {unknown[0]!r}{nearest(unknown[0], self.space.names)}")
        defaults = self.space.active({**_every_default(self.space), **given})
        return self.space.check(defaults, f"{self.where}: UNTUNED")

    @cached_property
    def hand_picked(self) -> Mapping[str, tuple[Value, ...]]:
        ruled = hand_picked(self.space, self.untuned)
        for name, values in self.settings.hand_picked.items():
            if name not in ruled:
                raise UserError(f"{self.where}: HAND_PICKED has {name!r}{nearest(name, ruled)}")
            if not values or not all(self.space[name].contains(value) for value in values):
                raise UserError(f"{self.where}: HAND_PICKED[{name!r}] = {values!r} leaves the search space; change it")
            ruled[name] = tuple(values)
        return ruled

    def load(self, seed: int) -> Data:
        """The splits of one data seed; see the module for what differs between seeds."""
        return self.loader(seed)

    def prepare(self, configuration: Configuration, data: Data) -> Data:
        return data

    def build(self, configuration: Configuration, data: Data) -> Any:
        """What the user's function returns for these values.

        Raises:
            Exception: whatever the user's code raises.
            TypeError: it returned no Keras model.
        """
        return self._built(_hyperparameters(configuration), data)

    def fit(self, configuration: Configuration) -> Fit:
        size = self.settings.batch_size
        if isinstance(size, str):
            size = int(configuration[size])
        return Fit(size, self.settings.patience, self.settings.monitor)

    @cached_property
    def own_fit(self) -> Callable[..., Any] | None:
        """The ``fit`` of the user's ``HyperModel``, called with a configuration, a model and ``fit``'s arguments.

        None where there is none of his own.
        """
        import keras_tuner

        model = self.model
        if not isinstance(model, keras_tuner.HyperModel) or type(model).fit is keras_tuner.HyperModel.fit:
            return None

        def call(configuration: Configuration, built: Any, *arguments: Any, **named: Any) -> Any:
            with _without_progress_bars():
                return model.fit(_hyperparameters(configuration), built, *arguments, **named)

        return call

    def fit_arguments(self, configuration: Configuration, data: Data) -> Mapping[str, Any]:
        """What the user's own ``fit`` gives to ``model.fit``, as plain values, without training; else empty."""
        if self.own_fit is None:
            return {}
        seen: dict[str, Any] = {}
        hps = _hyperparameters(configuration)
        attempt(lambda: self._call_fit(hps, Idle(self._built(hps, data), seen), data))
        return seen

    def cap(self, data: Data) -> float:
        """The score of the constant predictor that is best on the training split, negated where large is good.

        For losses of Keras and for accuracy it is computed; otherwise it is the score of the untuned model before
        its first epoch.
        """
        if self.settings.cap is not None:
            return float(self.settings.cap)
        if self.objective == "val_accuracy" and isinstance(data.train.y, np.ndarray):
            return minimised(majority_accuracy(data.train.y, data.validation.y), self.direction)
        model = self.build(self.untuned, data)
        if self.own_fit is not None:
            untrained = Idle(model, {})
            returned = attempt(
                lambda: returned_score(self._call_fit(_hyperparameters(self.untuned), untrained, data), self.objective)
            )
            if isinstance(returned, float) and math.isfinite(returned):
                return minimised(returned, self.direction)
        if self.objective == "val_loss" and data.validation.weight is None:
            constant = attempt(lambda: constant_loss(model, data))
            # A loss may take no constant: then the untrained model speaks for it.
            if not isinstance(constant, Failure) and math.isfinite(constant):
                return minimised(constant, self.direction)
        scores = model.evaluate(
            data.validation.x, data.validation.y, sample_weight=data.validation.weight, verbose=0, return_dict=True
        )
        value = scores.get(self.test_metric, math.nan)
        if not math.isfinite(value):
            raise UserError(f"{self.where}: an untrained model has no {self.objective!r}; give CAP, or mend OBJECTIVE")
        return minimised(float(value), self.direction)

    def truth(self, model: Any, data: Data) -> Mapping[str, float]:
        return {}

    def checked(self) -> OwnWorkload:
        """Itself, after everything that can be wrong with its definition has been tried.

        Raises:
            UserError: something is.
        """
        _ = self.hand_picked
        size = self.settings.batch_size
        if isinstance(size, str) and size not in self.untuned:
            raise UserError(
                f"{self.where}: BATCH_SIZE names no hyperparameter {size!r}{nearest(size, self.space.names)}"
            )
        if self.discovered is None:
            self._check_log()
        return self

    def _check_log(self) -> None:
        """Raises UserError where a setting names what the training log does not have, as far as one step shows it."""
        said = {"OBJECTIVE": self.objective, "MONITOR": self.settings.monitor if self.settings.patience else "loss"}
        if self.own_fit is not None or {*said.values()} <= {"loss", "val_loss"}:
            return
        data = self.load(1)
        names = attempt(lambda: log_names(self.build(self.untuned, data), data))
        for setting, name in said.items():
            # A train_step of the user's own may log more than a step without learning shows.
            if not isinstance(names, Failure) and name.startswith("val_") and name not in names:
                raise UserError(f"{self.where}: {setting}: the training log {missing(name, names)}")

    def _built(self, hps: Any, data: Data) -> Any:
        import keras

        build = getattr(self.model, "build", self.model)
        more = {"train": (data.train.x, data.train.y)} if _wants_train(build) else {}
        number_metrics_anew()
        model = build(hps, **more)
        if not isinstance(model, keras.Model):
            raise TypeError(f"it returned {type(model).__name__}, not a keras.Model")
        if not model.compiled:
            raise TypeError("the model it returned is not compiled")
        return model

    def _call_fit(self, hps: Any, model: Any, data: Data) -> Any:
        weights = {} if data.train.weight is None else {"sample_weight": data.train.weight}
        x, y = data.train.parts[:2]
        return self.model.fit(
            hps, model, x, y, validation_data=data.validation.parts, epochs=1, callbacks=[], **weights
        )


def _every_default(space: Space) -> dict[str, Value]:
    from hptune_bench.core.space import default_of

    return {hp.name: default_of(hp) for hp in space}


def _hyperparameters(configuration: Configuration) -> Any:
    """The values as the user's function meets them: what it declares finds its value here."""
    hps = hyperparameters()
    hps.values.update(configuration)
    return hps


def _wants_train(build: Callable[..., Any]) -> bool:
    try:
        return "train" in inspect.signature(build).parameters
    except (TypeError, ValueError):
        return False


@contextlib.contextmanager
def _without_progress_bars() -> Iterator[None]:
    """Keras prints a line per batch unless told otherwise, and a user's ``fit`` need not tell it."""
    import keras

    on = keras.config.is_interactive_logging_enabled()
    keras.config.disable_interactive_logging()
    try:
        yield
    finally:
        if on:
            keras.config.enable_interactive_logging()
