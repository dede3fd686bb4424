"""How the files of a results folder are written: as a whole or not at all, and never over what somebody has edited.

`SHA256SUMS` holds the checksum of every table as it was written, in the format of `sha256sum`, so that
`sha256sum -c SHA256SUMS` checks a folder. A table that is neither what it says nor what is to be written has
been edited: it goes aside, as `summary.csv.edited-1`. A table that it does not name is replaced.
"""

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO

SUMS = "SHA256SUMS"

Write = Callable[[TextIO], object]
"Writes a table's text."


def replace(path: Path, content: bytes) -> None:
    """Writes a file by atomic replacement. Raises OSError, whose `filename` is this one's, where it cannot be."""
    with _naming(path):
        with _partial(path) as (partial, stream):
            stream.write(content)
        partial.replace(path)
        sync(path.parent)


def sync(folder: Path) -> None:
    """Has the names in a folder on disk, where the system can do that: a power cut must not undo a rename."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """An error within is told of this file, whatever it is called meanwhile."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def _partial(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """The file that is to take the place of `path`, on disk at the end."""
    partial = path.with_name(f".{path.name}.part")
    try:
        with open(partial, "wb") as stream:
            yield partial, stream
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:  # half a file would keep a full disk full
        with suppress(OSError):
            partial.unlink()
        raise


def replace_tables(folder: Path, tables: Mapping[str, Write | None]) -> dict[str, Path]:
    """Writes tables, by file name, and takes away those that are None; returns where edited ones are now.

    They take their places together. The old checksums and the new ones both stand in SHA256SUMS meanwhile, so that a
    run which is killed at any moment leaves nothing that looks edited. Raises OSError, with the `filename` of what
    cannot be written where that is known; no table is replaced before all are written.
    """
    partials: dict[str, Path | None] = {}
    try:
        for name, write in tables.items():
            with _naming(folder / name):
                partials[name] = None if write is None else _written(folder / name, write)
        return _take_their_places(folder, partials)
    except OSError:
        for partial in filter(None, partials.values()):
            with suppress(OSError):  # the first error is the one to tell
                partial.unlink()
        raise


def _written(path: Path, write: Write) -> Path:
    with _partial(path) as (partial, stream):
        # half a surrogate, as in a strange path, is written as an escape
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
        write(text)
        text.detach()
    return partial


def _take_their_places(folder: Path, partials: Mapping[str, Path | None]) -> dict[str, Path]:
    """Those without a partial file go; returns where edited ones are now."""
    sums = read_sums(folder)
    there = {name: _sums_of_file(folder / name) for name in partials}
    new = {name: _sums_of_file(partial) for name, partial in partials.items()}
    changed = [name for name in partials if not there[name] == new[name] == sums.get(name, [])]
    for partial in (partials[name] for name in partials if name not in changed):
        if partial is not None:
            partial.unlink()
    if not changed:
        return {}
    both = {name: [*sums.get(name, there[name]), *new[name]] for name in changed}
    _write_sums(folder, {**sums, **both})
    aside = {name: _aside(folder / name) for name in changed if not set(there[name]) <= set(both[name])}
    for name in changed:
        with _naming(folder / name):
            _take_its_place(partials[name], folder / name)
    sync(folder)
    _write_sums(folder, {**sums, **{name: new[name] for name in changed}})
    return aside


def _take_its_place(partial: Path | None, path: Path) -> None:
    if partial is None:
        path.unlink(missing_ok=True)
    else:
        partial.replace(path)


def _aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.edited-{number}")).exists():
        number += 1
    return path.rename(aside)


def read_sums(folder: Path) -> dict[str, list[str]]:
    """What SHA256SUMS says, by file name; lines of another form do not count.

    A name has several checksums where a run was stopped while it replaced the file.
    """
    try:
        text = (folder / SUMS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    sums: dict[str, list[str]] = {}
    for line in text.splitlines():
        if found := re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line):
            sums.setdefault(found[2], []).append(found[1])
    return sums


def _write_sums(folder: Path, sums: Mapping[str, Sequence[str]]) -> None:
    lines = [f"{one}  {name}\n" for name in sorted(sums) for one in dict.fromkeys(sums[name])]
    replace(folder / SUMS, "".join(lines).encode())


def checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sums_of_file(path: Path | None) -> list[str]:
    """The checksum of a file; none where there is no such file."""
    if path is None:
        return []
    try:
        with open(path, "rb") as stream:
            return [hashlib.file_digest(stream, "sha256").hexdigest()]
    except FileNotFoundError:
        return []
