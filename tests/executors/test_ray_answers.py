"""What the driver makes of a cluster's answers, from a Ray that says what a test wrote down."""

import dataclasses
import itertools
import pickle
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest
from ray import exceptions

from experiments import EXPERIMENTS
from trials.datasets import Samples
from trials.engines.results import TrialResult, Unit
from trials.errors import UserError
from trials.executors import ray
from trials.executors.processes import worker_bytes

SAMPLES = Samples(np.zeros((150, 4), np.float32), np.zeros(150, np.int32), 0, 3)
CONFIGURATION = EXPERIMENTS["iris_hidden_units"].configurations()[0]
MACHINE = {"host": "n1", "processor": "EPYC", "features": ["avx2"]}
CRASHED, LOST = exceptions.WorkerCrashedError(), exceptions.NodeDiedError("gone")


class Stream:
    """A task's answers; behind `...` others may follow."""

    def __init__(self, answers):
        self.open = ... in answers
        self.answers = deque(answer for answer in answers if answer is not ...)

    def next_ready(self):
        return bool(self.answers)

    def __next__(self):
        return self.answers.popleft()

    def is_finished(self):
        return not self.answers and not self.open


class Ray:
    """`script` says what a task is answered: called with its units and how many tasks came before."""

    exceptions = exceptions

    def __init__(self, script):
        self.script, self.asked, self.cancelled, self.declared = script, [], [], {}

    def put(self, thing):
        return thing

    def remote(self, **declared):
        self.declared = declared
        return lambda function: SimpleNamespace(remote=self.task)

    def task(self, *shared_check_pickled):
        work = pickle.loads(shared_check_pickled[-1])
        self.asked.append([(unit.index, [trial for trial, _ in unit.seeds], unit.lanes) for unit in work])
        return Stream(self.script(work, len(self.asked)))

    def wait(self, streams, num_returns, timeout):
        return [stream for stream in streams if stream.next_ready()], []

    def get(self, answer):
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, stream, force):
        self.cancelled.append(stream)


class Heard:
    """Listens."""

    def __init__(self):
        self.results, self.messages, self.machines = [], [], []

    def on_result(self, unit, result, host=""):
        self.results.append((result.trial, result.status, host))

    def on_epochs(self, count): ...

    def on_message(self, text):
        if text not in self.messages:
            self.messages.append(text)

    def on_machines(self, machines):
        self.machines = machines


def units(trials, engine="graph", lanes=0):
    return [Unit(0, CONFIGURATION, tuple((trial, trial - 1) for trial in range(1, trials + 1)), engine, lanes=lanes)]


def cluster(script, monkeypatch, limit=None):
    """The driver's side, before a cluster of one node with two CPUs."""
    monkeypatch.setattr(ray, "look", lambda *_: [MACHINE])
    nodes = [{"NodeID": "n1", "Alive": True, "Resources": {"CPU": 2, "memory": 2**40}}]
    return ray._Cluster(Ray(script), lambda: nodes, SAMPLES, "cpu", Heard(), "auto", {}, limit)


def answered(work):
    return ["n1", *(TrialResult(trial, seed, "ok") for unit in work for trial, seed in unit.seeds)]


def test_a_node_whose_workers_never_get_ready_is_named_and_no_trial_blamed(monkeypatch):
    made = cluster(lambda work, _: [{**MACHINE, "host": "bad"}, CRASHED], monkeypatch)
    with pytest.raises(
        UserError,
        match=r"Workers on bad end before they can train, 3 times in a row \(WorkerCrashedError: The worker died",
    ):
        made.train(units(2))
    with pytest.raises(UserError, match="Workers on bad end before they can train"):
        made.check(units(2))
    assert made.listener.results == []


def test_deaths_ahead_of_training_count_only_in_a_row(monkeypatch):
    """Two, then a worker of that machine is ready, then two again: the trials are there, as if nothing had been."""
    scripts = iter([[MACHINE, CRASHED], [MACHINE, CRASHED], [MACHINE, "n1", CRASHED]])
    made = cluster(lambda work, count: next(scripts, None) or answered(work), monkeypatch)
    made.train(units(1))
    scripts = iter([[MACHINE, CRASHED], [MACHINE, CRASHED]])
    made.train(units(1))
    assert [status for _, status, _ in made.listener.results] == ["ok", "ok"]


def test_a_lost_node_is_no_trials_fault_however_often(monkeypatch):
    made = cluster(lambda work, count: ["n1", LOST] if count < 9 else answered(work), monkeypatch)
    made.train(units(3))
    assert made.listener.results == [(trial, "ok", "n1") for trial in (1, 2, 3)]
    assert all(asked == [(0, [1, 2, 3], 0)] for asked in made.ray.asked)
    assert made.listener.messages == ["The node n1 was lost; what had not finished there starts again."]


def test_a_trial_that_ends_its_worker_alone_three_times_is_failed(monkeypatch):
    def script(work, _):
        bad = [place for place, (trial, _) in enumerate(work[0].seeds) if trial == 2]
        return [*answered(work)[: 1 + bad[0]], CRASHED] if bad else answered(work)

    made = cluster(script, monkeypatch)
    made.train(units(3))
    assert sorted(made.listener.results) == [(1, "ok", "n1"), (2, "failed", "n1"), (3, "ok", "n1")]
    assert [trials for ((_, trials, _),) in made.ray.asked].count([2]) == 3


@pytest.mark.parametrize("looks", [0, 1], ids=["at once", "a look later"])
def test_an_answer_that_came_while_the_driver_was_held_up_is_no_timeout(monkeypatch, looks):
    """The clock has gone on by 100 s when the first answer is seen, and the second comes a second after it."""
    clock = SimpleNamespace(now=1.0)
    monkeypatch.setattr(ray.time, "monotonic", lambda: clock.now)
    made = cluster(lambda work, _: ["n1", ...], monkeypatch, limit=5)
    wait, seen = made.ray.wait, []

    def held_up(streams, **how):
        ready = wait(streams, **how)
        (stream,) = streams
        seen.append(clock.now)
        if len(seen) == 2:
            clock.now += 100
        if len(seen) == 2 + looks:
            stream.answers.append(TrialResult(1, 0, "ok"))
        if len(seen) == 4 + looks:
            clock.now += 1
            stream.answers.append(TrialResult(2, 1, "ok"))
            stream.open = False
        return ready

    made.ray.wait = held_up
    made.train(units(2))
    assert made.listener.results == [(1, "ok", "n1"), (2, "ok", "n1")]
    assert made.ray.cancelled == []


def test_what_hangs_is_ended_and_the_others_start_alone(monkeypatch):
    """Two limits and their looks, however many trials the task had."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(ray.time, "monotonic", lambda: clock.now)

    def script(work, _):
        return ["n1", ...] if (1, 0) in work[0].seeds else answered(work)

    made = cluster(script, monkeypatch, limit=5)
    wait = made.ray.wait

    def later(streams, **how):
        clock.now += 1.0
        return wait(streams, **how)

    made.ray.wait = later
    made.train(units(4))
    assert sorted(made.listener.results) == [(1, "timeout", "n1"), *((trial, "ok", "n1") for trial in (2, 3, 4))]
    assert len(made.ray.cancelled) == 2  # or it would go on, and hold its CPU
    assert clock.now < 4 * 5


def test_a_program_that_dies_alone_is_made_smaller(monkeypatch):
    """A death with all seeds, then each alone in a program of the same size, then in one of its own."""
    made = cluster(lambda w, _: ["n1", CRASHED] if w[0].lanes != 1 else answered(w), monkeypatch)
    made.train(units(3, "vmap", lanes=3))
    assert sorted(made.listener.results) == [(trial, "ok", "n1") for trial in (1, 2, 3)]
    assert made.ray.asked[0] == [(0, [1, 2, 3], 3)]
    assert made.ray.asked[-1][0][2] == 1


def test_a_task_of_which_an_answer_was_lost_is_ended(monkeypatch):
    lost = exceptions.ObjectLostError("a", None, "b")
    made = cluster(lambda work, count: ["n1", lost] if count == 1 else answered(work), monkeypatch)
    made.train(units(1))
    assert len(made.ray.cancelled) == 1
    assert made.listener.results == [(1, "ok", "n1")]


def test_waiting_is_told_once(monkeypatch):
    monkeypatch.setattr(ray, "PATIENCE", 0.01)
    made = cluster(lambda work, _: [...], monkeypatch)
    turns = []

    def wait(streams, **_):
        turns.append(len(turns))
        ray.time.sleep(0.02)
        if len(turns) == 5:
            (stream,) = streams
            stream.answers.extend(answered(units(1)))
            stream.open = False
            return streams, []
        return [], []

    made.ray.wait = wait
    made.train(units(1))
    assert len(made.listener.messages) == 1
    assert "No worker of the cluster has been ready" in made.listener.messages[0]


def test_a_mixture_is_told_when_it_grows(monkeypatch):
    def script(work, count):
        kind = ("EPYC", "Xeon", "Xeon", "Xeon")[count - 1]
        return [{**MACHINE, "host": f"n{count}", "processor": kind}, *answered(work)]

    made = cluster(script, monkeypatch)
    made.samples = 10**9  # each trial is a task
    made.train(units(4))
    assert [len(each["hosts"]) for each in made.listener.machines] == [1, 3]
    assert len(made.listener.messages) == 1


def test_answers_out_of_turn_are_noticed(monkeypatch):
    made = cluster(lambda work, _: ["n1", dataclasses.replace(answered(work)[1], trial=9)], monkeypatch)
    with pytest.raises(AssertionError):
        made.train(units(1))


def test_a_node_that_cannot_read_a_task_is_named(monkeypatch):
    def lacking(text, cause):
        return exceptions.RayTaskError("answer", text, cause, ip="10.0.0.2")

    made = cluster(lambda *_: [lacking("Traceback", AttributeError("no numpy"))], monkeypatch)
    with pytest.raises(UserError, match=r"The node 10\.0\.0\.2 cannot train: AttributeError: no numpy\.\nInstall"):
        made.check(units(1))
    made = cluster(lambda *_: [MACHINE, lacking("", UserError("The node n1 has other versions."))], monkeypatch)
    with pytest.raises(UserError, match="other versions"):
        made.check(units(1))
    made = cluster(lambda *_: ["n1", lacking("Traceback", ZeroDivisionError("ours"))], monkeypatch)
    with pytest.raises(exceptions.RayTaskError):  # nobody else's fault
        made.train(units(1))


def test_deaths_of_which_no_name_came_count_only_in_a_row(monkeypatch):
    scripts = iter([[CRASHED], [CRASHED], ["n1", CRASHED], [CRASHED], [CRASHED]])
    made = cluster(lambda work, _: next(scripts, None) or answered(work), monkeypatch)
    made.train(units(1))
    assert made.listener.results == [(1, "ok", "n1")]
    made = cluster(lambda *_: [CRASHED], monkeypatch)
    with pytest.raises(UserError, match="Workers on a node of the cluster end before"):
        made.train(units(1))


def test_a_loss_after_the_last_answer_is_none(monkeypatch):
    made = cluster(lambda work, _: [*answered(work), CRASHED], monkeypatch)
    made.train(units(2))
    assert made.listener.results == [(1, "ok", "n1"), (2, "ok", "n1")]
    assert made.listener.messages == []
    assert len(made.ray.asked) == 1


def test_a_program_that_was_not_alone_keeps_its_size(monkeypatch):
    made = cluster(lambda work, count: ["n1", CRASHED] if count == 1 else answered(work), monkeypatch)
    made.train(units(3, "vmap", lanes=3))
    assert made.ray.asked[1:] == [[(0, [trial], 3)] for trial in (1, 2, 3)]


def test_what_a_task_takes_is_declared_and_twice_what_runs_is_asked_for(monkeypatch):
    made = cluster(lambda work, _: [...], monkeypatch)
    made.samples = 10**9  # each trial is a task
    most = []

    def wait(streams, **_):
        most.append(len(streams))
        for stream, trial in zip(streams, itertools.count(1 + sum(most[:-1]))):
            stream.answers.extend(["n1", TrialResult(trial, trial - 1, "ok")])
            stream.open = False
        return streams, []

    made.ray.wait = wait
    made.train(units(6))
    assert most == [4, 2]  # of two CPUs
    declared = {"num_cpus": 1, "num_gpus": 0, "memory": worker_bytes(SAMPLES)}
    assert made.ray.declared.items() >= declared.items()
    assert made.ray.declared["max_retries"] == 0


def test_what_a_lost_node_had_is_asked_for_first(monkeypatch):
    made = cluster(lambda work, count: ["n1", LOST] if count == 1 else answered(work), monkeypatch)
    made.samples = 10**9
    made.train(units(6))
    order = [trial for ((_, (trial,), _),) in made.ray.asked]
    assert order.index(1, 1) < order.index(6)
