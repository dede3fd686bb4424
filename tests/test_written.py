"""Tables that somebody has edited are kept; a kill at any moment leaves nothing that looks edited."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.stored import EXPERIMENT, opened, record, written
from trials import written as writing
from trials.tables import write_tables
from trials.written import SUMS, read_sums, replace_tables

REFERENCE = ROOT / "results" / "reference"


def put(table, content):
    """Where the edited one is now that was there; None where there was none."""
    return put_all(table.parent, **{table.name: content}).get(table.name)


def put_all(folder, **contents):
    """Contents of None take their table away."""

    def writer(content):
        return content if content is None else lambda stream: stream.write(content.decode())

    return replace_tables(folder, {name: writer(content) for name, content in contents.items()})


def remove(table):
    return replace_tables(table.parent, {table.name: None}).get(table.name)


class Killed(BaseException):
    """Nothing that follows in the process happens."""


def killed_after(steps, monkeypatch):
    """From the next step on that changes the disk, the process is dead."""
    left = [steps]
    replace = Path.replace

    def replacing(self, target):
        if not left[0]:
            raise Killed
        left[0] -= 1
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replacing)


def test_an_edited_table_is_kept_and_the_new_one_written(tmp_path):
    table = tmp_path / "t.csv"
    assert put(table, b"1\n") is None
    for number in (1, 2):
        table.write_bytes(b"mine %d\n" % number)
        assert put(table, b"%d\n" % number) == tmp_path / f"t.csv.edited-{number}"
        assert (tmp_path / f"t.csv.edited-{number}").read_bytes() == b"mine %d\n" % number
        assert table.read_bytes() == b"%d\n" % number


def test_a_table_that_is_as_it_was_written_or_as_it_is_to_be_is_no_edited_one(tmp_path):
    table = tmp_path / "t.csv"
    put(table, b"1\n")
    assert put(table, b"2\n") is None
    table.write_bytes(b"3\n")
    assert put(table, b"3\n") is None
    table.unlink()
    assert put(table, b"4\n") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "t.csv"]


def test_what_sha256sums_does_not_name_is_replaced(tmp_path):
    """Folders from before there was one, and those whose sums somebody has removed."""
    (tmp_path / "t.csv").write_bytes(b"old\n")
    (tmp_path / SUMS).write_bytes(b"\xff no checksum\n\n0123  u.csv\n")
    assert put(tmp_path / "t.csv", b"new\n") is None
    assert (tmp_path / "t.csv").read_bytes() == b"new\n"
    assert list(read_sums(tmp_path)) == ["t.csv"]


def test_writing_what_is_there_writes_nothing(tmp_path):
    put(tmp_path / "t.csv", b"1\n")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    put(tmp_path / "t.csv", b"1\n")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_table_that_goes_is_kept_where_it_was_edited(tmp_path):
    put(tmp_path / "t.csv", b"1\n")
    assert remove(tmp_path / "t.csv") is None
    put(tmp_path / "t.csv", b"1\n")
    (tmp_path / "t.csv").write_bytes(b"mine\n")
    assert remove(tmp_path / "t.csv") == tmp_path / "t.csv.edited-1"
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "t.csv.edited-1"]
    assert read_sums(tmp_path) == {}


def test_where_one_table_cannot_be_written_all_stay_as_they_were(tmp_path):
    put_all(tmp_path, **{"a.csv": b"1", "b.csv": b"1", "c.csv": b"1"})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / ".b.csv.part").mkdir()
    with pytest.raises(IsADirectoryError) as error:
        put_all(tmp_path, **{"a.csv": b"2", "b.csv": b"2", "c.csv": None})
    assert error.value.filename == str(tmp_path / "b.csv")
    (tmp_path / ".b.csv.part").rmdir()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("steps", range(6))
def test_tables_killed_while_they_take_their_places_are_whole_and_named(tmp_path, steps, monkeypatch):
    put_all(tmp_path, **{"a.csv": b"old a", "b.csv": b"old b", "c.csv": b"old c", "d.csv": b"other"})
    with monkeypatch.context() as patch:
        killed_after(steps, patch)
        with contextlib.suppress(Killed):
            put_all(tmp_path, **{"a.csv": b"new a", "b.csv": b"new b", "c.csv": None})
    replaced = [name for name in "ab" if (tmp_path / f"{name}.csv").read_bytes() == b"new %s" % name.encode()]
    assert replaced == ["a", "b"][: max(0, steps - 1)]  # the first step is that of SHA256SUMS
    sums = read_sums(tmp_path)
    for table in tmp_path.glob("*.csv"):
        assert writing.checksum(table.read_bytes()) in sums[table.name]
    assert put_all(tmp_path, **{"a.csv": b"3", "b.csv": b"3", "c.csv": None}) == {}
    three, other = writing.checksum(b"3"), writing.checksum(b"other")
    assert read_sums(tmp_path) == {"a.csv": [three], "b.csv": [three], "d.csv": [other]}
    assert sorted(path.name for path in tmp_path.iterdir()) == [SUMS, "a.csv", "b.csv", "d.csv"]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="there is no sha256sum")
def test_sha256sum_understands_the_file(tmp_path):
    for name in ("a.csv", "b b.csv"):
        put(tmp_path / name, name.encode())
    check = ["sha256sum", "--strict", "-c", SUMS]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "a.csv").write_bytes(b"mine")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True, check=False).returncode == 1


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=5), st.booleans(), st.integers(4, 5))
def test_runs_killed_at_any_step_leave_nothing_that_looks_edited_and_hide_no_edit(tmp_path_factory, runs, old, last):
    folder = tmp_path_factory.mktemp("r")
    table = folder / "t.csv"
    if old:
        table.write_bytes(b"from a version without SHA256SUMS")
    for content, steps in runs:
        with pytest.MonkeyPatch.context() as patch:
            killed_after(steps, patch)
            with contextlib.suppress(Killed):
                assert put(table, b"%d" % content) is None
    guarded = (folder / SUMS).exists() and table.exists()
    if guarded:
        table.write_bytes(b"mine")
    assert put(table, b"%d" % last) == (folder / "t.csv.edited-1" if guarded else None)
    assert read_sums(folder) == {"t.csv": [writing.checksum(b"%d" % last)]}


def test_an_edited_table_of_a_results_folder_is_told_once_and_the_tables_are_whole(tmp_path):
    written(tmp_path / "r", record(1))
    folder = opened(tmp_path / "r")
    write_tables(folder, EXPERIMENT)
    summary = tmp_path / "r" / "summary.csv"
    before = summary.read_bytes()
    summary.write_bytes(before.replace(b"0.5", b"0.9"))
    write_tables(folder, EXPERIMENT)
    assert folder.news() == [f"{summary} was not as it had been written: it is kept as summary.csv.edited-1."]
    assert summary.read_bytes() == before
    write_tables(folder, EXPERIMENT)
    assert folder.news() == []
    folder.close()


def test_an_error_text_that_is_no_unicode_can_be_written(tmp_path):
    written(tmp_path / "r", record(1, status="failed", error="no file 'a\udcff\0'"))
    folder = opened(tmp_path / "r")
    write_tables(folder, EXPERIMENT)
    folder.close()
    assert rb"no file 'a\udcff" in (tmp_path / "r" / "trials.csv").read_bytes()


@pytest.mark.parametrize("path", sorted(REFERENCE.glob("**/journal.jsonl")), ids=lambda path: path.parent.name)
def test_the_published_tables_are_those_of_their_checksums(path):
    tables = {table.name: [writing.checksum(table.read_bytes())] for table in path.parent.glob("*.csv")}
    assert read_sums(path.parent) == tables
