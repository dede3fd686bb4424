"""Failures that are told to the user in a sentence, not in a traceback."""

import difflib
from collections.abc import Iterable

LINES = 3


class UserError(Exception):
    """What the user can mend, mostly found before anything is trained or written: exit code 2.

    The message has at most three lines, whatever a name in it holds: what cannot be printed is escaped, and of more
    lines the first two and the last are told.
    """

    def __init__(self, message: str) -> None:
        printable = (one if one.isprintable() or one == "\n" else _escaped(one) for one in message)
        lines = "".join(printable).strip("\n").split("\n")
        super().__init__("\n".join(lines if len(lines) <= LINES else [*lines[: LINES - 1], lines[-1]]))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


class UnsupportedError(Exception):
    """An engine cannot honour this model or protocol; the message says why."""


class Terminated(BaseException):
    """SIGTERM came: exit code 143."""


def unknown(kind: str, received: str, allowed: Iterable[str]) -> UserError:
    """The error for a name that does not exist, with the nearest one that does."""
    names = list(allowed)
    near = difflib.get_close_matches(received, names, n=1, cutoff=0.5)
    guess = f" Did you mean '{near[0]}'?" if near else ""
    return UserError(f"Unknown {kind} {received!r:.120}.{guess}\nAllowed: {', '.join(names) or 'none'}.")


def first_line(error: BaseException) -> str:
    """An exception as one line for a table: its type and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
