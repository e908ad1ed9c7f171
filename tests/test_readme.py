"""README shows what is published, and names commands and files that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]


@pytest.mark.parametrize("module", ["benchmarks.readme", "benchmarks.workloads"])
def test_the_results_on_a_page_are_the_published_ones(module):
    done = subprocess.run([sys.executable, "-m", module, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_local_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_make_target_that_the_readme_names_exists():
    makefile = Path("Makefile").read_text(encoding="utf-8")
    for name in set(re.findall(r"make ([a-z]+)", Path("README.md").read_text(encoding="utf-8"))):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name
