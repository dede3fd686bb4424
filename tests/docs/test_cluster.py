"""The page on clusters: its commands are understood, the tests it names are there."""

import re
import shlex

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\.venv/bin/python run_trials\.py (.*)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("words", COMMANDS)
def test_the_commands_are_understood(words, command):
    done = command(*shlex.split(words), "--dry-run")
    assert done.returncode == 0, done.stderr


def test_the_options_of_ray_are_there():
    from ray.scripts.scripts import start

    known = {option for parameter in start.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {
        word for line in re.findall(r"ray start ([^`\n]*)", TEXT) for word in line.split() if word.startswith("--")
    }
    assert {"--head", "--address"} <= given <= known


def test_every_test_that_is_named_is_there():
    tests = (ROOT / "tests" / "executors" / "test_ray.py").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", TEXT))
    assert len(named) == 8
    assert all(f"def {name}(" in tests for name in named)
