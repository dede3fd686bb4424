"""Every promise names a test that is there, and every test of a fault is named."""

import re

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def named():
    """The tests that the page names: file, and function or nothing."""
    file = ""
    for path, function in re.findall(r"`([\w/]+\.py)?(?:::(test_\w+))?`", TEXT):
        file = path or file
        if path or function:
            yield file, function


def test_every_test_that_is_named_is_there():
    found = list(named())
    assert len(found) > 40
    for file, function in found:
        path = ROOT / "tests" / file
        assert path.is_file(), file
        assert not function or f"def {function}(" in path.read_text(encoding="utf-8"), function


def test_every_test_of_a_fault_is_named():
    functions = {function for _, function in named()}
    for path in (ROOT / "tests" / "faults").glob("test_*.py"):
        for function in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert function in functions, f"{path.name}::{function}"
