"""Which Keras backend trains: TensorFlow or JAX. It is chosen before Keras is imported, for worker processes too."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Container
from pathlib import Path
from types import MappingProxyType

from trials.errors import UserError

DEFAULT = "tensorflow"
PACKAGES = MappingProxyType({"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")})
"By backend, what it consists of."
INSTALLED_BY = {"tensorflow": "requirements.txt (Python 3.11 to 3.13)", "jax": "requirements-jax.txt"}
ENGINES = {"tensorflow": "graph", "jax": "vmap"}
"By backend, the engine that trains unless another is asked for; it runs on no other backend."
GIVEN = os.environ.get("KERAS_BACKEND") or None
"What this process was started with."
GPU_NODES = ("nvidia[0-9]*", "kfd", "dxg")
GPU_SHARE = 0.75
"Of a GPU's memory, what JAX takes as it starts, for good: a second process beside it would find none."
SHARE_VARIABLES = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
"Where it reads another share: the name of today, and the former one, which it refuses beside it."
CUDA_PLUGINS = ("jax-cuda12-plugin", "jax-cuda13-plugin")


def current() -> str:
    """The backend that this process imports Keras with, or did."""
    return os.environ.get("KERAS_BACKEND") or DEFAULT


def use(name: str) -> None:
    """Has this process and those it starts run Keras on this backend. Raises UserError where it is not installed."""
    check_installed(name)
    os.environ["KERAS_BACKEND"] = name


def choose(engine: str, device: str) -> None:
    """Uses the backend on which `engine` runs, else the one in KERAS_BACKEND, else what suits the device best.

    That is JAX where it can train on a GPU, and TensorFlow. Raises UserError where these contradict each other.
    """
    given = os.environ.get("KERAS_BACKEND")
    if given:
        check_installed(given)
    needed = _needed(engine)
    if given and needed and given != needed:
        raise UserError(
            f"--engine {engine} runs on {needed}. Received: KERAS_BACKEND={given}.\n"
            f"Unset it, or use --engine {ENGINES.get(given, 'fit')}."
        )
    suited = "jax" if engine == "auto" and device != "cpu" and _jax_has_a_gpu() else DEFAULT
    use(needed or given or suited)


def gpus(device: str) -> list[str]:
    """The GPUs that workers share out where trials run on `device`: as CUDA_VISIBLE_DEVICES names them."""
    if device == "cpu" or (device == "auto" and not (current() == "jax" and _jax_has_a_gpu())):
        return []
    return _visible()


def share_gpus(device: str, workers: str | int) -> None:
    """Has worker processes that JAX trains in divide the memory of a GPU that they share, unless the user did."""
    found = gpus(device) if current() == "jax" and workers != "auto" else []
    together = -(-int(workers) // len(found)) if found else 1
    if together > 1 and not any(name in os.environ for name in SHARE_VARIABLES):
        os.environ[SHARE_VARIABLES[0]] = f"{GPU_SHARE / together:.4f}"


def given() -> tuple[str, ...]:
    """What stands ahead of this command where its backend was asked for by the variable."""
    return (f"KERAS_BACKEND={GIVEN}",) if GIVEN else ()


def of(packages: Container[str]) -> str:
    """The backend that trained where these packages were recorded."""
    return next((name for name in PACKAGES if name in packages), DEFAULT)


def asked_by(engine: str, name: str) -> str:
    """What a command says so that this engine trains on this backend, in the environment there is."""
    if (GIVEN or _needed(engine) or DEFAULT) == name:
        return f"--engine {engine}"
    return f"KERAS_BACKEND={name} python run_trials.py ... --engine {engine}"


def engine_of(asked: str) -> str:
    """The engine that trains on the current backend where `asked` may be 'auto'."""
    return ENGINES[current()] if asked == "auto" else asked


def check_installed(name: str | None = None) -> None:
    """Raises UserError where a backend, the current one if none is named, is unknown here or not installed."""
    name = current() if name is None else name
    if name not in PACKAGES:
        raise UserError(f"KERAS_BACKEND is '{name}'; the engines here run on tensorflow or jax.\nUnset it.")
    if not all(map(_installed, PACKAGES[name])):
        title = {"tensorflow": "TensorFlow", "jax": "JAX"}[name]
        raise UserError(
            f"{title} is not installed for this Python ({platform.python_version()}).\n"
            f"Install it with: pip install -r {INSTALLED_BY[name]}"
        )


def gpu_nodes() -> list[str]:
    """The GPUs that the system shows, as files; empty where it is not Linux."""
    found = [str(node) for pattern in GPU_NODES for node in Path("/dev").glob(pattern)]
    return sorted(found) if sys.platform == "linux" else []


def _visible() -> list[str]:
    """CUDA counts the GPUs that a container shows from 0, whatever their files are called."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    shown = [node for node in gpu_nodes() if "kfd" not in node]
    return [str(number) for number in range(len(shown))]


def _jax_has_a_gpu() -> bool:
    allowed = os.environ.get("JAX_PLATFORMS", "") in ("", "cuda", "gpu")
    return allowed and bool(_visible()) and bool(gpu_nodes()) and any(map(_installed, CUDA_PLUGINS))


def _needed(engine: str) -> str | None:
    """The only backend that an engine runs on."""
    return next((backend for backend, fastest in ENGINES.items() if fastest == engine), None)


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
