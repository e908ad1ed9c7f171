"""From records to statements: pure functions on the tidy records; no files, no plots, no TensorFlow.

``analyse(campaign)`` is the one entry point; everything it returns is frozen, and every frame in it has the columns
that the docstring of its dataclass names. Scores are smaller = better everywhere; a run that failed counts as +inf.
"""

from __future__ import annotations

from hptune_bench.analysis.campaign import Analysis, WorkloadAnalysis, analyse

__all__ = ["Analysis", "WorkloadAnalysis", "analyse"]
