"""A Ray cluster that exists already: reached, and its nodes held against this machine before anything is trained."""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trials import backend, environment
from trials.errors import UserError, first_line
from trials.sources import PROJECT

PATIENCE = 30.0
"Seconds for a cluster to answer the driver, or twice for its nodes to start a process: minutes would look like a hang."
SENT = ("trials", "models", "experiments", "analysis")
"What every node is sent of this project."


def _installed() -> Any:
    """Ray, which only this executor needs, silenced: what goes wrong is told by the errors it raises."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
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
    try:
        yield ray
    finally:
        ray.shutdown()


def _runtime() -> dict[str, Any]:
    """What Ray lays out for the processes of this run on every node: the driver's code and what it was told."""
    given = {**environment.GIVEN, "KERAS_BACKEND": backend.current()}
    return {
        "working_dir": str(PROJECT),  # not py_modules: behind these a checkout at the same path would come first
        "excludes": ["__pycache__", *(f"/{path.name}" for path in PROJECT.iterdir() if path.name not in SENT)],
        "env_vars": {name: value for name, value in given.items() if name != "CUDA_VISIBLE_DEVICES"},
    }


def places(nodes: Sequence[Mapping[str, Any]], device: str) -> dict[str, int]:
    """How many trials each node that is alive can train at once, by its id; those that can train none are left out.

    Raises UserError where no node can train any: a task would wait for ever.
    """
    alive = [node for node in nodes if node["Alive"]]
    kinds = ("CPU", "GPU") if device == "gpu" else ("CPU",)
    found = {node["NodeID"]: int(min(node["Resources"].get(kind, 0) for kind in kinds)) for node in alive}
    if not any(found.values()):
        sums = " and ".join(f"{sum(node['Resources'].get(kind, 0) for node in alive):g} {kind}s" for kind in kinds)
        raise UserError(
            f"The cluster cannot train a single trial: its {len(alive)} nodes have {sums}, a trial needs one of each.\n"
            "Start nodes with `ray start --num-cpus N` and, for --device gpu, `--num-gpus N` (docs/cluster.md)."
        )
    return {node: count for node, count in found.items() if count}


def versions() -> dict[str, str]:
    """What must be equal on all machines that train one table."""
    return {**environment.versions(), "architecture": environment.architecture()}


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
            "Install the same requirements.txt for the same Python on every machine of the cluster."
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
    """Which machines train, by kind of processor."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, tuple[str, ...]], set[str]] = {}

    def add(self, machine: Mapping[str, Any]) -> bool:
        """Whether this machine was not known."""
        hosts = self._kinds.setdefault((machine["processor"], tuple(machine["features"])), set())
        new = machine["host"] not in hosts
        hosts.add(machine["host"])
        return new

    def record(self) -> list[dict[str, Any]]:
        """For run.json: an entry for each kind of processor."""
        return [
            {"processor": processor, "features": list(features), "hosts": sorted(hosts)}
            for (processor, features), hosts in self._kinds.items()
        ]

    def warning(self) -> str:
        """What a mixture means; empty where all processors are of one kind."""
        if len(self._kinds) < 2:
            return ""
        kinds = "; ".join(f"{processor} ({', '.join(sorted(hosts))})" for (processor, _), hosts in self._kinds.items())
        return (
            f"The cluster has {len(self._kinds)} kinds of processors, {kinds}: "
            "a trial's last bits may depend on which of them trained it."
        )
