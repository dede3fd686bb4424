"""Trains in worker processes, one single-threaded worker a core.

Each worker is a pool of one, so that a configuration stays with the worker that has traced it and
a worker's death costs that worker's trials alone. Only the driver writes results.
"""

import contextlib
import itertools
import multiprocessing
import os
import signal
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pebble import ProcessExpired, ProcessPool

from trials import environment
from trials.datasets import Samples
from trials.engines.results import TrialResult, Unit
from trials.errors import UserError, first_line
from trials.executors.checked import Checked, checked
from trials.executors.listener import Listener
from trials.sources import load_source

TASK_SECONDS = 1.0
"A worker hands back what it has after so long: results stay small losses if it dies."
STEAL_SECONDS = 3.0
"Work left that makes it worth while to trace the configuration in a second worker."
ATTEMPTS = 3
WORKER_BYTES = 700 * 2**20


def choose_workers(asked: str | int, units: Sequence[Unit], samples: Samples) -> int:
    """How many workers: as many as asked, or cores, memory and work allow."""
    if asked != "auto":
        return int(asked)
    need = WORKER_BYTES + 3 * samples.x.nbytes
    fitting = environment.available_memory() // need
    return int(max(1, min(environment.cores(), fitting, sum(len(unit.seeds) for unit in units))))


# --- in the worker -----------------------------------------------------------------------------

_worker: dict[str, Any] = {}


def _start_worker(
    slot: int, folder: str, sources: Mapping[str, tuple[str, str]], device: str, epochs: Any, cpu: int | None
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    for module, (path, text) in sources.items():
        load_source(module, Path(path), text)
    _worker.update(slot=slot, epochs=epochs, folder=folder, device=device)


def _trainer() -> Any:
    """This worker's trainer, made on its first task so that errors reach the driver."""
    if "trainer" not in _worker:
        _worker["device"] = environment.prepare_process(_worker["device"])
        from trials.engines import Trainer

        folder = Path(_worker["folder"])
        with np.load(folder / "labels.npz") as labels:
            samples = Samples(
                np.load(folder / "x.npy", mmap_mode="r"), labels["y"], int(labels["fixed_test"]), int(labels["classes"])
            )
        _worker["trainer"] = Trainer(samples)
    return _worker["trainer"]


def _check(units: Sequence[Unit]) -> list[Unit]:
    return [_trainer().check(unit) for unit in units]


def _device() -> str:
    """What this worker trains on, once it has a trainer."""
    _trainer()
    return str(_worker["device"])


def _train(unit: Unit, seconds: float) -> list[TrialResult]:
    """Trains the unit's seeds in order until the time is up; at least one."""

    def count() -> None:
        _worker["epochs"][_worker["slot"]] += 1

    started = time.perf_counter()
    results: list[TrialResult] = []
    for result in _trainer().run(unit, count):
        results.append(result)
        if time.perf_counter() - started >= seconds:
            break
    return results


# --- in the driver -----------------------------------------------------------------------------


@dataclass
class _Piece:
    """Seeds of one unit that a single worker trains, and what is known of their cost."""

    unit: Unit
    seconds: float = 0.0
    single: bool = False
    "Whether to send one seed at a time: after a death, so that its cause is found."

    def task(self) -> Unit:
        alone = self.single or self.seconds > TASK_SECONDS
        return replace(self.unit, seeds=self.unit.seeds[:1]) if alone else self.unit

    def finish(self, results: Sequence[TrialResult]) -> None:
        done = {result.trial for result in results}
        self.unit = replace(self.unit, seeds=tuple(pair for pair in self.unit.seeds if pair[0] not in done))
        self.seconds = min((result.seconds for result in results), default=self.seconds)

    def split(self, keep: int) -> "_Piece":
        taken = replace(self.unit, seeds=self.unit.seeds[keep:])
        self.unit = replace(self.unit, seeds=self.unit.seeds[:keep])
        return replace(self, unit=taken)


def _pieces(units: Sequence[Unit], workers: int) -> deque[_Piece]:
    """One piece a unit; with fewer units than workers, the units' seeds are dealt out."""
    share = max(1, workers // max(1, len(units))) if len(units) < workers else 1
    pieces: deque[_Piece] = deque()
    for unit in units:
        size = -(-len(unit.seeds) // share)
        pieces.extend(
            _Piece(replace(unit, seeds=unit.seeds[start : start + size])) for start in range(0, len(unit.seeds), size)
        )
    return pieces


def run(
    rounds: Iterable[Sequence[Unit]],
    samples: Samples,
    device: str,
    listener: Listener,
    workers: int,
    sources: Mapping[str, tuple[str, str]],
) -> None:
    """Checks every model in a worker, then trains round after round of units, reporting as trials end.

    A worker that dies costs its unfinished trials a retry; a trial that runs alone and still loses
    its worker three times is reported as failed.
    """
    with _pools(samples, device, workers, sources) as (pools, epochs):
        known: Checked = {}
        schedule = _Schedule(pools, epochs, listener)
        for units in rounds:
            started = bool(known)
            ready = checked(units, known, partial(_check_all, pools))
            if not started:
                listener.on_start(pools[0].schedule(_device).result())
            listener.on_round(ready)
            schedule.run(_pieces(ready, workers))


def _check_all(pools: Sequence[ProcessPool], units: Sequence[Unit]) -> list[Unit]:
    """The units as their models' checks left them, each made in one of the workers."""
    try:
        shares = [pool.schedule(_check, args=(units[slot :: len(pools)],)) for slot, pool in enumerate(pools)]
        return list(itertools.chain(*(share.result() for share in shares)))
    except (ProcessExpired, BrokenExecutor) as death:
        raise UserError(f"A worker process ended while the models were built: {first_line(death)}.") from death


@contextlib.contextmanager
def _pools(
    samples: Samples, device: str, workers: int, sources: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[list[ProcessPool], Any]]:
    spawn = multiprocessing.get_context("spawn")
    epochs = spawn.RawArray("Q", workers)
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    with tempfile.TemporaryDirectory(prefix="trials-") as folder:
        np.save(Path(folder) / "x.npy", samples.x)
        np.savez(Path(folder) / "labels.npz", y=samples.y, fixed_test=samples.fixed_test, classes=samples.classes)
        pools = []
        for slot in range(workers):
            cpu = cpus[slot % len(cpus)] if workers <= len(cpus) else None
            arguments = (slot, folder, dict(sources), device, epochs, cpu)
            pools.append(ProcessPool(max_workers=1, context=spawn, initializer=_start_worker, initargs=arguments))
        try:
            yield pools, epochs
        finally:
            for pool in pools:
                pool.stop()
            for pool in pools:
                pool.join()


class _Schedule:
    """Which worker trains which piece next."""

    def __init__(self, pools: Sequence[ProcessPool], epochs: Any, listener: Listener) -> None:
        self.waiting: deque[_Piece] = deque()
        self.pools = pools
        self.epochs = epochs
        self.listener = listener
        self.counted = 0
        self.deaths: Counter[tuple[int, int]] = Counter()
        self.pieces: dict[int, _Piece | None] = dict.fromkeys(range(len(pools)))
        self.running: dict[Any, tuple[int, Unit]] = {}

    def run(self, pieces: deque[_Piece]) -> None:
        """Trains all pieces."""
        self.waiting = pieces
        self._fill()
        while self.running:
            done, _ = wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED)
            total = sum(self.epochs)
            self.listener.on_epochs(total - self.counted)
            self.counted = total
            for future in done:
                slot, task = self.running.pop(future)
                self._collect(slot, task, future)
            self._fill()

    def _fill(self) -> None:
        busy = {slot for slot, _ in self.running.values()}
        for slot, pool in enumerate(self.pools):
            if slot in busy:
                continue
            piece = self.pieces[slot] or (self.waiting.popleft() if self.waiting else self._steal())
            self.pieces[slot] = piece
            if piece is not None:
                task = piece.task()
                self.running[pool.schedule(_train, args=(task, 0.0 if piece.single else TASK_SECONDS))] = (slot, task)

    def _steal(self) -> _Piece | None:
        """Half of the largest piece that has enough left beside what its worker holds."""

        def spare(piece: _Piece) -> float:
            return piece.seconds * (len(piece.unit.seeds) - 1)

        candidates = [piece for piece in self.pieces.values() if piece is not None and piece.seconds > TASK_SECONDS]
        largest = max(candidates, key=spare, default=None)
        if largest is None or spare(largest) < STEAL_SECONDS:
            return None
        return largest.split(keep=1 + (len(largest.unit.seeds) - 1) // 2)

    def _collect(self, slot: int, task: Unit, future: Any) -> None:
        piece = self.pieces[slot]
        assert piece is not None
        try:
            results = future.result()
        except ProcessExpired as death:
            results = self._after_death(piece, task, death)
        for result in results:
            self.listener.on_result(task, result)
        piece.finish(results)
        if not piece.unit.seeds:
            self.pieces[slot] = None

    def _after_death(self, piece: _Piece, task: Unit, death: ProcessExpired) -> list[TrialResult]:
        trial, seed = task.seeds[0]
        how = f"exit code {death.exitcode}"
        alone, piece.single = len(task.seeds) == 1, True
        self.deaths[task.index, trial] += alone
        if self.deaths[task.index, trial] < ATTEMPTS:
            self.listener.on_message(
                f"A worker died ({how}) while training {task.configuration.label}; its unfinished trials start again."
            )
            return []
        return [TrialResult(trial, seed, "failed", error=f"its worker process died {ATTEMPTS} times ({how})")]
