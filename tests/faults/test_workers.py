"""kill -9 of a worker, as the system does where memory runs out: what it had not finished is trained again."""

import csv

import pytest

from tests.faults.conftest import HELD, PROCESSES, TRIALS, lot, until, workers


def rows(tiny):
    with open(tiny.folder / "trials.csv", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_killed_workers_cost_nothing(tiny, undisturbed):
    """Both are killed while they start, and twice while they train."""
    process = tiny.start(*PROCESSES)
    killed = 0
    for trained in (0, 3, 12):
        until(lambda trained=trained: tiny.trained() >= trained and len(workers(process)) == 2, process)
        for worker in workers(process):
            worker.kill()
            killed += 1
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "SIGKILL, as when memory runs out" in errors
    assert "Traceback" not in errors
    assert tiny.tables() == undisturbed
    assert (killed, tiny.trained()) == (6, TRIALS)


@pytest.mark.slow
def test_a_worker_killed_with_nothing_to_do_is_not_missed(tiny, undisturbed):
    """Two configurations in three workers: the last one waits."""
    process = tiny.start("--executor", "processes", "--workers", "3", **HELD)
    until(lambda: tiny.trained() >= 1, process)
    workers(process)[2].kill()
    tiny.go()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert tiny.tables() == undisturbed


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_each_time_is_failed_and_the_others_are_there(tiny, undisturbed):
    unlucky = [trial for trial in range(1, 21) if lot(trial) < 0.07]
    assert len(unlucky) == 1
    done = tiny.run(*PROCESSES, IN_BUILDER="if units == 8 and lot < 0.07: os.kill(os.getpid(), 9)")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    table = rows(tiny)
    failed = [row for row in table if row["status"] != "ok"]
    assert [(row["units"], int(row["trial"]), row["status"]) for row in failed] == [
        ("8", trial, "failed") for trial in unlucky
    ]
    assert {row["error"] for row in failed} == {"it lost its worker process (SIGKILL, as when memory runs out) 3 times"}
    assert f"1 failed: {failed[0]['error']}" in done.stderr
    sound = undisturbed["trials.csv"].decode().splitlines()
    assert len(set((tiny.folder / "trials.csv").read_text().splitlines()) & set(sound)) == 1 + TRIALS - 1
    again = tiny.run(*PROCESSES)
    assert again.returncode == 0, again.stderr
    assert tiny.tables() == undisturbed


@pytest.mark.slow
def test_a_builder_that_ends_its_process_whenever_it_is_tried_is_told_in_a_sentence(tiny):
    done = tiny.run(*PROCESSES, IN_BUILDER="if units == 8: os.kill(os.getpid(), signal.SIGSEGV)")
    assert done.returncode == 2
    assert "A worker process ended (SIGSEGV) each time that the model of tiny units=8 was built." in done.stderr
    assert "Traceback" not in done.stderr
    assert not tiny.folder.exists()


@pytest.mark.slow
def test_a_worker_that_dies_while_models_are_built_is_tried_again(tiny, undisturbed):
    flag = tiny.place / "flag"
    once = f"if not os.path.exists({str(flag)!r}): open({str(flag)!r}, 'w').close(); os.kill(os.getpid(), 9)"
    done = tiny.run(*PROCESSES, IN_BUILDER=once)
    assert done.returncode == 0, done.stderr
    assert "was built; once more" in done.stderr
    assert tiny.tables() == undisturbed
