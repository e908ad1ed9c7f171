"""Every test trains with the kernels that the workers of a campaign use, see ``training.runtime.same_kernels``."""

from __future__ import annotations

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
