"""From a user's module, or from parts in memory, to a workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from hptune_bench.core.errors import Failure, UserError, attempt
from hptune_bench.core.names import nearest
from hptune_bench.core.protocols import Data, Split
from hptune_bench.core.space import Space
from hptune_bench.workloads.own.data import SPLITS, data_of, read_csv, splits
from hptune_bench.workloads.own.found import Found, rows_of
from hptune_bench.workloads.own.loader import failure, import_again
from hptune_bench.workloads.own.script import search_of
from hptune_bench.workloads.own.settings import Settings
from hptune_bench.workloads.own.workload import OwnWorkload


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
    search = search_of(module)
    taken = search.settings() if search else {}
    settings = Settings(**taken | {key: value for key, value in said.items() if value is not None})
    if "epochs" in options:
        settings = replace(settings, epochs=options["epochs"])
    file = str(module.__file__ and Path(module.__file__).name)
    loader, told = _loader(module, options, file)
    own = assembled(name, found, loader, settings, described, where, space)
    # A copy loses what is cached: it takes the space along.
    again = lambda seed: _loader(import_again(module), options, file)[0](seed)  # noqa: E731
    doubts = own.explored[1] if space is None else ()
    return replace(
        own, discovered=own.space, reloaded=again, doubts=doubts, told=(told, search.told()) if search else (told,)
    )


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


def _loader(module: ModuleType, options: Mapping[str, Any], file: str) -> tuple[Callable[[int], Data], str]:
    """What gives the splits of a data seed, and one line on what was taken for them."""
    if ("data" in options) != ("target" in options):
        raise UserError(f"{file}: data and target belong together; give the CSV file and the column to predict")
    if "data" in options:
        rows = read_csv(Path(options["data"]), options["target"], file)
        return _fixed({"train": rows}, Found(names={"train": str(options["data"])}))
    load = getattr(module, "load", None)
    if callable(load):
        return lambda seed: _loaded(load, seed, file), "rows: load(seed), asked anew for each seed"
    search = search_of(module)
    found = rows_of(module, file) if search is None else search.rows(module, rows_of(module, file), file)
    if not found.parts:
        names = "name them x_train, y_train (and x_val, y_val), or train = (x, y)"
        raise UserError(
            f"{file} offers no data; {names}, or define load(seed), or give --data FILE.csv --target COLUMN"
        )
    return _fixed(splits(found.parts, file), found)


def _fixed(held: Mapping[str, Split], found: Found) -> tuple[Callable[[int], Data], str]:
    return lambda seed: data_of(held, seed), found.told({name: len(split) for name, split in held.items()})


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
