"""One worker process, asked one question at a time.

Each has a pipe of its own, which ends when the process does: a death is noticed at once, in the middle of an
answer too, and costs that question alone.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from trials.errors import UserError

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Died:
    """The worker ended before it had answered."""

    how: str


@dataclass(frozen=True)
class Overdue:
    """The worker was ended because it had not answered within the limit."""


@dataclass(frozen=True)
class _Ready:
    device: str


@dataclass(frozen=True)
class _Raised:
    error: Exception


class Worker:
    """The driver's side. A worker that has ended is started anew by the next question."""

    def __init__(self, prepare: Callable[..., str], arguments: Sequence[Any], folder: str) -> None:
        self.device: str | None = None
        "Where it trains: what `prepare(*arguments)` returned, once it did."
        self._arguments = (prepare, arguments, folder)
        self._start()

    def _start(self) -> None:
        self._since: float | None = None
        with signals_held():
            self.pipe, theirs = SPAWN.Pipe()
            self.process = SPAWN.Process(target=_work, args=(theirs, *self._arguments))
            self.process.start()
        theirs.close()  # or the pipe would not end with the process

    def ask(self, function: Callable[..., Any], *arguments: Any) -> None:
        if not self.process.is_alive():
            self.end()
            self._start()
        with contextlib.suppress(OSError):  # it has died since: `outcome` will say so
            self.pipe.send((function, arguments))
        self._since = None if self._since is None else time.monotonic()

    def outcome(self, limit: float | None) -> Any:
        """The answer, Died or Overdue; None while there is none. Raises what the question raised.

        `limit` counts seconds since the question, and not while the process was still getting ready.
        """
        alive = self.process.is_alive()  # what it has forked may hold its end of the pipe
        try:
            message = self.pipe.recv() if self.pipe.poll() else None
            if message is None and not alive:
                raise EOFError
        except (EOFError, OSError):
            self.end()
            return Died(_how(self.process.exitcode))
        if isinstance(message, _Ready):
            self.device, self._since = message.device, time.monotonic()
            return None
        if isinstance(message, _Raised):
            raise message.error
        if message is None and limit and self._since is not None and time.monotonic() - self._since > limit:
            self.end()
            return Overdue()
        return message

    def kill(self) -> None:
        """It only computes, so nothing is lost but its question."""
        if self.process.pid is not None:
            self.process.kill()

    def end(self) -> None:
        """Kills the process and waits until it is gone."""
        self.kill()
        if self.process.pid is not None:
            self.process.join()
        self.pipe.close()


def outcomes(asked: Iterable[Worker], limit: float | None, seconds: float) -> Iterator[tuple[Worker, Any]]:
    """What has been answered, or has ended; waits so many seconds for the first."""
    workers = list(asked)
    wait([worker.pipe for worker in workers], seconds)
    for worker in workers:
        outcome = worker.outcome(limit)
        if outcome is not None:
            yield worker, outcome


def end_all(workers: Sequence[Worker]) -> None:
    """Ends them at the same time: giving back its memory takes a process a while."""
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.end()


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM wait, so that no process is started and then forgotten.

    A process started within never sees Ctrl-C, not even before its first line: that is the driver's to handle.
    """
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:  # a mask alone holds this thread's: another one would take the signal and wake this one
        signal.signal(number, lambda number, _: came.append(number))
    try:
        with _masked():
            yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


@contextlib.contextmanager
def _masked() -> Iterator[None]:
    """Within, this thread and the processes it starts do not get the two signals, where the system can do that."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start lets through whatever is held
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"{name}, as when memory runs out" if name == "SIGKILL" else name


# --- in the worker -----------------------------------------------------------------------------


def _work(pipe: Any, prepare: Callable[..., str], arguments: Sequence[Any], folder: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_driver, args=(folder,), daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError):  # the driver is gone
        _send(pipe, lambda: _Ready(prepare(*arguments)), ())
        while True:
            _send(pipe, *pipe.recv())


def _send(pipe: Any, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    try:
        found = function(*arguments)
    except UserError as error:
        found = _Raised(error)
    except Exception:  # of a class that the driver may not know
        found = _Raised(RuntimeError(f"in a worker process:\n{traceback.format_exc()}"))
    pipe.send(found)


def _end_with_driver(folder: str) -> None:
    """A killed driver leaves no process behind, and no copy of the samples."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
