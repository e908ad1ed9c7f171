"""The report: structure, numbers that can be recomputed, equal bytes on a rerun, awkward campaigns, escaping."""

from __future__ import annotations

import dataclasses
import html.parser
import io
import json
import math
import os
import re
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from support.synthetic_campaign import synthetic_campaign
from typer.testing import CliRunner

from hptune_bench.analysis import analyse
from hptune_bench.analysis.anytime import Curves
from hptune_bench.analysis.frames import by_workload
from hptune_bench.analysis.ranks import Ranks, ranks
from hptune_bench.casestudy.sweep import first_sweep
from hptune_bench.cli.main import app
from hptune_bench.core import text
from hptune_bench.core.errors import UserError
from hptune_bench.core.tuner_info import primary, undeclared
from hptune_bench.report import markup, style, write_report
from hptune_bench.report.context import build, context
from hptune_bench.report.naming import plain
from hptune_bench.report.plots import canvas, curves, labels
from hptune_bench.store.results import Results, merge, took
from hptune_bench.tuners import built_in

TUNERS = (
    "manual_sweep",
    "untuned",
    "random_search",
    "bayesian_optimization",
    "hyperband",
    "hyperband_repaired",
)
REPLACE = dataclasses.replace


def fixed() -> Results:
    return synthetic_campaign(seeds=3, tuners=TUNERS, epochs=False)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    campaign, out = fixed(), tmp_path_factory.mktemp("report")
    assert write_report([campaign], out) == out / "report.md"
    return campaign, out


# --- structure -----------------------------------------------------------------------------------------------------

FAMILIES = (
    "best-so-far",
    "words-review_sentiment",
    *[
        f"{family}-{workload}"
        for workload in ("linear_regression", "review_sentiment")
        for family in ("axes", "test", "all", "paired", "ecdf", "importance", "levels", "space", "curse", "time")
    ],
    "break-even-linear_regression",
    "ranks",
)


def test_every_figure_is_there_and_shows_something(report: tuple[Results, Path]) -> None:
    from matplotlib.image import imread

    _, out = report
    page = (out / "report.md").read_text(encoding="utf-8")
    rendered = MarkdownIt("commonmark").render(page)
    images = re.findall(r'<img src="plots/([^"]+)\.png" alt="([^"]*)"', rendered)
    linked = [name for name, _ in images]
    assert all(len(alt) > 40 for _, alt in images)
    assert set(FAMILIES) <= set(linked)
    assert {path.stem for path in (out / "plots").glob("*.png")} == set(linked)
    for name in linked:
        pixels = imread(out / "plots" / f"{name}.png")
        assert pixels.shape[1] == round(style.FIGURE_WIDTH * style.DPI), name
        assert (pixels[..., :3].min(axis=2) < 0.5).mean() > 0.002, f"{name} is empty"
        assert len(pd.read_csv(out / "plots" / f"{name}.csv")) > 0, name
        assert f"](plots/{name}.csv)" in page
        caption = re.search(rf"\(plots/{name}\.png\)\n\n\*\*(.+?)\*\* (.+)", page)
        assert caption, f"{name} has no caption"
        assert len(caption[1]) < 320, f"{name}: a takeaway is one line"
        assert re.search(r"\d+ (seed|data famil)", caption[2]), f"{name} does not say how many"
        assert (out / "plots" / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_sections_come_in_order_and_details_are_folded(report: tuple[Results, Path]) -> None:
    _, out = report
    page = (out / "report.md").read_text(encoding="utf-8")
    titles = [
        "Verdict",
        "Best loss so far",
        "The methods side by side",
        "The post's questions",
        "The notebook's picture",
    ]
    assert re.findall(r"^## (.+)$", page, flags=re.MULTILINE)[:5] == titles
    folded = re.findall(r"<summary><b>(.+?)</b></summary>", page)
    assert folded[0].startswith("The same curves")
    assert folded[-1] == "How to rerun"
    assert page.count("<details>") == page.count("</details>") == len(folded)
    assert "hptune-bench run benchmarks/synthetic.toml" in page
    verdict = page.split("## Verdict")[1].split("##")[0]
    assert 1 <= len(re.findall(r"^- ", verdict, flags=re.MULTILINE)) <= 5
    assert "random_search" not in verdict, "the verdict uses the names that the figures use"
    assert verdict.count("(simulated data)") == 1, "said once, not in every sentence"


def test_simulated_data_is_called_so_everywhere(report: tuple[Results, Path]) -> None:
    _, out = report
    for path in out.glob("plots/*review_sentiment.svg"):
        assert "simulated data" in path.read_text(encoding="utf-8"), path.name
    for path in out.glob("plots/*linear_regression.svg"):
        assert "simulated" not in path.read_text(encoding="utf-8"), path.name
    page = (out / "report.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)$", page, flags=re.MULTILINE)
    assert all("(simulated data)" in heading for heading in headings if heading.startswith("Review"))


# --- numbers -------------------------------------------------------------------------------------------------------


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table after a heading, as a Markdown reader sees them."""
    table = page[page.index(heading) :].split("\n|", 1)[1].split("\n\n")[0]
    rendered = MarkdownIt("commonmark").enable("table").render("|" + table)
    return [
        [
            html.unescape(re.sub(r"<[^>]+>", "", cell)).replace("\u00a0", " ")
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", rendered, flags=re.DOTALL)[1:]
    ]


def test_the_main_table_can_be_recomputed_from_the_runs(report: tuple[Results, Path]) -> None:
    campaign, out = report
    page = (out / "report.md").read_text(encoding="utf-8").split("## The methods side by side")[1]
    by_label = {built_in()[name].label: name for name in TUNERS}
    for workload, title in (("linear_regression", "### Linear"), ("review_sentiment", "### Review")):
        unrounded = pd.read_csv(out / "tables" / f"summary-{workload}.csv").set_index("Method")
        shown = rows_of(page, title)
        assert {row[0] for row in shown} == set(by_label)
        best = {}
        for row in shown:
            runs = campaign.runs[(campaign.runs.workload == workload) & (campaign.runs.tuner == by_label[row[0]])]
            low, middle, high = np.quantile(runs.test_score, [0.25, 0.5, 0.75], method="inverted_cdf")
            column = unrounded.columns.get_loc("Test score, full budget") + 1
            assert unrounded.loc[row[0], "Test score, full budget"] == pytest.approx(middle)
            assert row[column].removesuffix(" ≈") == text.interval(middle, low, high)
            assert unrounded.loc[row[0], "Failed trials"] == runs.failed.sum()
            if workload == "linear_regression":
                raw = np.quantile(runs.best_score, 0.5, method="inverted_cdf")
                assert unrounded.loc[row[0], "Raw validation loss"] == pytest.approx(raw)
            assert row[-1] == str(len(runs))
            best[row[0]] = middle
        winner = min(best, key=lambda label: best[label])
        line = next(line for line in page[page.index(title) :].splitlines() if line.startswith(f"| {winner} "))
        assert f"**{text.number(best[winner], 1)[:3]}" in line, "the best is in bold"


def test_the_first_figure_ends_at_the_runs_best_scores(report: tuple[Results, Path]) -> None:
    campaign, out = report
    drawn = pd.read_csv(out / "plots" / "best-so-far.csv")
    for tuner in ("manual_sweep", "random_search", "bayesian_optimization", "hyperband"):
        runs = campaign.runs[(campaign.runs.workload == "linear_regression") & (campaign.runs.tuner == tuner)]
        excess = runs.best_score - runs["fact:validation_noise"]
        last = drawn[(drawn.tuner == tuner) & drawn.panel.str.startswith("Linear")]["median"].iloc[-1]
        assert last == pytest.approx(np.quantile(excess, 0.5, method="inverted_cdf"))


def test_the_notebooks_picture_uses_the_first_loop_only() -> None:
    trials = pd.DataFrame(
        {
            "tuner": "manual_sweep",
            "seed": 1,
            "trial": [1, 2, 3, 4, 5],
            "hp:word_count": [10, 20, 30, 20, 20],
            "hp:vocab_count": [700, 700, 700, 500, 600],
            "hp:unused": [math.nan] * 5,
            "score": [0.9, 0.8, math.inf, 0.7, 0.75],
        }
    )
    loop = first_sweep(trials)
    assert loop["hp:word_count"].tolist() == [10, 20, 30]
    assert set(loop["picked"]) == {20}
    assert first_sweep(trials.assign(tuner="random_search")).empty


# --- the same bytes ------------------------------------------------------------------------------------------------

AGAIN = """
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path
from test_report import fixed
from hptune_bench.report import write_report
write_report([fixed()], Path(sys.argv[1]))
"""


def test_a_rerun_in_another_process_writes_the_same_bytes(report: tuple[Results, Path], tmp_path: Path) -> None:
    _, out = report
    here = Path(__file__).resolve().parent
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "12345",
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)]),
    }
    subprocess.run([sys.executable, "-c", AGAIN, str(tmp_path)], check=True, env=environment, cwd=tmp_path)
    first = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    second = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert first.keys() == second.keys()
    assert [str(name) for name in first if first[name] != second[name]] == []


def test_importing_the_report_is_light() -> None:
    code = (
        "import sys, hptune_bench.report; print(*[m for m in sys.modules if m in ('matplotlib', 'pandas', 'jinja2')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ""


# --- awkward campaigns ---------------------------------------------------------------------------------------------


class Reader(html.parser.HTMLParser):
    """Collects tags and checks that they nest."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def pages(campaign: Results, out: Path, quick: bool = False) -> tuple[str, str]:
    write_report([campaign], out, quick=quick)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert Reader(page).open == []
    return (out / "report.md").read_text(encoding="utf-8"), page


def test_one_tuner_one_seed_one_workload(tmp_path: Path) -> None:
    campaign = synthetic_campaign(
        seeds=1, tuners=["random_search"], workloads=["linear_regression"], noise=False, stock_clock=False, epochs=False
    )
    page, _ = pages(campaign, tmp_path)
    assert "1 workload; 1 method; 1 of 1 runs finished" in page
    assert "a single seed has no band" in page


def test_a_maximised_metric_is_named_with_its_sign(tmp_path: Path) -> None:
    campaign = synthetic_campaign(seeds=2, tuners=TUNERS[:2], workloads=["review_sentiment"], epochs=False)
    about = campaign.manifest["workloads"]["review_sentiment"]
    accuracy = {**about, "objective": "val_accuracy", "direction": "max", "test_metric": "accuracy"}
    page, _ = pages(
        REPLACE(campaign, manifest={**campaign.manifest, "workloads": {"review_sentiment": accuracy}}), tmp_path
    )
    assert "Test score = negated test accuracy of the selected model; validation score = negated val_accuracy." in page
    assert "negated" not in pages(campaign, tmp_path)[0]


def test_all_runs_failed_with_hostile_errors(tmp_path: Path) -> None:
    campaign = synthetic_campaign(seeds=2, tuners=TUNERS, workloads=["linear_regression"], epochs=False)
    runs = campaign.runs.assign(status="failed", best_score=math.inf, best_trial=math.nan, test_score=math.nan)
    error = "ValueError: <script>alert(1)</script> | `x` $a$ \x1b[31mred\x1b[0m\nnext"
    trials = campaign.trials.assign(status="error", score=math.inf, test_score=math.nan, error=error, incumbent=False)
    page, html_page = pages(REPLACE(campaign, runs=runs, trials=trials, noise=pd.DataFrame()), tmp_path)
    assert "No method's median run ends with a finite score" in page
    shown = rows_of(page.split("## The methods")[1], "###")[0]
    assert shown[1] == shown[2] == "failed", "one word, at the checkpoint and at the end"
    assert "\x1b" not in page + html_page
    assert Reader(html_page).tags.count("script") == 1
    shown = MarkdownIt("commonmark").enable("table").render(page.split("Reasons of failures")[1])
    assert "ValueError: &lt;script&gt;alert(1)&lt;/script&gt; | `x` $a$ red next" in shown
    assert "<script" not in page


def test_unfinished_and_partly_failed_campaign(tmp_path: Path) -> None:
    campaign = synthetic_campaign(seeds=3, tuners=TUNERS, workloads=["linear_regression"], failing=["hyperband"])
    runs = campaign.runs[~((campaign.runs.seed == 3) & (campaign.runs.tuner == "random_search"))].copy()
    runs.loc[(runs.seed == 2) & (runs.tuner == "manual_sweep"), "status"] = "interrupted"
    manifest = {**campaign.manifest, "status": "interrupted", "finished": None, "finished_runs": len(runs) - 1}
    page, _ = pages(REPLACE(campaign, runs=runs, manifest=manifest), tmp_path, quick=True)
    shown = {row[0]: row for row in rows_of(page.split("## The methods")[1], "###")}
    assert "failed" in shown["Hyperband"][-1]
    assert "unfinished" in shown["hand-written loop"][-1]
    assert "16 of 18 runs finished" in page


def test_twenty_tuners_with_strange_names(tmp_path: Path) -> None:
    names = [f"tüner {i} – 모델 $x$ <b>|\"' =1" for i in range(20)]
    campaign = synthetic_campaign(seeds=1, tuners=names, workloads=["../../w <script>|日本"], epochs=False, noise=False)
    page, html_page = pages(campaign, tmp_path / "report", quick=True)
    assert len(rows_of(page.split("## The methods")[1], "###")) == 20
    assert rows_of(page.split("## The methods")[1], "###")[3][0] == names[3]
    assert Reader(html_page).tags.count("script") == 1
    assert "b" not in Reader(html_page).tags
    assert [path.name for path in tmp_path.iterdir()] == ["report"], "nothing is written beside the report"


def test_nothing_has_finished_yet(tmp_path: Path) -> None:
    campaign = synthetic_campaign(seeds=1, tuners=["untuned"], workloads=["linear_regression"], epochs=False)
    nothing = {name: pd.DataFrame() for name in ("runs", "trials", "epochs", "noise", "stock_clock")}
    page, _ = pages(REPLACE(campaign, **nothing), tmp_path)
    assert "No trial has finished yet" in page
    assert "How to rerun" in page


def test_from_eight_families_on_there_is_a_critical_difference_diagram() -> None:
    names = [f"family_{i}" for i in range(8)]
    made = synthetic_campaign(
        seeds=2,
        tuners=("manual_sweep", "untuned", *primary(built_in())),
        workloads=names,
        noise=False,
        epochs=False,
        factor={"hyperband": 0.2, "untuned": 3.0},
    )
    campaign = REPLACE(made, manifest=families_apart(made.manifest))
    found = ranks(by_workload(campaign))
    assert found is not None
    assert found.diagram is not None
    blocks = ranked_blocks(campaign, found)
    assert [block.name for block in blocks if block.kind == "figure"][:2] == ["ranks", "critical-difference"]
    figure = next(block for block in blocks if block.name == "critical-difference")
    assert "8 data families" in figure.detail
    png, svg = canvas.render(figure.draw)
    assert (png, svg) == canvas.render(figure.draw), "equal bytes"
    for name in found.diagram.average.index:
        assert built_in()[name].label in svg
    seven = ranks(by_workload(campaign)[:7])
    assert seven is not None
    assert [block.name for block in ranked_blocks(campaign, seven) if block.kind == "figure"][
        1
    ] != "critical-difference"


def families_apart(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "workloads": {name: {**w, "family": name} for name, w in manifest["workloads"].items()}}


def ranked_blocks(campaign: Results, found: Ranks) -> list[Any]:
    analysis = REPLACE(analyse(campaign, quick=True), ranks=found)
    parts = build(context(campaign, analysis), quick=False)
    return list(next(part for part in parts if part.title == "Ranks").blocks)


@pytest.mark.usefixtures("undrawn")
def test_a_best_model_that_no_file_holds_is_not_named(tmp_path: Path) -> None:
    campaign = fixed()
    models = {
        name: {"file": file, "tuner": "random_search", "seed": 1, "trial": 2}
        for name, file in (("linear_regression", None), ("review_sentiment", "models/review_sentiment.keras"))
    }
    write_report([REPLACE(campaign, manifest={**campaign.manifest, "best_models": models})], tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "The best model is not kept; it was trained by random search" in page
    assert "The best model is kept as models/review_sentiment.keras, trained by random search" in page
    assert "kept as None" not in page


def test_names_in_paths_stay_what_they_are() -> None:
    campaign = synthetic_campaign(seeds=2, epochs=False)
    ctx = context(campaign, analyse(campaign, quick=True))
    text = (
        "linear_regression: random_search failed (linear_regression.py), see runs/linear_regression/hyperband/s01.jsonl"
    )
    found = plain(ctx, text)
    assert found.startswith("Linear regression of the post: random search failed (linear_regression.py), see ")
    assert found.endswith(" runs/linear_regression/hyperband/s01.jsonl")
    short = synthetic_campaign(seeds=2, workloads=["wine"], epochs=False)
    ctx = context(short, analyse(short, quick=True))
    title = short.manifest["workloads"]["wine"]["title"]
    assert plain(ctx, "wine: as wine does").lower().startswith(title.lower())
    assert plain(ctx, "wine: as wine does").endswith(": as wine does"), "elsewhere it may be a word"
    assert f"on {title}".lower() in plain(ctx, "undecided on wine: no test").lower()


def test_seconds_get_a_log_axis_where_searches_differ_tenfold() -> None:
    def scale(axis: str, last: float) -> str:
        rows = [("quick", 1.0, 3.0), ("quick", 3.0, 2.0), ("slow", 1.0, 3.0), ("slow", last, 1.0)]
        bands = pd.DataFrame(rows, columns=["tuner", "x", "median"])
        bands = bands.assign(lower=bands["median"], upper=bands["median"], runs=1, reached=1, ended=0)
        shown = Curves(axis=axis, score="validation", excess=False, steps=bands, bands=bands)
        panel = curves.Panel("title", "", shown, ("quick", "slow"), math.nan, "loss")
        return str(
            curves.draw([panel], style.styles({name: undeclared(name) for name in ("quick", "slow")}))
            .axes[0]
            .get_xscale()
        )

    assert scale("elapsed_s", 60.0) == "log"
    assert scale("elapsed_s", 20.0) == "linear"
    assert scale("trials", 60.0) == "linear"


# --- merging -------------------------------------------------------------------------------------------------------


def seeds_of(campaign: Results, *seeds: int) -> Results:
    frames = {}
    for name in ("runs", "trials", "epochs", "noise"):
        frame = getattr(campaign, name)
        frames[name] = frame[frame["seed"].isin(seeds)] if len(frame) else frame
    return REPLACE(campaign, **frames)


def test_merged_parts_are_the_whole() -> None:
    whole = synthetic_campaign(seeds=3, tuners=TUNERS, workloads=["linear_regression"])
    parts = merge([seeds_of(whole, 1, 2), seeds_of(whole, 2, 3)])
    for name in ("runs", "trials", "epochs", "noise"):
        keys = ["tuner", "seed", *[key for key in ("trial", "epoch", "repeat") if key in getattr(whole, name)]]
        want, have = (getattr(each, name).sort_values(keys).reset_index(drop=True) for each in (whole, parts))
        pd.testing.assert_frame_equal(want, have)
    assert parts.manifest["finished_runs"] == len(whole.runs)


def test_merged_parts_say_what_is_missing_and_how_to_make_them_again() -> None:
    whole = synthetic_campaign(seeds=3, tuners=TUNERS, workloads=["linear_regression"], epochs=False)
    first, second = seeds_of(whole, 1, 2), seeds_of(whole, 3)
    counted = {"finished_runs": len(second.runs), "planned_runs": len(second.runs) + 4, "command": "other command"}
    second = REPLACE(second, manifest={**whole.manifest, **counted, "finished": "2026-01-01T00:30:00+00:00"})
    manifest = merge([first, second]).manifest
    assert manifest["planned_runs"] - manifest["finished_runs"] == 4
    assert manifest["command"].splitlines() == [whole.manifest["command"], "other command"]
    assert took(manifest) == 3600 + 1800


@pytest.mark.usefixtures("undrawn")
def test_the_report_of_several_folders_leaves_each_folder_as_it_is(tmp_path: Path) -> None:
    whole = synthetic_campaign(
        seeds=2, tuners=("manual_sweep", "random_search"), workloads=["linear_regression"], epochs=False, noise=False
    )
    for seed in (1, 2):
        part, folder = seeds_of(whole, seed), tmp_path / f"part{seed}"
        folder.mkdir()
        (folder / "manifest.json").write_text(json.dumps(whole.manifest), encoding="utf-8")
        for name in ("runs", "trials", "stock_clock"):
            getattr(part, name).to_csv(folder / f"{name}.csv", index=False)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    done = CliRunner().invoke(app, ["report", str(tmp_path / "part1"), str(tmp_path / "part2")])
    assert done.exit_code == 0, done.output
    made = tmp_path / "part1+part2"
    assert done.output.strip() == str(made / "report.md")
    shown = rows_of((made / "report.md").read_text(encoding="utf-8").split("## The methods")[1], "###")
    assert {row[-1] for row in shown} == {"2"}
    after = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if made not in (path, *path.parents))
    assert after == before


def test_other_benchmarks_and_other_definitions_are_refused() -> None:
    one = synthetic_campaign(seeds=1, tuners=["untuned"], workloads=["linear_regression"], epochs=False)
    with pytest.raises(UserError, match="report on folders of one benchmark"):
        merge([one, REPLACE(one, manifest={**one.manifest, "name": "other"})])
    changed = {"linear_regression": {**one.manifest["workloads"]["linear_regression"], "fingerprint": "1"}}
    with pytest.raises(UserError, match="defined differently"):
        merge([one, REPLACE(one, manifest={**one.manifest, "workloads": changed})])
    with pytest.raises(UserError, match="at least one"):
        merge([])


# --- text, numbers, styles ------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30) | st.text(alphabet="|\\`*_[]()<>&$#~-+=1. a\n\x1b", max_size=20))
def test_escaped_markdown_reads_as_the_text_itself(raw: str) -> None:
    table = f"| a | b |\n|:--|:--|\n| {markup.markdown(raw)} | end |\n"
    for rendered in (
        re.findall(r"<td[^>]*>(.*?)</td>", MarkdownIt("commonmark").enable("table").render(table)),
        [re.sub(r"^<p>|</p>\n$", "", MarkdownIt("commonmark").render(f"x {markup.markdown(raw)}"))[2:], "end"],
    ):
        assert [html.unescape(cell).strip() for cell in rendered] == [text.clean(raw), "end"]


@given(st.text(max_size=40))
def test_cleaned_text_can_be_written_and_shows_no_control_characters(raw: str) -> None:
    line = text.clean(raw)
    line.encode("utf-8")
    assert not [char for char in line if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (text.interval(0.82314, 0.82119, 0.82511), "0.8231 [0.8212, 0.8251]"),
        (text.interval(0.08, 0.05, 0.21), "0.080 [0.050, 0.210]"),
        (text.interval(math.inf, 0.1, math.inf), "failed"),
        (text.interval(0.5, math.nan, math.nan), "0.5"),
        (text.seconds(0.834), "0.83 s"),
        (text.seconds(199.7), "3 min 20 s"),
        (text.seconds(7500), "2 h 5 min"),
        (text.seconds(math.inf), "never"),
        (text.percent(0.9999), ">99 %"),
        (text.percent(0.001), "<1 %"),
        (text.probability(0.00001), "<0.001"),
        (text.number(0.00004053), "4.053e-5"),
        (text.number(123456.7), "123,457"),
    ],
)
def test_numbers_as_a_reader_sees_them(shown: str, wanted: str) -> None:
    assert shown == wanted


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_looks_are_distinct_fixed_and_visible() -> None:
    unknown = [f"plug-in {i}" for i in range(30)]
    declared = {name: info for name, info in built_in().items() if info.style}
    assert sorted(info.style for info in declared.values()) == sorted(style.STYLES)
    shown = style.styles({**{name: undeclared(name) for name in unknown}, **declared})
    assert list(shown) == [*declared, *unknown]
    for name, info in declared.items():
        assert shown[name] == dataclasses.replace(style.STYLES[info.style], label=info.label)
    for keys in (
        {(mine.color, mine.dash, mine.marker) for mine in shown.values()},
        {(mine.dash, mine.marker, mine.hollow) for mine in style.STYLES.values()},
        {mine.label for mine in shown.values()},
    ):
        assert len(keys) in (len(shown), len(style.STYLES))
    for mine in shown.values():
        assert contrast(mine.color, style.PAPER) >= 3, mine.label
        assert contrast(mine.dark, style.DARK[style.PAPER]) >= 3, mine.label
    assert contrast(style.FAINT, style.PAPER) >= 4.5


@given(st.lists(st.floats(0, 1), max_size=15).map(sorted))
def test_labels_keep_their_order_and_distance(places: list[float]) -> None:
    gap = 0.05
    moved = labels.apart(places, gap)
    assert len(moved) == len(places)
    assert all(0 <= at <= 1 + 1e-9 for at in moved)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(moved))
    if all(b - a >= gap for a, b in pairwise(places)):
        assert moved == pytest.approx(places)


def test_equal_figures_are_equal_bytes_and_formulas_are_off() -> None:
    def draw() -> object:
        figure = canvas.new(2)
        figure.add_subplot().set_title("two $ signs $ and _")
        return figure

    first, second = canvas.render(draw), canvas.render(draw)
    assert first == second
    assert "two $ signs $ and _" in first[1]
    assert io.BytesIO(first[0]).read(4) == b"\x89PNG"
