"""Trains in worker processes, one single-threaded worker a core.

A configuration stays with the worker that has traced it. Workers are asked for one trial at a time, and after a
death or a hang told of no others, so that it is that trial's alone. Only the driver writes results.
"""

import contextlib
import os
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from trials import backend, environment
from trials.datasets import Samples
from trials.engines.lanes import program
from trials.engines.results import MOST_SEEDS, TrialResult, Unit
from trials.errors import UserError
from trials.executors.checked import Checked, checked
from trials.executors.listener import Listener
from trials.executors.workers import SPAWN, Died, Overdue, Worker, end_all, outcomes, signals_held
from trials.sources import load_source

STEAL_SECONDS = 3.0
"Work left that makes it worth while to trace the configuration in a second worker."
ATTEMPTS = 3
WORKER_BYTES = 700 * 2**20
LOOK_SECONDS = 0.5
"How often the progress bar and the limit of a trial are looked at."


def choose_workers(asked: str | int, trials: int, samples: Samples, device: str = "cpu") -> int:
    """How many workers for so many trials: as many as asked; else one a GPU, or as cores, memory and work allow."""
    if asked != "auto":
        return int(asked)
    gpus = len(backend.gpus(device))
    if gpus or device == "gpu":
        return max(1, min(gpus, trials))
    fitting = environment.available_memory() // worker_bytes(samples)
    return int(max(1, min(environment.cores(), fitting, trials)))


def worker_bytes(samples: Samples) -> int:
    """What a worker takes of memory."""
    return WORKER_BYTES + 3 * int(samples.x.nbytes)


# --- in the worker -----------------------------------------------------------------------------

_worker: dict[str, Any] = {}


def _prepare(
    slot: int, folder: str, sources: Mapping[str, tuple[str, str]], device: str, epochs: Any, cpu: int | None
) -> str:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if gpus := backend.gpus(device):
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[slot % len(gpus)]
    for module, (path, text) in sources.items():
        load_source(module, Path(path), text)
    found = environment.prepare_process(device)
    from trials.engines import Trainer

    with np.load(Path(folder) / "labels.npz") as labels:
        fixed_test, classes = int(labels["fixed_test"]), int(labels["classes"])
        samples = Samples(np.load(Path(folder) / "x.npy", mmap_mode="r"), labels["y"], fixed_test, classes)
    _worker.update(slot=slot, epochs=epochs, trainer=Trainer(samples))
    return found


def _check(unit: Unit) -> Unit:
    return _worker["trainer"].check(unit)


def _train(unit: Unit, later: Sequence[Unit]) -> TrialResult:
    """Trains the first of the unit's seeds; the others are to follow here, and then the later units."""

    def count() -> None:
        _worker["epochs"][_worker["slot"]] += 1

    return next(_worker["trainer"].run(unit, count, later))


# --- in the driver -----------------------------------------------------------------------------


@dataclass
class _Piece:
    """Seeds of one unit that a single worker trains, and what is known of their cost."""

    unit: Unit
    later: tuple[Unit, ...] = ()
    "Units that the same program may train at the same time; none of this is dealt out."
    together: bool = False
    seconds: float = 0.0
    alone: bool = False
    "Whether its worker is told of one seed at a time, and prepares no others meanwhile: after a death or a hang."
    narrow: bool = False
    "Whether a seed's program is made for it alone: it died alone in a wider one, of which memory may be the reason."

    def task(self) -> Unit:
        if not self.alone:
            return replace(self.unit, seeds=self.unit.seeds[:MOST_SEEDS])
        return replace(self.unit, seeds=self.unit.seeds[:1], lanes=1 if self.narrow else self.unit.lanes)

    def finish(self, result: TrialResult) -> None:
        self.seconds = min(self.seconds or result.seconds, result.seconds)
        self.unit = replace(self.unit, seeds=self.unit.seeds[1:])
        if self.later and not self.unit.seeds:
            self.unit, *later = self.later
            self.later = tuple(later)

    def split(self, keep: int) -> "_Piece":
        taken = replace(self.unit, seeds=self.unit.seeds[keep:])
        self.unit = replace(self.unit, seeds=self.unit.seeds[:keep])
        return replace(self, unit=taken)


def _pieces(units: Sequence[Unit], workers: int) -> deque[_Piece]:
    """One piece a unit; with fewer units than workers, the units' seeds are dealt out.

    What the vmap engine trains in one program stays together.
    """
    together = [unit for unit in units if backend.engine_of(unit.engine) == "vmap"]
    pieces = deque(_Piece(first, tuple(others), together=True) for first, *others in groups(together))
    share = max(1, workers // max(1, len(units))) if len(units) < workers else 1
    for unit in (unit for unit in units if unit not in together):
        size = -(-len(unit.seeds) // share)
        pieces.extend(
            _Piece(replace(unit, seeds=unit.seeds[start : start + size])) for start in range(0, len(unit.seeds), size)
        )
    return pieces


def groups(units: Sequence[Unit]) -> list[list[Unit]]:
    """Units that lanes of the same program can train."""
    found: dict[Any, list[Unit]] = {}
    for unit in units:
        found.setdefault(program(unit.configuration), []).append(unit)
    return list(found.values())


def run(
    rounds: Iterable[Sequence[Unit]],
    samples: Samples,
    device: str,
    listener: Listener,
    workers: int,
    sources: Mapping[str, tuple[str, str]],
    limit: float | None = None,
) -> None:
    """Checks every model in a worker, then trains round after round of units, reporting as trials end.

    A worker that dies costs the trial that it trained a retry; one that loses its worker three times
    is reported as failed. A trial that takes longer than `limit` seconds is reported as timeout.
    """
    epochs = SPAWN.RawArray("Q", workers)
    with _team(samples, device, workers, sources, epochs) as team:
        known: Checked = {}
        schedule = _Schedule(team, epochs, listener, limit)
        for units in rounds:
            started = bool(known)
            ready = checked(units, known, lambda new: _check_all(new, team, limit, listener))
            schedule.begin(_pieces(ready, workers))  # workers train while the driver sees to its folder
            if not started:
                listener.on_start(next(worker.device for worker in team if worker.device))
            listener.on_round(ready)
            schedule.finish()


@contextlib.contextmanager
def _team(
    samples: Samples, device: str, workers: int, sources: Mapping[str, tuple[str, str]], epochs: Any
) -> Iterator[list[Worker]]:
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    team: list[Worker] = []
    with tempfile.TemporaryDirectory(prefix="trials-") as folder:
        _share(samples, Path(folder))
        try:
            for slot in range(workers):
                cpu = cpus[slot % len(cpus)] if workers <= len(cpus) else None
                with signals_held():
                    team.append(Worker(_prepare, (slot, folder, dict(sources), device, epochs, cpu), folder))
            yield team
        finally:
            end_all(team)


def _share(samples: Samples, folder: Path) -> None:
    """Lays the samples where workers find them: in memory once, however many there are."""
    try:
        np.save(folder / "x.npy", samples.x)
        np.savez(folder / "labels.npz", y=samples.y, fixed_test=samples.fixed_test, classes=samples.classes)
    except OSError as error:
        raise UserError(
            f"The data cannot be copied for worker processes into {folder}: {error.strerror or error}.\n"
            "Make room there, name another folder in TMPDIR, or use --executor inline."
        ) from error


def _check_all(units: Sequence[Unit], team: Sequence[Worker], limit: float | None, listener: Listener) -> list[Unit]:
    """Every unit as it will be trained.

    Raises UserError where a model is wrong, or ends its worker each time. One that is not built within the
    limit stays as it is: its trials end in their own turn, for another seed may be well.
    """
    waiting, deaths = deque(units), Counter[int]()
    asked: dict[Worker, Unit] = {}
    sound: list[Unit] = []
    while waiting or asked:
        for worker in team:
            if waiting and worker not in asked:
                asked[worker] = waiting.popleft()
                worker.ask(_check, asked[worker])
        for worker, outcome in outcomes(asked, limit, LOOK_SECONDS):
            unit = asked.pop(worker)
            if isinstance(outcome, Died):
                deaths[unit.index] += 1
                check_deaths(unit, deaths[unit.index], outcome)
                listener.on_message(
                    f"A worker process ended ({outcome.how}) while {_label(unit)} was built; once more."
                )
                waiting.append(unit)
            else:
                sound.append(unit if isinstance(outcome, Overdue) else outcome)
    return sound


def check_deaths(unit: Unit, count: int, death: Died) -> None:
    """Raises UserError where a model has ended its worker too often while it was built."""
    if count == ATTEMPTS:
        raise UserError(
            f"A worker process ended ({death.how}) each time that the model of {_label(unit)} was built.\n"
            "See what its builder does, or whether there is memory for --workers 1."
        )


def _label(unit: Unit) -> str:
    return unit.configuration.label


class _Schedule:
    """Which worker trains which piece next."""

    def __init__(self, team: Sequence[Worker], epochs: Any, listener: Listener, limit: float | None = None) -> None:
        self.waiting: deque[_Piece] = deque()
        self.team = team
        self.epochs = epochs
        self.listener = listener
        self.limit = limit
        self.counted = 0
        self.deaths: Counter[tuple[int, int]] = Counter()
        self.pieces: dict[Worker, _Piece] = {}
        self.asked: dict[Worker, Unit] = {}

    def begin(self, pieces: deque[_Piece]) -> None:
        """Gives each worker its first trial."""
        self.waiting = pieces
        self._fill()

    def finish(self) -> None:
        """Trains all pieces."""
        while self.asked:
            for worker, outcome in outcomes(self.asked, self.limit, LOOK_SECONDS):
                self._collect(worker, outcome)
            total = sum(self.epochs)
            self.listener.on_epochs(total - self.counted)
            self.counted = total
            self._fill()

    def _fill(self) -> None:
        for worker in self.team:
            if worker not in self.asked:
                self._ask(worker)

    def _ask(self, worker: Worker) -> None:
        piece = self.pieces.get(worker) or (self.waiting.popleft() if self.waiting else self._steal())
        if piece is not None:
            self.pieces[worker] = piece
            self.asked[worker] = piece.task()
            worker.ask(_train, self.asked[worker], () if piece.alone else piece.later)

    def _steal(self) -> _Piece | None:
        """Half of the largest piece that has enough left beside what its worker trains now."""

        def spare(piece: _Piece) -> float:
            return 0.0 if piece.together else piece.seconds * (len(piece.unit.seeds) - 1)

        largest = max(self.pieces.values(), key=spare, default=None)
        if largest is None or spare(largest) < STEAL_SECONDS:
            return None
        return largest.split(keep=1 + (len(largest.unit.seeds) - 1) // 2)

    def _collect(self, worker: Worker, outcome: Any) -> None:
        task, piece = self.asked.pop(worker), self.pieces[worker]
        troubled = isinstance(outcome, Died | Overdue)
        result = self._after(piece, task, outcome) if troubled else outcome
        if result is not None:
            piece.finish(result)
            if not piece.unit.seeds:
                del self.pieces[worker]
        self._ask(worker)  # it works on while the result is written
        if result is not None:
            self.listener.on_result(task, result)

    def _after(self, piece: _Piece, task: Unit, trouble: Died | Overdue) -> TrialResult | None:
        """What a trial's death or hang makes of it: None where it is tried again.

        A worker that was told of more seeds may have built or trained them meanwhile: none is blamed for that.
        """
        (trial, seed), alone = task.seeds[0], len(task.seeds) == 1
        piece.alone = True
        if isinstance(trouble, Overdue):
            limit = f"{self.limit:g} s (--trial-timeout)"
            what = f"was not there after {limit}"
            if alone:
                error = f"it took longer than {limit}"
                return TrialResult(trial, seed, "timeout", error=error, seconds=self.limit or 0.0)
        else:
            what = f"lost its worker process ({trouble.how})"
            self.deaths[task.index, trial] += alone
            piece.narrow = alone
            if self.deaths[task.index, trial] == ATTEMPTS:
                return TrialResult(trial, seed, "failed", error=f"it {what} {ATTEMPTS} times")
        self.listener.on_message(f"{_label(task)}, trial {trial}, {what}; it starts again, alone.")
        return None
