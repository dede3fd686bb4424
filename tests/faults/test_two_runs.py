"""Two runs in one folder: the second is refused at once, and a killed one holds nothing."""

import pytest

from tests.faults.conftest import TRIALS, orphans, until


@pytest.mark.parametrize(
    "executor",
    [("--executor", "inline"), pytest.param(("--executor", "processes"), marks=pytest.mark.slow)],
    ids=["inline", "processes"],
)
def test_the_second_run_is_refused_until_the_first_is_gone(executor, tiny, undisturbed):
    first = tiny.start(*executor, IN_TRAINING="units == 8")
    until(lambda: tiny.trained() >= 3, first)
    second = tiny.run(*executor)
    assert second.returncode == 2
    assert f"is in use by process {first.pid} on " in second.stderr
    assert len(second.stderr.splitlines()) == 2
    assert first.poll() is None  # it did not even notice
    first.kill()
    first.communicate()
    third = tiny.run(*executor)
    assert third.returncode == 0, third.stderr
    assert tiny.trained() == TRIALS
    assert tiny.tables() == undisturbed
    assert not orphans(first.pid)
