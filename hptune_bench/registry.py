"""Names to workloads and tuners: built in, from installed packages, or from a user's file.

A built-in workload is a module of ``hptune_bench.workloads`` with a function ``workload(**options)``; a package offers
its own under the entry point group ``hptune_bench.workloads`` (or ``hptune_bench.tuners``); ``file.py:name`` names an
object in a user's file. Adding a workload or a tuner touches one new file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, cast

from hptune_bench.core.errors import UserError, attempt
from hptune_bench.core.names import SOURCE, is_own, nearest, own_name, safe_name
from hptune_bench.core.protocols import Tuner, Workload
from hptune_bench.core.space import Space
from hptune_bench.core.tuner_info import TunerInfo, undeclared
from hptune_bench.tuners import built_in
from hptune_bench.workloads.own import loader


@cache
def workload_names() -> tuple[str, ...]:
    """Built-in workloads and those of installed packages."""
    import hptune_bench.workloads as package

    names = []
    for module in pkgutil.iter_modules(package.__path__):
        if not module.ispkg and hasattr(importlib.import_module(f"{package.__name__}.{module.name}"), "workload"):
            names.append(module.name)
    return tuple(sorted({*names, *_entry_points("workloads")}))


def make_workload(
    name: str, options: Mapping[str, Any], where: str = "workload", space: Space | None = None
) -> Workload:
    """The workload of a name, with its options.

    Args:
        space: of an object in a user's file, where it is known already: its models need not be built to find it.

    Raises:
        UserError: no such workload, or options that it does not take.
    """
    try:
        with importing(name, options):
            if SOURCE in options:
                return loader.workload_of(name, options, space)
            if is_own(name):
                return loader.workload_of(own_name(name), {SOURCE: name, **options}, space)
            return _factory(name, where)(**options)
    except UserError as error:
        raise UserError(str(error) if str(error).startswith(where) else f"{where}: {error}", error.detail) from None
    except TypeError as error:
        raise UserError(f"{where}: workload {name!r} does not take these options ({error})") from None


def takes(name: str, option: str) -> bool:
    """Whether a workload that is built in, or of a package, has such an option."""
    workload = make_workload(name, {})
    return dataclasses.is_dataclass(workload) and option in {each.name for each in dataclasses.fields(workload)}


def importing(name: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Where code of a workload is called: if it is a user's file, within this it finds what lies beside it."""
    return loader.beside(options.get(SOURCE, name))


def _factory(name: str, where: str) -> Callable[..., Workload]:
    if name not in workload_names():
        hint = "; a workload of your own is named as my_model.py:build_model" if ".py" in name else ""
        raise UserError(f"{where}: there is no workload {name!r}{hint or nearest(name, workload_names())}")
    outside = _entry_points("workloads")
    if name in outside:
        return outside[name].load()
    return importlib.import_module(f"hptune_bench.workloads.{name}").workload


@cache
def tuner_infos() -> dict[str, TunerInfo]:
    """What all tuners declare, by name: installed ones first, then the built-in ones."""
    outside = {name: _declared(name, point) for name, point in _entry_points("tuners").items()}
    return {**outside, **built_in()}


def _declared(name: str, point: importlib.metadata.EntryPoint) -> TunerInfo:
    """What a package's tuner declares.

    The entry point names a ``TunerInfo`` that makes it, or what makes it, with an attribute ``info`` or without. One
    that cannot be imported is found out when it is made.
    """
    found = attempt(point.load)
    if isinstance(found, TunerInfo):
        return found
    info = getattr(found, "info", None)
    if not isinstance(info, TunerInfo):
        info = undeclared(name, library="plug-in", description=f"from {point.value}")

    def make(**options: Any) -> Tuner:
        return point.load()(**options)

    return dataclasses.replace(info, make=info.make or make)


def declared(names: Collection[str], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest keeps of these tuners and of the usual ones; of one that is gone, what it kept ``earlier``."""
    found = {name: info.to_json() for name, info in tuner_infos().items() if info.usual or name in names}
    return {**{name: entry for name, entry in earlier.items() if name in names}, **found}


def stock_tuners() -> set[str]:
    """Tuners of which can be said where stock KerasTuner would have stopped."""
    return {name for name, info in tuner_infos().items() if info.stock}


def tuner_info(name: str, where: str = "tuner") -> TunerInfo:
    """What a tuner declares.

    Raises:
        UserError: no such tuner.
    """
    infos = tuner_infos()
    if name not in infos:
        raise UserError(f"{where}: there is no tuner {name!r}{nearest(name, infos)}")
    return infos[name]


def make_tuner(name: str, options: Mapping[str, Any] | None = None) -> Tuner:
    """The tuner of a name, with its options.

    Raises:
        UserError: no such tuner, or an option that it does not take.
    """
    info = tuner_info(name)
    for option in options or {}:
        if option not in info.options:
            hint = f"it has {', '.join(info.options)}" if info.options else "it has none"
            raise UserError(f"tuner {name}: unknown option {option!r}; {hint}")
    if info.make is None:
        raise UserError(f"tuner {name}: its declaration does not say how it is made; ask whoever offers it")
    return cast(Tuner, info.make(**(options or {})))


def with_digest(options: Mapping[str, Any]) -> dict[str, Any]:
    """A tuner's options with the SHA-256 (hex) of the file that they name: another file is another tuner."""
    return {**options, "sha256": hashlib.sha256(Path(str(options["file"])).read_bytes()).hexdigest()}


@cache
def _entry_points(group: str) -> dict[str, importlib.metadata.EntryPoint]:
    """What installed packages offer, by name.

    Raises:
        UserError: a name that must not become a folder.
    """
    points = {point.name: point for point in importlib.metadata.entry_points(group=f"hptune_bench.{group}")}
    for name, point in points.items():
        try:
            safe_name(name)
        except ValueError as error:
            package = point.dist.name if point.dist else "an installed package"
            raise UserError(f"{package}: entry point {name!r} of hptune_bench.{group}: {error}") from None
    return points


def check_tuner(name: str, workload: Workload, where: str) -> None:
    """Whether a tuner can work on a workload at all.

    Raises:
        UserError: no such tuner, or one that needs a published winner where there is none.
    """
    if tuner_info(name, where).role == "winner" and workload.published is None:
        raise UserError(
            f"{where}: tuner {name}: workload {workload.name!r} has no published winner; leave this tuner out for it"
        )


def check_replay(name: str, where: str) -> None:
    """Whether a table can replay a tuner.

    Raises:
        UserError: it does what was not recorded.
    """
    if tuner_info(name, where).restarts:
        repaired = next((other for other, info in tuner_infos().items() if info.repairs == name), None)
        hint = f", or take {repaired}, which continues exactly" if repaired else ""
        raise UserError(
            f"{where}: tuner {name} restarts trials from their best epoch with a fresh optimizer, which a table cannot "
            f"replay; leave it out{hint}"
        )
