"""What the tests of faults share: an experiment whose trainings take milliseconds, and the real command line."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import ENVIRONMENT, ROOT
from trials.seeds import Stream, integer

try:
    import resource
except ImportError:  # on Windows
    resource = None

TINY = '''
import os
import random
import signal
import time

import lazy_loader

from trials.experiment import Data, Experiment, Protocol, Variant

keras, tf = lazy_loader.load("keras"), lazy_loader.load("tensorflow")


def trained(units):
    """A layer that does what IN_TRAINING says when a training step is traced, and otherwise nothing."""

    class Trained(keras.layers.Layer):
        def call(self, x, training=False):
            return endless(x) if training and eval(os.environ.get("IN_TRAINING", "False"), {"units": units}) else x

    return Trained()


def endless(x):
    """A loop within TensorFlow, which no Python signal handler can end; the file `looping` says that it runs."""
    with tf.control_dependencies([tf.print("it runs", output_stream="file://looping")]):
        start = tf.reduce_sum(tf.cast(x > 0, tf.int32))
        turns = tf.while_loop(lambda turn: turn >= 0, lambda turn: turn * 0 + 1, [start])
    return x + tf.cast(turns[0], x.dtype)


def tiny(*, input_shape, classes, units=4):
    lot = random.random()  # one number a seed: what befalls a trial befalls it each time
    exec(os.environ.get("IN_BUILDER", ""))
    layers = [trained(units), keras.layers.Dense(units), keras.layers.Dense(classes, activation="softmax")]
    return keras.Sequential([keras.Input(input_shape), *layers])


EXPERIMENT = Experiment(
    name="tiny",
    question="Is anything lost?",
    data=Data("iris", test_fraction=0.2),
    variants=(Variant("tiny", tiny),),
    protocol=Protocol(epochs=2, loss="sparse_categorical_crossentropy"),
    sweep={"units": (4, 8)},
    trials=20,
)
'''
TRIALS = 40
"Trainings of the tiny experiment."
INLINE, PROCESSES = ("--executor", "inline"), ("--executor", "processes", "--workers", "2")
HELD = {"IN_BUILDER": "while units == 8 and lot < 0.07 and not os.path.exists('go'): time.sleep(0.01)"}
"A run that ends only once there is a file `go`: all of units=8 waits for one seed's model, which is not the first."
PATIENCE = 300.0
"Seconds to wait for what must come; machines that test are busy."


def lot(trial: int) -> float:
    """The number that the tiny builder draws for this trial, between 0 and 1."""
    return random.Random(integer(trial - 1, Stream.WEIGHTS)).random()


class Tiny:
    """The command line in a folder of its own, with the tiny experiment in it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.folder = place / "results" / "tiny"
        self.journal = self.folder / "journal.jsonl"
        (place / "tiny.py").write_text(TINY, encoding="utf-8")

    def start(self, *words: str, file_bytes: int | None = None, **environment: str) -> subprocess.Popen[str]:
        """A run in a process group of its own, as a shell starts it; no file of it may grow beyond `file_bytes`."""

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        return subprocess.Popen(
            [sys.executable, str(ROOT / "run_trials.py"), "--experiment", "tiny.py", *(words or INLINE)],
            cwd=self.place,
            env={**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            preexec_fn=prepare,  # noqa: PLW1509 - this process has no threads
        )

    def run(self, *words: str, file_bytes: int | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, file_bytes=file_bytes, **environment)
        output, errors = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def go(self) -> None:
        """Lets a run go on that is HELD."""
        (self.place / "go").touch()

    def trained(self) -> int:
        """How many trials are in the journal."""
        try:
            return max(0, self.journal.read_bytes().count(b"\n") - 1)
        except FileNotFoundError:
            return 0

    def tables(self) -> dict[str, bytes]:
        """Every table that must come out the same."""
        return {path.name: path.read_bytes() for path in self.folder.glob("*.csv") if path.name != "timings.csv"}


def until(found: Callable[[], Any], process: subprocess.Popen[str], every: float = 0.005) -> None:
    """Waits for something while the process lives."""
    deadline = time.monotonic() + PATIENCE
    while not found():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it never came"
        time.sleep(every)


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """A run's worker processes, oldest first; the tracker of semaphores is none."""
    return [child for child in psutil.Process(process.pid).children() if "spawn_main" in _words(child)]


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""  # it has just ended


def orphans(group: int, seconds: float = 10.0) -> list[psutil.Process]:
    """What is left of a process group whose leader has ended, after so long at most."""
    deadline = time.monotonic() + seconds
    while left := [each for each in psutil.process_iter() if _group(each) == group]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return []


def _group(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None


@pytest.fixture(scope="session", autouse=True)
def posix() -> None:
    """Skips where there are no process groups, signals and limits to bring these faults about with."""
    if resource is None:
        pytest.skip("these faults are those of a POSIX system")


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Tiny]:
    yield Tiny(tmp_path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A run that nothing happened to."""
    run = Tiny(tmp_path_factory.mktemp("undisturbed"))
    done = run.run()
    assert done.returncode == 0, done.stderr
    assert run.trained() == TRIALS
    return run


@pytest.fixture(scope="session")
def undisturbed(whole: Tiny) -> dict[str, bytes]:
    """The tables of that run."""
    return whole.tables()
