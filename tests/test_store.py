"""A results folder: what is written reads back, what does not fit is refused, nothing is lost."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.stored import (
    EXPERIMENT,
    HEADER,
    configuration,
    opened,
    record,
    reread,
    rows,
    written,
)
from trials import journal_end
from trials.errors import UserError
from trials.keys import weights_name
from trials.store import Folder

# the journal


def test_trials_read_back_equal_to_what_was_added(tmp_path):
    full = record(1, seconds=0.1, notes={"fallback": "no reason"})
    failed = record(2, status="failed", epochs=1, best_epoch=None, parameters=None)
    written(tmp_path / "r", full, failed)
    folder = reread(tmp_path / "r")
    assert folder.problems == []
    assert list(folder.records.values()) == [full, failed]


@settings(deadline=None)
@given(st.floats(0, 1), st.text(max_size=20), st.none() | st.integers(0, 2**63))
def test_any_figure_and_any_text_read_back_equal(number, text, whole):
    with tempfile.TemporaryDirectory() as path:
        added = record(1, number, parameters=whole, error=text)
        written(Path(path) / "r", added)
        assert list(reread(Path(path) / "r").records.values()) == [added]


def test_the_journal_is_put_on_disk_once_a_second_and_when_asked(tmp_path, monkeypatch):
    now, on_disk = [100.0], []

    def fsync(number):
        if os.fstat(number).st_ino == folder.journal.stat().st_ino:
            on_disk.append(folder.journal.read_bytes().count(b'"record": "trial"'))

    monkeypatch.setattr(journal_end.time, "monotonic", lambda: now[0])
    folder = opened(tmp_path / "r")
    folder.begin("cpu")
    monkeypatch.setattr(journal_end.os, "fsync", fsync)
    for trial, at in enumerate((100.5, 100.9, 101.1, 102.0, 102.05), 1):
        now[0] = at
        folder.add(record(trial))
    assert on_disk == [3]
    now[0] = 102.09
    folder.sync_in_time()
    assert on_disk == [3]
    now[0] = 102.11
    folder.sync_in_time()
    folder.sync_in_time()  # there is nothing new
    assert on_disk == [3, 5]
    folder.sync()
    assert on_disk == [3, 5, 5]


def test_what_keeps_the_journal_from_the_disk_is_told_by_the_next_trial_which_is_in_it(tmp_path, monkeypatch):
    def broken(number):
        raise OSError(errno.EIO, "Input/output error")

    folder = opened(tmp_path / "r")
    folder.begin("cpu")
    folder.add(record(1))
    fsync = os.fsync
    monkeypatch.setattr(journal_end, "SYNC_SECONDS", 0)
    monkeypatch.setattr(journal_end.os, "fsync", broken)
    folder.sync_in_time()  # within a training: nothing is raised
    monkeypatch.setattr(journal_end.os, "fsync", fsync)  # a second call says that all is well, whatever was lost
    for tell in (lambda: folder.add(record(2)), folder.sync):
        with pytest.raises(UserError, match=r"cannot be written: Input/output error \(journal.jsonl\)"):
            tell()
    folder.close()
    assert list(reread(tmp_path / "r").records.values()) == [record(1), record(2)]


def test_the_last_record_of_a_trial_counts(tmp_path):
    written(tmp_path / "r", record(1, status="failed"), record(1, 0.75))
    assert list(reread(tmp_path / "r").records.values()) == [record(1, 0.75)]


@pytest.mark.parametrize("kept", [0, 1, 100, -2])
def test_a_torn_last_line_is_reported_skipped_and_the_file_goes_on(tmp_path, kept):
    journal = written(tmp_path / "r", record(1), record(2))
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:kept])
    folder = opened(tmp_path / "r")
    assert [one.result.trial for one in folder.records.values()] == [1]
    assert len(folder.problems) == (kept != 0)
    assert all("line 3: damaged or unfinished, left out; a trial that" in text for text in folder.problems)
    assert folder.missing(configuration(), [(1, 0), (2, 1)]) == ((2, 1),)
    folder.begin("cpu")
    folder.add(record(2, 0.75))
    folder.close()
    assert list(reread(tmp_path / "r").records.values()) == [record(1), record(2, 0.75)]


def test_a_complete_last_line_without_its_newline_is_kept_and_the_file_goes_on(tmp_path):
    journal = written(tmp_path / "r", record(1))
    journal.write_bytes(journal.read_bytes().rstrip(b"\n"))
    written(tmp_path / "r", record(2))
    folder = reread(tmp_path / "r")
    assert list(folder.records.values()) == [record(1), record(2)]
    assert folder.problems == []


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return written(tmp_path_factory.mktemp("sound") / "r", record(1), record(2)).read_bytes()


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_never_changes_a_result_without_being_reported(sound, data):
    start = sound.index(b"\n") + 1
    position = data.draw(st.integers(start, len(sound) - 2))
    changed = bytearray(sound)
    changed[position] = data.draw(st.integers(0, 255).filter(lambda byte: byte != sound[position]))
    with tempfile.TemporaryDirectory() as path:
        (Path(path) / "journal.jsonl").write_bytes(changed)
        folder = reread(Path(path))
    found = list(folder.records.values())
    expected = [record(1), record(2)]
    assert [one for one in expected if one in found] == found
    assert len(found) == 2 or folder.problems


@pytest.mark.parametrize("line", ["5", "[]", '"text"', "null", "{}", '{"record": "trial"}', '{"sha256": 3}', "\0\xff"])
def test_a_foreign_line_is_reported_and_skipped(tmp_path, line):
    journal = written(tmp_path / "r", record(1))
    journal.write_text(journal.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    folder = reread(tmp_path / "r")
    assert list(folder.records.values()) == [record(1)]
    assert len(folder.problems) == 1


def test_a_lost_first_line_is_refused_once_there_are_trials(tmp_path):
    journal = written(tmp_path / "r", record(1))
    journal.write_bytes(b"x" + journal.read_bytes())
    with pytest.raises(UserError, match=r"has lost its first line.*\nMove it aside with --fresh"):
        opened(tmp_path / "r")


@pytest.mark.parametrize("kept", [0, 20])
def test_after_a_crash_within_the_first_line_the_next_runs_results_are_not_lost(tmp_path, kept):
    journal = written(tmp_path / "r")
    journal.write_bytes(journal.read_bytes()[:kept])
    written(tmp_path / "r", record(1))
    assert list(reread(tmp_path / "r").records.values()) == [record(1)]


# what is still to be done


@pytest.mark.parametrize(("status", "again"), [("ok", False), ("diverged", False), ("failed", True), ("timeout", True)])
def test_failed_trials_run_again_and_diverged_ones_are_kept(tmp_path, status, again):
    written(tmp_path / "r", record(1, status=status))
    needed = reread(tmp_path / "r").missing(configuration(), [(1, 0), (2, 1)])
    assert needed == (((1, 0), (2, 1)) if again else ((2, 1),))


# the folder


def test_a_folder_that_can_no_longer_be_written_is_told_in_a_sentence(tmp_path):
    folder = opened(tmp_path / "r")
    folder.begin("cpu")
    (tmp_path / "r" / "weights").write_text("a file")
    with pytest.raises(UserError, match=r"results folder .* cannot be written: File exists .*weights"):
        folder.add(record(1, weights=b"some", weights_sha256="0"))
    folder.close()
    kept = reread(tmp_path / "r")  # the figures are: only the weights could not be written
    assert kept.missing(configuration(), [(1, 0)]) == ()
    assert kept.missing(configuration(), [(1, 0)], keep_weights=True) == ((1, 0),)


def test_a_journal_that_someone_removed_is_not_begun_anew_without_its_first_line(tmp_path):
    folder = opened(tmp_path / "r")
    folder.begin("cpu")
    folder.journal.unlink()
    with pytest.raises(UserError, match=r"No such file or directory .*journal.*\nTrials that ended before are in its"):
        folder.add(record(1))
    assert not folder.journal.exists()
    folder.close()


@pytest.mark.parametrize("left", ["", "\n", '{"header": {"exp'], ids=["nothing", "a line's end", "half a line"])
def test_a_run_that_was_killed_within_its_first_line_has_left_nothing(tmp_path, left):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "journal.jsonl").write_text(left)
    journal = written(tmp_path / "r", record(1))
    assert len(journal.read_text().splitlines()) == 2
    assert len(reread(tmp_path / "r").records) == 1


def test_a_folder_in_which_the_lock_cannot_be_noted_is_told_in_a_sentence(tmp_path):
    (tmp_path / "r" / ".holder").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot be written: Is a directory"):
        opened(tmp_path / "r")


def test_tables_that_cannot_be_written_are_told_in_a_sentence(tmp_path):
    folder = opened(tmp_path / "r")
    folder.begin("cpu")
    (tmp_path / "r" / ".run.json.part").mkdir()
    (tmp_path / "r" / ".a.csv.part").mkdir()
    for write in (lambda: folder.write_json("run.json", {}), lambda: folder.write_tables({"a.csv": (["x"], [])})):
        with pytest.raises(UserError, match="cannot be written: Is a directory"):
            write()
    folder.close()


def test_reading_makes_nothing_and_beginning_makes_the_folder(tmp_path):
    folder = opened(tmp_path / "a" / "r")
    assert list(tmp_path.iterdir()) == []
    folder.begin("cpu")
    folder.close()
    assert len((tmp_path / "a" / "r" / "journal.jsonl").read_text(encoding="utf-8").splitlines()) == 1


HOLDER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from trials.store import Folder
folder = Folder(Path(sys.argv[2]), {})
folder.read()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_held_by_another_process_is_refused_until_that_ends(tmp_path):
    written(tmp_path / "r")
    (tmp_path / "r" / "journal.jsonl").unlink()
    command = [sys.executable, "-c", HOLDER, str(ROOT), str(tmp_path / "r")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(
            UserError, match=f"r is in use by process {other.pid} on .*\nWait for it, or write elsewhere"
        ):
            opened(tmp_path / "r")
        other.kill()  # not even a crash leaves the folder locked
    opened(tmp_path / "r").close()


def test_fresh_moves_every_old_folder_aside_and_deletes_nothing(tmp_path):
    first = written(tmp_path / "r", record(1)).read_bytes()
    for number in (1, 2):
        folder = opened(tmp_path / "r", {**HEADER, "first seed": number}, fresh=True)
        assert folder.records == {}
        assert folder.missing(configuration(), [(1, 0)]) == ((1, 0),)
        folder.begin("cpu")
        folder.close()
        assert folder.problems == [f"The old results are now in {tmp_path / f'r.old-{number}'}."]
    assert (tmp_path / "r.old-1" / "journal.jsonl").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r", "r.old-1", "r.old-2"]


def test_fresh_leaves_the_old_folder_in_place_until_there_is_something_to_write(tmp_path):
    journal = written(tmp_path / "r", record(1))
    opened(tmp_path / "r", fresh=True).close()
    assert journal.is_file()


def test_a_file_in_the_folders_place_is_a_user_error(tmp_path):
    (tmp_path / "r").write_text("", encoding="utf-8")
    for path in (tmp_path / "r", tmp_path / "r" / "deeper"):
        with pytest.raises(UserError, match=r"cannot be written: .*r is not a folder\.\nChoose another with --results"):
            opened(path)


# the order of records, and files of tables


def test_records_come_by_variant_as_declared_then_swept_value_then_trial(tmp_path):
    added = [
        record(trial, of=configuration(variant, units=units))
        for trial, variant, units in [
            (2, "a", 9),
            (10, "b", 20),
            (1, "b", 100),
            (2, "b", 20),
            (1, "a", 9),
            (1, "gone", 1),
        ]
    ]
    written(tmp_path / "r", *added)
    found = [
        (one.key["variant"], one.key["values"]["units"], one.result.trial)
        for one in reread(tmp_path / "r").ordered(EXPERIMENT)
    ]
    assert found == [("b", 20, 2), ("b", 20, 10), ("b", 100, 1), ("a", 9, 1), ("a", 9, 2), ("gone", 1, 1)]


def test_the_order_is_the_same_before_and_after_reading_the_journal(tmp_path):
    swept = dataclasses.replace(EXPERIMENT, sweep={"units": (1, 2), "activation": ("elu", "relu")})
    folder = opened(tmp_path / "r")
    folder.begin("cpu")
    for one in swept.configurations():
        folder.add(record(of=one))
    folder.close()
    fresh = [one.key["values"] for one in folder.ordered(swept)]
    assert fresh == [one.key["values"] for one in reread(tmp_path / "r").ordered(swept)]


@settings(deadline=None)
@given(st.lists(st.floats() | st.none() | st.integers() | st.text("a,\"'\n é", max_size=5), min_size=1))
def test_a_table_reads_back_exactly(cells):
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(Path(path), {})
        folder.write_tables({"t.csv": (("value", "end"), ({"value": cell, "end": "."} for cell in cells))})
        found = [row["value"] for row in rows(Path(path) / "t.csv")]
    for cell, text in zip(cells, found, strict=True):
        if isinstance(cell, float):
            np.testing.assert_array_equal(float(text), cell)
        else:
            assert text == ("" if cell is None else str(cell))


def test_numpys_own_floats_read_back_too(tmp_path):
    Folder(tmp_path, {}).write_tables({"t.csv": (("value",), [{"value": np.float64(0.1)}])})
    assert float(rows(tmp_path / "t.csv")[0]["value"]) == 0.1


def test_a_table_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    folder = Folder(tmp_path, {})
    folder.write_tables({"t.csv": (("value",), [{"value": 1}])})

    def interrupted():
        yield {"value": 2}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.write_tables({"t.csv": (("value",), interrupted())})
    assert rows(tmp_path / "t.csv") == [{"value": "1"}]


def test_run_json_reads_back_with_paths_as_text(tmp_path):
    Folder(tmp_path, {}).write_json("run.json", {"seed": 1, "path": Path("a")})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {"seed": 1, "path": "a"}


def test_what_failed_never_takes_the_place_of_what_ended_well(tmp_path):
    good = record(accuracy=0.75)
    written(tmp_path, good, record(status="failed"))
    (kept,) = reread(tmp_path).records.values()
    assert (kept.result.status, kept.result.metrics["test_accuracy"]) == ("ok", 0.75)
    written(tmp_path / "other", record(status="failed"), good)
    assert [one.result.status for one in reread(tmp_path / "other").records.values()] == ["ok"]


def test_a_trials_weights_have_the_same_name_before_and_after_reading_back(tmp_path):
    schedule = {"class_name": "ExponentialDecay", "config": {"decay_steps": 10, "decay_rate": 0.5}}
    one = record(of=configuration(units=10, activation="relu", learning_rate=schedule))
    written(tmp_path, one)
    (again,) = reread(tmp_path).records.values()
    assert weights_name(again.key, 1) == weights_name(one.key, 1)
