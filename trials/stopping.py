"""Ctrl-C and SIGTERM: the first one stops the run within seconds, whatever it is doing."""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from trials.errors import Terminated

SECONDS = 3.0
"What a run that is told to stop has to end by itself."
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
_received: list[int] = []
_finish: list[Callable[[int], NoReturn]] = []
"What ends the process, once signals are looked after."
_loading: list[bool] = []


def on_signals(end: Callable[[int], object]) -> None:
    """From now on the first signal raises KeyboardInterrupt or Terminated, and later ones change nothing.

    A Python handler waits for the main thread to come back from whatever library it is in, and an epoch may be
    one long call. So a thread waits beside it: what has not ended in time is ended, after `end(exit code)`.
    Results are in the system's hands as soon as they are known, so that nothing is lost with the process.
    """
    here, there = socket.socketpair()
    there.setblocking(False)
    signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    for number in CODES:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _raise)
    errors = os.dup(2)

    def finish(number: int) -> NoReturn:
        os.dup2(errors, 2)  # it may be held back while libraries load
        code = CODES[signal.Signals(number)]
        end(code)
        os._exit(code)

    _finish.append(finish)
    told = sys.unraisablehook

    def unraisable(lost: "sys.UnraisableHookArgs", /) -> None:
        """What is raised within a garbage collection Python only prints, and goes on."""
        if _received and isinstance(lost.exc_value, KeyboardInterrupt | Terminated):
            _end(_received[0])
        told(lost)

    sys.unraisablehook = unraisable
    threading.Thread(target=_watch, args=(here, there), daemon=True).start()


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Within, a signal ends the process then and there: a library that an exception leaves half loaded can crash.

    Nothing is trained yet where libraries load, and no worker runs. What TensorFlow loads later, name by name, is
    small.
    """
    _loading.append(True)
    try:
        yield
    finally:
        _loading.pop()


def code_of(error: BaseException) -> int | None:
    """The exit code where a signal has come, whatever error a library that it interrupted has made of it."""
    if _received:
        return CODES[signal.Signals(_received[0])]
    return 130 if isinstance(error, KeyboardInterrupt) else None


def leave(code: int) -> NoReturn:
    """Ends the process: after a signal without unloading its libraries, which takes seconds."""
    if _received:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    gc.freeze()  # what is left ends with the process: Python would look through it once more, for a tenth of a second
    sys.exit(code)


def _raise(number: int, _: object) -> NoReturn:
    _received.append(number)
    for each in CODES:
        signal.signal(each, signal.SIG_IGN)
    if _loading:
        _finish[0](number)
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def _watch(here: socket.socket, _: socket.socket) -> None:
    number = 0
    while number not in CODES:
        number = here.recv(1)[0]
    time.sleep(SECONDS)
    _end(number)


def _end(number: int) -> NoReturn:
    from multiprocessing import active_children

    for child in active_children():
        child.kill()
    _finish[0](number)
