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


def replace(path: Path, content: bytes) -> None:
    """Writes a file by atomic replacement."""
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


def replace_table(path: Path, write: Callable[[TextIO], object]) -> Path | None:
    """Writes a table. Returns where an edited one is now, None where it was not edited.

    The old checksum and the new one both stand in SHA256SUMS while the table is replaced, so that a run which is
    killed at any moment leaves nothing that looks edited.
    """
    with _partial(path) as (partial, stream):
        # half a surrogate, as in a strange path, is written as an escape
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
        write(text)
        text.detach()
    try:
        return _take_its_place(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _take_its_place(partial: Path, path: Path) -> Path | None:
    sums, there, new = read_sums(path.parent), _sum_of_file(path), _sum_of_file(partial) or ""
    if there == new and sums.get(path.name) == [new]:
        partial.unlink()
        return None
    aside = _edited_aside(path, there, sums, new)
    before = sums.get(path.name, [there] if there else [])
    _write_sums(path.parent, {**sums, path.name: [*before, new]})
    partial.replace(path)
    sync(path.parent)
    _write_sums(path.parent, {**sums, path.name: [new]})
    return aside


def remove_table(path: Path) -> Path | None:
    """Takes a table away. Returns where an edited one is now, None where it was not edited."""
    sums = read_sums(path.parent)
    aside = _edited_aside(path, _sum_of_file(path), sums)
    path.unlink(missing_ok=True)
    if sums.pop(path.name, None) is not None:
        _write_sums(path.parent, sums)
    return aside


def _edited_aside(path: Path, there: str | None, sums: Mapping[str, Sequence[str]], *to_be: str) -> Path | None:
    if there is None or path.name not in sums or there in (*sums[path.name], *to_be):
        return None
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


def _sum_of_file(path: Path) -> str | None:
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return None
