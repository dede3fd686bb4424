"""This project against a plain Keras loop, in turns, on the same machine.

    python -m benchmarks.plain_keras iris [--repetitions N]
    python -m benchmarks.plain_keras lenet5_mnist [--repetitions N] [--epochs N]

iris: the 100 trials of iris_hidden_units, from process start to tables written.
lenet5_mnist: training samples a second over the whole machine, each trial's build, compile (or
trace), training and evaluation included, start of the process and loading of the data excluded;
for this project workers x samples / seconds of a mean trial, all workers at work at the same time.
The loop builds, compiles, fits and evaluates each trial with Keras's defaults in one process.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent

LOOP = """
import json, sys, time
sys.path.insert(0, {root!r})
import keras
from experiments import EXPERIMENTS
from trials import datasets
from trials.splits import split

experiment = EXPERIMENTS[{name!r}]
samples = datasets.load(experiment.data, datasets.data_directory(None))
parts = split(samples, experiment.data, 0)
started, accuracies, trained = time.perf_counter(), [], 0
for configuration in experiment.configurations():
    for trial in range({trials}):
        x, y = parts["train"]
        model = configuration.variant.builder(input_shape=x.shape[1:], classes=samples.classes, **configuration.options)
        model.compile(configuration.protocol.optimizer, configuration.protocol.loss, metrics=["accuracy"])
        model.fit(x, y, epochs={epochs}, batch_size=configuration.protocol.batch_size, verbose=0)
        accuracies.append(model.evaluate(*parts["test"], verbose=0)[1])
        trained += {epochs} * len(x)
seconds = time.perf_counter() - started
print(json.dumps({{"seconds": seconds, "samples": trained, "accuracy": sum(accuracies) / len(accuracies)}}))
"""


def loop(name: str, trials: int, epochs: int) -> dict[str, float]:
    """The plain Keras loop in a process of its own; `whole` is its time from start to end, in seconds."""
    started = time.perf_counter()
    code = LOOP.format(root=str(ROOT), name=name, trials=trials, epochs=epochs)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {**json.loads(done.stdout.splitlines()[-1]), "whole": time.perf_counter() - started}


def project(name: str, trials: int, epochs: int, workers: int) -> dict[str, float]:
    """The same trials through the command line: seconds for the whole command and for a mean trial."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "--experiment",
            name,
            "--trials",
            trials,
            "--epochs",
            epochs,
            "--results",
            folder,
            "--quiet",
            "--workers",
            workers,
        ]
        started = time.perf_counter()
        subprocess.run([sys.executable, str(ROOT / "run_trials.py"), *map(str, words)], check=True)
        whole = time.perf_counter() - started
        with open(Path(folder) / name / "timings.csv", newline="") as stream:
            seconds = [float(row["seconds"]) for row in csv.DictReader(stream)]
        with open(Path(folder) / name / "trials.csv", newline="") as stream:
            accuracies = [float(row["test_accuracy"]) for row in csv.DictReader(stream)]
    return {"whole": whole, "trial": statistics.mean(seconds), "accuracy": statistics.mean(accuracies)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=("iris", "lenet5_mnist"))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="of lenet5_mnist")
    parser.add_argument("--workers", type=int, default=2, help="workers that the project will use here")
    arguments = parser.parse_args()
    ratios = []
    for _ in range(arguments.repetitions):
        if arguments.work == "iris":
            theirs, ours = loop("iris_hidden_units", 10, 10), project("iris_hidden_units", 10, 10, arguments.workers)
            ratios.append(theirs["whole"] / ours["whole"])
            print(f"plain loop {theirs['whole']:.1f} s, this project {ours['whole']:.1f} s", end="")
        else:
            theirs = loop("lenet5_mnist", 1, arguments.epochs)
            ours = project("lenet5_mnist", 2 * arguments.workers, arguments.epochs, arguments.workers)
            rates = theirs["samples"] / theirs["seconds"], arguments.workers * theirs["samples"] / ours["trial"]
            ratios.append(rates[1] / rates[0])
            print(f"plain loop {rates[0]:,.0f} samples/s, this project {rates[1]:,.0f} samples/s", end="")
        print(f", ratio {ratios[-1]:.2f}; accuracy {theirs['accuracy']:.4f} and {ours['accuracy']:.4f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f} (lowest {min(ratios):.2f})")


if __name__ == "__main__":
    main()
