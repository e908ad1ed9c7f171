"""A benchmark file: what it may say, what is wrong with it, and the runs that it stands for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from hptune_bench.core.budget import Budget
from hptune_bench.core.errors import UserError
from hptune_bench.core.files import read_limited
from hptune_bench.core.names import SOURCE, is_own, nearest, own_name, safe_name
from hptune_bench.core.protocols import TRAINERS
from hptune_bench.core.tuner_info import TunerInfo, primary, usual, with_role

MAX_BYTES = 2**20
OWN_SEEDS, OWN_TRAININGS = 10, 20


_Names = Annotated[tuple[str, ...], Field(strict=False)]
"""A list of TOML; the names in it are text."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class WorkloadEntry(_Strict):
    """One workload of a benchmark, with what differs from the benchmark's defaults."""

    name: str
    budget: Budget | None = None
    tuners: _Names | None = None
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _own(cls, value: Any) -> Any:
        """An object in a user's file is an option; the name becomes one that can be a folder's."""
        if isinstance(value, dict) and isinstance(name := value.get("name"), str) and is_own(name):
            options = value.get("options", {})
            if isinstance(options, dict):
                name, source = safe_name(own_name(name)), name
                return {**value, "name": name, "options": {SOURCE: source, **options}}
        return value


class Primary(_Strict):
    """The comparisons that are fixed before any result: each tuner against one baseline, on the test score."""

    tuners: _Names
    against: str


class Benchmark(_Strict):
    """A validated benchmark definition.

    Attributes:
        trainer: ``compiled``, ``stock``, ``table`` (nothing is trained: recorded learning curves are replayed) or
            ``fake``.
        tables: the folder of the tables that the trainer ``table`` replays; None: where tables are looked for.
        tuner_options: options of tuners that take some, by tuner.
        checkpoint_trials: tables and plots also answer after so many trials (the post had ten); None: they do not.
        trial_timeout: wall seconds after which a trial is killed; None: never.
        noise_repeats: retrainings of the untuned configuration per workload, off the budget.
        stock_clock: whether the cost of stock Keras is measured, off the budget.
    """

    name: str
    title: str = ""
    seeds: Annotated[int, Field(ge=1, le=100_000)] = 10
    trainer: str = "compiled"
    tables: str | None = None
    budget: Budget | None = None
    tuners: _Names = ()
    workloads: Annotated[tuple[WorkloadEntry, ...], Field(strict=False)]
    tuner_options: dict[str, dict[str, Any]] = {}
    primary: Primary | None = None
    checkpoint_trials: Annotated[int, Field(ge=1)] | None = None
    trial_timeout: Annotated[float, Field(gt=0, strict=False)] | None = None
    noise_repeats: Annotated[int, Field(ge=0, le=1000)] = 10
    stock_clock: bool = True

    @field_validator("name")
    @classmethod
    def _safe(cls, value: str) -> str:
        return safe_name(value)

    @field_validator("trainer")
    @classmethod
    def _known_trainer(cls, value: str) -> str:
        if value not in TRAINERS:
            raise ValueError(f"there is no trainer {value!r}{nearest(value, TRAINERS)}")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Benchmark:
        if not self.workloads:
            raise ValueError("a benchmark needs at least one workload")
        if self.tables is not None and self.trainer != "table":
            raise ValueError(f"key 'tables' is for trainer = \"table\", and the trainer is {self.trainer!r}")
        names = [entry.name for entry in self.workloads]
        _refuse_duplicates(names, "workload")
        listed = {name for entry in self.workloads for name in self.tuners_of(entry)}
        for name in self.tuner_options:
            if name not in listed:
                raise ValueError(f"tuner_options: {name!r} is no tuner of this benchmark{nearest(name, listed)}")
        for entry in self.workloads:
            if entry.budget is None and self.budget is None:
                raise ValueError(f"workload {entry.name!r} has no budget, and the benchmark sets none")
            tuners = self.tuners_of(entry)
            if not tuners:
                raise ValueError(f"workload {entry.name!r} has no tuners, and the benchmark lists none")
            _refuse_duplicates(tuners, "tuner")
        return self

    def tuners_of(self, entry: WorkloadEntry) -> tuple[str, ...]:
        return self.tuners if entry.tuners is None else entry.tuners

    def budget_of(self, entry: WorkloadEntry) -> Budget:
        budget = entry.budget or self.budget
        assert budget is not None
        return budget


def expand(benchmark: Benchmark) -> Iterator[tuple[str, str, int]]:
    """All runs (workload, tuner, seed), breadth first over seeds: seed 1 of every tuner, then seed 2 ..."""
    for seed in range(1, benchmark.seeds + 1):
        for entry in benchmark.workloads:
            for tuner in benchmark.tuners_of(entry):
                yield entry.name, tuner, seed


def read_benchmark(path: Path) -> Benchmark:
    """Read and validate a benchmark file.

    Raises:
        UserError: one sentence with the file, the key and the remedy.
    """
    content = read_limited(
        path, MAX_BYTES, "1 MiB, which no benchmark file is", "`hptune-bench list benchmarks` shows those at hand"
    )
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{path}: is not valid TOML: {error}") from None
    if "workloads" not in table and isinstance(only := table.get("workload"), str):
        del table["workload"]  # short for a table of workloads with this one
        table["workloads"] = [{"name": only}]
    return validate(_located(table, path.parent), str(path))


def own_benchmark(source: str, options: Mapping[str, Any], infos: Mapping[str, TunerInfo]) -> Benchmark:
    """What is run where a workload of one's own is given instead of a benchmark file.

    Ten seeds (below six no test is possible) and a budget of twenty full trainings for each tuner: counted in epochs,
    because a count of trials would let Hyperband's short ones stand for full ones.

    Args:
        infos: the tuners that there are; the usual ones run.

    Raises:
        UserError: the name cannot be used.
    """
    entry = {"name": source, "options": dict(options)}
    budget = Budget(trainings=OWN_TRAININGS)
    return small_benchmark(own_name(source), entry, budget, (), infos, source, seeds=OWN_SEEDS)


def small_benchmark(
    name: str,
    entry: Mapping[str, Any],
    budget: Budget,
    tuners: Sequence[str],
    infos: Mapping[str, TunerInfo],
    where: str,
    **keys: Any,
) -> Benchmark:
    """A benchmark of one workload; tuners of libraries are compared with the loop by hand where it has both.

    Args:
        tuners: by name; none: the usual ones.
        infos: all tuners there are.
        keys: further keys of a benchmark file.

    Raises:
        UserError: something cannot be used; ``where`` names the source.
    """
    names = tuple(tuners) or usual(infos)
    chosen = {each: infos[each] for each in names if each in infos}
    table = {"name": name, "budget": budget.model_dump(exclude_none=True), "tuners": list(names), **keys}
    if (loop := with_role(chosen, "loop")) and primary(chosen):
        table["primary"] = {"tuners": list(primary(chosen)), "against": loop}
    return validate({**table, "workloads": [entry]}, where)


def _located(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The table with a user's files found beside the benchmark file where the working directory does not have them."""

    def found(file: str) -> str:
        beside = folder / file
        return str(beside) if not Path(file).exists() and beside.exists() else file

    entries = table.get("workloads")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or not isinstance(name := entry.get("name"), str) or not is_own(name):
            continue
        file, _, attribute = name.rpartition(":")
        entry["name"] = f"{found(file)}:{attribute}"
        if isinstance(options := entry.get("options"), dict) and isinstance(data := options.get("data"), str):
            options["data"] = found(data)
    return table


def validate(table: dict[str, Any], where: str) -> Benchmark:
    """Check a benchmark given as a table, ``where`` naming its source in errors.

    Raises:
        UserError: one sentence with the source, the key and the remedy.
    """
    try:
        return Benchmark.model_validate(table)
    except ValidationError as error:
        raise UserError(f"{where}: {_sentence(error)}") from None


def _refuse_duplicates(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name!r} is listed twice; remove one")
        seen.add(name)


_MODELS: dict[str, type[BaseModel]] = {"budget": Budget, "workloads": WorkloadEntry, "primary": Primary}


def _sentence(error: ValidationError) -> str:
    """The first complaint of pydantic as one sentence with the key and what to do."""
    first = error.errors(include_url=False)[0]
    parts = [part for part in first["loc"] if part not in ("float", "int")]
    key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    if first["type"] == "extra_forbidden":
        parents = [part for part in parts[:-1] if isinstance(part, str)]
        model = _MODELS.get(parents[-1], Benchmark) if parents else Benchmark
        return f"unknown key {key!r}{nearest(str(parts[-1]), model.model_fields)}"
    if first["type"] == "missing":
        return f"key {key!r} is missing; add it"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:] if not message.startswith("'") else message
    given = "" if first["type"] == "value_error" else f" (given: {first['input']!r:.60})"
    return f"key {key!r}: {message}{given}" if key else message
