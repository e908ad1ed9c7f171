"""What is added to the package is found and not listed: see docs/architecture.md, "What adding one thing touches"."""

from __future__ import annotations

import re
from pathlib import Path

import hptune_bench
from hptune_bench import registry

PACKAGE = Path(hptune_bench.__file__).parent
OTHERS = re.compile(r"linear_regression|review_sentiment|digits$")
"""The post's problems have a case study, and ``digits`` is also a word of numbers."""


def test_no_module_names_a_workload_but_its_own():
    names = [name for name in registry.workload_names() if not OTHERS.match(name)]
    assert len(names) > 5
    for path in PACKAGE.rglob("*.py"):
        words = set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
        assert words & set(names) <= {path.stem}, path
