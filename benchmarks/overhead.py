"""What the runner takes beyond the engine: progress, journal, tables, figures and page.

The same trials in the same process, by the engine called directly and by the runner, in turns, after one of each
to warm up: libraries that the end of a first run loads are none of what a longer run costs more. Both have the
engine check every model first, which is timed apart, for it depends on the number of models, not of trials.
"""

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.work import WORKS
from trials import datasets, run
from trials.engines import Trainer
from trials.engines.results import Unit
from trials.environment import prepare_process
from trials.experiment import Experiment
from trials.run import Plan, Settings
from trials.written import SUMS

SIZES = {"iris": (10, 10), "lenet5_batch_32": (2, 2)}
"By work, the trials and epochs of what is measured: trials of milliseconds, and of seconds."
FEWEST = {"iris": 48, "lenet5_batch_32": 12}
"Turns: what is looked for is smaller than what one turn differs from the next, the more so the shorter it is."


def measure(name: str, trials: int, epochs: int, repetitions: int) -> list[dict[str, object]]:
    """A row a turn: seconds of the engine, its checks apart, and of the runner and its end, figures and page apart."""
    prepare_process("cpu")
    experiment = WORKS[name].trained(trials, epochs)
    rows = []
    for repetition in range(max(FEWEST[name], repetitions) + 1):
        with _one_core():
            (checks, engine), (runner, tables, page) = _engine(experiment), _runner(experiment)
        row = {"engine_seconds": engine, "checks_seconds": checks, "runner_seconds": runner}
        row |= {"tables_seconds": tables, "page_seconds": page}
        row["overhead"] = (runner - page - checks - engine) / engine
        rows.append({"work": name, "repetition": repetition, "trials": _trainings(experiment), **row})
    return rows[1:]


@contextlib.contextmanager
def _one_core() -> Iterator[None]:
    """Within: as a worker is, for a process that changes cores differs by more than is looked for."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if cores:
        os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)


def _trainings(experiment: Experiment) -> int:
    return len(experiment.configurations()) * experiment.trials


def _engine(experiment: Experiment) -> tuple[float, float]:
    """Seconds that its checks take, and the rest from reading the data to the last result, nothing kept."""
    started = time.perf_counter()
    trainer = Trainer(datasets.load(experiment.data, datasets.data_directory(None)))
    seeds = tuple(experiment.seeds(0))
    units = [Unit(index, each, seeds, "graph") for index, each in enumerate(experiment.configurations())]
    loaded = time.perf_counter()
    units = [trainer.check(unit) for unit in units]
    checks = time.perf_counter() - loaded
    for unit in units:
        results = list(trainer.run(unit))
        if any(result.status != "ok" for result in results):
            raise RuntimeError(f"{unit.configuration.label} was not trained: {results[0].error}")
    return checks, time.perf_counter() - started - checks


def _runner(experiment: Experiment) -> tuple[float, float, float]:
    """Seconds of the whole run, of these from the last result to the last table, and from there to the page."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder, contextlib.redirect_stdout(io.StringIO()):
        settings = Settings(
            results=Path(folder), data_directory=datasets.data_directory(None), engine="graph", executor="inline"
        )
        started = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):
            code = run.run([Plan(experiment, experiment, experiment, settings)])
        ended = time.perf_counter()
        if code:
            raise RuntimeError(f"The run of {experiment.name} ended with exit code {code}.")
        # the journal is written with each trial, so that its time is that of the last result
        files = Path(folder) / experiment.name
        trained = (files / "journal.jsonl").stat().st_mtime
        written = (files / SUMS).stat().st_ctime  # when the checksums of the tables took their place, last of all
        return ended - started, written - trained, time.time() - written - (time.perf_counter() - ended)
