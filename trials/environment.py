"""What runs where: frameworks imported quietly, one thread a trial, and the record of it all."""

import contextlib
import glob
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from trials.errors import UserError

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas", "scipy")


def versions() -> dict[str, str]:
    """Versions that decide the numbers, read without importing anything."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def require_tensorflow() -> None:
    """Raises UserError where TensorFlow is not installed."""
    try:
        importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"TensorFlow is not installed for this Python ({platform.python_version()}).\n"
            "Install it with: pip install -r requirements.txt (Python 3.11 to 3.13)"
        ) from None


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Holds back what C++ libraries print to stderr while they load; gives it back if loading fails."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def import_keras() -> ModuleType:
    """Keras with its backend, without the banner."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_import():
        import keras
    return keras


def check_device(device: str) -> None:
    """Raises UserError for a GPU that this machine plainly does not have; imports nothing."""
    nodes = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/dxg")
    if device == "gpu" and sys.platform == "linux" and not any(map(glob.glob, nodes)):
        raise UserError(
            "--device gpu: this machine has no GPU that its system can see.\nUse --device cpu or --device auto."
        )


def prepare_process(device: str) -> str:
    """Makes this process ready to train: one thread a trial on a CPU. Returns 'cpu' or 'gpu'.

    Two threads already add in another order and give other bits, and a small network trains as
    fast with one. Raises UserError where `device` is 'gpu' and TensorFlow finds none.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    # TensorFlow would make every backward convolution's kernel anew each step, to save a megabyte.
    os.environ.setdefault("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", "0")
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import_keras()
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # fit's own tracing is not the user's concern
    if tf.config.threading.get_intra_op_parallelism_threads() != 1:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    gpus = [] if device == "cpu" else tf.config.list_physical_devices("GPU")
    if device == "gpu" and not gpus:
        raise UserError(
            "--device gpu: TensorFlow finds no GPU here.\nInstall a TensorFlow with GPU support or use --device cpu."
        )
    return "gpu" if gpus else "cpu"


def cores() -> int:
    """CPUs this process may use: affinity, container quota and cgroups respected."""
    import joblib

    return max(1, int(joblib.cpu_count()))


def available_memory() -> int:
    """Bytes a new process could take, container limit respected."""
    import psutil

    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        free = min(free, limit - used)
    return free


def git_state(folder: Path) -> dict[str, Any]:
    """Commit of the project and whether its tree was changed; empty outside a checkout."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return {}


def machine() -> dict[str, Any]:
    """The machine a run took place on."""
    model = platform.processor()
    with contextlib.suppress(OSError, IndexError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return {"platform": platform.platform(), "processor": model, "cores": os.cpu_count(), "host": platform.node()}
