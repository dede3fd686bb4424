"""A work's trials in one process or dealt to several that start together, timed, with the results on disk."""

import argparse
import csv
import itertools
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.work import WORKS
from trials import datasets
from trials.environment import cores
from trials.experiment import Configuration, Experiment
from trials.splits import Parts, split

Trial = Callable[[Configuration, Parts, int, int], float]
"Trains a configuration on parts with so many classes from a seed; returns the accuracy on the test part."
Load = Callable[[Parts], Parts]
"Imports the framework and brings the data into its form: outside the time that is measured."
Result = tuple[int, int, float]
"Configuration and trial, counted from 0 and 1, and test accuracy."

_start: Any = None


def arguments() -> argparse.Namespace:
    """What every contender takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=WORKS)
    for name in ("--trials", "--epochs", "--seed"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--results", type=Path, required=True, help="where its table is written")
    return parser.parse_args()


def run(trial: Trial, load: Load, parallel: bool = False) -> None:
    """A contender's command: trains all trials and writes what came of them."""
    asked = arguments()
    lanes = cores() if parallel else 1
    experiment = WORKS[asked.work].trained(asked.trials, asked.epochs, lanes)
    if not parallel:
        write(asked.results, [_lane(trial, load, experiment, asked.seed, 0, 1)])
    else:
        spawn = multiprocessing.get_context("spawn")
        barrier = spawn.Barrier(lanes)
        with ProcessPoolExecutor(lanes, spawn, initializer=_hold, initargs=(barrier,)) as pool:
            futures = [pool.submit(_lane, trial, load, experiment, asked.seed, lane, lanes) for lane in range(lanes)]
            write(asked.results, [future.result() for future in futures])  # their processes take a while to end


def _hold(barrier: Any) -> None:
    global _start  # noqa: PLW0603  (a barrier reaches a process only as it starts)
    _start = barrier


def _lane(
    trial: Trial, load: Load, experiment: Experiment, first: int, lane: int, lanes: int
) -> tuple[float, list[Result]]:
    """This lane's share of the trials: its seconds and results."""
    if lanes > 1:
        os.environ["OMP_NUM_THREADS"] = "1"
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[lane]})
    samples = datasets.load(experiment.data, datasets.data_directory(None))
    parts = load(split(samples, experiment.data, first))
    configurations = enumerate(experiment.configurations())
    chosen = list(itertools.product(configurations, experiment.seeds(first)))[lane::lanes]
    if lanes > 1:
        _start.wait()
    found, started = [], time.perf_counter()
    for (index, configuration), (number, seed) in chosen:
        found.append((index, number, trial(configuration, parts, samples.classes, seed)))
    return time.perf_counter() - started, found


def write(folder: Path, timed: Sequence[tuple[float, list[Result]]]) -> None:
    """`trials.csv`, a row a trial, and the seconds of each process on the last line of the output."""
    results = itertools.chain(*(found for _, found in timed))
    with open(folder / "trials.csv", "w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("configuration", "trial", "test_accuracy"))
        table.writerows(sorted(results))
    print(json.dumps([seconds for seconds, _ in timed]), file=sys.stdout, flush=True)
