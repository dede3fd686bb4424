"""The commands that continue a run which was stopped."""

import sys

import pytest

from trials import again, backend

KEPT = "What is done is kept; this continues:"
ANEW = "Nothing is trained yet, and earlier results, if any, are still in their place; this begins anew:"


@pytest.mark.parametrize(
    ("words", "begun", "said"),
    [
        ("--list", 0, []),
        ("--report results/a --fresh", 0, []),
        ("--experiment", 0, []),
        ("--trials 3 --experiment a b --quiet", 1, [KEPT, "--trials 3 --experiment a b --quiet"]),
        ("--experiment=a", 0, [KEPT, "--experiment=a"]),
        ("--experiment a --fresh", 0, [ANEW, "--experiment a --fresh"]),
        ("--fresh --experiment=a --trials 3", 1, [KEPT, "--experiment a --trials 3"]),
        ("--experiment a b --fresh", 0, [ANEW, "--experiment a b --fresh"]),
        ("--experiment a b --fresh", 2, [KEPT, "--experiment a b"]),
        (
            "--variants b --experiment a b --fresh --experiment c 'my own.py' --set n=1,2",
            2,
            [
                KEPT,
                "--experiment a b --variants b --set n=1,2",
                "--experiment c 'my own.py' --variants b --set n=1,2 --fresh",
            ],
        ),
    ],
)
@pytest.mark.parametrize("given", [None, "jax"])
def test_fresh_is_said_again_for_what_had_not_begun_and_for_nothing_else(words, begun, said, given, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["run_trials.py", *again.shlex.split(words)])
    monkeypatch.setattr(again, "begun", ["any"] * begun)
    monkeypatch.setattr(backend, "GIVEN", given)
    ahead = "KERAS_BACKEND=jax python run_trials.py" if given else "python run_trials.py"
    assert again.told().splitlines() == said[:1] + [f"  {ahead} {each}" for each in said[1:]]
