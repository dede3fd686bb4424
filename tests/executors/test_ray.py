"""A cluster of Ray, started for real and stopped: the tables of one machine, whatever is lost on the way."""

import csv
import dataclasses
import json
import signal

import pytest

from experiments import EXPERIMENTS
from tests.conftest import run_trials
from tests.executors.cluster import Cluster, cluster, idle
from tests.faults.conftest import HELD, PATIENCE, TRIALS, Tiny, lot, until
from trials.engines.results import Unit
from trials.errors import UserError
from trials.executors import ray
from trials.executors.cluster import Machines, check_versions, places

LOCAL = ("--executor", "processes", "--workers", "2")
THOUSAND = ("--trials", "500")
"Of both configurations: 10 tasks of 100 trials."


def unit(first, last, name="iris_hidden_units"):
    pairs = tuple((trial, trial - 1) for trial in range(first, last + 1))
    return Unit(0, EXPERIMENTS[name].configurations()[0], pairs, "auto")


def trials(units):
    return [[trial for trial, _ in each.seeds] for (each,) in units]


# --- what needs no cluster ---------------------------------------------------------------------


def test_tasks_are_the_same_whatever_of_them_is_done():
    """5 epochs of 57 batches: 285 steps a trial, 35 trials a task."""
    digits = "lenet5_digits"
    whole = [list(range(1, 36)), list(range(36, 71)), list(range(71, 101))]
    assert trials(ray.tasks([unit(1, 100, digits)], 1797)) == whole
    assert trials(ray.tasks([unit(34, 72, digits)], 1797)) == [[34, 35], whole[1], [71, 72]]


def test_a_long_trial_is_a_task_of_its_own():
    """20 epochs of 70,000 samples in batches of 32 are 43,760 steps."""
    assert trials(ray.tasks([unit(1, 3, "lenet5_mnist")], 70_000)) == [[1], [2], [3]]


def test_what_is_lost_is_halved_until_a_trial_is_alone():
    assert trials(ray.halves((unit(1, 5),))) == [[1, 2, 3], [4, 5]]
    assert trials(ray.halves((unit(1, 1),))) == [[1]]


def test_what_one_program_trains_is_one_task():
    """Learning rates share a program, widths do not."""
    swept = dataclasses.replace(EXPERIMENTS["iris_hidden_units"], sweep={"units": (4, 8), "learning_rate": (0.1, 0.2)})
    seeds = ((1, 0), (2, 1))
    units = [Unit(index, each, seeds, "vmap") for index, each in enumerate(swept.configurations())]
    work = ray.tasks(units, 150)
    assert [[each.index for each in task] for task in work] == [[0, 1], [2, 3]]
    assert ray.halves(work[0]) == [(units[0],), (units[1],)]
    task, followed = ray._Task(units[0], (units[1],)), []
    while task.unit.seeds:
        followed.append((task.unit.index, task.unit.seeds[0][0]))
        task.answered()
    assert followed == [(0, 1), (0, 2), (1, 1), (1, 2)]


def node(name, alive=True, **resources):
    return {"NodeID": name, "Alive": alive, "Resources": resources}


def test_places_are_counted_where_they_are():
    nodes = [node("a", CPU=4.0, GPU=1.0), node("b", CPU=2.5), node("c", alive=False, CPU=8.0), node("head")]
    assert places(nodes, "cpu") == {"a": 4, "b": 2}
    assert places(nodes, "gpu") == {"a": 1}
    with pytest.raises(UserError, match=r"2 nodes have 2\.5 CPUs and 0 GPUs"):
        places(nodes[1:], "gpu")


def test_a_node_with_other_versions_is_named():
    check_versions("n1", {"keras": "3"}, {"keras": "3"})
    with pytest.raises(UserError, match="n1 has keras 3 instead of 4, tensorflow none instead of 2"):
        check_versions("n1", {"keras": "3"}, {"keras": "4", "tensorflow": "2"})


def machine(host, processor="EPYC", features=("avx2",)):
    return {"host": host, "processor": processor, "features": list(features)}


def test_mixed_processors_are_recorded_and_told():
    machines = Machines()
    assert [machines.add(machine(host)) for host in ("b", "a", "a")] == [True, True, False]
    assert machines.warning() == ""
    assert machines.add(machine("c", features=("avx2", "avx512f")))
    assert machines.record() == [
        {"processor": "EPYC", "features": ["avx2"], "hosts": ["a", "b"]},
        {"processor": "EPYC", "features": ["avx2", "avx512f"], "hosts": ["c"]},
    ]
    assert "2 kinds of processors, EPYC (a, b); EPYC (c)" in machines.warning()


# --- with one ----------------------------------------------------------------------------------


def on(running: Cluster) -> tuple[str, ...]:
    return "--executor", "ray", "--address", running.address


def held(tiny: Tiny) -> dict[str, str]:
    return {"IN_BUILDER": HELD["IN_BUILDER"].replace("'go'", repr(str(tiny.place / "go")))}


@pytest.fixture
def tiny(tmp_path) -> Tiny:
    return Tiny(tmp_path)


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """The tables of a thousand trials on this machine."""
    run = Tiny(tmp_path_factory.mktemp("local"))
    done = run.run(*LOCAL, *THOUSAND)
    assert done.returncode == 0, done.stderr
    return run.tables()


@pytest.mark.slow
def test_two_nodes_make_the_tables_of_one_machine(tiny, tmp_path_factory):
    """Users' files go along, with what they import from beside them; what the cluster cannot do is told at once."""
    local = Tiny(tmp_path_factory.mktemp("local"))
    for run in (local, tiny):
        (run.place / "beside.py").write_text("EXTRA = 3\n")
        text = (run.place / "tiny.py").read_text()
        text = text.replace("import lazy_loader\n", "import beside\nimport lazy_loader\n")
        (run.place / "tiny.py").write_text(text.replace("Dense(units)", "Dense(units + beside.EXTRA)"))
    few = ("--trials", "3")
    assert local.run(*few, *LOCAL).returncode == 0
    with cluster(1, 1) as running:
        refused = tiny.run(*few, *on(running), "--device", "gpu")
        assert refused.returncode == 2
        assert "3 nodes have 2 CPUs and 0 GPUs" in refused.stderr
        assert not tiny.folder.exists()
        done = tiny.run(*few, *on(running))
        assert done.returncode == 0, done.stderr
        assert idle(running)
    assert "Ray" not in done.stderr
    assert tiny.tables() == local.tables()
    (recorded,) = json.loads((tiny.folder / "run.json").read_text())["cluster"]
    with open(tiny.folder / "timings.csv", newline="") as rows:
        assert {row["host"] for row in csv.DictReader(rows)} == set(recorded["hosts"])


@pytest.mark.slow
def test_a_thousand_trials_of_which_a_node_is_lost(tiny, whole):
    with cluster(1, 1, **held(tiny)) as running:
        process = tiny.start(*on(running), *THOUSAND)
        until(lambda: tiny.trained() >= 200, process)
        running.ask("kill")
        tiny.go()
        _, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
    assert "what had not finished starts again" in errors
    assert "Traceback" not in errors
    assert tiny.trained() == 1000  # none was lost, and none reported twice
    assert tiny.tables() == whole


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_a_driver_that_ends_leaves_no_task_and_is_continued(number, tiny, whole):
    with cluster(1, 1, **held(tiny)) as running:
        process = tiny.start(*on(running), *THOUSAND)
        until(lambda: tiny.trained() >= 200, process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 130 if number == signal.SIGINT else -9
        assert ("Stopped." in errors) == (number == signal.SIGINT)
        assert "Traceback" not in errors
        assert idle(running)
        kept = tiny.trained()
        tiny.go()
        done = tiny.run(*on(running), *THOUSAND)
    assert done.returncode == 0, done.stderr
    assert f"{kept} of 1000 trials are already in" in done.stderr
    assert tiny.trained() == 1000
    assert tiny.tables() == whole


@pytest.mark.slow
def test_a_cluster_that_loses_its_last_node_ends_the_run(tiny):
    with cluster(1, **held(tiny)) as running:
        process = tiny.start(*on(running))
        until(lambda: tiny.trained() >= 20, process)
        running.ask("kill")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "its 1 nodes have 0 CPUs" in errors
        assert "Traceback" not in errors
    assert 20 <= tiny.trained() < TRIALS


@pytest.mark.slow
def test_a_trial_that_ends_its_worker_each_time_is_failed_and_the_others_are_there(tiny):
    (unlucky,) = [trial for trial in range(1, 21) if lot(trial) < 0.07]
    with cluster(2, IN_BUILDER="if units == 8 and lot < 0.07: os.kill(os.getpid(), 9)") as running:
        done = tiny.run(*on(running))
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    with open(tiny.folder / "trials.csv", newline="") as rows:
        failed = [row for row in csv.DictReader(rows) if row["status"] != "ok"]
    assert [(row["units"], int(row["trial"]), row["status"]) for row in failed] == [("8", unlucky, "failed")]
    assert "lost its worker in the cluster" in failed[0]["error"]
    assert failed[0]["error"].endswith("3 times")
    assert tiny.trained() == TRIALS


@pytest.mark.slow
def test_a_builder_that_ends_its_worker_whenever_it_is_tried_is_told_in_a_sentence(tiny):
    with cluster(2, IN_BUILDER="if units == 8: os.kill(os.getpid(), 9)") as running:
        done = tiny.run(*on(running))
    assert done.returncode == 2
    assert "each time that the model of tiny units=8 was built" in done.stderr
    assert len(done.stderr.splitlines()) <= 3
    assert not tiny.folder.exists()


@pytest.mark.slow
def test_what_hangs_ends_alone(tiny):
    """A model that is built ahead, for the fourth of four trials; a training within TensorFlow, from its first."""
    assert lot(4) < 0.1 < min(lot(1), lot(2), lot(3))
    hang = {"IN_BUILDER": "while units == 8 and lot < 0.1: time.sleep(1)", "IN_TRAINING": "units == 4"}
    with cluster(1, 1, **hang) as running:
        done = tiny.run(*on(running), "--trials", "4", "--trial-timeout", "5")
        assert idle(running)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    with open(tiny.folder / "trials.csv", newline="") as rows:
        ended = {(row["units"], row["trial"]): (row["status"], row["error"]) for row in csv.DictReader(rows)}
    hung = ("timeout", "it took longer than 5 s (--trial-timeout)")
    assert ended == {(units, trial): hung for units, trial in ended if units == "4" or trial == "4"} | {
        ("8", trial): ("ok", "") for trial in "123"
    }
    assert len(ended) == 8


@pytest.mark.slow
def test_kept_weights_come_back_from_the_nodes(tiny):
    with cluster(1, 1) as running:
        done = tiny.run("--trials", "2", "--save-weights", *on(running), "--workers", "1")
    assert done.returncode == 0, done.stderr
    measured = run_trials(tiny.place, "--evaluate", tiny.folder)
    assert measured.returncode == 0, measured.stdout
    assert len(list((tiny.folder / "weights").iterdir())) == 4
