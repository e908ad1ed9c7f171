"""``report.html`` in a real browser: errors, requests, a phone's width, sorting, contrast.

The page is opened by headless Chromium from a copy with one more script, which measures and leaves its findings in the
document; ``--dump-dom`` brings them back. No driver is needed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from support.synthetic_campaign import synthetic_campaign

from hptune_bench.report import write_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser found ({', '.join(NAMES)}): install chromium")

# Before everything else: what goes wrong while the page loads.
WATCH = """<script>
window.found = {errors: [], blocked: []};
addEventListener("error", e => found.errors.push(e.message || String(e.target.src || e.target.href)), true);
addEventListener("securitypolicyviolation", e => found.blocked.push(e.blockedURI));
</script>"""

PROBE = """<script>
addEventListener("load", () => {
  const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
  found.width = innerWidth;
  found.overflow = [overflow()];
  const closed = document.querySelectorAll("details:not([open])").length;
  document.querySelectorAll("details").forEach(part => { part.open = true; });
  found.closed = closed;
  found.overflow.push(overflow());
  found.requests = performance.getEntriesByType("resource").map(entry => entry.name);
  found.scripts = document.scripts.length;
  found.ids = [...document.querySelectorAll("[id]")].map(part => part.id);
  found.figures = document.querySelectorAll("figure svg[role=img][aria-label]").length;
  const drawn = [...document.querySelectorAll("figure svg")].map(svg => svg.getBoundingClientRect().height);
  found.small = drawn.filter(height => height < 80).length;

  const table = document.querySelector("table"), sorted = [];
  for (const column of [0, 1, 1]) {
    const button = table.querySelectorAll("thead button")[column];
    button.focus();
    if (document.activeElement !== button) found.errors.push("a sort button takes no focus");
    button.click();
    sorted.push({
      order: button.parentElement.getAttribute("aria-sort"),
      cells: [...table.tBodies[0].rows].map(row => row.cells[column].dataset.value || row.cells[column].textContent),
    });
  }
  found.sorted = sorted;

  const parse = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => parse(color).slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = part => {
    for (let node = part; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] > 0) return getComputedStyle(node).backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const paper = getComputedStyle(document.documentElement).backgroundColor;
  const worst = {};
  const ratio = (ink, ground) => {
    const [dark, light] = [luminance(ink), luminance(ground)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const note = (name, ink, ground) => { worst[name] = Math.min(worst[name] ?? 99, ratio(ink, ground)); };
  // The cell of a heat map that lies under a text.
  const painted = text => {
    text.scrollIntoView({ block: "center", inline: "center" });
    const box = text.getBoundingClientRect();
    const under = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const cell = under.find(part => part.tagName === "path" && getComputedStyle(part).fill !== "none");
    return cell ? getComputedStyle(cell).fill : paper;
  };
  for (const part of document.querySelectorAll("body *")) {
    const own = [...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(part);
    if (part.tagName === "text") note("svg text", style.fill, ratio(style.fill, paper) < 4.5 ? painted(part) : paper);
    else if (own && !part.closest("svg") && part.tagName !== "SCRIPT") {
      note(part.tagName.toLowerCase(), style.color, behind(part));
    }
  }
  found.contrast = worst;
  found.paper = luminance(paper);
  if (parent !== window) return parent.postMessage(JSON.stringify(found), "*");
  const answer = document.createElement("pre");
  answer.id = "findings";
  answer.textContent = JSON.stringify(found);
  document.body.append(answer);
});
</script>"""

# Chromium's window is at least 500 pixels wide: a phone is a frame of its width.
PHONE = """<!doctype html><iframe src="probed.html" width="390" height="800" style="border:0"></iframe><script>
addEventListener("message", event => {
  const answer = document.createElement("pre");
  answer.id = "findings";
  answer.textContent = event.data;
  document.body.append(answer);
});
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    tuners = ("manual_sweep", "untuned", "random_search", "hyperband")
    write_report([synthetic_campaign(seeds=2, tuners=tuners, epochs=False)], out)
    source = (out / "report.html").read_text(encoding="utf-8")
    assert source.count("<head>") == source.count("</body>") == 1
    probed = out / "probed.html"
    probed.write_text(
        source.replace("<head>", f"<head>{WATCH}").replace("</body>", f"{PROBE}</body>"), encoding="utf-8"
    )
    (out / "phone.html").write_text(PHONE, encoding="utf-8")
    return probed


def visit(page: Path, profile: Path, dark: bool = False) -> tuple[dict[str, Any], str]:
    """What the probe found, and what the browser wrote to its console."""
    assert BROWSER is not None
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        "--window-size=1200,900",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=3000",
        "--dump-dom",
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    answer = re.search(r'<pre id="findings">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert answer, f"the probe did not run: {done.stderr[-2000:]}"
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return json.loads(unescape(answer[1])), console


@pytest.fixture(scope="module")
def desktop(page: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    return visit(page, tmp_path_factory.mktemp("desktop"))


def test_no_error_and_no_request(desktop: tuple[dict[str, Any], str], page: Path) -> None:
    found, console = desktop
    assert console == ""
    assert found["errors"] == []
    assert found["blocked"] == []
    assert found["requests"] == []
    source = (page.parent / "report.html").read_text(encoding="utf-8")
    fetched = re.findall(r"""(?:src|href|url|@import)\s*[=(]\s*["']?(https?:|//)[^"'\s>]*""", source)
    assert fetched == []


def test_figures_are_shown_described_and_have_ids_of_their_own(desktop: tuple[dict[str, Any], str]) -> None:
    found, _ = desktop
    assert found["figures"] >= 15
    assert found["small"] == 0
    assert found["closed"] >= 10
    assert len(found["ids"]) == len(set(found["ids"]))


def test_a_phone_needs_no_horizontal_scrolling(page: Path, tmp_path: Path) -> None:
    found, console = visit(page.with_name("phone.html"), tmp_path)
    assert found["width"] == 390
    assert found["overflow"] == [0, 0], "with the details closed, and open"
    assert console == ""


def test_tables_sort_by_value_both_ways(desktop: tuple[dict[str, Any], str]) -> None:
    by_name, upward, downward = desktop[0]["sorted"]
    assert by_name["order"] == upward["order"] == "ascending"
    assert by_name["cells"] == sorted(by_name["cells"], key=str.casefold)
    assert downward["order"] == "descending"
    numbers = [float(cell) for cell in upward["cells"]]
    assert len(set(numbers)) > 1
    assert numbers == sorted(numbers)
    assert downward["cells"] == upward["cells"][::-1]


def test_contrast_in_light_and_dark(desktop: tuple[dict[str, Any], str], page: Path, tmp_path: Path) -> None:
    dark, _ = visit(page, tmp_path, dark=True)
    assert desktop[0]["paper"] > 0.9
    assert dark["paper"] < 0.05
    for found in (desktop[0], dark):
        assert {name: ratio for name, ratio in found["contrast"].items() if ratio < 4.5} == {}
        assert "svg text" in found["contrast"]
