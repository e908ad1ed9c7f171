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

Data: ``train`` and, if the user has parted them, ``validation`` and ``test``; or a function ``load(seed)`` that returns
them. Data that the user has parted are the same for every seed: only weights, batch order and the tuners' draws differ
then, and conclusions hold for these very rows. One set without a validation split is parted anew for each seed.

A ``build_model`` with a second parameter ``train`` gets the training rows of the seed, (x, y), for what is adapted on
them. A ``HyperModel`` with a ``fit`` of its own is trained by it, called as KerasTuner calls it.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from hptune_bench.core.errors import Failure, UserError, attempt
from hptune_bench.core.fingerprint import digest_of
from hptune_bench.core.keras_space import discover
from hptune_bench.core.names import nearest
from hptune_bench.core.protocols import Data, Direction, Engine, Fit, Split
from hptune_bench.core.space import Configuration, Space, Value, hand_picked
from hptune_bench.workloads.own.data import SPLITS, data_of, read_csv, splits
from hptune_bench.workloads.own.loader import failure, import_again

_SMALLER = ("loss", "error", "mse", "mae", "rmse", "mape", "crossentropy", "log")
_FORMS: tuple[tuple[str, Any, str], ...] = (
    ("monitor", str, "a name of the training log, such as 'val_loss'"),
    ("objective", str, "a name of the training log, such as 'val_loss'"),
    ("title", str, "a few words"),
    ("metrics", Mapping, "names with their directions, such as {'val_mae': 'min'}"),
    ("untuned", Mapping, "values by name, such as {'units': 8}"),
    ("hand_picked", Mapping, "lists of values by name, such as {'units': [8, 16]}"),
    ("cap", int | float, "a number"),
)
"""Settings with the form that they must have, where they are given."""
_LARGER = ("acc", "auc", "precision", "recall", "f1", "iou", "dice", "r2", "similarity")


@dataclass(frozen=True)
class Settings:
    """What a file says in capital letters; see the module."""

    epochs: int = 50
    batch_size: int | str = 32
    patience: int | None = None
    monitor: str = "val_loss"
    objective: str = "val_loss"
    direction: Direction | None = None
    metrics: Mapping[str, Direction] = field(default_factory=dict)
    untuned: Configuration | None = None
    hand_picked: Mapping[str, Any] = field(default_factory=dict)
    cap: float | None = None
    engine: Engine = "loop"
    title: str = ""

    def check(self, where: str) -> Settings:
        """These settings with the direction filled in.

        Raises:
            UserError: a value that cannot be used.
        """
        for name, kind, form in _FORMS:
            value = getattr(self, name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise UserError(f"{where}: {name.upper()} = {value!r}; give {form}")
        for name, said in self.metrics.items():
            if said not in ("min", "max"):
                raise UserError(f"{where}: METRICS[{name!r}] = {said!r}; choose min or max")
        for name, values in self.hand_picked.items():
            if not isinstance(values, tuple | list):
                raise UserError(f"{where}: HAND_PICKED[{name!r}] = {values!r}; give a list of values")
        positive = {"EPOCHS": self.epochs, "BATCH_SIZE": self.batch_size, "PATIENCE": self.patience}
        for name, value in positive.items():
            absent = (name == "PATIENCE" and value is None) or (name == "BATCH_SIZE" and isinstance(value, str))
            if not absent and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise UserError(f"{where}: {name} = {value!r}; give a whole number of at least 1")
        if self.engine not in ("loop", "xla", "stock"):
            raise UserError(f"{where}: ENGINE = {self.engine!r}; choose loop, xla or stock")
        if self.direction not in (None, "min", "max"):
            raise UserError(f"{where}: DIRECTION = {self.direction!r}; choose min or max")
        direction = self.direction or _direction(self.objective)
        if direction is None:
            raise UserError(f"{where}: whether {self.objective!r} should be small or large is unknown; give DIRECTION")
        metrics = {name: way for name, way in self.metrics.items() if name != self.objective}
        if self.patience is not None and self.monitor not in (self.objective, "val_loss", "loss", *metrics):
            way = _direction(self.monitor)
            if way is None:
                raise UserError(
                    f"{where}: add {self.monitor!r} to METRICS, with its direction, because MONITOR names it"
                )
            metrics[self.monitor] = way
        return replace(self, direction=direction, metrics=metrics)


@dataclass(frozen=True, eq=False)
class OwnWorkload:
    """Implements ``interfaces.Workload``.

    Attributes:
        model: ``build_model``, or an instance of ``keras_tuner.HyperModel``.
        loader: gives the splits of a data seed.
        options: what the fingerprint must know besides data and space.
        where: how errors name it.
        reloaded: like ``loader``, after running the user's file once more, as every worker does.
        discovered: the space, where another process has found it; None: it is found here.
    """

    name: str
    model: Any
    loader: Callable[[int], Data]
    settings: Settings
    options: Mapping[str, Any]
    where: str
    reloaded: Callable[[int], Data] | None = None
    discovered: Space | None = None

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
        if self.discovered is not None:
            return self.discovered
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
                attempt(lambda: self._call_fit(hps, _Idle(model, {}), data))

        space = discover(declare)
        if not len(space):
            raise UserError(
                f"{self.where} declares no hyperparameter, so there is nothing to tune; use hp.Int, hp.Float"
            )
        return space

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
        attempt(lambda: self._call_fit(hps, _Idle(self._built(hps, data), seen), data))
        return seen

    def cap(self, data: Data) -> float:
        """The score of the constant predictor that is best on the training split, negated where large is good.

        For losses of Keras and for accuracy it is computed; otherwise it is the score of the untuned model before
        its first epoch.
        """
        if self.settings.cap is not None:
            return float(self.settings.cap)
        sign = 1 if self.direction == "min" else -1
        if self.objective == "val_accuracy":
            return sign * _majority(data.train.y, data.validation.y)
        model = self.build(self.untuned, data)
        if self.objective == "val_loss":
            constant = attempt(lambda: _constant(model, data))
            # A loss may take no constant: then the untrained model speaks for it.
            if not isinstance(constant, Failure) and math.isfinite(constant):
                return sign * constant
        scores = model.evaluate(data.validation.x, data.validation.y, verbose=0, return_dict=True)
        value = scores.get(self.test_metric, math.nan)
        if not math.isfinite(value):
            raise UserError(f"{self.where}: an untrained model has no {self.objective!r}; give CAP, or mend OBJECTIVE")
        return sign * float(value)

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
        return self

    def _built(self, hps: Any, data: Data) -> Any:
        import keras

        build = getattr(self.model, "build", self.model)
        more = {"train": (data.train.x, data.train.y)} if _wants_train(build) else {}
        model = build(hps, **more)
        if not isinstance(model, keras.Model):
            raise TypeError(f"it returned {type(model).__name__}, not a keras.Model")
        if not model.compiled:
            raise TypeError("the model it returned is not compiled")
        return model

    def _call_fit(self, hps: Any, model: Any, data: Data) -> None:
        validation = (data.validation.x, data.validation.y)
        self.model.fit(hps, model, data.train.x, data.train.y, validation_data=validation, epochs=1, callbacks=[])


class _Idle:
    """A model whose ``fit`` notes its arguments and trains nothing."""

    def __init__(self, model: Any, seen: dict[str, Any]) -> None:
        self._model, self._seen = model, seen

    def fit(self, *arguments: Any, **named: Any) -> Any:
        given = {**{str(place): value for place, value in enumerate(arguments)}, **named}
        self._seen.update({name: _plain(value) for name, value in given.items()})
        return SimpleNamespace(history={})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _plain(value: Any, deep: int = 2) -> Any:
    """An argument of ``fit`` as something to compare: arrays by their bytes, callbacks by what they hold."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray):
        return digest_of(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part, deep) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part, deep) for part in value]
    held = vars(value).items() if deep and hasattr(value, "__dict__") else ()
    return [type(value).__name__, {key: _plain(part, deep - 1) for key, part in held if not callable(part)}]


def from_module(
    name: str,
    found: Any,
    module: ModuleType,
    options: Mapping[str, Any],
    described: Mapping[str, Any],
    where: str,
    space: Space | None = None,
) -> OwnWorkload:
    """The workload of an object in a user's module.

    Args:
        options: ``data`` and ``target`` (a CSV file instead of the module's data), ``epochs`` (instead of ``EPOCHS``).
        described: the options as the fingerprint knows them.
        space: what the model declares, where it is known already.

    Raises:
        UserError: data, settings or model cannot be used.
    """
    known = ("data", "target", "epochs")
    for key in options:
        if key not in known:
            raise UserError(f"{where}: unknown option {key!r}{nearest(key, known)}")
    said = {each.name: getattr(module, each.name.upper(), None) for each in fields(Settings)}
    settings = Settings(**{key: value for key, value in said.items() if value is not None})
    if "epochs" in options:
        settings = replace(settings, epochs=options["epochs"])
    file = str(module.__file__ and Path(module.__file__).name)
    own = assembled(name, found, _loader(module, options, file), settings, described, where, space)
    # A copy loses what is cached: it takes the space along.
    return replace(own, discovered=own.space, reloaded=lambda seed: _loader(import_again(module), options, file)(seed))


def assembled(
    name: str,
    model: Any,
    loader: Callable[[int], Data],
    settings: Settings,
    options: Mapping[str, Any],
    where: str,
    space: Space | None = None,
) -> OwnWorkload:
    """A workload of these parts, checked.

    Raises:
        UserError: settings or model cannot be used.
    """
    import keras_tuner

    if isinstance(model, type) and issubclass(model, keras_tuner.HyperModel):
        model = model()
    if not callable(getattr(model, "build", model)):
        raise UserError(f"{where} is a {type(model).__name__}; name a function build_model(hp) or a HyperModel")
    checked = settings.check(where)
    return OwnWorkload(name, model, loader, checked, options, where, discovered=space).checked()


def fixed_loader(parts: Mapping[str, Any], where: str) -> Callable[[int], Data]:
    """A loader of data that are there already.

    Raises:
        UserError: the data cannot be used.
    """
    held = splits(parts, where)
    return lambda seed: data_of(held, seed)


def _loader(module: ModuleType, options: Mapping[str, Any], file: str) -> Callable[[int], Data]:
    if ("data" in options) != ("target" in options):
        raise UserError(f"{file}: data and target belong together; give the CSV file and the column to predict")
    if "data" in options:
        held = {"train": read_csv(Path(options["data"]), options["target"], file)}
        return lambda seed: data_of(held, seed)
    load = getattr(module, "load", None)
    if callable(load):
        return lambda seed: _loaded(load, seed, file)
    if getattr(module, "train", None) is None:
        remedy = "define train and validation, or load(seed), or give --data FILE.csv --target COLUMN"
        raise UserError(f"{file} offers no data; {remedy}")
    return fixed_loader({name: getattr(module, name, None) for name in SPLITS}, file)


def _loaded(load: Callable[[int], Any], seed: int, file: str) -> Data:
    where = f"{file}, load"
    found = attempt(lambda: load(seed))
    if isinstance(found, Failure):
        raise UserError(*failure(f"{where}({seed}) fails", found.error)) from found.error
    if isinstance(found, Data):
        return found
    if isinstance(found, tuple | list) and 1 <= len(found) <= 3:
        found = dict(zip(SPLITS, found, strict=False))
    if not isinstance(found, Mapping):
        raise UserError(
            f"{where} returns a {type(found).__name__}; return train, validation and (if there is one) test"
        )
    return data_of(splits(found, where), seed)


def _direction(name: str) -> Direction | None:
    plain = name.removeprefix("val_").lower()
    if any(word in plain for word in _LARGER):
        return "max"
    return "min" if any(word in plain for word in _SMALLER) else None


def _every_default(space: Space) -> dict[str, Value]:
    from hptune_bench.core.space import default_of

    return {hp.name: default_of(hp) for hp in space}


def _hyperparameters(configuration: Configuration) -> Any:
    """The values as the user's function meets them: what it declares finds its value here."""
    import keras_tuner

    hps = keras_tuner.HyperParameters()
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


# --- the predictor that has learned nothing ------------------------------------------------------------------------


def _majority(train: np.ndarray, validation: np.ndarray) -> float:
    """Accuracy of always naming the most frequent class; y holds class numbers, or one-hot rows."""
    held = [y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(-1) for y in (train, validation)]
    values, counts = np.unique(held[0], return_counts=True)
    return float(np.mean(held[1] == values[counts.argmax()]))


def _constant(model: Any, data: Data) -> float:
    """The loss, on the validation split, of the constant output that is best on the training split."""
    import keras

    loss = keras.losses.get(model.loss)
    name = getattr(loss, "name", getattr(loss, "__name__", ""))
    outputs = model.output_shape[1:]
    candidates = _constants(name, data.train.y, outputs, _from_logits(loss))

    def value(split: Split, constant: np.ndarray) -> float:
        predicted = np.broadcast_to(constant.astype(np.float32), (len(split), *outputs))
        return float(np.mean(keras.ops.convert_to_numpy(loss(split.y, predicted))))

    best = min(candidates, key=lambda constant: value(data.train, constant))
    return value(data.validation, best)


def _constants(loss: str, y: np.ndarray, outputs: tuple[int, ...], logits: bool) -> list[np.ndarray]:
    """Outputs that a predictor without inputs could give: class frequencies, or means and medians."""
    if loss == "sparse_categorical_crossentropy":
        shares = np.bincount(y.reshape(-1).astype(int), minlength=outputs[-1]) / y.size
        return [np.log(np.maximum(shares, 1e-7)) if logits else shares]
    mean = np.asarray(np.mean(y, axis=0, dtype=np.float64)).reshape(outputs)
    if loss == "categorical_crossentropy":
        return [np.log(np.maximum(mean, 1e-7)) if logits else mean]
    if loss == "binary_crossentropy":
        share = np.clip(mean, 1e-7, 1 - 1e-7)
        return [np.log(share / (1 - share)) if logits else share]
    return [mean, np.median(y, axis=0).reshape(outputs)]


def _from_logits(loss: Any) -> bool:
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits", config.get("fn_kwargs", {}).get("from_logits", False)))
