"""Seeds that are trained many at a time: what befalls one of them costs the others nothing, and no byte."""

import signal
from pathlib import Path

import pytest

from tests.faults.conftest import HELD, PROCESSES, TINY, TRIALS, Tiny, lot, until
from tests.faults.test_stopped import continued, stop
from tests.faults.test_trial_timeout import statuses


class Small(Tiny):
    """The tiny experiment without its own layer: then its network is trained side by side."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        (place / "tiny.py").write_text(TINY.replace("[trained(units), ", "["), encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The tables of a run that nothing happened to, in one process; the first of a configuration's trials all took
    the same time, for they were trained together."""
    run = Small(tmp_path_factory.mktemp("undisturbed"))
    done = run.run()
    assert done.returncode == 0, done.stderr
    seconds = [line.split(",")[-2:] for line in (run.folder / "timings.csv").read_text().splitlines()[1:21]]
    assert len(set(map(tuple, seconds))) == 1
    return run.tables()


@pytest.mark.slow
def test_a_killed_worker_costs_nothing(small, expected):
    once = "if units == 8 and lot < 0.07 and not os.path.exists('killed'): open('killed', 'w'); os.kill(os.getpid(), 9)"
    done = small.run(*PROCESSES, IN_BUILDER=once)
    assert done.returncode == 0, done.stderr
    assert (small.place / "killed").exists()
    assert "it starts again, alone" in done.stderr
    assert small.tables() == expected


@pytest.mark.slow
def test_a_limit_that_each_keeps_and_all_together_do_not_changes_nothing(small, expected):
    done = small.run(*PROCESSES, "--trial-timeout", "5", IN_BUILDER="time.sleep(0.5)")
    assert done.returncode == 0, done.stderr
    assert "was not there after 5 s (--trial-timeout); it starts again, alone" in done.stderr
    assert small.tables() == expected


@pytest.mark.slow
def test_a_seed_that_has_no_network_fails_alone(small):
    unlucky = [trial for trial in range(1, 21) if lot(trial) < 0.07]
    done = small.run(*PROCESSES, IN_BUILDER="if units == 8 and lot < 0.07: raise ValueError('not this one')")
    assert done.returncode == 1, done.stderr
    found = statuses(small)
    assert [key for key, (status, _) in found.items() if status != "ok"] == [("8", trial) for trial in unlucky]
    assert len(found) == TRIALS


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_or_killed_between_two_batches_goes_on(number, small, expected):
    process = small.start(*PROCESSES, **HELD)
    until(lambda: small.trained() >= 20, process)
    if number == signal.SIGINT:
        done = continued(small, stop(process, number, group=True))
    else:
        process.kill()
        process.communicate()
        done = small.run(*PROCESSES)
    assert done.returncode == 0, done.stderr
    assert small.tables() == expected
