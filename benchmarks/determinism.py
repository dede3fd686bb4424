"""What repeatability costs: the same training with and without what makes it repeat, in turns.

    python -m benchmarks.determinism threads [--repetitions N] [--epochs N]
    python -m benchmarks.determinism ops [--repetitions N] [--epochs N]

Both train LeNet-5 in the graph engine on the digits of scikit-learn, enlarged to 28 x 28. The seconds are those
of the epochs after the first; start, data and tracing are not in them.
threads: as many one-threaded processes at a time as there are cores, against one process with as many threads
as cores, in trained samples a second over the machine; above 1 the repeatable way is the faster one.
ops: one thread, TensorFlow's op determinism on against off, in seconds; above 1 the switch costs time.
Both say with how many different bits the weights of the same training came out, of each way.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

TRAINING = """
import hashlib, json, sys, time
sys.path.insert(0, {root!r})
from trials import environment
environment.THREADS = {threads}
environment.prepare_process("cpu")
import tensorflow as tf
if {deterministic}:
    tf.config.experimental.enable_op_determinism()
from dataclasses import replace
from experiments import EXPERIMENTS
from trials import datasets
from trials.engines.graph import GraphSession
from trials.seeds import batch_order
from trials.splits import split

experiment = EXPERIMENTS["lenet5_digits"]
samples = datasets.load(experiment.data)
parts = split(samples, experiment.data, 0)
session = GraphSession(experiment.configurations()[0], samples.classes)
session.start(0, parts, ())
count = len(parts["train"][0])
session.train_epoch(batch_order(0, 1, count))
print("ready", flush=True)
sys.stdin.readline()
started = time.perf_counter()
for epoch in range(2, 2 + {epochs}):
    session.train_epoch(batch_order(0, epoch, count))
seconds = time.perf_counter() - started
weights = hashlib.sha256(b"".join(weight.tobytes() for weight in session.weights())).hexdigest()
print(json.dumps({{"seconds": seconds, "samples": count * {epochs}, "weights": weights}}), flush=True)
"""


def train(processes: int, threads: int, deterministic: bool, epochs: int) -> list[dict]:
    """So many trainings that begin at the same moment, each in a process of its own."""
    code = TRAINING.format(root=str(ROOT), threads=threads, deterministic=deterministic, epochs=epochs)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(processes)]
    for process in started:
        process.stdout.readline()
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0]) for process in started]


def threads(epochs: int, cores: int) -> tuple[list[dict], list[dict]]:
    """Trainings with one thread each, and one with all cores; the ratio is that of samples a second."""
    return train(cores, 1, False, epochs), train(1, cores, False, epochs)


def ops(epochs: int, _: int) -> tuple[list[dict], list[dict]]:
    """A training with op determinism off, and one with it on; the ratio is that of seconds, on to off."""
    return train(1, 1, False, epochs), train(1, 1, True, epochs)


NAMES = {"threads": ("one thread each", "all cores for one"), "ops": ("off", "on")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("threads", "ops"))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    measure = {"threads": threads, "ops": ops}[arguments.what]
    ratios, bits = [], [set(), set()]
    for _ in range(arguments.repetitions):
        both = measure(arguments.epochs, os.cpu_count() or 1)
        rates = [sum(each["samples"] / each["seconds"] for each in found) for found in both]
        for kind, found in zip(bits, both, strict=True):
            kind.update(each["weights"] for each in found)
        ratios.append(rates[0] / rates[1])
        told = ", ".join(
            f"{name} {rate:,.0f} samples/s" for name, rate in zip(NAMES[arguments.what], rates, strict=True)
        )
        print(f"{told}, ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    different = ", ".join(f"{name} {len(kind)}" for name, kind in zip(NAMES[arguments.what], bits, strict=True))
    print(f"different weights of one training: {different}; of both ways {len(bits[0] | bits[1])}")


if __name__ == "__main__":
    main()
