"""Ctrl-C and SIGTERM: the run stops within seconds, keeps what is done, and says what continues it."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import ENVIRONMENT
from tests.faults.conftest import HELD, INLINE, PROCESSES, TINY, TRIALS, orphans, until, workers

SECONDS = 60.0
"To wait for a run to stop. Measured: under 1, or 3 to 4 where a library does not come back."


def stop(process, number, group=False):
    """Sends the signal; returns what was said."""
    started = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=SECONDS)
    print(f"stopped after {time.monotonic() - started:.2f} s")
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert errors.count(":\n  python ") == 1, errors
    assert not orphans(process.pid, seconds=1)
    return errors


def continued(tiny, errors):
    """Runs the very commands that were printed; returns the outcome of the first."""
    lines = [line for line in errors.splitlines() if line.startswith("  python ")]
    given = {**ENVIRONMENT, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    how = {"cwd": tiny.place, "env": given, "capture_output": True, "text": True}
    first, *_ = [subprocess.run(shlex.split(line), check=False, **how) for line in lines]
    return first


@pytest.mark.parametrize(
    ("executor", "number", "group"),
    [
        (INLINE, signal.SIGINT, True),
        pytest.param(PROCESSES, signal.SIGINT, True, marks=pytest.mark.slow),
        pytest.param(PROCESSES, signal.SIGINT, False, marks=pytest.mark.slow),
        pytest.param(PROCESSES, signal.SIGTERM, False, marks=pytest.mark.slow),
    ],
    ids=["inline, terminal", "processes, terminal", "processes, SIGINT", "processes, SIGTERM"],
)
def test_the_command_that_is_printed_ends_as_an_undisturbed_run(executor, number, group, tiny, undisturbed):
    process = tiny.start(*executor, **HELD)
    until(lambda: tiny.trained() >= 5, process)
    errors = stop(process, number, group)
    assert 5 <= tiny.trained() < TRIALS
    done = continued(tiny, errors)
    assert done.returncode == 0, done.stderr
    assert "trials are already in" in done.stderr
    assert tiny.tables() == undisturbed


@pytest.mark.parametrize(
    "executor", [INLINE, pytest.param(PROCESSES, marks=pytest.mark.slow)], ids=["inline", "processes"]
)
def test_a_fresh_start_that_is_stopped_before_it_began_is_begun_by_the_command_that_is_printed(
    executor, tiny, whole, undisturbed
):
    shutil.copytree(whole.folder, tiny.folder)
    before = tiny.journal.read_bytes()
    wait = "open('building', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)"
    process = tiny.start(*executor, "--fresh", IN_BUILDER=wait)
    until((tiny.place / "building").exists, process)
    errors = stop(process, signal.SIGINT, group=True)
    assert tiny.journal.read_bytes() == before
    done = continued(tiny, errors)
    assert done.returncode == 0, done.stderr
    assert "The old results are now in " in done.stderr
    assert tiny.folder.with_name("tiny.old-1").joinpath("journal.jsonl").read_bytes() == before
    assert tiny.tables() == undisturbed


def test_a_fresh_start_that_is_stopped_in_the_first_of_two_experiments_moves_each_folder_once(tiny, whole, undisturbed):
    results = tiny.folder.parent
    (tiny.place / "other.py").write_text(TINY.replace('name="tiny"', 'name="other"'), encoding="utf-8")
    for name in ("tiny", "other"):
        shutil.copytree(whole.folder, results / name)
    process = tiny.start(*INLINE, "--fresh", "--experiment", "other.py", **HELD)
    until(lambda: (results / "tiny.old-1").exists() and tiny.trained() >= 5, process)
    errors = stop(process, signal.SIGINT)
    done = continued(tiny, errors)
    assert done.returncode == 0, done.stderr
    assert "trials are already in" in done.stderr
    assert tiny.tables() == undisturbed
    assert sorted(path.name for path in results.iterdir() if path.is_dir()) == [
        *("other", "other.old-1", "tiny", "tiny.old-1")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("executor", "number"),
    [(INLINE, signal.SIGINT), (INLINE, signal.SIGTERM), (PROCESSES, signal.SIGINT)],
    ids=["inline, SIGINT", "inline, SIGTERM", "processes, SIGINT"],
)
def test_an_epoch_that_never_ends_is_stopped_too(executor, number, tiny):
    """In one long call of TensorFlow no Python handler runs; what ended before it is kept."""
    process = tiny.start(*executor, IN_TRAINING="units == 8")
    until(lambda: tiny.trained() >= 20 and (tiny.place / "looping").exists(), process)
    stop(process, number, group=True)
    assert tiny.trained() == 20


def loads(process, executor):
    """Whether the process that will train has begun to load TensorFlow."""
    training = [psutil.Process(process.pid)] if executor == INLINE else workers(process)
    return any("tensorflow" in each.path for one in training for each in one.memory_maps())


@pytest.mark.slow
@pytest.mark.parametrize("executor", [INLINE, PROCESSES], ids=["inline", "processes"])
def test_ctrl_c_while_tensorflow_loads(executor, tiny, undisturbed):
    """At four moments, to the whole group as a terminal sends it; what they leave does not harm the next run."""
    for part in range(4):
        process = tiny.start(*executor, **HELD)
        until(lambda process=process: loads(process, executor), process)
        time.sleep(part * 0.7)
        stop(process, signal.SIGINT, group=True)
    done = tiny.run(*executor)
    assert done.returncode == 0, done.stderr
    assert tiny.tables() == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_garbage_collection_is_not_lost(number, tiny):
    """JAX's callback runs there, and an exception that it raises goes nowhere."""
    collecting = """
import gc
if units == 8:
    gc.callbacks.append(lambda *_: (open('collecting', 'w').close(), time.sleep(60)))
    gc.collect()
"""
    process = tiny.start(*INLINE, IN_BUILDER=collecting)
    until((tiny.place / "collecting").exists, process)
    stop(process, number)


@pytest.mark.slow
def test_more_ctrl_cs_while_it_stops_change_nothing(tiny):
    process = tiny.start(*PROCESSES, **HELD)
    until(lambda: tiny.trained() >= 5, process)
    for _ in range(10):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    stop(process, signal.SIGINT, group=True)


@pytest.mark.slow
def test_workers_that_are_starting_end_with_the_driver(tiny):
    process = tiny.start(*PROCESSES)
    until(lambda: workers(process), process)
    stop(process, signal.SIGINT, group=True)
