"""Stand-ins for another machine: numpy without its newer kernels, TensorFlow with oneDNN. What was published holds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support.commands import call, run, write_benchmark

from hptune_bench.core.kernels import LEFT_OUT

WITH_ONEDNN = """
import sys
from hptune_bench.core import tensorflow as runtime
usual = runtime.configure_tensorflow
runtime.configure_tensorflow = lambda *given, **named: usual(as_installed=True)
from hptune_bench.cli.main import main
sys.argv = ["hptune-bench", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    tuners = ["untuned", "manual_sweep", "bayesian_optimization"]
    run(write_benchmark(folder / "b.toml", tuners=tuners, trainings=6), folder / "out")
    call("report", folder / "out")
    return folder / "out"


def verified(folder, *more, code=("-m", "hptune_bench"), **environment):
    command = [sys.executable, *code, "verify", str(folder), *more]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_report_made_with_other_kernels_of_numpy_agrees(made):
    code, said = verified(made, NPY_DISABLE_CPU_FEATURES=f"X86_V3 {LEFT_OUT}")
    assert code == 0, said
    assert "files agree" in said


def test_trainings_with_other_kernels_of_tensorflow_are_equivalent(made):
    code, said = verified(made, "--rerun", "all", code=("-c", WITH_ONEDNN))
    assert code == 0, said
    assert "0 different" in said
