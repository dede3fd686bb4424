"""--trial-timeout: what hangs ends as timeout, and nothing else does."""

import csv

import pytest

from tests.faults.conftest import TRIALS, lot

WORKERS = ("--workers", "2", "--trials", "4", "--trial-timeout")


def statuses(tiny):
    with open(tiny.folder / "trials.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {(row["units"], int(row["trial"])): (row["status"], row["error"]) for row in rows}


HUNG = ("timeout", "it took longer than 20 s (--trial-timeout)")


@pytest.mark.slow
def test_a_builder_that_hangs_for_one_seed_ends_that_trial_alone(tiny):
    """Its models are built ahead, in the time of the trials before it: these must not pay for it."""
    assert lot(4) < 0.1 < min(lot(1), lot(2), lot(3))
    done = tiny.run(*WORKERS, "20", IN_BUILDER="while units == 8 and lot < 0.1: time.sleep(1)")
    assert done.returncode == 1, done.stderr
    found = statuses(tiny)
    assert found.pop(("8", 4)) == HUNG
    assert set(found.values()) == {("ok", "")}
    assert len(found) == 7
    assert "1 timeout: it took longer than 20 s (--trial-timeout) (first: tiny units=8, trial 4, seed 3)" in done.stderr
    with open(tiny.folder / "summary.csv", encoding="utf-8", newline="") as stream:
        assert [(row["n"], row["failed"]) for row in csv.DictReader(stream)] == [("4", "0"), ("3", "1")]
    sound = tiny.run("--trials", "4")  # without the fault it is trained
    assert sound.returncode == 0, sound.stderr
    assert set(statuses(tiny).values()) == {("ok", "")}


@pytest.mark.slow
def test_a_training_or_a_builder_that_always_hangs_ends_too(tiny):
    """The one within TensorFlow, from where no Python code ends it; the other when models are built to check them."""
    hung = ("timeout", "it took longer than 2 s (--trial-timeout)")
    words = ("--workers", "2", "--trials", "1", "--trial-timeout", "2")
    done = tiny.run(*words, IN_TRAINING="units == 4", IN_BUILDER="while units == 8: pass")
    assert done.returncode == 1, done.stderr
    assert statuses(tiny) == {("4", 1): hung, ("8", 1): hung}
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_limit_that_is_kept_changes_nothing(tiny, undisturbed):
    done = tiny.run("--trial-timeout", "60")
    assert done.returncode == 0, done.stderr
    assert len(statuses(tiny)) == TRIALS
    assert tiny.tables() == undisturbed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--executor", "inline", "--trial-timeout", "5"), "cannot be kept with --executor inline"),
        (("--trial-timeout", "0"), "must be a number of seconds above 0. Received: '0'"),
        (("--trial-timeout", "soon"), "must be a number of seconds above 0. Received: 'soon'"),
        (("--trial-timeout", "nan"), "must be a number of seconds above 0. Received: 'nan'"),
    ],
    ids=["inline", "0", "soon", "nan"],
)
def test_limits_that_cannot_be_kept_are_refused(words, told, tiny):
    done = tiny.run(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert not tiny.folder.exists()
