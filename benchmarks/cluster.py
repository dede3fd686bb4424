"""What a Ray cluster costs the driver: bytes a unit and a result, and the driver's time for each.

    python -m benchmarks.cluster [--trials N] [--asked N,N,...] [--seeds N,N,...]

A cluster is started on this machine, a head and two nodes of one CPU. Its workers train nothing: for each seed they
send, as fast as they can, the result of a perceptron on Iris that was trained once (10 epochs recorded), so that
little but the driver is waited for. The driver asks for tasks of so many seeds, and for so many tasks at a time, as it
does for half as many CPUs. Printed are results a second and the driver's milliseconds of CPU for each, all of Ray
included; and the same of writing results to the journal of a results folder.
"""

import argparse
import itertools
import os
import pickle
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import EXPERIMENTS
from trials import datasets
from trials.engines.results import TrialResult, Unit
from trials.executors import ray as executor
from trials.executors.cluster import connected, versions
from trials.executors.inline import run as inline
from trials.executors.node import Setup

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(True, head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": 10**8})
for _ in range(2):
    cluster.add_node(num_cpus=1, object_store_memory=10**8)
print("at", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


class Results:
    """Keeps what an executor reports."""

    def __init__(self) -> None:
        self.all: list[tuple[Unit, TrialResult]] = []

    def on_result(self, unit: Unit, result: TrialResult, host: str = "") -> None:
        self.all.append((unit, result))

    def ignore(self, *_: Any) -> None: ...

    on_start = on_round = on_epochs = on_message = on_machines = ignore


def canned(setup: Any, result: TrialResult, check: bool, pickled: bytes) -> Iterator[Any]:
    """In the place of a task: its seeds' results, without training."""
    yield platform.node()
    for unit in pickle.loads(pickled):
        for trial, seed in unit.seeds:
            yield replace(result, trial=trial, seed=seed)


def trained_once(samples: Any) -> tuple[Unit, TrialResult]:
    experiment = EXPERIMENTS["iris_hidden_units"]
    unit = Unit(0, experiment.configurations()[0], tuple((1 + seed, seed) for seed in range(100)), "auto")
    found = Results()
    inline([[replace(unit, seeds=unit.seeds[:1])]], samples, "cpu", found)
    return unit, found.all[0][1]


def sizes(unit: Unit, result: TrialResult, samples: Any) -> None:
    setup = Setup({}, {}, "cpu", versions(), ())
    for name, thing in {
        "a task of 100 seeds, sent": [unit],
        "a task of one seed, sent": [replace(unit, seeds=unit.seeds[:1])],
        "a result of 10 recorded epochs, received": result,
        "what a node is sent once: samples": samples,
        "what a node is sent once: versions": setup,
    }.items():
        print(f"{name:<45} {len(pickle.dumps(thing)):>9,} bytes", flush=True)


def told(what: str, results: int, seconds: float, busy: float) -> None:
    print(f"{what:<60} {results / seconds:>6,.0f} results/s, {1e3 * busy / results:.2f} ms of CPU each", flush=True)


def received(
    ray: Any, unit: Unit, result: TrialResult, samples: Any, trials: int, asked: int, seeds: int
) -> tuple[float, float]:
    """The driver's seconds for so many results, and of these its CPU's."""
    found = Results()
    cluster = executor._Cluster(ray, ray.nodes, samples, "cpu", found, asked, {})
    cluster.task = ray.remote(canned).options(num_returns="streaming", max_retries=0, num_cpus=1)
    cluster.shared = cluster.shared[0], ray.put(result)
    cluster.train([replace(unit, seeds=unit.seeds[:2])])  # workers have started
    started, busy = time.perf_counter(), time.process_time()
    cluster.train([replace(unit, index=index, seeds=unit.seeds[:seeds]) for index in range(trials // seeds)])
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    assert len(found.all) == trials + 2
    return seconds, busy


def written(results: int) -> None:
    """Prints what a result costs in the journal."""
    from trials.journal import Record
    from trials.keys import configuration_key
    from trials.run import Settings, _header
    from trials.store import Folder

    experiment = EXPERIMENTS["iris_hidden_units"]
    samples = datasets.load(experiment.data)
    unit, result = trained_once(samples)
    with tempfile.TemporaryDirectory() as place:
        header = _header(experiment, Settings(), samples, datasets.declaration(experiment.data))
        folder = Folder(Path(place) / "growing", header)
        folder.begin("cpu")
        key = configuration_key(unit.configuration)
        started, busy = time.perf_counter(), time.process_time()
        for trial in range(1, results + 1):
            folder.add(Record(key, replace(result, trial=trial), "2026-01-01T00:00:00+00:00", "host"))
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        size = folder.journal.stat().st_size / results
        folder.close()
    told(f"the journal alone, {size:,.0f} bytes a result", results, seconds, busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20_000)
    parser.add_argument("--asked", default="4,2000", metavar="N,N,...", help="tasks asked for at a time")
    parser.add_argument("--seeds", default="1,10,100", metavar="N,N,...", help="of a task, at most 100")
    arguments = parser.parse_args()
    samples = datasets.load(EXPERIMENTS["iris_hidden_units"].data)
    unit, result = trained_once(samples)
    sizes(unit, result, samples)
    written(2_000)
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "ray").mkdir()  # which Ray takes for granted
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": folder},
            text=True,
        )
        assert process.stdout is not None
        try:
            address = next(line.split()[1] for line in process.stdout if line.startswith("at "))
            for asked, seeds in itertools.product(
                *(map(int, a.split(",")) for a in (arguments.asked, arguments.seeds))
            ):
                with connected(address) as ray:
                    cost = received(ray, unit, result, samples, arguments.trials, asked, seeds)
                what = f"{arguments.trials // seeds:,} tasks of {seeds} seeds, {asked:,} asked for at a time"
                told(what, arguments.trials, *cost)  # within, Ray has stdout
        finally:
            process.communicate()


if __name__ == "__main__":
    main()
