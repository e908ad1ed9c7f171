"""Which kernels numpy chooses: the same on every processor of one architecture that can be expected today.

numpy picks its kernels by features of the processor, and those for AVX-512 round otherwise in the last digit. Left out,
they cost nothing that can be measured here, and processors with and without them agree.
"""

from __future__ import annotations

import os
import platform
import sys

LEFT_OUT = "X86_V4 AVX512_ICL AVX512_SPR"
_VARIABLE = "NPY_DISABLE_CPU_FEATURES"


def settle_numpy() -> None:
    """Leave the kernels for AVX-512 out, in this process and those that it starts. After numpy's import it does nothing
    here; a choice of the user's own stays."""
    if platform.machine().lower() in ("x86_64", "amd64") and "numpy" not in sys.modules:
        os.environ.setdefault(_VARIABLE, LEFT_OUT)
