"""kill -9 of a run, which nothing can catch: the next run continues, and ends as an undisturbed one."""

import random
import shutil
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.faults.conftest import INLINE, PROCESSES, TRIALS, orphans, until, workers


def kill(process):
    """kill -9 of the driver alone; what it leaves must end by itself."""
    process.kill()
    process.communicate()
    left = orphans(process.pid)
    assert not left, [each.cmdline() for each in left]


def random_points(tiny, executor, seed, points):
    """Runs the command again and again and kills it when some more trials are written, and a moment later.

    Returns at which number of trials it was killed.
    """
    draw, seen = random.Random(seed), []
    most = TRIALS // (3 * points)
    while len(seen) < points:
        process = tiny.start(*executor)
        goal = tiny.trained() + draw.randint(0, most)
        until(lambda goal=goal: tiny.trained() >= goal, process)
        time.sleep(draw.uniform(0, 0.01) if goal else draw.uniform(0, 2))  # a trial takes some 8 ms
        before = tiny.trained()
        kill(process)
        assert tiny.trained() >= before
        seen.append(tiny.trained())
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "points"), [(INLINE, 7), (PROCESSES, 5)], ids=["inline", "processes"])
def test_killed_again_and_again_while_trials_run(executor, points, tiny, undisturbed):
    seen = random_points(tiny, executor, seed=0, points=points)
    print("killed at", seen, "trials")
    assert seen == sorted(seen)
    done = tiny.run(*executor)
    assert done.returncode == 0, done.stderr
    assert f"{seen[-1]} of {TRIALS} trials are already in" in done.stderr
    assert tiny.tables() == undisturbed
    assert not list(tiny.folder.rglob("*.part"))


def test_killed_while_trials_run_once(tiny, undisturbed):
    process = tiny.start()
    until(lambda: tiny.trained() >= 7, process)
    kill(process)
    kept = tiny.trained()
    assert kept >= 7
    done = tiny.run()
    assert (done.returncode, tiny.trained()) == (0, TRIALS)
    assert f"{kept} of {TRIALS} trials are already in" in done.stderr
    assert tiny.tables() == undisturbed


@pytest.mark.slow
def test_killed_while_tables_are_written(tiny, whole, undisturbed):
    """The journal is whole, so that the command writes tables at once; it is killed at ten moments."""
    shutil.copytree(whole.folder, tiny.folder)
    journal, draw = tiny.journal.read_bytes(), random.Random(1)
    names = [*sorted(undisturbed), "timings.csv"] * 2
    for name in names[:10]:
        for path in tiny.folder.glob("*.csv"):
            path.unlink()
        process = tiny.start()
        begun = tiny.folder / f".{name}.part", tiny.folder / name
        until(lambda begun=begun: any(path.exists() for path in begun), process, every=0.0005)
        time.sleep(draw.uniform(0, 0.003))
        kill(process)
        assert tiny.journal.read_bytes() == journal
        assert all(undisturbed[table] == content for table, content in tiny.tables().items())  # whole, or not there
    assert tiny.run().returncode == 0
    assert tiny.tables() == undisturbed


WRITER = '''
import os, random, signal, sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from experiments import find
from trials import report
from trials.store import Folder

source, target, seed, points = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
whole = Folder.existing(source, lock=False)
declared, _ = find.experiment_of(whole)
records = whole.ordered(declared)
report.write(whole, declared, (150, 0))  # imports what is imported on the way


def write():
    """What a run does to its folder, its trials' durations left out."""
    folder = Folder(target, whole.header)
    folder.read()
    folder.check(declared)
    folder.begin("cpu")
    folder.write_json("run.json", {})
    there = {(record.place, record.result.trial) for record in folder.records.values()}
    for record in records:
        if (record.place, record.result.trial) not in there:
            folder.add(record)
    report.write(folder, declared, (150, 0))
    folder.close()


def child():
    number = os.fork()
    if number == 0:
        write()
        os._exit(0)
    return number


draw, killed, finished = random.Random(seed), 0, 0
started = time.perf_counter()
os.waitpid(child(), 0)
whole_write = time.perf_counter() - started
while killed < points:
    number = child()
    time.sleep(draw.uniform(0, 1.1 * whole_write))
    os.kill(number, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    killed += code != 0
    if code == 0:  # all was written before: from nothing again
        finished += 1
        sound = [(path.name, path.read_bytes()) for path in target.glob("*.csv") if path.name != "timings.csv"]
        assert dict(sound) == {name: (source / name).read_bytes() for name, _ in sound}
        for path in target.iterdir():
            path.unlink()
write()
print(killed, finished, round(whole_write, 3), round(time.perf_counter() - started, 1))
'''


@pytest.mark.slow
def test_killed_hundreds_of_times_while_a_folder_is_written(tmp_path, whole, undisturbed):
    """The folder's own code, in a process that is forked and killed at a random moment, 200 times."""
    words = [sys.executable, "-c", WRITER, str(ROOT), str(whole.folder), str(tmp_path / "r"), "0", "200"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    print("killed, finished meanwhile, seconds of one write, of all:", done.stdout)
    tables = {path.name: path.read_bytes() for path in (tmp_path / "r").glob("*.csv") if path.name != "timings.csv"}
    assert tables == undisturbed


def test_a_killed_driver_leaves_no_process_and_no_copy_of_the_data(tiny, tmp_path):
    """Not even where its workers are in an endless call."""
    (tmp_path / "temporary").mkdir()
    there = {"TMPDIR": str(tmp_path / "temporary"), "IN_TRAINING": "True"}
    process = tiny.start("--executor", "processes", "--workers", "1", **there)
    until((tiny.place / "looping").exists, process)
    assert list((tmp_path / "temporary").glob("trials-*"))
    assert len(workers(process)) == 1
    kill(process)
    assert not list((tmp_path / "temporary").glob("trials-*"))
