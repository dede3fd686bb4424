"""A worker process answers, dies or hangs; none of these costs more than its question."""

import os
import signal
import threading
import time

import pytest

from trials.errors import UserError
from trials.executors.workers import Died, Overdue, Worker, outcomes, signals_held


def prepare(device):
    return device


def slow_start(device):
    time.sleep(1)
    return device


def unfit(device):
    raise UserError(f"no {device}")


def double(number):
    return 2 * number


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def leave(code):
    os._exit(code)


def leave_a_child(file):
    number = os.fork()
    if number == 0:
        time.sleep(600)
    file.write_text(str(number))
    os._exit(5)


def large(size):
    return b"x" * size


def raises(error):
    raise error


def answer(worker, limit=None):
    while True:
        for _, outcome in outcomes([worker], limit, 0.1):
            return outcome


@pytest.fixture
def worker(tmp_path):
    made = Worker(prepare, ("cpu",), str(tmp_path / "none"))
    yield made
    made.end()


def test_it_answers_and_says_where_it_trains(worker):
    worker.ask(double, 21)
    assert answer(worker) == 42
    assert worker.device == "cpu"


def test_what_it_raises_is_raised_here(worker):
    worker.ask(raises, UserError("a mistake"))
    with pytest.raises(UserError, match=r"^a mistake$"):
        answer(worker)
    worker.ask(raises, KeyError("a fault of ours"))
    with pytest.raises(RuntimeError, match=r"in a worker process:\n(.*\n)+KeyError: 'a fault of ours'"):
        answer(worker)


def test_what_it_raises_while_it_gets_ready_is_raised_here(tmp_path):
    worker = Worker(unfit, ("gpu",), str(tmp_path / "none"))
    worker.ask(double, 1)
    with pytest.raises(UserError, match=r"^no gpu$"):
        answer(worker)
    worker.end()


def test_a_death_is_told_with_its_cause_and_the_next_question_has_a_new_process(worker):
    worker.ask(leave, 3)
    assert answer(worker) == Died("exit code 3")
    worker.ask(raises, SystemExit(4))
    assert answer(worker) == Died("exit code 4")
    worker.ask(sleep, 60)
    os.kill(worker.process.pid, signal.SIGTERM)
    assert answer(worker) == Died("SIGTERM")
    worker.ask(double, 2)
    assert answer(worker) == 4


def test_a_death_is_noticed_though_a_child_of_it_lives_on(worker, tmp_path):
    worker.ask(leave_a_child, tmp_path / "child")
    assert answer(worker) == Died("exit code 5")
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)  # it was there


def test_a_death_with_nothing_to_do_is_not_noticed(worker):
    worker.ask(double, 1)
    assert answer(worker) == 2
    worker.process.kill()
    worker.ask(double, 2)  # it may not have ended yet
    first = answer(worker)
    if isinstance(first, Died):
        worker.ask(double, 2)
    assert (answer(worker) if isinstance(first, Died) else first) == 4


def test_a_death_within_an_answer_is_a_death(worker):
    """More than a pipe holds: the answer waits half sent until it is read."""
    worker.ask(large, 10_000_000)
    while not worker.pipe.poll(0.1) or worker.device is None:
        worker.outcome(None) if worker.device is None else None
    time.sleep(0.2)
    worker.process.kill()
    assert answer(worker) == Died("SIGKILL, as when memory runs out")


def test_the_limit_counts_from_the_question_and_not_while_it_gets_ready(tmp_path):
    worker = Worker(slow_start, ("cpu",), str(tmp_path / "none"))
    worker.ask(double, 1)
    assert answer(worker, limit=0.5) == 2  # the start took longer
    time.sleep(0.6)
    worker.ask(double, 2)  # it had nothing to do meanwhile
    assert answer(worker, limit=0.5) == 4
    worker.ask(sleep, 60)
    assert answer(worker, limit=0.5) == Overdue()
    worker.ask(double, 3)
    assert answer(worker, limit=0.5) == 6
    worker.end()


def test_an_interrupt_waits_until_the_process_is_started_whichever_thread_takes_it():
    """A mask alone would hold back this thread's signals; the system gives them to another one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    reached = []
    try:
        with pytest.raises(KeyboardInterrupt), signals_held():
            os.kill(os.getpid(), signal.SIGINT)
            while signal.SIGINT in signal.sigpending():  # a busy machine has not let the other thread run yet
                time.sleep(0.01)
            time.sleep(0.05)
            reached.append("the end of the block")
    finally:
        stop.set()
        thread.join()
    assert reached == ["the end of the block"]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler
