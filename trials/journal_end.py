"""The end of a journal: lines are added there, and put on disk once a second."""

import errno
import math
import os
import time
from pathlib import Path

SYNC_SECONDS = 1.0
"How long a line may be in the journal before it is on disk: a power cut may cost it, the end of a process does not."


class JournalEnd:
    """The file that lines are added to: `mend` first, `hold` after the first line, `sync` after the last.

    Everything raises OSError where the file cannot be written, but for `sync_in_time`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: tuple[int, int] | None = None
        self._synced = -math.inf
        self._pending = False
        self._failure: OSError | None = None
        "Why the journal could not be put on disk meanwhile."

    def mend(self, is_empty: bool) -> None:
        """Lets the next line begin anew, where a killed run has left half a one; half a first line goes."""
        self.path.touch()
        with open(self.path, "rb+") as journal:
            if is_empty:
                content = journal.read()
                if b"\n" not in content or not content.strip():
                    journal.truncate(0)
            size = journal.seek(0, os.SEEK_END)
            journal.seek(max(0, size - 1))
            if size and journal.read() != b"\n":
                journal.write(b"\n")

    def hold(self) -> None:
        """From now on nothing is added to any other file: one made anew, because someone removed this, would lack its
        first line.
        """
        self._identity = _identity(self.path.stat())

    def append(self, line: str) -> None:
        with open(self.path, "r+", encoding="utf-8") as journal:
            if self._identity not in (None, _identity(os.fstat(journal.fileno()))):
                raise OSError(errno.ESTALE, "another journal has taken its place", str(self.path))
            journal.seek(0, os.SEEK_END)
            journal.write(line)
            journal.flush()
            self._pending = True
            if self._is_due():  # else many small trials would wait for the disk alone
                self._sync(journal.fileno())

    def sync_in_time(self) -> None:
        """Has all lines on disk where that is due, to be called again and again: within a training too, so that what
        goes wrong is left to `tell`.
        """
        if self._pending and self._is_due():
            try:
                self.sync()
            except OSError as error:
                self._failure, self._pending = error, False

    def sync(self) -> None:
        """Has all lines on disk."""
        self.tell()
        with open(self.path, "r+b") as journal:
            self._sync(journal.fileno())

    def tell(self) -> None:
        """Raises what went wrong meanwhile: asked a second time, the system would say that all is well."""
        if self._failure is not None:
            raise self._failure

    def _is_due(self) -> bool:
        return time.monotonic() - self._synced >= SYNC_SECONDS

    def _sync(self, number: int) -> None:
        os.fsync(number)
        self._synced, self._pending = time.monotonic(), False


def _identity(status: os.stat_result) -> tuple[int, int]:
    """Which file it is, whatever it is called by now."""
    return status.st_dev, status.st_ino
