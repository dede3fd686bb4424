"""Trains on a Ray cluster that exists already: each task is a few trials of one configuration, on one CPU.

Tasks stream their results to the driver, which alone writes. Ray retries nothing here: it would train again what the
driver has. What a task had not reported when its worker or node was lost, or when a trial took too long, is asked for
once more, in halves, so that a trial which ends its worker or hangs each time is soon alone and is reported as such.
"""

import itertools
import os
import pickle
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trials import backend, environment
from trials.datasets import Samples
from trials.engines.results import TrialResult, Unit
from trials.errors import UserError, first_line
from trials.executors.checked import Checked, checked
from trials.executors.cluster import Machines, check_versions, connected, look, places, versions
from trials.executors.listener import Listener
from trials.executors.processes import ATTEMPTS, check_deaths, groups
from trials.executors.workers import Died, Overdue
from trials.sources import helpers, load_source

TASK_STEPS = 10_000
"Training steps of a task, of one trial at least: some seconds, beside which a trace of the model is short."
MOST_TRIALS = 100
Work = tuple[Unit, ...]
"The units of a task: one, or several that are trained together."
LOOK_SECONDS = 0.1
"How often finished trials are collected."

# --- in a worker of the cluster ----------------------------------------------------------------


@dataclass(frozen=True)
class _Setup:
    """What a worker needs beside the samples, sent to each node once."""

    sources: Mapping[str, tuple[str, str]]
    device: str
    versions: Mapping[str, str]
    variables: Mapping[str, str]


_worker: dict[str, Any] = {}


def _prepare(setup: _Setup, samples: Samples) -> None:
    """As a worker process of this machine is prepared; a node may have joined after the others were looked at."""
    machine = environment.machine()
    check_versions(machine["host"], versions(), setup.versions)
    for name in {*environment.VARIABLES} - {*setup.variables, "CUDA_VISIBLE_DEVICES"}:
        os.environ.pop(name, None)  # Ray's own, or the node's
    _load(setup.sources)
    environment.prepare_process(setup.device)
    from trials.engines import Trainer

    _worker.update(machine=machine, trainer=Trainer(samples))


def _load(sources: Mapping[str, tuple[str, str]]) -> None:
    """Users' modules, as the driver sent them."""
    for module, (path, text) in sources.items():
        try:
            load_source(module, Path(path), text)
        except ImportError as error:
            raise UserError(
                f"{path} cannot be imported on the node {environment.machine()['host']}: {first_line(error)}.\n"
                "Install packages on every node; of a user's own modules, files beside the experiment's are sent along."
            ) from error


def _answer(setup: _Setup, samples: Samples, check: bool, pickled: bytes) -> Iterator[Any]:
    """Yields the machine it runs on, then the unit as it was checked, or a result a seed."""
    if not _worker:  # it serves this run alone, which has one dataset
        _prepare(setup, samples)
    yield _worker["machine"]
    work = pickle.loads(pickled)  # not before the user's modules are there
    for place, unit in enumerate(work, 1):
        if check:
            yield _worker["trainer"].check(unit)
        else:
            yield from _worker["trainer"].run(unit, later=work[place:])


# --- in the driver -----------------------------------------------------------------------------


@dataclass
class _Task:
    """What was asked of the cluster and has not been answered yet."""

    unit: Unit
    later: Work = ()
    host: str = ""
    heard: float | None = None
    "When it last answered; None while its worker gets ready."

    @property
    def left(self) -> Work:
        return (self.unit, *self.later)

    def answered(self) -> None:
        """Its next seed is; the others follow."""
        self.unit = replace(self.unit, seeds=self.unit.seeds[1:])
        if self.later and not self.unit.seeds:
            self.unit, *later = self.later
            self.later = tuple(later)

    def overdue(self, limit: float | None) -> bool:
        return bool(limit and self.heard and self.unit.seeds and time.monotonic() - self.heard > limit)


def run(
    rounds: Iterable[Sequence[Unit]],
    samples: Samples,
    device: str,
    listener: Listener,
    address: str,
    workers: str | int,
    sources: Mapping[str, tuple[str, str]],
    limit: float | None = None,
) -> None:
    """Checks every model in the cluster, then trains round after round of units there, reporting as trials end.

    At most `workers` tasks run at once, by default as many as the cluster has CPUs (on 'gpu': GPUs). A trial that
    takes longer than `limit` seconds is reported as timeout.
    Raises UserError where the cluster cannot be reached, cannot train, or has other versions than this machine.
    """
    device = "gpu" if device == "gpu" else "cpu"
    with connected(address) as ray:
        cluster = _Cluster(ray, samples, device, listener, workers, sources, limit)
        known: Checked = {}
        for units in rounds:
            started = bool(known)
            ready = checked(units, known, cluster.check)
            if not started:
                listener.on_start(device)
            listener.on_round(ready)
            cluster.train(ready)


def tasks(units: Sequence[Unit], samples: int) -> list[Work]:
    """Units' seeds in groups of neighbours: which ones depends on a configuration alone, not on what is missing.

    What the vmap engine trains in one program is one task.
    """
    together = [unit for unit in units if backend.engine_of(unit.engine) == "vmap"]
    return [
        *map(tuple, groups(together)),
        *((task,) for unit in units if unit not in together for task in _neighbours(unit, samples)),
    ]


def _neighbours(unit: Unit, samples: int) -> list[Unit]:
    size = min(MOST_TRIALS, max(1, TASK_STEPS // unit.configuration.protocol.steps(samples)))
    found = itertools.groupby(unit.seeds, lambda pair: (pair[0] - 1) // size)
    return [replace(unit, seeds=tuple(seeds)) for _, seeds in found]


def halves(work: Work) -> list[Work]:
    first, *others = work
    if others:
        return [(first,), tuple(others)]
    middle = (len(first.seeds) + 1) // 2
    return [(replace(first, seeds=part),) for part in (first.seeds[:middle], first.seeds[middle:]) if part]


class _Cluster:
    """What is asked of the cluster, and what comes of it."""

    def __init__(
        self,
        ray: Any,
        samples: Samples,
        device: str,
        listener: Listener,
        workers: str | int,
        sources: Mapping[str, tuple[str, str]],
        limit: float | None = None,
    ) -> None:
        self.ray, self.device, self.listener, self.workers, self.limit = ray, device, listener, workers, limit
        self.samples = len(samples.y)
        self.machines = Machines()
        nodes = places(ray.nodes(), device)
        for machine in look(ray, list(nodes)):
            self._meet(machine)
        variables = {**environment.GIVEN, "KERAS_BACKEND": backend.current()}
        setup = _Setup({**helpers(sources), **sources}, device, versions(), variables)
        self.shared = ray.put(setup), ray.put(samples)
        # not as .options: a process that has had a GPU must end with its task, or it would keep it beside the next one
        resources = {"num_cpus": 1, "num_gpus": int(device == "gpu")}
        self.task = ray.remote(num_returns="streaming", max_retries=0, **resources)(_answer)

    def check(self, units: Sequence[Unit]) -> list[Unit]:
        """Every unit as it will be trained. Raises UserError where a model is wrong, or ends its worker each time."""
        waiting, deaths = deque[Work]((replace(unit, seeds=unit.seeds[:1]),) for unit in units), Counter[int]()
        sound: list[Unit] = []
        for task, answer in self._answers(waiting, check=True):
            if isinstance(answer, Died):
                deaths[task.unit.index] += 1
                check_deaths(task.unit, deaths[task.unit.index], answer)
                waiting.append(task.left)
            else:  # another seed may be well where this one hangs
                sound.append(task.unit if isinstance(answer, Overdue) else answer)
        return sound

    def train(self, units: Sequence[Unit]) -> None:
        """Trains all seeds of all units."""
        waiting = deque(tasks(units, self.samples))
        deaths = Counter[tuple[int, int]]()
        for task, answer in self._answers(waiting, check=False):
            if isinstance(answer, Died | Overdue):
                result = self._after(task, answer, deaths)
                if result is None:
                    waiting.extendleft(reversed(halves(task.left)))
                    continue
            else:
                result = answer
            self.listener.on_epochs(result.epochs)
            self.listener.on_result(task.unit, result, task.host)

    def _after(self, task: _Task, trouble: Died | Overdue, deaths: Counter[tuple[int, int]]) -> TrialResult | None:
        """What a death or a hang makes of a trial: None where it is tried again, or was not alone."""
        unit, (trial, seed) = task.unit, task.unit.seeds[0]
        if isinstance(trouble, Overdue):
            what = f"took longer than {self.limit:g} s (--trial-timeout)"
            if len(unit.seeds) == 1 and not task.later:
                return TrialResult(trial, seed, "timeout", error=f"it {what}", seconds=self.limit or 0.0)
        else:
            what = f"lost its worker in the cluster ({trouble.how})"
            deaths[unit.index, trial] += len(unit.seeds) == 1 and not task.later
            if deaths[unit.index, trial] == ATTEMPTS:
                return TrialResult(trial, seed, "failed", error=f"it {what} {ATTEMPTS} times")
        alone = f"{unit.configuration.label}, trial {trial},"
        which = alone if len(unit.seeds) == 1 and not task.later else f"Of the trials on {task.host or 'a node'} one"
        self.listener.on_message(f"{which} {what}; what had not finished starts again.")
        return None

    def _answers(self, waiting: deque[Work], check: bool) -> Iterator[tuple[_Task, Any]]:
        """What comes of the units that wait, which may become more meanwhile; few are asked for at a time."""
        running: dict[Any, _Task] = {}
        most = self._most()
        while waiting or running:
            while waiting and len(running) < most:
                work = waiting.popleft()
                running[self.task.remote(*self.shared, check, pickle.dumps(work))] = _Task(work[0], work[1:])
            ready, _ = self.ray.wait(list(running), num_returns=len(running), timeout=LOOK_SECONDS)
            for stream in ready:
                yield from self._read(stream, running)
            for stream in [stream for stream, task in running.items() if task.overdue(self.limit)]:
                self.ray.cancel(stream, force=True)
                yield running.pop(stream), Overdue()
            if not ready:
                most = self._most()

    def _read(self, stream: Any, running: dict[Any, _Task]) -> Iterator[tuple[_Task, Any]]:
        """What has come of one task since it was looked at."""
        task, errors = running[stream], self.ray.exceptions
        while stream.next_ready() and (reference := next(stream, None)):  # its end may be what is ready
            try:
                answer = self.ray.get(reference)
            except errors.RayTaskError as error:
                raise error.cause if isinstance(error.cause, UserError) else error from None
            except errors.RayError as error:
                del running[stream]
                if task.unit.seeds:  # or it was lost after its last answer
                    yield task, Died(type(error).__name__)
                return
            task.heard = time.monotonic()
            if isinstance(answer, dict):
                task.host = answer["host"]
                self._meet(answer)
            else:
                yield task, answer
                task.answered()
        if stream.is_finished():
            assert not task.unit.seeds, "a task has ended without an answer for each of its seeds"
            del running[stream]

    def _meet(self, machine: Mapping[str, Any]) -> None:
        if self.machines.add(machine):
            self.listener.on_machines(self.machines.record())
            if warning := self.machines.warning():
                self.listener.on_message(warning)

    def _most(self) -> int:
        """How many tasks are asked for at a time: twice what runs at once, so that no CPU waits for the driver."""
        there = sum(places(self.ray.nodes(), self.device).values())
        return 2 * there if self.workers == "auto" else int(self.workers)
