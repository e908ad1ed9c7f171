"""What a user's own ``fit`` returns, as KerasTuner reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def returned_score(result: Any, objective: str) -> float | None:
    """The objective that a ``fit`` returned: a number, an entry of a dict, or the mean of a list of these.

    None where it returned something else, such as Keras' history: then the training log has the objective.

    Raises:
        ValueError: a dict without the objective.
    """
    if isinstance(result, int | float | np.number) and not isinstance(result, bool):
        return float(result)
    if isinstance(result, Mapping):
        if objective not in result:
            names = ", ".join(map(str, result)) or "an empty dict"
            raise ValueError(f"fit returned {names}, and not the objective {objective!r}")
        return float(result[objective])
    if isinstance(result, list | tuple) and result:
        scores = [returned_score(each, objective) for each in result]
        return None if None in scores else float(np.mean(np.array(scores, dtype=float)))
    return None
