"""Who trains: each contender is a process of its own that leaves its results in a folder."""

import contextlib
import importlib.metadata
from dataclasses import dataclass

PACKAGES = ("keras", "keras-tuner", "torch")


def versions() -> dict[str, str]:
    """Versions of the contenders' packages, without those that are not installed."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


@dataclass(frozen=True)
class Contender:
    """`module` trains under `benchmarks.contenders`; without one, `words` are options of this project's command."""

    about: str
    package: str = "keras"
    module: str = ""
    words: tuple[str, ...] = ()
    parallel: bool = False
    "Whether it trains in one process a core."

    def installed(self) -> bool:
        return self.package in versions()


CONTENDERS = {
    "graph_workers": Contender("this project, as its command runs by default: `graph`, a worker a core", parallel=True),
    "graph_inline": Contender("this project, one process", words=("--executor", "inline")),
    "fit": Contender("this project, `--engine fit`, a worker a core", words=("--engine", "fit"), parallel=True),
    "keras_loop": Contender("Keras: build, compile, fit, evaluate each trial; defaults", module="keras_loop"),
    "keras_processes": Contender(
        "the same, an epoch an execution (`steps_per_execution`), a single-threaded process a core",
        module="keras_processes",
        parallel=True,
    ),
    "keras_tuner": Contender(
        "KerasTuner: `GridSearch(executions_per_trial=...)`", package="keras-tuner", module="grid_search"
    ),
    "torch_loop": Contender("PyTorch: the usual loop, data in memory; defaults", package="torch", module="torch_loop"),
    "torch_processes": Contender(
        "the same, fused optimizer, channels last, a single-threaded process a core",
        package="torch",
        module="torch_processes",
        parallel=True,
    ),
}
