"""Quiet imports that hide nothing that matters, and a plain word where there is no GPU."""

import os
import sys
from pathlib import Path

import pytest

from trials import environment
from trials.errors import UserError


def test_banners_are_held_back_and_returned_when_the_import_fails(capfd):
    with environment.quiet_import():
        os.write(2, b"banner\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), environment.quiet_import():
        os.write(2, b"missing symbol\n")
        raise ImportError
    assert capfd.readouterr().err == "missing symbol\n"


@pytest.mark.skipif(
    sys.platform != "linux" or any(Path("/dev").glob("nvidia[0-9]*")), reason="needs Linux without a GPU"
)
def test_a_gpu_that_is_not_there_is_named_at_once():
    with pytest.raises(UserError, match="no GPU"):
        environment.check_device("gpu")
    environment.check_device("auto")


def test_versions_are_those_of_what_is_imported(keras):
    import numpy

    found = environment.versions()
    assert (found["keras"], found["numpy"]) == (keras.__version__, numpy.__version__)


def test_missing_tensorflow_says_how_to_get_it(monkeypatch):
    def absent(package):
        raise environment.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(environment.importlib.metadata, "version", absent)
    with pytest.raises(UserError, match=r"pip install -r requirements.txt"):
        environment.require_tensorflow()
