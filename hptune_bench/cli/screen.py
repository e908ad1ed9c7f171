"""What the commands show on a terminal."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hptune_bench import registry
from hptune_bench.cli.observers import LiveObserver, PlainObserver, assigned
from hptune_bench.core.protocols import Workload
from hptune_bench.core.space import describe
from hptune_bench.core.text import clean
from hptune_bench.core.text import value as shown
from hptune_bench.lint.finding import Finding
from hptune_bench.store.results import Results, read_results
from hptune_bench.verify.check import Check, Grade

if TYPE_CHECKING:
    from hptune_bench.analysis.confirmed import Confirmation
    from hptune_bench.analysis.side_by_side import SideBySide


def console() -> Console:
    """The console of a command; text from data is always shown literally."""
    return Console(highlight=False, markup=False)


@contextlib.contextmanager
def observer(console: Console) -> Iterator[PlainObserver]:
    """Live lines where the terminal can redraw them, plain lines elsewhere."""
    if console.is_terminal and not console.is_dumb_terminal and console.width >= 60:
        with LiveObserver(console) as live:
            yield live
    else:
        yield PlainObserver(console)


def search_spaces(console: Console, workloads: Mapping[str, Workload]) -> None:
    """What is tuned: the counterpart of KerasTuner's ``search_space_summary``."""
    for workload in workloads.values():
        table = _table(f"{workload.name}: {workload.title}", "hyperparameter", "range", "untuned", "hand-picked")
        for hp in workload.space:
            picked = ", ".join(map(shown, workload.hand_picked.get(hp.name, ())))
            table.add_row(hp.name, describe(hp), shown(workload.untuned.get(hp.name, "")), picked)
        console.print(table)
        for line in getattr(workload, "told", ()):
            console.print(Text(clean(line)), soft_wrap=True)


def standing(console: Console, results: Results) -> None:
    """Every tuner's test score so far, and what the comparisons say."""
    from hptune_bench.analysis import analyse
    from hptune_bench.analysis.comparisons import FULL

    analysis = analyse(results, quick=True)
    for name, workload in analysis.workloads.items():
        label = results.manifest["workloads"][name].get("data_label") or ""
        title = f"{name}{f' ({label} data)' if label else ''}: median test score over seeds, smaller is better"
        rows = workload.summary.to_dict("records")
        earlier = list(dict.fromkeys(row["at"] for row in rows if row["at"] != FULL))
        table = _table(title, "tuner", *earlier, FULL, "quartiles", "seeds", "seconds")
        for row in (row for row in rows if row["at"] == FULL):
            before = [
                shown(other["test_median"])
                for at in earlier
                for other in rows
                if (other["tuner"], other["at"]) == (row["tuner"], at)
            ]
            quartiles = f"{shown(row['test_low'])}–{shown(row['test_high'])}"
            after = [shown(row[key]) for key in ("runs", "elapsed_s")]
            table.add_row(row["tuner"], *before, shown(row["test_median"]), quartiles, *after)
        console.print(table)
    for sentence in analysis.verdict:
        console.print(Text(clean(f"- {sentence.text}")))


def after_round(console: Console, folder: Path, final: bool, report: bool) -> None:
    """The standing and the report after a round of seeds, if a report is wanted; drawn in full after the last one."""
    if not report:
        return
    from hptune_bench.report import write_report

    results = read_results(folder, epochs=False)
    if not results.runs.empty:
        standing(console, results)
        write_report([results], folder, quick=not final)


def best_configurations(console: Console, results: Results, count: int = 10) -> None:
    """The best trials of each workload by validation score, and where its best model is kept."""
    for name, facts in results.manifest["workloads"].items():
        trials = results.trials
        if not trials.empty:
            trials = trials[(trials["workload"] == name) & trials["score"].notna()].nsmallest(
                count, "score", keep="first"
            )
        table = _table(
            f"{name}: best {count} trials by validation score", "score", "tuner", "seed", "trial", "configuration"
        )
        for row in trials.to_dict("records"):
            values = assigned(json.loads(row["configuration"]))
            table.add_row(f"{row['score']:.6g}", row["tuner"], str(row["seed"]), str(row["trial"]), values)
        console.print(table)
        model = results.manifest.get("best_models", {}).get(name)
        if model and model.get("file"):
            tests = ", ".join(f"test {metric} {shown(value)}" for metric, value in model["test"].items())
            console.print(clean(f"best model: {results.path / model['file']} ({tests})"), soft_wrap=True)
        console.print(clean(f"untuned configuration: {assigned(facts['untuned'])}"), soft_wrap=True)


def compared(console: Console, first: Results, second: Results) -> None:
    """Scores and clocks of two campaigns, and whether the second confirms the verdicts of the first."""
    from hptune_bench.analysis.confirmed import confirmation
    from hptune_bench.analysis.side_by_side import side_by_side

    _side_by_side(console, side_by_side(first, second))
    _confirmation(console, confirmation(first, second))


def _side_by_side(console: Console, rows: Sequence[SideBySide]) -> None:
    """Two campaigns: median scores, their paired difference, and the ratios of their clocks, second to first."""
    from hptune_bench.core.text import interval, number

    for workload in dict.fromkeys(row.workload for row in rows):
        table = _table(
            f"{workload}: scores (smaller is better) and seconds of the second campaign against the first",
            *("tuner", "seeds", "first", "second", "change", "training", "tuner", "wall"),
        )
        for row in (row for row in rows if row.workload == workload):
            ends = row.difference.interval
            difference = interval(row.difference.median_difference, *((ends.low, ends.high) if ends else (None, None)))
            ratios = []
            for clock in ("train_s", "tuner_s", "wall_s"):
                ratio = row.ratios.get(clock)
                bounds = (ratio.interval.low, ratio.interval.high) if ratio and ratio.interval else (None, None)
                ratios.append(f"x {interval(ratio.median, *bounds)}" if ratio else "")
            table.add_row(row.tuner, str(row.seeds), number(row.first), number(row.second), difference, *ratios)
        console.print(table)
    console.print("In brackets: 95 % intervals of the median over seeds.", soft_wrap=True)


def _confirmation(console: Console, found: Confirmation) -> None:
    """Whether the second campaign confirms the primary verdicts of the first."""
    from hptune_bench.core.text import probability

    if not found.items:
        console.print("The two have no primary comparison in common, so there is no verdict to confirm.")
        return
    near = {True: "as near as their intervals let expect", False: "further apart than that", None: "no interval"}
    for item in found.items:
        verdict = f"{item.first} in both" if item.same else f"{item.first}, then {item.second}"
        pair = f"{item.workload}: {item.tuner} against {item.reference}: "
        _line(console, pair, "green" if item.same else "yellow", f"{verdict}; differences {near[item.within]}")
    count = f"{found.same} of {len(found.items)} verdicts are the same"
    console.print(f"{count}; so many would be by chance with probability {probability(found.chance)}.", soft_wrap=True)


def outcome(console: Console, checks: Sequence[Check]) -> int:
    """How a verification ended, the last lines; returns the number of checks that differ."""
    if any(check.grade is not None for check in checks):
        counts = [f"{sum(check.grade == grade for check in checks)} {grade}" for grade in Grade]
        console.print(f"Done again: {', '.join(counts)}.")
    differing = sum(check.status == "differs" for check in checks)
    console.print(f"{len(checks)} checks, {differing} differ." if differing else f"{len(checks)} checks, all hold.")
    return differing


def checks(console: Console, outcomes: Iterable[Check]) -> list[Check]:
    """A line for each part of a verification, as it comes; returns them all."""
    done = []
    for outcome in outcomes:
        done.append(outcome)
        style = {"ok": "green", "differs": "bold red", "not checked": "yellow"}[outcome.status]
        _line(console, f"{outcome.status:<12}", style, f"{outcome.name}: {outcome.detail}")
    return done


def findings(console: Console, found: Iterable[Finding]) -> int:
    """A line for each warning of a check, as it comes; returns their number."""
    count = 0
    for finding in found:
        count += 1
        _line(console, f"{finding.key:<14}", "yellow", finding.text)
    return count


def _line(console: Console, key: str, style: str, text: str) -> None:
    console.print(Text(key, style=style) + Text(clean(text)), soft_wrap=True)


def workloads(console: Console) -> None:
    """The workloads by name."""
    table = _table("workloads", "name", "hyperparameters", "what it is")
    for name in registry.workload_names():
        workload = registry.make_workload(name, {})
        table.add_row(name, str(len(workload.space)), workload.title)
    console.print(table)


def tuners(console: Console) -> None:
    """The tuners by name."""
    table = _table("tuners", "name", "family", "what it does")
    for name, info in registry.tuner_infos().items():
        table.add_row(name, info.family, info.description)
    console.print(table)


def benchmarks(console: Console) -> None:
    """The benchmark files in ``benchmarks/``."""
    from hptune_bench.benchmark import read_benchmark

    table = _table("benchmarks", "file", "workloads", "seeds", "title")
    for path in sorted(Path("benchmarks").glob("*.toml")):
        benchmark = read_benchmark(path)
        names = ", ".join(entry.name for entry in benchmark.workloads)
        table.add_row(str(path), names, str(benchmark.seeds), benchmark.title)
    console.print(table)


class _Visible(Table):
    """A table whose cells cannot speak to the terminal."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*(clean(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def _table(title: str, *columns: str) -> Table:
    table = _Visible(
        title=Text(clean(title)), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in columns:
        table.add_column(Text(clean(name)), overflow="fold", no_wrap=name in ("tuner", "quartiles"))
    return table
