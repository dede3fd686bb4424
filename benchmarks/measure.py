"""One contender on one work, once: started, timed from outside, and what it left read."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import CONTENDERS
from benchmarks.work import WORKS, Work
from trials import datasets
from trials.environment import cores
from trials.splits import counts

ROOT = Path(__file__).parent.parent
SEEDS = 1000
"Between the first seeds of two repetitions."
FILE = "from benchmarks.work import WORKS\n\nEXPERIMENT = WORKS[{name!r}].trained(*{size})\n"


@dataclass(frozen=True)
class Run:
    """What was measured. `seconds` is the whole command, `to_tables` from its start to its last table; `busy` what its
    processes spent on trials, added up."""

    work: str
    contender: str
    repetition: int
    processes: int
    trials: int
    epochs: int
    samples: int
    "Training samples that went through the networks, over all trials and epochs."
    seconds: float
    to_tables: float
    busy: float
    accuracies: tuple[tuple[float, ...], ...]
    "Test accuracies, a group a configuration."

    @property
    def rate(self) -> float:
        """Training samples a second, all processes together: without start of a process and loading of the data."""
        return self.samples * self.processes / self.busy


def run(name: str, who: str, trials: int, epochs: int, repetition: int) -> Run:
    """Has a contender train a work. Raises RuntimeError, with the end of its stderr, where it fails."""
    work, contender = WORKS[name], CONTENDERS[who]
    processes = cores() if contender.parallel else 1
    experiment = work.trained(trials, epochs, processes)
    size = [*("--trials", trials), *("--epochs", epochs)]
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as temporary:
        folder = Path(temporary)
        seed = ["--seed", (repetition - 1) * SEEDS, "--results", folder]
        if contender.module:
            command = ["-m", f"benchmarks.contenders.{contender.module}", name, *size, *seed]
        else:
            file = folder / f"{name}.py"
            file.write_text(FILE.format(name=name, size=(trials, epochs, processes)))
            command = ["run_trials.py", "--experiment", file, "--quiet", *contender.words, *seed]
        began, started = time.time(), time.perf_counter()
        output = _output(who, command)
        seconds = time.perf_counter() - started
        tables = folder if contender.module else folder / experiment.name
        # when the last took its place: ours are written under other names first
        to_tables = max(path.stat().st_ctime for path in tables.glob("*.csv")) - began
        busy = sum(json.loads(output.splitlines()[-1])) if contender.module else _busy(tables)
        accuracies = _accuracies(tables, experiment.trials)
    samples = samples_trained(work, trials, epochs, processes)
    return Run(name, who, repetition, processes, trials, epochs, samples, seconds, to_tables, busy, accuracies)


def use(directory: Path) -> None:
    """Image data for all contenders, which inherit it."""
    os.environ["TRIALS_DATA_DIR"] = str(directory)


def _output(who: str, command: list[object]) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{who} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def samples_trained(work: Work, trials: int, epochs: int, processes: int) -> int:
    """Training samples that such a run puts through its networks."""
    experiment = work.trained(trials, epochs, processes)
    there = datasets.extent(experiment.data, datasets.data_directory(None))
    each = (c.protocol.epochs * counts(c.data, *there)["train"] for c in experiment.configurations())
    return experiment.trials * sum(each)


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _busy(folder: Path) -> float:
    return sum(float(row["seconds"]) for row in _rows(folder / "timings.csv"))


def _accuracies(folder: Path, trials: int) -> tuple[tuple[float, ...], ...]:
    """Of a table in canonical order, with so many trials of each configuration."""
    found = [float(row["test_accuracy"]) for row in _rows(folder / "trials.csv")]
    return tuple(tuple(found[start : start + trials]) for start in range(0, len(found), trials))
