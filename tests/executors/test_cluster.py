"""What is asked of a cluster's machines before they train, and what is kept of them."""

import time

import pytest

from trials.errors import UserError
from trials.executors import cluster
from trials.executors.cluster import Machines, check_versions, places

GIB = 2**30


def node(name, alive=True, **resources):
    return {"NodeID": name, "Alive": alive, "Resources": {"memory": 64.0 * GIB, **resources}}


def test_places_are_counted_where_they_are():
    nodes = [node("a", CPU=4.0, GPU=1.0), node("b", CPU=2.5), node("c", alive=False, CPU=8.0), node("head")]
    assert places(nodes, "cpu", GIB) == {"a": 4, "b": 2}
    assert places(nodes, "gpu", GIB) == {"a": 1}
    with pytest.raises(UserError, match=r"takes 1 CPU, 1 GPU, 1\.0 GiB.*\nIts 2 nodes have: 0 CPU.*; 2\.5 CPU, 0 GPU"):
        places(nodes[1:], "gpu", GIB)


def test_memory_limits_places():
    nodes = [node("a", CPU=8.0, memory=3.5 * GIB), node("b", CPU=1.0, memory=0.5 * GIB)]
    assert places(nodes, "cpu", GIB) == {"a": 3}
    with pytest.raises(UserError, match=r"1 nodes have: 1 CPU, 0\.5 GiB"):
        places(nodes[1:], "cpu", GIB)


def test_a_node_with_other_versions_is_named():
    check_versions("n1", {"keras": "3"}, {"keras": "3"})
    with pytest.raises(UserError, match="n1 has keras 3 instead of 4, tensorflow none instead of 2"):
        check_versions("n1", {"keras": "3"}, {"keras": "4", "tensorflow": "2"})


def test_a_variable_that_counts_only_at_the_start_is_held_like_a_version(monkeypatch):
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    expected = cluster.versions()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    with pytest.raises(UserError, match="n1 has OPENBLAS_CORETYPE Haswell instead of none"):
        check_versions("n1", cluster.versions(), expected)


def machine(host, processor="EPYC", features=("avx2",), **more):
    return {"host": host, "processor": processor, "features": list(features), **more}


def test_machines_are_recorded_by_what_may_decide_a_trial():
    machines = Machines(with_gpus=True)
    assert machines.add([machine("b"), machine("a")])
    assert not machines.add([machine("a")])
    assert machines.add([machine("c", features=("avx2", "avx512f")), machine("d", gpus=("H100",))])
    assert machines.record() == [
        {"processor": "EPYC", "features": ["avx2"], "hosts": ["a", "b"]},
        {"processor": "EPYC", "features": ["avx2", "avx512f"], "hosts": ["c"]},
        {"processor": "EPYC", "features": ["avx2"], "hosts": ["d"], "gpus": ["H100"]},
    ]
    kinds = "EPYC (2 machines), EPYC (1 machine), EPYC, H100 (1 machine)"
    assert machines.warning().startswith(f"The cluster has 3 kinds of machines, {kinds}")


def test_where_nothing_trains_on_a_gpu_none_makes_a_kind():
    machines = Machines(with_gpus=False)
    machines.add([machine("a"), machine("b", gpus=("H100",))])
    assert machines.record() == [{"processor": "EPYC", "features": ["avx2"], "hosts": ["a", "b"]}]


def test_what_the_driver_was_told_is_sent_but_not_its_own_gpus(monkeypatch):
    given = {"CUDA_VISIBLE_DEVICES": "1", "OMP_NUM_THREADS": "3"}
    monkeypatch.setattr("trials.environment.GIVEN", given)
    assert cluster.variables() == {"OMP_NUM_THREADS": "3", "KERAS_BACKEND": cluster.backend.current()}


def test_the_cluster_is_looked_up_again_and_again_by_another_thread(monkeypatch):
    """A head that is gone holds up that thread alone; what it raises is not the run's end."""
    told = iter([["one"], RuntimeError("gone"), ["one", "two"]])

    class Ray:
        asked = 0

        def nodes(self):
            self.asked += 1
            found = next(told, ["one", "two"])
            if isinstance(found, Exception):
                raise found
            return found

    monkeypatch.setattr(cluster, "NODES_SECONDS", 0.01)
    with cluster.watched(ray := Ray()) as nodes:
        assert nodes() == ["one"]
        deadline = time.monotonic() + 30
        while nodes() == ["one"] and time.monotonic() < deadline:
            pass
        assert nodes() == ["one", "two"]
    asked = ray.asked
    cluster.threading.Event().wait(0.1)
    assert ray.asked == asked
