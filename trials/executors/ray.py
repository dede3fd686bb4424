"""Trains on a Ray cluster that exists already: each task is a few trials of one configuration, on one CPU.

Tasks stream their results to the driver, which alone writes. Ray retries nothing here: it would train again what the
driver has. What a task had not reported when its worker or node was lost, or when a trial took too long, is asked for
once more, each trial alone, so that one which ends its worker or hangs each time is known and is reported as such.
"""

import itertools
import pickle
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trials import backend
from trials.datasets import Samples
from trials.engines.results import TrialResult, Unit
from trials.errors import UserError, first_line
from trials.executors import node
from trials.executors.checked import Checked, checked
from trials.executors.cluster import PATIENCE, Machines, connected, look, places, variables, versions, watched
from trials.executors.listener import Listener
from trials.executors.processes import ATTEMPTS, check_deaths, groups, worker_bytes
from trials.executors.workers import Died, Overdue
from trials.sources import helpers

TASK_STEPS = 10_000
"Training steps of a task, of one trial at least: some seconds, beside which a trace of the model is short."
MOST_TRIALS = 100
Work = tuple[Unit, ...]
"The units of a task: one, or several that are trained together."
LOOK_SECONDS = 0.1
"How often finished trials are collected."
LONGEST = 300
"Letters of what Ray says of a death."


class _NodeDied(Died):
    """Its node did."""


@dataclass
class _Task:
    """What was asked of the cluster and has not been answered yet."""

    unit: Unit
    later: Work = ()
    host: str = ""
    heard: float | None = None
    "When its last answer was dealt with; None while its worker gets ready."

    @property
    def left(self) -> Work:
        return (self.unit, *self.later)

    @property
    def alone(self) -> bool:
        return len(self.unit.seeds) == 1 and not self.later

    def answered(self) -> None:
        """Its next seed is; the others follow."""
        self.unit = replace(self.unit, seeds=self.unit.seeds[1:])
        if self.later and not self.unit.seeds:
            self.unit, *later = self.later
            self.later = tuple(later)

    def overdue(self, limit: float | None) -> bool:
        if not limit or self.heard is None:
            return False
        return bool(self.unit.seeds) and time.monotonic() - self.heard > limit


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

    At most `workers` tasks run at once, by default as many as the cluster has CPUs (on 'gpu': GPUs) and memory for.
    A trial that takes longer than `limit` seconds is reported as timeout.
    Raises UserError where the cluster cannot be reached, cannot train, or has other versions than this machine.
    """
    device = "gpu" if device == "gpu" else "cpu"
    with connected(address) as ray, watched(ray) as nodes:
        cluster = _Cluster(ray, nodes, samples, device, listener, workers, sources, limit)
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


def apart(work: Work) -> list[Work]:
    """Each trial as work of its own."""
    return [(replace(unit, seeds=(pair,)),) for unit in work for pair in unit.seeds]


def _told(error: Any, task: _Task) -> Exception:
    """What a task raised: the user's mistake, a node that cannot even read the task, or our own."""
    if isinstance(error.cause, UserError):
        return error.cause
    if task.heard is not None:
        return error
    return UserError(
        f"The node {task.host or error.ip} cannot train: {first_line(error.cause or error)}.\n"
        "Install the same requirements.txt for the same Python there, or take it out of the cluster with `ray stop`."
    )


class _Cluster:
    """What is asked of the cluster, and what comes of it."""

    def __init__(
        self,
        ray: Any,
        nodes: Callable[[], Sequence[Mapping[str, Any]]],
        samples: Samples,
        device: str,
        listener: Listener,
        workers: str | int,
        sources: Mapping[str, tuple[str, str]],
        limit: float | None = None,
    ) -> None:
        self.ray, self.nodes, self.device, self.listener = ray, nodes, device, listener
        self.workers, self.limit = workers, limit
        self.samples, self.bytes = len(samples.y), worker_bytes(samples)
        self.machines = Machines(with_gpus=device == "gpu")
        self.unready = Counter[str]()
        "By machine, workers that ended before they could train, since one last could."
        self.narrow = set[int]()
        "Configurations whose programs are made for one seed: one died alone, of which memory may be the reason."
        self._meet(look(ray, list(places(nodes(), device, self.bytes))))
        setup = node.Setup(sources, helpers(sources), device, versions(), tuple(variables()))
        self.shared = ray.put(setup), ray.put(samples)
        # not as .options: a process that has had a GPU must end with its task, or it would keep it beside the next one
        resources = {"num_cpus": 1, "num_gpus": int(device == "gpu"), "memory": self.bytes}
        self.task = ray.remote(num_returns="streaming", max_retries=0, **resources)(node.answer)

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
                assert sound[-1].index == task.unit.index
        return sound

    def train(self, units: Sequence[Unit]) -> None:
        """Trains all seeds of all units."""
        waiting = deque(tasks(units, self.samples))
        deaths = Counter[tuple[int, int]]()
        for task, answer in self._answers(waiting, check=False):
            if isinstance(answer, Died | Overdue):
                result = self._after(task, answer, deaths)
                if result is None:
                    waiting.extendleft(reversed(apart(task.left)))
                    continue
            else:
                result = answer
                assert (result.trial, result.seed) == task.unit.seeds[0]
            self.listener.on_epochs(result.epochs)
            self.listener.on_result(task.unit, result, task.host)

    def _after(self, task: _Task, trouble: Died | Overdue, deaths: Counter[tuple[int, int]]) -> TrialResult | None:
        """What a death or a hang makes of a trial: None where it is tried again, or was not alone."""
        unit, (trial, seed) = task.unit, task.unit.seeds[0]
        if isinstance(trouble, Overdue):
            what = f"took longer than {self.limit:g} s (--trial-timeout)"
            if task.alone:
                return TrialResult(trial, seed, "timeout", error=f"it {what}", seconds=self.limit or 0.0)
        else:
            what = f"lost its worker in the cluster ({trouble.how})"
            deaths[unit.index, trial] += task.alone
            if task.alone and backend.engine_of(unit.engine) == "vmap":
                self.narrow.add(unit.index)
            if deaths[unit.index, trial] == ATTEMPTS:
                return TrialResult(trial, seed, "failed", error=f"it {what} {ATTEMPTS} times")
        which = f"{unit.configuration.label}, trial {trial}," if task.alone else f"Of the trials on {task.host} one"
        self.listener.on_message(f"{which} {what}; what had not finished starts again.")
        return None

    def _answers(self, waiting: deque[Work], check: bool) -> Iterator[tuple[_Task, Any]]:
        """What comes of the units that wait, which may become more meanwhile; few are asked for at a time."""
        running: dict[Any, _Task] = {}
        late: set[Any] = set()
        news = time.monotonic()
        while waiting or running:
            self._ask(waiting, running, check)
            ready, _ = self.ray.wait(list(running), num_returns=len(running), timeout=LOOK_SECONDS)
            if not check:
                self.listener.on_epochs(0)
            before, late = late, {stream for stream, task in running.items() if task.overdue(self.limit)}
            for stream in dict.fromkeys([*ready, *late]):
                for task, answer in self._read(stream, running):
                    if isinstance(answer, Died) and self._blames_no_trial(task, answer):
                        waiting.appendleft(task.left)
                    else:
                        yield task, answer
                # twice in a row: where this process was held up, what has come meanwhile is only now on its way to it
                if stream in late & before and stream in running and running[stream].overdue(self.limit):
                    self.ray.cancel(stream, force=True)
                    yield running.pop(stream), Overdue()
            if ready or any(task.heard is not None for task in running.values()):
                news = time.monotonic()
            elif time.monotonic() - news > PATIENCE:
                self.listener.on_message(
                    "No worker of the cluster has been ready for half a minute: other work may have its CPUs or its "
                    "memory (see `ray status`). Waiting."
                )

    def _ask(self, waiting: deque[Work], running: dict[Any, _Task], check: bool) -> None:
        most = self._most()
        while waiting and len(running) < most:
            work = [replace(unit, lanes=1) if unit.index in self.narrow else unit for unit in waiting.popleft()]
            running[self.task.remote(*self.shared, check, pickle.dumps(work))] = _Task(work[0], tuple(work[1:]))

    def _read(self, stream: Any, running: dict[Any, _Task]) -> Iterator[tuple[_Task, Any]]:
        """What has come of one task since it was looked at."""
        task, errors = running[stream], self.ray.exceptions
        while stream.next_ready() and (reference := next(stream, None)):  # its end may be what is ready
            try:
                answer = self.ray.get(reference)
            except errors.RayTaskError as error:
                raise _told(error, task) from None
            except errors.RayError as error:
                self.ray.cancel(stream, force=True)  # where only an answer was lost, it goes on
                del running[stream]
                if task.unit.seeds:  # or it was lost after its last answer
                    kind = _NodeDied if isinstance(error, errors.NodeDiedError) else Died
                    yield task, kind(first_line(error)[:LONGEST])
                return
            if isinstance(answer, dict):
                task.host = answer["host"]
                self._meet([answer])
            elif isinstance(answer, str):
                task.host = answer
                self.unready[answer] = self.unready[""] = 0
            else:
                yield task, answer
                task.answered()
            task.heard = None if isinstance(answer, dict) else time.monotonic()
        if stream.is_finished():
            assert not task.unit.seeds, "a task has ended without an answer for each of its seeds"
            del running[stream]

    def _blames_no_trial(self, task: _Task, death: Died) -> bool:
        """Whether it was the node's death, or came before the worker could train.

        Raises UserError where that happens on a node again and again.
        """
        host = task.host or "a node of the cluster"
        if isinstance(death, _NodeDied):
            self.listener.on_message(f"The node {host} was lost; what had not finished there starts again.")
            return True
        if task.heard is not None:
            return False
        self.unready[task.host] += 1
        if self.unready[task.host] >= ATTEMPTS:
            raise UserError(
                f"Workers on {host} end before they can train, {ATTEMPTS} times in a row ({death.how}).\n"
                "See whether it has memory for each CPU that it lends and runs what the experiment's file imports, "
                "or take it out of the cluster with `ray stop` there."
            )
        return True

    def _meet(self, machines: Sequence[Mapping[str, Any]]) -> None:
        kinds = len(self.machines.record())
        if self.machines.add(machines):
            self.listener.on_machines(self.machines.record())
            if len(self.machines.record()) > max(1, kinds):
                self.listener.on_message(self.machines.warning())

    def _most(self) -> int:
        """How many tasks are asked for at a time: twice what runs at once, so that no CPU waits for the driver."""
        there = sum(places(self.nodes(), self.device, self.bytes).values())
        return 2 * there if self.workers == "auto" else int(self.workers)
