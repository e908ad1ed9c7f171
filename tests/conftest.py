"""Every test trains with the kernels and threads that the workers of a campaign use, see ``core.tensorflow``.

Kinds of tests stand here, by file: ``make quick`` leaves them all out (``--quick``), and does not even import them.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"
# Campaigns of two test processes at once must not pin their workers to the same core.
os.environ["HPTUNE_BENCH_CORE"] = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")

from hptune_bench.core.kernels import settle_numpy  # noqa: E402

settle_numpy()

import pytest  # noqa: E402 - numpy must not be imported before its threads are counted

KINDS = {
    "process": {
        *("test_campaign", "test_compare", "test_end_to_end", "test_limits", "test_misbehaving", "test_replay"),
        *("test_other_machine", "test_packed", "test_stock_clock", "test_tabulate", "test_verify"),
    },
    "keras": {
        *("test_check", "test_examples", "test_fingerprint", "test_own", "test_review_sentiment", "test_training"),
        *("test_tuners_kerastuner", "test_workloads"),
    },
    "render": {"test_analysis_room", "test_plugin_tuner", "test_report", "test_report_browser", "test_report_truth"},
    "fuzz": {"test_fuzz"},
}
"""What the tests of a file need: processes of their own, TensorFlow in this one, figures, or patience."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="without the kinds " + ", ".join(KINDS))


def pytest_configure(config: pytest.Config) -> None:
    for kind in KINDS:
        config.addinivalue_line("markers", f"{kind}: a kind of test, see KINDS in tests/conftest.py")
    config.addinivalue_line("markers", "long: only in make fuzz")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if config.getoption("--quick") and any(collection_path.stem in files for files in KINDS.values()):
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for kind, files in KINDS.items():
            if item.path.stem in files:
                item.add_marker(kind)


def pytest_report_header() -> str | None:
    seed = os.environ.get("FUZZ_SEED")
    return seed and f"fresh inputs, to be had again with: make fuzz SEED={seed}"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are not drawn: for tests that read the text of a page, where others look at its figures."""
    from hptune_bench.report.plots import canvas

    monkeypatch.setattr(canvas, "render", lambda draw: (PIXEL, "<svg xmlns='http://www.w3.org/2000/svg'/>"))


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "a5f645400000000049454e44ae426082"
)
