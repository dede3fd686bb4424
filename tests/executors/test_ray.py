"""A cluster of Ray, started for real and stopped: the tables of one machine, whatever is lost on the way."""

import csv
import dataclasses
import json
import platform
import signal

import pytest

from experiments import EXPERIMENTS
from tests.conftest import run_trials
from tests.executors.cluster import Cluster, cluster, idle
from tests.faults.conftest import HELD, PATIENCE, TRIALS, Tiny, lot, until
from trials.engines.results import Unit
from trials.executors import ray

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


def test_what_is_lost_is_asked_for_trial_by_trial():
    first, other = unit(1, 2), dataclasses.replace(unit(7, 8), index=1)
    assert [[(each.index, each.seeds) for each in work] for work in ray.apart((first, other))] == [
        [(0, ((1, 0),))],
        [(0, ((2, 1),))],
        [(1, ((7, 6),))],
        [(1, ((8, 7),))],
    ]


def test_what_one_program_trains_is_one_task():
    """Learning rates share a program, widths do not."""
    swept = dataclasses.replace(EXPERIMENTS["iris_hidden_units"], sweep={"units": (4, 8), "learning_rate": (0.1, 0.2)})
    seeds = ((1, 0), (2, 1))
    units = [Unit(index, each, seeds, "vmap") for index, each in enumerate(swept.configurations())]
    work = ray.tasks(units, 150)
    assert [[each.index for each in task] for task in work] == [[0, 1], [2, 3]]
    task, followed = ray._Task(units[0], (units[1],)), []
    while task.unit.seeds:
        followed.append((task.unit.index, task.unit.seeds[0][0], task.alone))
        task.answered()
    assert followed == [(0, 1, False), (0, 2, False), (1, 1, False), (1, 2, True)]


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
        (run.place / "beside.py").write_text("import behind\n\nONE = 1\nEXTRA = behind.two() + ONE\n")
        (run.place / "behind.py").write_text("import beside\n\n\ndef two():\n    return 2 * beside.ONE\n")
        text = (run.place / "tiny.py").read_text()
        text = text.replace("import lazy_loader\n", "import beside\nimport lazy_loader\n")
        (run.place / "tiny.py").write_text(text.replace("Dense(units)", "Dense(units + beside.EXTRA)"))
    few = ("--trials", "3")
    assert local.run(*few, *LOCAL).returncode == 0
    with cluster(1, 1) as running:
        refused = tiny.run(*few, *on(running), "--device", "gpu")
        assert refused.returncode == 2
        assert "takes 1 CPU, 1 GPU, " in refused.stderr
        assert "Its 3 nodes have: 0 CPU, 0 GPU, " in refused.stderr
        assert not tiny.folder.exists()
        done = tiny.run(*few, *on(running))
        assert done.returncode == 0, done.stderr
        assert idle(running)
    assert "Ray" not in done.stderr + done.stdout
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
    assert "starts again" in errors  # of the node, or of its worker: which of the two Ray tells first
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
        assert process.returncode == (130 if number == signal.SIGINT else -9)
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
        assert "Its 1 nodes have: 0 CPU, " in errors
        assert "Traceback" not in errors
    assert 20 <= tiny.trained() < TRIALS


@pytest.mark.slow
def test_a_trial_that_ends_its_worker_each_time_is_failed_and_the_others_are_there(tiny):
    (unlucky,) = [trial for trial in range(1, 21) if lot(trial) < 0.07]
    with cluster(2, IN_BUILDER="if units == 8 and lot < 0.07: os.kill(os.getpid(), 9)") as running:
        done = tiny.run(*on(running), "--quiet")
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
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
def test_a_node_that_cannot_train_as_the_driver_does_is_named_and_blames_no_trial(tiny):
    """One was started otherwise; on the other each worker is killed while it gets ready."""
    with cluster(1, NPY_DISABLE_CPU_FEATURES="F16C") as running:
        started_otherwise = tiny.run(*on(running))
    text = (tiny.place / "tiny.py").read_text()
    kill = "import sys\nif sys.argv[0].endswith('default_worker.py'): os.kill(os.getpid(), 9)\n"
    (tiny.place / "tiny.py").write_text(text.replace("import lazy_loader\n", f"import lazy_loader\n{kill}"))
    with cluster(1) as running:
        killed = tiny.run(*on(running))
        assert idle(running)
    for done, words in (
        (started_otherwise, "has NPY_DISABLE_CPU_FEATURES F16C instead of none"),
        (killed, f"Workers on {platform.node()} end before they can train, 3 times in a row (WorkerCrashedError"),
    ):
        assert done.returncode == 2
        assert words in done.stderr
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
