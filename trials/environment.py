"""What runs where: frameworks imported quietly, one thread a trial, and the record of it all."""

import contextlib
import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from trials import backend, stopping
from trials.errors import UserError, first_line
from trials.loading import UNUSED, absent, collecting_nothing, quiet_import
from trials.public_names import import_tensorflow

PACKAGES = ("keras", "numpy", "scikit-learn", "pandas", "scipy")
LIBRARIES = re.compile(r"pillow|nvidia[-_](cublas|cuda|cudnn|nccl).*|jax[-_]cuda.*")
"Other packages that decide numbers: how images are resized, a GPU's kernels."
FEATURES = re.compile(r"(sse4|avx|fma|f16c|amx|asimd|sve|bf16|i8mm).*")
"Flags of a processor by which libraries select their kernels."
VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "DNNL_MAX_CPU_ISA",
    "JAX_DEFAULT_PRNG_IMPL",
    "JAX_ENABLE_X64",
    "JAX_THREEFRY_PARTITIONABLE",
    "MKL_CBWR",
    "MKL_NUM_THREADS",
    "NPY_DISABLE_CPU_FEATURES",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    *backend.SHARE_VARIABLES,
)
"Environment variables that can change numbers."
GIVEN = {name: os.environ[name] for name in VARIABLES if name in os.environ}
"Those that this process was started with, before anything here sets its own."
THREADS = 1
"Threads of a trial, within an operation and between operations: two already add in another order."


def versions() -> dict[str, str]:
    """Versions that decide the numbers, read without importing anything."""
    found = {"python": platform.python_version()}
    for package in (*backend.PACKAGES.get(backend.current(), ()), *PACKAGES):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def import_keras() -> ModuleType:
    """Keras on the current backend: as it is, where it is loaded already, else as every trial finds it.

    Raises UserError where the backend is another than TensorFlow or JAX, or not installed.
    """
    if "keras.src" in sys.modules:
        import keras

        return keras
    return _prepared_keras()


@functools.cache
def _prepared_keras() -> ModuleType:
    """Keras without the banner, with one thread an operation.

    The first call sets the defaults of Keras too, which a user's keras.json would change without a
    trace in any result; what an experiment's file sets later stays.
    """
    backend.check_installed()
    os.environ["KERAS_BACKEND"] = backend.current()
    keras = {"tensorflow": _on_tensorflow, "jax": _on_jax}[backend.current()]()
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    return keras


def _on_tensorflow() -> ModuleType:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["OMP_NUM_THREADS"] = str(THREADS)
    # TensorFlow would make every backward convolution's kernel anew each step, to save a megabyte.
    os.environ.setdefault("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", "0")
    with stopping.loading(), quiet_import(), absent(*UNUSED, "jax"), collecting_nothing():
        import_tensorflow()
        import keras
        import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # fit's own tracing is not the user's concern
    # A small network trains as fast with one as with two.
    try:
        tf.config.threading.set_intra_op_parallelism_threads(THREADS)
        tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    except RuntimeError as error:
        raise UserError(
            "TensorFlow has computed something before a trial could be given one thread, as where a module makes "
            "tensors while it is imported.\nHave builders make them, or import keras in the experiment's own file."
        ) from error
    return keras


def _on_jax() -> ModuleType:
    os.environ["NPROC"] = str(THREADS)  # the size of XLA's pool of threads
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"--xla_gpu_deterministic_ops=true {flags}".strip()
    with stopping.loading(), quiet_import(), absent(*UNUSED, "tensorflow"), collecting_nothing():
        import jax
        import keras

        _ = keras.src.utils.module_utils.tensorflow.available  # looked up now, for seeding would import it
    jax.config.update("jax_default_matmul_precision", "highest")  # a GPU would round float32 to 10 bits
    return keras


def check_device(device: str) -> None:
    """Raises UserError for a GPU that this machine plainly does not have; imports nothing."""
    if device == "gpu" and sys.platform == "linux" and not backend.gpu_nodes():
        raise UserError(
            "--device gpu: this machine has no GPU that its system can see.\nUse --device cpu or --device auto."
        )


def prepare_process(device: str) -> str:
    """Makes this process ready to train: one thread a trial. Returns 'cpu' or 'gpu'.

    Raises UserError where `device` is 'gpu' and the backend finds none.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
    _prepared_keras()
    if device == "cpu" and backend.current() == "jax":  # whoever imported it first
        import jax

        jax.config.update("jax_platforms", "cpu")
    found = device != "cpu" and _finds_a_gpu()
    if device == "gpu" and not found:
        name = backend.current()
        raise UserError(
            f"--device gpu: {name} finds no GPU here.\nInstall {name} with GPU support or use --device cpu."
        )
    return "gpu" if found else "cpu"


def _finds_a_gpu() -> bool:
    if backend.current() == "jax":
        import jax

        try:
            return any(device.platform == "gpu" for device in jax.devices())
        except RuntimeError as error:
            raise UserError(
                f"JAX cannot start a GPU here: {first_line(error)[:200]}\nSee to its driver, or use --device cpu."
            ) from error
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


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


def total_memory() -> int:
    """Bytes of the machine, container limit respected: the same whatever else runs."""
    import psutil

    total = int(psutil.virtual_memory().total)
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def git_state(folder: Path) -> dict[str, Any]:
    """Commit of the project and whether its tree was changed; empty outside a checkout."""
    command = ["git", "-C", str(folder), "status", "--porcelain=v2", "--branch", "--no-ahead-behind"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return {}
    found = re.match(r"# branch\.oid ([0-9a-f]+)\n", done.stdout)  # not where nothing is committed yet
    return {"commit": found[1], "dirty": bool(re.search("^[^#]", done.stdout, re.MULTILINE))} if found else {}


def architecture() -> str:
    """The kind of processor, as x86_64."""
    return platform.machine()


def machine() -> dict[str, Any]:
    """The machine a run took place on, and the features of its processor by which kernels are selected."""
    model, flags = platform.processor(), ""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    found = {
        "platform": platform.platform(),
        "processor": model,
        "features": sorted(filter(FEATURES.fullmatch, flags.partition(":")[2].split())),
        "cores": os.cpu_count(),
        "host": platform.node(),
    }
    return found | ({"gpus": gpus} if (gpus := _gpus()) else {})


def _gpus() -> list[str]:
    """What NVIDIA's driver says of itself and its GPUs; nothing where there is none."""
    facts = []
    for path in (Path("/proc/driver/nvidia/version"), *sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))):
        with contextlib.suppress(OSError, StopIteration):
            lines = path.read_text().splitlines()
            facts.append(next(line.split(":", 1)[1].strip() for line in lines if line.startswith(("Model", "NVRM"))))
    return facts


@functools.cache
def libraries() -> dict[str, str]:
    """Versions of installed packages that decide numbers beside those of `versions`."""
    read = (each.metadata for each in importlib.metadata.distributions())  # `each.name` would read it anew
    found = ((each["Name"].lower(), each["Version"]) for each in read)
    return dict(sorted((name, version) for name, version in found if LIBRARIES.fullmatch(name)))


def decisive() -> dict[str, Any]:
    """What may decide a trial's last bits beside versions, data and declaration; imports nothing.

    `threads a trial` holds within and between operations. `op determinism` is TensorFlow's switch, or XLA's for a
    GPU: on one thread of a CPU a trial repeats without. `environment variables` are those of `VARIABLES` that were set.
    """
    return {
        "threads a trial": THREADS,
        "op determinism": backend.current() == "jax",
        "environment variables": GIVEN,
        "libraries": libraries(),
        "machine": machine(),
        "git": git_state(Path(__file__).parent),
    }
