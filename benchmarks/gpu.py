"""Many trainings of LeNet-5 on MNIST at the same time on a GPU, beside the loops that people would write.

    python -m benchmarks.gpu [--trials N ...] [--epochs N] [--samples N] [--device gpu|cpu] [--csv FILE]

Contenders, each in a process of its own: `vmap`, this project's engine, once for each number of trials (all at the
same time); `keras_fit`, a plain Keras loop on JAX, and `torch_loop`, a plain PyTorch loop with its data on the
device, of `--loop-trials` trainings one after another (requirements-bench.txt has it; where it is missing it is left
out). Seconds are from the start of training (compilation and the building of models included, imports and data not)
to the last test accuracy. `vmap` measures the validation split after each epoch, which the loops do not; PyTorch may
round the inputs of convolutions (TF32), which Keras here does not. `--samples` trains on so many images only: for a
look on a CPU. Image data: TRIALS_DATA_DIR. Rows are printed, and written where --csv names a file, as they come.
"""

import argparse
import csv
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from experiments import EXPERIMENTS
from trials import backend, datasets, environment
from trials.experiment import Configuration
from trials.override import override
from trials.splits import Parts, counts, split

ROOT = Path(__file__).parent.parent
CONTENDERS = ("vmap", "keras_fit", "torch_loop")


@dataclass(frozen=True)
class Run:
    """What one contender took."""

    contender: str
    trials: int
    epochs: int
    samples: int
    "Training samples that went through the networks, over all trials and epochs."
    seconds: float
    samples_per_second: float
    memory_bytes: int
    "At most: of the device, or of the process where the device is a CPU."
    test_accuracy: float
    device: str


def work(epochs: int, samples: int | None) -> tuple[datasets.Samples, Configuration]:
    """The network under its protocol, and the data: the first `samples` of the training images, or all."""
    changed = override(EXPERIMENTS["lenet5_mnist"], trials=None, epochs=epochs, variants=(), values={})
    found = datasets.load(changed.data, datasets.data_directory(None))
    if samples is not None:
        kept = [*range(samples), *range(len(found.y) - found.fixed_test, len(found.y))]
        found = datasets.Samples(found.x[kept], found.y[kept], found.fixed_test, found.classes)
    return found, changed.configurations()[0]


def vmap(trials: int, samples: datasets.Samples, configuration: Configuration) -> list[float]:
    from trials.engines import Trainer
    from trials.engines.results import Unit

    unit = Unit(0, configuration, tuple((seed + 1, seed) for seed in range(trials)), "vmap")
    results = list(Trainer(samples).run(unit))
    if bad := [result.error for result in results if result.status != "ok"]:
        raise RuntimeError(f"{len(bad)} trials did not end well: {bad[0]}")
    return [float(result.metrics["test_accuracy"] or 0) for result in results]


def keras_fit(trials: int, samples: datasets.Samples, configuration: Configuration) -> list[float]:
    from benchmarks.contenders.keras_loop import trial

    parts = split(samples, configuration.data, 0)
    return [trial(configuration, parts, samples.classes, seed) for seed in range(trials)]


def torch_loop(trials: int, samples: datasets.Samples, configuration: Configuration) -> list[float]:
    from benchmarks.contenders.torch_loop import trial

    parts = _on_device(split(samples, configuration.data, 0))
    return [trial(configuration, parts, samples.classes, seed) for seed in range(trials)]


def _on_device(parts: Parts) -> Any:
    import torch

    from benchmarks.contenders.torch_loop import tensors

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_default_device(device)
    return {name: (x.to(device), y.to(device)) for name, (x, y) in tensors(parts).items()}


def _device(contender: str, asked: str) -> str:
    """Makes the contender's library ready and names its device. Raises where it is not the one asked for."""
    if contender == "torch_loop":
        import torch

        found = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    else:
        backend.use("jax")
        environment.prepare_process(asked)
        import jax

        found = jax.devices()[0].device_kind
    if asked == "gpu" and found == "cpu":
        raise RuntimeError(f"{contender} finds no GPU here")
    return found


def _memory(contender: str, device: str) -> int:
    if device == "cpu":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if contender == "torch_loop":
        import torch

        return torch.cuda.max_memory_allocated()
    import jax

    return int((jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0))


def one(contender: str, trials: int, epochs: int, samples: int | None, device: str) -> Run:
    """Measures a contender in this process."""
    named = _device(contender, device)
    found, configuration = work(epochs, samples)
    train = {"vmap": vmap, "keras_fit": keras_fit, "torch_loop": torch_loop}[contender]
    started = time.perf_counter()
    accuracies = train(trials, found, configuration)
    seconds = time.perf_counter() - started
    trained = trials * epochs * counts(configuration.data, len(found.y), found.fixed_test)["train"]
    memory = _memory(contender, named)
    return Run(
        contender, trials, epochs, trained, seconds, trained / seconds, memory, statistics.mean(accuracies), named
    )


def parser() -> argparse.ArgumentParser:
    new = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__, allow_abbrev=False)
    new.formatter_class = argparse.RawDescriptionHelpFormatter
    new.add_argument("--trials", type=int, nargs="+", default=[10, 100, 1000], metavar="N")
    new.add_argument("--loop-trials", type=int, default=1, metavar="N")
    new.add_argument("--epochs", type=int, default=20, metavar="N")
    new.add_argument("--samples", type=int, metavar="N")
    new.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    new.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    new.add_argument("--csv", type=Path, metavar="FILE")
    new.add_argument("--here", action="store_true", help="the first contender, in this process")
    return new


def main() -> None:
    asked = parser().parse_args()
    if asked.here:
        run = one(asked.contenders[0], asked.trials[0], asked.epochs, asked.samples, asked.device)
        print(json.dumps(asdict(run)))
        return
    runs = []
    for contender in asked.contenders:
        for trials in asked.trials if contender == "vmap" else [asked.loop_trials]:
            if contender == "torch_loop" and importlib.util.find_spec("torch") is None:
                print("torch_loop: PyTorch is not installed (requirements-bench.txt)", file=sys.stderr)
                continue
            print(f"{contender}, {trials} trials ...", file=sys.stderr, flush=True)
            runs.append(_elsewhere(contender, trials, asked))
            if asked.csv is not None:
                _write(asked.csv, runs)
    print(tabulate([asdict(run) for run in runs], headers="keys", floatfmt=(*[""] * 4, ".1f", ",.0f", "", ".4f")))


def _write(path: Path, runs: Sequence[Run]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(Run.__annotations__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, runs))


def _elsewhere(contender: str, trials: int, asked: argparse.Namespace) -> Run:
    words = [
        "--here",
        "--contenders",
        contender,
        "--trials",
        trials,
        "--epochs",
        asked.epochs,
        "--device",
        asked.device,
    ]
    words += ["--samples", asked.samples] if asked.samples is not None else []
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if asked.device == "cpu" else {}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **hidden, "KERAS_BACKEND": "jax"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Run(**json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
