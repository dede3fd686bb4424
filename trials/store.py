"""The results folder: an append-only journal, its lock, its tables."""

import contextlib
import csv
import functools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from trials import backend, run_record, written
from trials.engines.results import TrialResult
from trials.errors import UserError
from trials.experiment import Configuration, Experiment
from trials.journal import (
    Record,
    Row,
    checked,
    first_header,
    header_line,
    header_of,
    is_complete,
    lines_text,
    record_of,
    trial_line,
)
from trials.journal_end import JournalEnd
from trials.keys import Place, at, configuration_place, difference, differences, plain, weights_name

Table = tuple[Sequence[str], Iterable[Row]]
"The columns of a table, and its rows: of a row, what the columns name."


class Folder:
    """One experiment's results. `read` first, `begin` before the first result, `sync` after the last, then `close`."""

    def __init__(self, path: Path, header: Mapping[str, Any], fresh: bool = False) -> None:
        self.path = path
        self.header = plain(header)
        self.fresh = fresh
        self.problems: list[str] = []
        self.records: dict[tuple[Place, int], Record] = {}
        self._has_header = False
        self._begun = False
        self._earlier_device: str | None = None
        self._lock: FileLock | None = None
        self._end = JournalEnd(self.journal)

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    def news(self) -> list[str]:
        """What is to be told of the folder and was not told before."""
        told, self.problems = self.problems, []
        return told

    @classmethod
    def existing(cls, path: Path, lock: bool = True) -> "Folder":
        """The results that are in `path`, whatever was asked for, locked unless they are only to be looked at.

        Raises UserError where there are none, or where another run holds them.
        """
        if not (path / "journal.jsonl").is_file():
            raise UserError(
                f"{path} holds no results: it has no journal.jsonl.\n"
                "Give the folder that a run has written, as results/iris_hidden_units."
            )
        header = first_header(path / "journal.jsonl") or run_record.header(path)
        if header is None or not is_complete(header):
            why = "its journal has lost its first line" if header is None else "another version has written it"
            raise UserError(
                f"{path} holds no results that can be read: {why}.\n"
                "Run the experiment with --fresh, which moves the folder aside and deletes nothing."
            )
        folder = cls(path, header)
        if lock:
            folder.read()
        else:
            folder._read_journal()
        return folder

    def read(self) -> None:
        """Takes the lock and what is already there; changes nothing.

        Raises UserError when another run holds the folder or its results are of another kind.
        """
        self._check_place()
        if not self.path.exists():
            return
        self._take_lock()
        if self.journal.is_file() and not self.fresh:
            self._read_journal()

    def _check_place(self) -> None:
        parent = self.path
        try:
            while not parent.exists():
                parent = parent.parent
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise self._unwritable(f"{parent} is {'not writable' if parent.is_dir() else 'not a folder'}")

    def _unwritable(self, why: str) -> UserError:
        way_out = "Choose another with --results DIR."
        if self._begun:
            way_out = "Trials that ended before are in its journal; when it can be written, the same command continues"
            way_out += ", without --fresh." if self.fresh else "."
        return UserError(f"The results folder {self.path} cannot be written: {why}.\n{way_out}")

    def _take_lock(self) -> None:
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
            self._lock = lock
            name = os.uname().nodename if hasattr(os, "uname") else "this machine"
            (self.path / ".holder").write_text(f"process {os.getpid()} on {name}\n", encoding="utf-8")
        except Timeout:
            who = "another process"
            with contextlib.suppress(OSError):
                who = (self.path / ".holder").read_text(encoding="utf-8", errors="replace").strip() or who
            raise UserError(
                f"{self.path} is in use by {who}.\nWait for it, or write elsewhere with --results DIR."
            ) from None
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    def _read_journal(self) -> None:
        damaged, foreign = [], []
        keys: dict[str, Mapping[str, Any]] = {}
        with open(self.journal, encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                entry = checked(line)
                if entry is None:
                    damaged.append(number)
                elif (header := header_of(entry)) is not None:
                    self._has_header = True
                    self._compare(header)
                elif (record := record_of(entry, keys)) is not None:
                    self._keep(record)
                else:
                    foreign.append(number)
        for numbers, what in ((damaged, "damaged or unfinished"), (foreign, "not as this version writes it")):
            if numbers:
                where = f"{self.journal}, {lines_text(numbers)}"
                self.problems.append(f"{where}: {what}, left out; a trial that no other line holds runs again.")
        if self.records and not self._has_header:
            self._recover_header()

    def _recover_header(self) -> None:
        """The line that says how all trials were run is lost: run.json says it too."""
        header = run_record.header(self.path)
        if header is None:
            raise UserError(
                f"{self.journal} has lost its first line, which says how its trials were run.\n"
                "Move it aside with --fresh."
            )
        self._compare({name: header[name] for name in (*self.header, "device") if name in header})

    def _keep(self, record: Record) -> None:
        """The latest counts, but what failed never takes the place of what ended well."""
        earlier = self.records.get((record.place, record.result.trial))
        if earlier is None or earlier.result.status != "ok" or record.result.status == "ok":
            self.records[record.place, record.result.trial] = record

    def _compare(self, header: Mapping[str, Any]) -> None:
        self._earlier_device = header.get("device")
        for name in [name for name in {**header, **self.header} if name != "device"]:
            old, new = header.get(name), self.header.get(name)
            if old != new:
                raise self._refusal(name, *difference(old, new), again=_asked_again(name, header, self.header))

    def _refusal(self, name: str, old: Any, new: Any, again: str = "") -> UserError:
        use = f"Continue them with {again}, or use" if again else "Use"
        return UserError(
            f"{self.path} holds results of another kind: {name} was {_short(old)}, now it is {_short(new)}.\n"
            f"{use} --fresh (moves the old folder aside, deletes nothing) or --results DIR."
        )

    def results(self) -> dict[Place, list[TrialResult]]:
        """What the trials of each configuration gave."""
        found: dict[Place, list[TrialResult]] = {}
        for record in self.records.values():
            found.setdefault(record.place, []).append(record.result)
        return found

    def check(self, experiment: Experiment) -> None:
        """Raises UserError where a result is not what the experiment, as asked for now, would give at its place.

        All results of a folder must be what one command could have made, whichever of them are asked for now.
        Those of variants that are no longer declared are left as they are.
        """
        for record in {record.place: record for record in self.records.values()}.values():
            configuration = at(record.key, experiment)
            if configuration is not None:
                for part, (old, new) in differences(record.key, configuration).items():
                    raise self._refusal(f"{part} of {configuration.label}", old, new)

    def missing(
        self, configuration: Configuration, seeds: Iterable[tuple[int, int]], keep_weights: bool = False
    ) -> tuple[tuple[int, int], ...]:
        """The (trial, seed) pairs still to be trained: those without a result, and those that failed.

        With `keep_weights` also those whose weights are not there.
        """
        needed, here = [], configuration_place(configuration)
        for trial, seed in seeds:
            record = self.records.get((here, trial))
            if record is None or record.result.status in ("failed", "timeout") or (keep_weights and self._bare(record)):
                needed.append((trial, seed))
        return tuple(needed)

    def _bare(self, record: Record) -> bool:
        return record.result.status == "ok" and self.weights(record) is None

    def weights(self, record: Record) -> bytes | None:
        """The contents of a trial's weights file; None where it was not kept or is not what was kept."""
        path = self.path / "weights" / weights_name(record.key, record.result.trial)
        if not record.result.weights_sha256 or not path.is_file():
            return None
        content = path.read_bytes()
        return content if written.checksum(content) == record.result.weights_sha256 else None

    def begin(self, device: str) -> None:
        """Makes the folder ready for results; the old one goes aside where a fresh start was asked for.

        Raises UserError where another run began here meanwhile, or where earlier trials ran on another device.
        """
        if self._earlier_device not in (None, device):
            raise self._refusal("the device", self._earlier_device, device, f"--device {self._earlier_device}")
        self.header["device"] = device
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if self._lock is None:
                self._take_lock()
                if self.journal.is_file():
                    raise UserError(f"Another run has begun in {self.path} meanwhile.\nRun the command again.")
            elif self.fresh and any(not path.name.startswith(".") for path in self.path.iterdir()):
                self._move_aside()
            self._end.mend(is_empty=not self._has_header and not self.records)
            if not self._has_header:
                self._end.append(header_line(self.header))
            written.sync(self.path)
            self._end.hold()
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error
        self._begun = True

    def _move_aside(self) -> None:
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.old-{number}")).exists():
            number += 1
        if os.name == "nt":  # where nothing that is open can be renamed
            self.close()
        (self.path / ".holder").unlink(missing_ok=True)
        self.path.rename(aside)
        self.close()
        self.problems.append(f"The old results are now in {aside}.")
        self.path.mkdir()
        self._take_lock()

    def add(self, record: Record) -> None:
        """Appends a finished trial, its weights first: in the system's hands when this returns, on disk with `sync`.

        Raises UserError where they cannot be written; the figures are kept where only the weights cannot be.
        """
        try:
            try:
                if record.result.weights:
                    self._write_weights(weights_name(record.key, record.result.trial), record.result.weights)
                    record.result.weights = b""
            finally:
                self._end.append(trial_line(record))
        except OSError as error:
            raise self._unwritable(f"{error.strerror or error} ({error.filename or self.journal})") from error
        self._keep(record)
        with self._writing(self.journal.name):
            self._end.tell()

    def _write_weights(self, name: str, content: bytes) -> None:
        folder = self.path / "weights"
        folder.mkdir(exist_ok=True)
        written.replace(folder / name, content)

    def sync_in_time(self) -> None:
        """Has the journal on disk where that is due: to be called again and again; it raises nothing."""
        self._end.sync_in_time()

    def sync(self) -> None:
        """Has the whole journal on disk. Raises UserError where it cannot be, or could not be meanwhile."""
        with self._writing(self.journal.name):
            self._end.sync()

    def close(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                (self.path / ".holder").unlink()
            self._lock.release()
            self._lock = None

    def ordered(self, experiment: Experiment | None = None) -> list[Record]:
        """All records in canonical order: variant as declared (or by name), swept values ascending, trial."""
        variants = [variant.name for variant in experiment.variants] if experiment is not None else []
        swept = self.header["swept"]

        def order(record: Record) -> Any:
            name = record.key["variant"]
            known = variants.index(name) if name in variants else len(variants)
            return known, name, [_sortable(record.key["values"].get(value)) for value in swept], record.result.trial

        return sorted(self.records.values(), key=order)

    def write_tables(self, tables: Mapping[str, Table | None]) -> None:
        """CSV files by name, replaced together and each as a whole. Floats read back exactly; None is an empty cell.

        A table of None is taken away. One that somebody has edited is kept under another name.
        """
        writing = {name: functools.partial(_write_csv, table) if table else None for name, table in tables.items()}
        with self._writing("tables"):
            asides = written.replace_tables(self.path, writing)
        for name, aside in asides.items():
            self.problems.append(f"{self.path / name} was not as it had been written: it is kept as {aside.name}.")

    def amend_run_record(self, name: str, value: Any) -> None:
        """Replaces one entry of run.json, where there is one that can be read."""
        record = run_record.read(self.path)
        if record:
            self.write_json(run_record.NAME, {**record, name: value})

    def write_json(self, name: str, content: Any) -> None:
        text = json.dumps(content, indent=2, default=str) + "\n"
        with self._writing(name):
            written.replace(self.path / name, text.encode())

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """Raises UserError where a file cannot be written, of this name where the error has none."""
        try:
            yield
        except OSError as error:
            raise self._unwritable(f"{error.strerror or error} ({Path(error.filename or name).name})") from error


def _asked_again(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What asks for the engine and the backend of the old results; nothing where another difference bars the way."""
    (engine, on), wanted = ((each.get("engine"), backend.of(each.get("versions") or {})) for each in (old, new))
    if name not in ("engine", "versions") or (engine, on) == wanted or engine is None:
        return ""
    return backend.asked_by(engine, on)


def _sortable(value: Any) -> tuple[bool, Any]:
    return (False, value) if isinstance(value, (int, float)) else (True, str(value))


def _write_csv(table: Table, stream: TextIO) -> None:
    columns, rows = table
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column) for column in columns] for row in rows)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_short(part)}" for name, part in value.items()) or "nothing"
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text
