"""A real Ray cluster on this machine: a head that trains nothing, and nodes that can be killed.

As a program it holds the cluster until its input ends, so that nothing of it outlives the tests, however they end.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.conftest import ENVIRONMENT, ROOT

SMALL = {"object_store_memory": 100_000_000, "include_dashboard": False}


class Cluster:
    """The tests' side; `environment` is that of the nodes, and so of their workers."""

    def __init__(self, cpus: tuple[int, ...], folder: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.executors.cluster", folder, *map(str, cpus)],
            cwd=ROOT,
            env={**ENVIRONMENT, "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": folder, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._line()

    def ask(self, word: str) -> None:
        """`kill`: a node, at once, as when its power fails; `end`: all of them."""
        assert self.process.stdin is not None
        print(word, file=self.process.stdin, flush=True)
        assert self._line() == word

    def workers(self) -> list[psutil.Process]:
        """Processes that hold a task of the project at this moment."""
        return [each for each in processes(self.process.pid) if _title(each).startswith("ray::answer")]

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def cluster(*cpus: int, **environment: str) -> Iterator[Cluster]:
    """A cluster whose nodes have so many CPUs each; left, nothing of it runs any more."""
    # not pytest's folder: the path of a socket has at most 107 letters
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        new = Cluster(cpus, folder, **environment)
        started = processes(new.process.pid)
        try:
            yield new
            started = processes(new.process.pid)
        finally:
            new.process.communicate()
            left = [each for each in psutil.wait_procs(started, timeout=20)[1] if _runs(each)]
            for process in left:
                process.kill()
        assert not left, left


def processes(parent: int) -> list[psutil.Process]:
    try:
        return psutil.Process(parent).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # of a killed parent, where no system process buries them
    except psutil.NoSuchProcess:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def idle(running: Cluster, seconds: float = 10.0) -> bool:
    """Whether no worker holds a task, after so long at most."""
    deadline = time.monotonic() + seconds
    while running.workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not running.workers()


def main(folder: str, *cpus: str) -> None:
    from ray import cluster_utils

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints there
    (Path(folder) / "ray").mkdir()  # which Ray takes for granted
    made = cluster_utils.Cluster(True, head_node_args={"num_cpus": 0, **SMALL})
    try:
        nodes = [made.add_node(num_cpus=int(count), **SMALL) for count in cpus]
        print(made.address, file=answers, flush=True)
        for line in sys.stdin:
            if line.strip() == "kill":
                made.remove_node(nodes.pop(), allow_graceful=False)
            print(line.strip(), file=answers, flush=True)
    finally:
        made.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
