"""A Ray cluster that exists already: reached, and its nodes held against this machine before anything is trained."""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from trials import backend, environment
from trials.errors import UserError, first_line
from trials.sources import PROJECT

PATIENCE = 30.0
"Seconds of waiting without a word, or twice for a process of the cluster to start: minutes would look like a hang."
NODES_SECONDS = 2.0
"How often the head is asked for its nodes."
READ_ON_IMPORT = ("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE")
"Variables that can change numbers and are read before a worker could take off what its node was started with."
SENT = ("trials", "models", "experiments", "analysis")
"What every node is sent of this project."


def _installed() -> Any:
    """Ray, which only this executor needs, silenced: what goes wrong is told by the errors it raises."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_RUNTIME_ENV_IGNORE_GITIGNORE"] = "1"  # what git ignores is sent too
    try:
        import ray
    except ImportError as error:
        raise UserError(
            f"--executor ray needs Ray, which is not installed here ({first_line(error)}).\n"
            "Install it with: pip install -r requirements-ray.txt"
        ) from error
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    return ray


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to the cluster at 'auto' or HOST:PORT; left, it holds no process of this run any more.

    Within, nothing goes to stdout: Ray tells there of workers that were killed.
    Raises UserError where there is none, or it does not answer within `PATIENCE` seconds.
    """
    ray = _installed()
    outcome: list[BaseException | None] = []

    def connect() -> None:
        try:
            if address != "auto":  # Ray itself would wait for half a minute
                host, _, port = address.rpartition(":")
                socket.create_connection((host, int(port)), PATIENCE / 6).close()
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, runtime_env=_runtime())
            outcome.append(None)
        except (Exception, SystemExit) as error:
            outcome.append(error)

    # Called by the main thread, it would take the handler of SIGTERM, and nothing could end its waiting.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    error = outcome[0] if outcome else TimeoutError(f"no answer within {PATIENCE:g} s")
    if error is not None:
        raise UserError(
            f"There is no Ray cluster to train on at --address {address}: {first_line(error).rstrip('.')}.\n"
            "Start one with `ray start --head`, and run this command on one of its machines (docs/cluster.md)."
        ) from error
    with contextlib.suppress(ValueError):  # of a thread; Ray's own handler dumps the stack first
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            yield ray
        finally:
            ray.shutdown()


@contextlib.contextmanager
def watched(ray: Any) -> Iterator[Callable[[], Sequence[Mapping[str, Any]]]]:
    """The cluster's nodes as its head told them last; a head that is lost holds up another thread than the caller's."""
    nodes, left = [ray.nodes()], threading.Event()

    def watch() -> None:
        while not left.wait(NODES_SECONDS):
            with contextlib.suppress(Exception):
                nodes[0] = ray.nodes()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: nodes[0]
    finally:
        left.set()
        thread.join(NODES_SECONDS)


def variables() -> dict[str, str]:
    """What the processes of this run are started with on every node."""
    given = {**environment.GIVEN, "KERAS_BACKEND": backend.current()}
    return {name: value for name, value in given.items() if name != "CUDA_VISIBLE_DEVICES"}


def _runtime() -> dict[str, Any]:
    """What Ray lays out for the processes of this run on every node: the driver's code and what it was told."""
    return {
        "working_dir": str(PROJECT),  # not py_modules: behind these a checkout at the same path would come first
        "excludes": ["__pycache__", *(f"/{path.name}" for path in PROJECT.iterdir() if path.name not in SENT)],
        "env_vars": variables(),
    }


def places(nodes: Sequence[Mapping[str, Any]], device: str, memory: int) -> dict[str, int]:
    """How many trials each node that is alive can train at once, by its id; those that can train none are left out.

    A trial takes a CPU, on 'gpu' a GPU too, and so many bytes of memory.
    Raises UserError where no node can train any: a task would wait for ever.
    """
    alive = [node for node in nodes if node["Alive"]]
    needs = {"CPU": 1, **({"GPU": 1} if device == "gpu" else {}), "memory": memory}
    found = {node["NodeID"]: int(min(node["Resources"].get(k, 0) // n for k, n in needs.items())) for node in alive}
    if not any(found.values()):
        each = [", ".join(_lent(kind, node["Resources"].get(kind, 0)) for kind in needs) for node in alive]
        raise UserError(
            f"No node of the cluster can train a trial, which takes {', '.join(_lent(*need) for need in needs.items())}"
            f".\nIts {len(alive)} nodes have: {'; '.join(sorted(set(each))) or 'nothing'}.\n"
            "Start nodes with `ray start --num-cpus N` and, for --device gpu, `--num-gpus N` (docs/cluster.md)."
        )
    return {node: count for node, count in found.items() if count}


def _lent(kind: str, amount: float) -> str:
    return f"{amount / 2**30:.1f} GiB" if kind == "memory" else f"{amount:g} {kind}"


def versions() -> dict[str, str]:
    """What must be equal on all machines that train one table."""
    early = {name: os.environ[name] for name in READ_ON_IMPORT if name in os.environ}
    return {**environment.versions(), "architecture": environment.architecture(), **early}


def check_versions(host: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Raises UserError where a node has other versions than the driver: its trials would have other figures."""
    other = [
        f"{name} {found.get(name, 'none')} instead of {expected.get(name, 'none')}"
        for name in sorted({*found, *expected})
        if found.get(name) != expected.get(name)
    ]
    if other:
        raise UserError(
            f"The node {host} has {', '.join(other)}.\n"
            "Install the same requirements.txt for the same Python on every machine of the cluster, and start Ray "
            "there with the same environment."
        )


def look(ray: Any, nodes: Sequence[str]) -> list[dict[str, Any]]:
    """The machine of each of these nodes.

    Raises UserError for one that has other versions than the driver, or does not answer.
    """
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(_look)
    asked = {
        node: task.options(num_cpus=0, max_retries=0, scheduling_strategy=strategy(node, soft=False)).remote()
        for node in nodes
    }
    machines, expected = [], versions()
    for node, answer in asked.items():
        try:
            found, machine = ray.get(answer, timeout=2 * PATIENCE)
        except ray.exceptions.RayError as error:
            (host,) = (each["NodeManagerHostname"] for each in ray.nodes() if each["NodeID"] == node)
            raise UserError(
                f"The node {host} cannot train: {first_line(getattr(error, 'cause', None) or error)}.\n"
                "See `ray status`, or take it out of the cluster with `ray stop` there."
            ) from error
        check_versions(machine["host"], found, expected)
        machines.append(machine)
    return machines


def _look() -> tuple[dict[str, str], dict[str, Any]]:
    return versions(), environment.machine()


class Machines:
    """Which machines train, by kind of processor and, `with_gpus`, of GPUs."""

    def __init__(self, with_gpus: bool) -> None:
        self._with_gpus = with_gpus
        self._kinds: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = {}

    def add(self, machines: Sequence[Mapping[str, Any]]) -> bool:
        """Whether one of these machines was not known."""
        known = sum(map(len, self._kinds.values()))
        for machine in machines:
            kind = (
                machine["processor"],
                tuple(machine["features"]),
                tuple(machine.get("gpus", ()) if self._with_gpus else ()),
            )
            self._kinds.setdefault(kind, set()).add(machine["host"])
        return sum(map(len, self._kinds.values())) > known

    def record(self) -> list[dict[str, Any]]:
        """For run.json: an entry for each kind."""
        return [
            {"processor": processor, "features": list(features), "hosts": sorted(hosts)}
            | ({"gpus": list(gpus)} if gpus else {})
            for (processor, features, gpus), hosts in self._kinds.items()
        ]

    def warning(self) -> str:
        """What a mixture means."""
        kinds = ", ".join(
            f"{', '.join([processor, *gpus])} ({len(hosts)} machine{'s' * (len(hosts) > 1)})"
            for (processor, _, gpus), hosts in self._kinds.items()
        )
        return (
            f"The cluster has {len(self._kinds)} kinds of machines, {kinds} (run.json names them): "
            "a trial's last bits may depend on which of them trained it."
        )
