"""How work is dealt to workers; that results do not depend on it is proved through the command line."""

import dataclasses
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from experiments import EXPERIMENTS
from trials import backend, datasets
from trials.datasets import Samples
from trials.engines.results import TrialResult, Unit
from trials.errors import UserError
from trials.executors import processes
from trials.executors.processes import _Piece, _pieces, _Schedule, choose_workers
from trials.executors.workers import Died, Overdue

EXPERIMENT = EXPERIMENTS["iris_hidden_units"]


def unit(index=0, seeds=10):
    pairs = tuple((number, number - 1) for number in range(1, seeds + 1))
    return Unit(index, EXPERIMENT.configurations()[index], pairs, "auto")


def trials(piece):
    return [trial for trial, _ in piece.unit.seeds]


@pytest.mark.parametrize(
    ("seeds", "workers", "sizes"),
    [
        ([10], 1, [10]),
        ([10], 2, [5, 5]),
        ([10], 3, [4, 4, 2]),
        ([3, 3], 4, [2, 1, 2, 1]),
        ([5] * 10, 2, [5] * 10),
        ([1], 8, [1]),
    ],
)
def test_few_units_are_dealt_out_and_many_stay_whole(seeds, workers, sizes):
    pieces = _pieces([unit(index, count) for index, count in enumerate(seeds)], workers)
    assert [len(piece.unit.seeds) for piece in pieces] == sizes
    dealt = [(piece.unit.index, pair) for piece in pieces for pair in piece.unit.seeds]
    assert dealt == [(index, pair) for index, count in enumerate(seeds) for pair in unit(index, count).seeds]


def test_a_worker_is_told_of_the_seeds_that_follow_until_something_happened():
    piece = _Piece(unit())
    assert len(piece.task().seeds) == 10  # it trains the first, and may prepare the others
    assert len(dataclasses.replace(piece, alone=True).task().seeds) == 1


def test_a_piece_forgets_what_is_done_and_learns_its_cost():
    piece = _Piece(unit(seeds=4))
    piece.finish(TrialResult(1, 0, "ok", seconds=3.0))
    piece.finish(TrialResult(2, 1, "ok", seconds=1.5))
    assert trials(piece) == [3, 4]
    assert piece.seconds == 1.5


def schedule(limit=None, listener=None):
    return _Schedule([None, None], [0, 0], listener, limit)


def test_an_idle_worker_takes_half_of_what_another_has_not_begun():
    busy = _Piece(unit(seeds=5), seconds=20.0)
    dealing = schedule()
    dealing.pieces["a worker"] = busy
    stolen = dealing._steal()
    assert (trials(busy), trials(stolen)) == ([1, 2, 3], [4, 5])


@pytest.mark.parametrize("piece", [_Piece(unit(seeds=1), seconds=60.0), _Piece(unit(seeds=10), seconds=0.02)])
def test_nothing_is_taken_that_would_not_pay(piece):
    dealing = schedule()
    dealing.pieces["a worker"] = piece
    assert dealing._steal() is None


def test_what_one_program_trains_stays_with_one_worker(monkeypatch):
    """Learning rates share a program, widths do not."""
    swept = dataclasses.replace(EXPERIMENT, sweep={"units": (4, 8), "learning_rate": (0.1, 0.2)})
    pairs = ((1, 0), (2, 1))
    units = [Unit(index, each, pairs, "vmap") for index, each in enumerate(swept.configurations())]
    assert [unit.configuration.values["units"] for unit in units] == [4, 4, 8, 8]
    pieces = _pieces(units, 8)
    assert [(piece.unit.index, [unit.index for unit in piece.later]) for piece in pieces] == [(0, [1]), (2, [3])]
    dealing, piece = schedule(), pieces[0]
    piece.seconds, dealing.pieces["a worker"] = 60.0, piece
    assert dealing._steal() is None
    followed = []
    for trial in (1, 2, 1, 2):
        followed.append((piece.unit.index, trials(piece)))
        piece.finish(TrialResult(trial, trial - 1, "ok", seconds=1.0))
    assert followed == [(0, [1, 2]), (0, [2]), (1, [1, 2]), (1, [2])]
    assert (piece.unit.seeds, piece.later) == ((), ())


def test_workers_are_bounded_by_cores_memory_and_trials(monkeypatch):
    samples = Samples(np.zeros((10, 4), np.float32), np.zeros(10, np.int32), 0, 2)
    monkeypatch.setattr(processes.environment, "cores", lambda: 8)
    monkeypatch.setattr(processes.environment, "available_memory", lambda: 64 * 2**30)
    assert choose_workers("auto", 3, samples) == 3
    assert choose_workers("auto", 30, samples) == 8
    assert choose_workers(5, 3, samples) == 5
    assert choose_workers("auto", 30, samples, "gpu") == 1  # not one that the system shows
    monkeypatch.setattr(backend, "gpus", lambda device: ["0", "1", "2"])
    assert choose_workers("auto", 30, samples, "gpu") == 3
    assert choose_workers("auto", 2, samples, "gpu") == 2
    assert choose_workers(5, 30, samples, "gpu") == 5
    monkeypatch.setattr(backend, "gpus", lambda device: [])
    monkeypatch.setattr(processes.environment, "available_memory", lambda: 3 * processes.WORKER_BYTES)
    assert choose_workers("auto", 30, samples) == 2
    monkeypatch.setattr(processes.environment, "available_memory", lambda: 0)
    assert choose_workers("auto", 30, samples) == 1


def test_a_death_is_blamed_on_a_trial_only_where_it_ran_alone():
    told = []
    dealing = schedule(listener=SimpleNamespace(on_message=told.append))
    piece = _Piece(unit(seeds=3))
    assert dealing._after(piece, piece.task(), Died("SIGKILL")) is None  # it may have built the model of any of three
    assert len(piece.task().seeds) == 1
    for _ in range(processes.ATTEMPTS - 1):
        assert dealing._after(piece, piece.task(), Died("SIGKILL")) is None
    failed = dealing._after(piece, piece.task(), Died("SIGKILL"))
    assert (failed.trial, failed.seed, failed.status) == (1, 0, "failed")
    assert failed.error == "it lost its worker process (SIGKILL) 3 times"
    piece.finish(failed)
    assert trials(piece) == [2, 3]
    assert all("starts again, alone" in line for line in told)


def test_a_hang_is_blamed_on_a_trial_only_where_it_ran_alone():
    told = []
    dealing = schedule(5.0, SimpleNamespace(on_message=told.append))
    piece = _Piece(unit(seeds=3))
    assert dealing._after(piece, piece.task(), Overdue()) is None
    ended = dealing._after(piece, piece.task(), Overdue())
    assert (ended.trial, ended.status, ended.error) == (1, "timeout", "it took longer than 5 s (--trial-timeout)")
    assert len(told) == 1


class Listener:
    """Notes what it is told, and does something when training begins."""

    def __init__(self, at_start):
        self.at_start = at_start
        self.results, self.messages = [], []

    def on_start(self, device):
        self.at_start()

    def on_round(self, units):
        pass

    def on_epochs(self, count):
        pass

    def on_message(self, text):
        self.messages.append(text)

    def on_result(self, unit, result, host=""):
        self.results.append((result.trial, result.status))


def run(listener, limit=None):
    processes.run([[unit(seeds=3)]], datasets.load(EXPERIMENT.data), "cpu", listener, 1, {}, limit)


def workers(among=None):
    """Worker processes that are running; multiprocessing's own tracker stays."""
    every = (
        psutil.Process().children(recursive=True) if among is None else [each for each in among if each.is_running()]
    )
    return [each for each in every if any("spawn_main" in word for word in each.cmdline())]


def test_an_error_of_the_driver_while_workers_train_ends_them():
    begun = []

    def fail():
        begun.extend(workers())
        raise UserError("another run has begun")

    listener = Listener(fail)
    with pytest.raises(UserError, match="another run has begun"):
        run(listener)
    assert workers(begun) == []
    assert begun
    assert listener.results == []


def test_a_worker_that_dies_before_the_driver_has_begun_costs_nothing():
    def kill():
        (worker,) = workers()
        worker.kill()

    listener = Listener(kill)
    run(listener)
    assert sorted(listener.results) == [(1, "ok"), (2, "ok"), (3, "ok")]
    assert any("lost its worker process" in text for text in listener.messages)


def test_a_trial_that_ended_in_time_is_none_too_long_because_the_driver_began_slowly():
    listener = Listener(lambda: time.sleep(3))
    run(listener, limit=2.5)
    assert listener.results == [(1, "ok"), (2, "ok"), (3, "ok")]
