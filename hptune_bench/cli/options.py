"""Arguments that several commands take, and what arguments mean: a benchmark, changes of it, values as text.

Heavy modules are imported inside the functions, as in ``cli.main``.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hptune_bench.core.errors import UserError

if TYPE_CHECKING:
    from hptune_bench.benchmark import Benchmark

Folder = Annotated[Path, typer.Argument(help="A results folder.", show_default=False)]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes.  [default: one per core]")]
Data = Annotated[
    str | None, typer.Option(help="Own model: a CSV file with a header. The review problem: a file of reviews.")
]
Target = Annotated[str | None, typer.Option(help="Own model: the column of --data to predict.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Own model: epochs of a full training.")]

OwnOptions = Mapping[str, str | int | None]
"""``data``, ``target`` and ``epochs`` of a model of one's own; None where not given."""
WHOLE = re.compile(r"0*[1-9][0-9]{0,5}")
"""A whole number from 1 to 999,999."""


def definition_of(benchmark: str, own: OwnOptions) -> Benchmark:
    """The benchmark of a file, or of a model of one's own.

    Raises:
        UserError: it cannot be read, or has options that only the other kind takes.
    """
    from hptune_bench import registry
    from hptune_bench.benchmark import own_benchmark, read_benchmark
    from hptune_bench.core.names import is_own

    options = given(own)
    if is_own(benchmark):
        return own_benchmark(benchmark, options, registry.tuner_infos())
    definition = read_benchmark(Path(benchmark))
    texts = options.pop("data", None)
    if options:
        raise UserError(f"--{min(options)} is for a model of your own; a benchmark file says it itself, under options")
    return definition if texts is None else _on_data(definition, str(texts))


def budget_of_script(benchmark: str) -> str | None:
    """The ``max_trials`` of a user's file that searches, as a budget; None for all others."""
    from hptune_bench.core.errors import Failure, attempt
    from hptune_bench.core.names import OWN_NAME
    from hptune_bench.workloads.own.loader import import_file
    from hptune_bench.workloads.own.script import search_of

    match = OWN_NAME.fullmatch(benchmark)
    module = attempt(lambda: import_file(Path(match["file"]))) if match else None
    search = None if module is None or isinstance(module, Failure) else search_of(module)  # what fails is told later
    return f"{search.max_trials}trials" if search and search.max_trials else None


def given(own: OwnOptions) -> dict[str, str | int]:
    """The options that were given."""
    return {key: value for key, value in own.items() if value is not None}


def _on_data(definition: Benchmark, data: str) -> Benchmark:
    """The benchmark with a file in place of the simulated reviews.

    Raises:
        UserError: none of its workloads reads a file.
    """
    from hptune_bench import registry
    from hptune_bench.benchmark import validate
    from hptune_bench.core.names import SOURCE

    table = _as_table(definition)
    readers = 0
    for entry in table["workloads"]:
        options = entry.get("options", {})
        if SOURCE not in options and registry.takes(entry["name"], "data"):
            entry["options"] = {**options, "data": data}
            readers += 1
    if not readers:
        raise UserError(f"--data {data}: no workload of {definition.name} reads a file of reviews; leave it out")
    return validate(table, "command line")


def narrowed(
    definition: Benchmark,
    tuners: list[str] | None,
    workloads: list[str] | None,
    seeds: int | None,
    budget: str | None,
    trainer: str | None,
) -> Benchmark:
    """The benchmark with what the command line changes.

    Raises:
        UserError: a tuner or workload that the benchmark does not have, or a value that is none.
    """
    from hptune_bench.benchmark import validate
    from hptune_bench.core.budget import Budget

    table = _as_table(definition)
    entries = table["workloads"]
    for entry, said in zip(entries, definition.workloads, strict=True):
        entry["tuners"] = list(definition.tuners_of(said))
    if workloads:
        _refuse_unknown("--workload", workloads, [entry["name"] for entry in entries], definition.name)
        entries = [entry for entry in entries if entry["name"] in workloads]
    if tuners:
        _refuse_unknown("--tuner", tuners, {name for entry in entries for name in entry["tuners"]}, definition.name)
        entries = [{**entry, "tuners": [name for name in entry["tuners"] if name in tuners]} for entry in entries]
        entries = [entry for entry in entries if entry["tuners"]]
    if budget is not None:
        table["budget"] = Budget.parse(budget).model_dump(exclude_none=True)
        for entry in entries:
            entry.pop("budget", None)
    if seeds is not None:
        table["seeds"] = seeds
    if trainer is not None:
        table["trainer"] = trainer
        if trainer != "table":
            table.pop("tables", None)
    listed = {name for entry in entries for name in entry["tuners"]}
    table["tuner_options"] = {name: options for name, options in definition.tuner_options.items() if name in listed}
    table["workloads"] = entries
    return validate(table, "command line")


def _as_table(definition: Benchmark) -> dict[str, Any]:
    """What a benchmark file would have to say."""
    return definition.model_dump(exclude_none=True, exclude_defaults=True)


def _refuse_unknown(option: str, names: Iterable[str], known: Iterable[str], benchmark: str) -> None:
    from hptune_bench.core.names import nearest

    for name in names:
        if name not in known:
            raise UserError(f"{option} {name!r} is not in {benchmark}{nearest(name, known)}")


def levels_given(texts: list[str] | None) -> dict[str, int]:
    """``--levels NAME=N``.

    Raises:
        UserError: one is not that, or a name comes twice.
    """
    counts = {}
    for name, text in _pairs("--levels", texts).items():
        if not WHOLE.fullmatch(text):
            raise UserError(f"--levels {name}={text}: give a whole number from 1 on")
        counts[name] = int(text)
    return counts


def workload_options(texts: list[str] | None) -> dict[str, bool | int | float | str]:
    """``--set KEY=VALUE``.

    Raises:
        UserError: one is not that, or a key comes twice.
    """
    return {key: _literal(text) for key, text in _pairs("--set", texts).items()}


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """``name=value`` arguments by name."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name or name in found:
            raise UserError(f"{option} {text!r}: give it as NAME=VALUE, each name once")
        found[name] = value
    return found


def _literal(text: str) -> bool | int | float | str:
    """A value as a benchmark file would have it: true, 5000, 0.5, or text, with or without quotes."""
    import tomllib

    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, bool | int | float | str) else text


def rerun_count(rerun: str) -> int | None:
    """``--rerun`` as a number of runs; None for all.

    Raises:
        UserError: it is neither.
    """
    if rerun in ("", "all"):
        return None
    if not WHOLE.fullmatch(rerun):
        raise UserError(f"--rerun {rerun!r} is neither a number of runs from 1 on nor 'all'")
    return int(rerun)


def command_line() -> str:
    """The command as a reader can give it again."""
    return shlex.join(["hptune-bench", *sys.argv[1:]])


def merged_folder(folders: list[Path]) -> Path:
    """A folder beside the first one, named after all of them; never one of them."""
    first = folders[0].resolve()
    names = dict.fromkeys(folder.resolve().name for folder in folders)
    return first.with_name("+".join(names)[:100] if len(names) > 1 else f"{first.name}-merged")
