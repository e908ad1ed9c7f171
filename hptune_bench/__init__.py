"""hptune_bench: is automatic hyperparameter tuning worth it, compared with the loop you would write by hand?

Importing the package imports neither TensorFlow nor KerasTuner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hptune_bench.api import compare

__all__ = ["__version__", "compare"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "compare":
        from hptune_bench.api import compare

        return compare
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
