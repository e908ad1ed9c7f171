"""Sections of the report are found: a statistic with table and plot is two new files, and no edit anywhere else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from support.synthetic_campaign import synthetic_campaign

import hptune_bench
from hptune_bench import analysis, report
from hptune_bench.casestudy import effort
from hptune_bench.casestudy import sections as of_the_post
from hptune_bench.report import context, write_report
from hptune_bench.report import sections as of_all
from hptune_bench.report.blocks import Cell, Column, column, table

POST = {"The notebook's picture", "What the notebook's mistakes do", "Effort"}
STATISTIC = '''
"""The longest run of each method."""

import pandas as pd

from hptune_bench.analysis.frames import Records
from hptune_bench.analysis.statistic import Statistic


def longest(records: Records) -> pd.DataFrame:
    """Columns tuner and trials."""
    return records.runs.groupby("tuner", as_index=False)["trials"].max()


STATISTICS = (Statistic("longest", lambda given: longest(given.records)),)
'''
SECTION = '''
"""The longest run of each method, as a table and a figure."""

from hptune_bench.report.blocks import Figure, column, table
from hptune_bench.report.cells import count
from hptune_bench.report.context import Section, each
from hptune_bench.report.naming import caption, corner, file_name
from hptune_bench.report.plots import canvas


def build(ctx, found):
    frame = found.longest
    columns = [column("Method", ctx.label, "tuner"), column("Trials", count, "trials")]
    yield table(file_name("longest", found), caption(found, "Longest run"), columns, frame)
    takeaway = f"{int(frame['trials'].max())} trials at most."
    yield Figure(
        file_name("longest", found), takeaway, "One seed.", f"Bars. {takeaway}", frame, lambda: draw(ctx, found, frame)
    )


def draw(ctx, found, frame):
    figure = canvas.new(2.5, left=2.75)
    axes = figure.add_subplot()
    axes.barh(range(len(frame)), frame["trials"])
    canvas.name_rows(axes, [ctx.label(name) for name in frame["tuner"]])
    canvas.corner(axes, corner(found))
    return figure


SECTION = Section("How long they ran", 25, each(build), quick=True)
'''


def declared(module: object) -> list[context.Section]:
    return [entry for entry in getattr(module, "__dict__", {}).values() if isinstance(entry, context.Section)]


def test_a_statistic_with_table_and_plot_is_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, source in ((analysis, STATISTIC), (of_all, SECTION)):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "longest.py").write_text(source, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    campaign = synthetic_campaign(seeds=1, workloads=("linear_regression",), epochs=False, noise=False)
    try:
        write_report([campaign], tmp_path / "out", quick=True)
    finally:
        for package in (analysis, of_all):
            sys.modules.pop(f"{package.__name__}.longest", None)
            vars(package).pop("longest", None)
    page = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert page.index("Best loss so far") < page.index("How long they ran") < page.index("The methods side by side")
    assert "![Bars. " in page
    assert (tmp_path / "out" / "plots" / "longest-linear_regression.png").stat().st_size > 1000
    shown = pd.read_csv(tmp_path / "out" / "tables" / "longest-linear_regression.csv")
    runs = campaign.runs[campaign.runs["workload"] == "linear_regression"]
    assert sorted(shown["Trials"]) == sorted(runs.groupby("tuner")["trials"].max())
    assert "random search" in set(shown["Method"])


def test_every_room_may_have_sections_and_the_order_is_theirs() -> None:
    found = context.sections()
    assert [section.order for section in found] == sorted(section.order for section in found)
    assert len({section.order for section in found}) == len(found), "no two share a place"
    of_case = {section.title for module in vars(of_the_post).values() for section in declared(module)}
    assert of_case == POST
    assert of_case < {section.title for section in found}
    report_knows = (Path(report.__file__).parent).rglob("*.py")
    assert not any("casestudy" in path.read_text(encoding="utf-8") for path in report_knows), "the arrow goes one way"


def test_sections_are_found_without_the_case_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {section.title for section in context.sections()}
    folder = Path(next(iter(hptune_bench.__path__)))
    (tmp_path / "report").symlink_to(folder / "report")
    monkeypatch.setattr(hptune_bench, "__path__", [str(tmp_path), str(folder)])
    assert kept - {section.title for section in context.sections()} == POST


def test_a_column_takes_its_values_from_rows_of_frames_and_from_dataclasses() -> None:
    columns = [
        column("Words", str, "text"),
        Column("Both", lambda row: Cell(f"{row.text}{row.value}", row.value)),
    ]
    shown = table("name", "caption", columns, [Cell("a", 1), Cell("b", 2)])
    assert [[cell.text for cell in row] for row in shown.rows] == [["a", "a1"], ["b", "b2"]]
    assert shown.numeric == (False, True)
    frame = pd.DataFrame({"text": ["c"], "value": [3]})
    assert [[cell.text for cell in row] for row in table("name", "caption", columns, frame).rows] == [["c", "c3"]]


def test_an_installed_package_has_the_scripts_of_effort_with_it(tmp_path: Path) -> None:
    """Else the report that ``verify`` writes again would lack a table wherever there is no checkout."""
    root = Path(__file__).parents[1]
    wheel = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    for source, target in {"hptune_bench": "hptune_bench", **wheel["wheel"]["force-include"]}.items():
        shutil.copytree(root / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import json; from hptune_bench.casestudy import effort; print(json.dumps([effort.__file__, effort.scripts()]))"
    )
    asked = [sys.executable, "-c", program]
    told = subprocess.run(asked, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, check=True)
    place, scripts = json.loads(told.stdout)
    assert place.startswith(str(tmp_path)), "the copy is what was asked"
    assert scripts == effort.scripts()
    assert {"plain", "random_search"} <= set(scripts)
