"""A disk that is full, read-only or gone: told in a sentence, and what was written before is kept."""

import contextlib
import shutil
import subprocess

import pytest

from tests.faults.conftest import HELD, INLINE, PATIENCE, PROCESSES, TRIALS, until


def told(done, *named):
    """Exit code 2, and at most three lines beside the progress bar."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line and "trials " not in line.split("/")[0]]
    assert 1 <= len(lines) <= 3, done.stderr
    assert "Traceback" not in done.stderr
    for text in ("cannot be written", *named):
        assert text in done.stderr


def system(*words):
    """Runs a system command; skips the test where it is not there or not allowed."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"this system has no {words[0]}")
    if done.returncode:
        pytest.skip(f"{' '.join(words)}: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(path, options):
    """A file system in memory."""
    path.mkdir(parents=True)
    system("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def ended(process):
    output, errors = process.communicate(timeout=PATIENCE)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


@pytest.mark.slow
def test_a_disk_that_gets_full_while_trials_run(tiny, undisturbed):
    with mounted(tiny.place / "results", "size=32k"):
        told(tiny.run(*PROCESSES), "No space left on device")
        kept = tiny.trained()
        assert 0 < kept < TRIALS
        system("mount", "-o", "remount,size=10m", str(tiny.place / "results"))
        done = tiny.run(*PROCESSES)
        assert done.returncode == 0, done.stderr
        assert f"{kept} of {TRIALS} trials are already in" in done.stderr
        assert tiny.tables() == undisturbed


def test_a_file_that_may_not_grow(tiny, undisturbed):
    """Where nothing can be mounted: the system refuses to write beyond so many bytes, in the middle of a line."""
    told(tiny.run(*INLINE, file_bytes=20_000), "File too large", "the same command continues")
    kept = tiny.trained()
    assert 0 < kept < TRIALS
    done = tiny.run(*INLINE)
    assert done.returncode == 0, done.stderr
    assert f"{kept} of {TRIALS} trials are already in" in done.stderr
    assert tiny.tables() == undisturbed


@pytest.mark.slow
def test_a_disk_too_full_for_the_tables_loses_no_trial(tiny, undisturbed):
    with mounted(tiny.place / "results", "size=68k"):
        told(tiny.run(), "No space left on device", ".csv")
        assert tiny.trained() == TRIALS
        system("mount", "-o", "remount,size=10m", str(tiny.place / "results"))
        done = tiny.run()
        assert f"{TRIALS} of {TRIALS} trials are already in" in done.stderr
        assert tiny.tables() == undisturbed


@pytest.mark.slow
def test_a_table_that_cannot_be_written_loses_no_trial(tiny, undisturbed):
    (tiny.folder / ".summary.csv.part").mkdir(parents=True)
    told(tiny.run(), "Is a directory (summary.csv)", "the same command continues")
    assert tiny.trained() == TRIALS
    (tiny.folder / ".summary.csv.part").rmdir()
    done = tiny.run()
    assert f"{TRIALS} of {TRIALS} trials are already in" in done.stderr
    assert tiny.tables() == undisturbed


def test_a_read_only_disk_is_refused_before_anything_is_trained(tiny):
    with mounted(tiny.place / "results", "ro"):
        told(tiny.run(), "is not writable", "--results DIR")


@pytest.mark.slow
@pytest.mark.parametrize(("what", "executor"), [("journal", INLINE), ("folder", PROCESSES)], ids=["journal", "folder"])
def test_a_folder_that_becomes_read_only_while_trials_run(what, executor, tiny, undisturbed):
    """Made immutable, which binds the superuser too."""
    process = tiny.start(*executor, **HELD)
    until(lambda: tiny.trained() >= 3, process)
    path = str(getattr(tiny, what))
    try:
        system("chattr", "+i", path)
        tiny.go()
        told(ended(process), "Operation not permitted")
        kept = tiny.trained()
        assert kept >= 3
    finally:
        process.kill()
        subprocess.run(["chattr", "-i", path], check=False, capture_output=True)
    done = tiny.run(*executor)
    assert done.returncode == 0, done.stderr
    assert f"{kept} of {TRIALS} trials are already in" in done.stderr
    assert tiny.tables() == undisturbed


@pytest.mark.slow
def test_a_folder_that_is_removed_while_trials_run(tiny, undisturbed):
    process = tiny.start(*PROCESSES, **HELD)
    until(lambda: tiny.trained() >= 3, process)
    shutil.rmtree(tiny.folder)
    tiny.go()
    told(ended(process), "No such file or directory")
    assert not tiny.folder.exists()
    assert tiny.run(*PROCESSES).returncode == 0
    assert tiny.tables() == undisturbed


@pytest.mark.slow
def test_a_journal_that_is_moved_away_while_trials_run_is_not_begun_anew(tiny, undisturbed):
    """Without its first line it could not be read again."""
    process = tiny.start(**HELD)
    until(lambda: tiny.trained() >= 3, process)
    tiny.journal.rename(tiny.place / "aside")
    tiny.go()
    told(ended(process), "No such file or directory")
    assert not tiny.journal.exists()
    (tiny.place / "aside").rename(tiny.journal)
    kept = tiny.trained()
    done = tiny.run()
    assert f"{kept} of {TRIALS} trials are already in" in done.stderr
    assert tiny.tables() == undisturbed
