"""What TensorFlow must be told before it is imported."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def configure_tensorflow(cache_dir: Path | None = None, threads: int = 1, as_installed: bool = False) -> bool:
    """Set threads, log level, backend, kernels and the persistent XLA cache; only what is set before the import counts.

    Args:
        cache_dir: where compiled programs are kept between processes; None: ``xla_cache()``.
        threads: TensorFlow's threads; the trainings are too small for more than one.
        as_installed: leave the choice of kernels to TensorFlow, as for a reader; see ``same_kernels``.

    Returns:
        False if TensorFlow is in this process already: then nothing is changed.
    """
    if "tensorflow" in sys.modules:
        return False
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(threads)
    if as_installed:
        os.environ.pop(_ONEDNN, None)
    else:
        os.environ[_ONEDNN] = "0"
    flags = os.environ.get("TF_XLA_FLAGS", "")
    folder = cache_dir or xla_cache()
    if folder is not None and "tf_xla_persistent_cache_directory" not in flags:
        cache = f"--tf_xla_persistent_cache_directory={folder} --tf_xla_persistent_cache_device_types=CPU"
        os.environ["TF_XLA_FLAGS"] = f"{flags} {cache}".strip()
    return True


def same_kernels() -> bool:
    """Whether every executor of TensorFlow runs the same kernels, so that all round alike (after ``settle``).

    With oneDNN, which TensorFlow uses unless told otherwise, the bodies of loops that are run as functions keep plain
    kernels while all else is rewritten: results would differ in their last bits. (The variable is TensorFlow's own.)
    """
    return os.environ.get(_ONEDNN) == "0"


def settle() -> None:
    """What ``same_kernels`` needs once TensorFlow is imported, before anything is traced.

    Its graph optimizer rearranges sums and products, but not in those bodies, either.
    """
    import tensorflow as tf

    if same_kernels():
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def import_quietly() -> None:
    """Configure and import TensorFlow; what its libraries say on standard error, which no setting stops, is dropped."""
    if not configure_tensorflow():
        return
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    # It would warn that a new structure is traced, which is what the compiled trainer means to do.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def release() -> None:
    """Free what Keras keeps of models that are gone; the live ones and the dtype policy stay as they are.

    TensorFlow keeps a kernel for every name that a Keras variable ever had, 35 kB each, and Keras counts its names on:
    0.2 MB for every small model that is built. Not between trials: the kernels that are needed are made again.
    """
    keras = sys.modules.get("keras")
    if keras is None:
        return
    policy = keras.config.dtype_policy()
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(policy)


def xla_cache() -> Path | None:
    """The folder of compiled programs in the user's cache directory, or a temporary one where that cannot be written.

    Programs belong to a TensorFlow version and a processor, so both name the folder. None where nothing can be written
    or the path holds a space, which TensorFlow's flags cannot express.
    """
    identity = f"{version('tensorflow')}-{hashlib.sha256(_processor().encode()).hexdigest()[:12]}"
    for base in (_user_cache(), Path(tempfile.gettempdir())):
        if base is None or " " in str(base):
            continue
        folder = base / "hptune-bench" / "xla" / identity
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


def _user_cache() -> Path | None:
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"])
    try:
        return Path.home() / ".cache"
    except RuntimeError:
        return None


def _processor() -> str:
    """What decides which instructions a compiled program may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    wanted = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return platform.machine() + platform.processor() + "".join(sorted(wanted))
