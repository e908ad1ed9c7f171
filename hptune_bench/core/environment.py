"""What machine and which versions made a result."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import psutil

PACKAGES = (
    "hptune-bench",
    "tensorflow",
    "keras",
    "keras-tuner",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "matplotlib",
)
TRAINING_PACKAGES = ("tensorflow", "keras", "keras-tuner", "numpy", "scipy", "scikit-learn")
"""Packages whose version can change a trial: a campaign is not continued under others."""


def environment() -> dict[str, str | int]:
    """Machine, system, versions and the code's commit, as a flat table for the manifest. Nothing personal is read."""
    cores = psutil.cpu_count(logical=False) or 0
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "numpy kernels": _numpy_kernels(),
        "cores": cores,
        "logical cores": psutil.cpu_count() or cores,
        "memory GiB": round(psutil.virtual_memory().total / 2**30),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "uncommitted changes": "yes" if _git("status", "--porcelain", "--untracked-files=no") else "no",
        **versions(PACKAGES),
    }


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Installed versions by package; ``absent`` where a package is not installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _numpy_kernels() -> str:
    """The groups of processor features that numpy has chosen kernels for: they decide about last digits."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__  # type: ignore[import-not-found]

    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name)) or "baseline"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
