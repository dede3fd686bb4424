"""What grows with the number of trials, and with the width of a network: the command on Iris, from small to large.

Each run is followed by the same command again, with nothing missing: the seconds from its start to its word that
all trials are there.
"""

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import ROOT

MEGABYTE = 2**20
WIDTHS = 10
"Configurations of `iris_hidden_units`."
LOOK_SECONDS = 0.1
MOST = 10_000


def measure(most: int) -> Iterator[dict[str, Any]]:
    """A row a run, as each ends: 10, 100, ... trials, `most` at most, with one worker and two; then widths."""
    trials = [number for number in (10, 100, 1000, MOST) if number <= most]
    for workers in (1, 2):
        for number in trials:
            yield _measured(number, workers, "--trials", str(number // WIDTHS))
    for width in (10, 100, 1000):
        yield _measured(min(100, most), 2, "--trials", str(min(100, most)), "--set", f"units={width}")


def _measured(trials: int, workers: int, *words: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        command = [sys.executable, "run_trials.py", "--experiment", "iris_hidden_units", "--results", folder, *words]
        command += ["--workers", str(workers)]
        seconds, driver, worker = _watched(command)
        again = _again(command)
        with open(Path(folder) / "iris_hidden_units" / "timings.csv", encoding="utf-8", newline="") as rows:
            busy = sum(float(row["seconds"]) for row in csv.DictReader(rows))
    return {
        "trials": trials,
        "units": words[-1].rpartition("=")[2] if "--set" in words else "",
        "workers": workers,
        "seconds": round(seconds, 2),
        "milliseconds_a_trial": round(1000 * seconds / trials, 2),
        "busy_seconds": round(busy, 2),
        "driver_megabytes": round(driver / MEGABYTE),
        "worker_megabytes": round(worker / MEGABYTE),
        "nothing_missing_seconds": round(again, 2),
    }


def _watched(command: list[str]) -> tuple[float, int, int]:
    """Seconds of a run, and the most memory that its driver and its largest worker held, in bytes."""
    started = time.perf_counter()
    process = subprocess.Popen([*command, "--quiet"], cwd=ROOT, stdout=subprocess.DEVNULL)
    own, most, workers = psutil.Process(process.pid), 0, 0
    while process.poll() is None:
        time.sleep(LOOK_SECONDS)
        try:
            most = max(most, own.memory_info().rss)
            workers = max(workers, *(each.memory_info().rss for each in own.children(recursive=True)), 0)
        except psutil.Error:  # one has just ended
            continue
    if process.returncode:
        raise RuntimeError(f"A run ended with exit code {process.returncode}: {' '.join(command)}")
    return time.perf_counter() - started, most, workers


def _again(command: list[str]) -> float:
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = [time.perf_counter() - started for line in process.stderr if "are already in" in line]
    if process.wait() or not told:
        raise RuntimeError(f"A run that had nothing to do did not say so: {' '.join(command)}")
    return told[0]


def text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table."""
    head = "What grows with the number of trials: `iris_hidden_units`, and one width of it alone (`growth`)"
    names = ("trials", "units", "workers", "seconds", "ms a trial", "driver, MB", "largest worker, MB", "again, s")
    lines = [f"{head}:", "", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for row in rows:
        cells = {**row, "units": row["units"] or "10 to 100"}
        del cells["busy_seconds"]
        lines.append(f"| {' | '.join(map(str, cells.values()))} |")
    return "\n".join(lines)
