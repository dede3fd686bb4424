"""Ctrl-C and SIGTERM: the first one stops the run within seconds, whatever it is doing."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from trials.errors import Terminated

SECONDS = 3.0
"What a run that is told to stop has to end by itself."
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
_received: list[int] = []


def on_signals(end: Callable[[int], object]) -> None:
    """From now on the first signal raises KeyboardInterrupt or Terminated, and later ones change nothing.

    A Python handler waits for the main thread to come back from whatever library it is in, and an epoch may be
    one long call. So a thread waits beside it: what has not ended in time is ended, after `end(exit code)`.
    Results are on disk as soon as they are known, so that nothing is lost with the process.
    """
    here, there = socket.socketpair()
    there.setblocking(False)
    signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    for number in CODES:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, _raise)
    arguments = (here, there, os.dup(2), end)
    threading.Thread(target=_watch, args=arguments, daemon=True).start()


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
    sys.exit(code)


def _raise(number: int, _: object) -> NoReturn:
    _received.append(number)
    for each in CODES:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def _watch(here: socket.socket, _: socket.socket, errors: int, end: Callable[[int], object]) -> None:
    number = 0
    while number not in CODES:
        number = here.recv(1)[0]
    time.sleep(SECONDS)
    from multiprocessing import active_children

    for child in active_children():
        child.kill()
    os.dup2(errors, 2)  # it may be held back while libraries load
    end(CODES[signal.Signals(number)])
    os._exit(CODES[signal.Signals(number)])
