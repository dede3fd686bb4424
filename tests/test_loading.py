"""Quiet imports that hide nothing that matters, and leave the process as it was."""

import gc
import importlib
import os
import sys

import lazy_loader
import pytest

from trials import loading


def test_only_banners_are_held_back(capfd):
    banner = b"I0000 00:00:1.0 1 port.cc:153] oneDNN custom operations are on.\n"
    with loading.quiet_import():
        os.write(2, banner + b"a warning of the user's own\n")
    assert capfd.readouterr().err == "a warning of the user's own\n"
    with pytest.raises(ImportError), loading.quiet_import():
        os.write(2, banner + b"missing symbol\n")
        raise ImportError
    assert capfd.readouterr().err == "missing symbol\n"


@pytest.mark.parametrize("collects", [True, False])
def test_whether_garbage_is_collected_is_as_it_was_even_after_an_error(collects):
    before = gc.isenabled()
    (gc.enable if collects else gc.disable)()
    try:
        with pytest.raises(ImportError), loading.collecting_nothing():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == collects
    finally:
        (gc.enable if before else gc.disable)()


def test_what_is_loaded_already_is_not_taken_away():
    with loading.absent("json", "a_package_that_is_not_there"):
        import json

        assert json.loads("1") == 1
        with pytest.raises(ImportError):
            importlib.import_module("a_package_that_is_not_there")
    assert "a_package_that_is_not_there" not in sys.modules


def test_lazy_modules_are_aside_until_they_are_used(monkeypatch):
    for name in ("colorsys", "wave"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    used, unused = lazy_loader.load("colorsys"), lazy_loader.load("wave")
    assert used.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
    with pytest.raises(ValueError, match="within"), loading.not_yet_loaded_aside():
        assert "wave" not in sys.modules
        assert sys.modules["colorsys"] is used
        raise ValueError("within")
    assert sys.modules["wave"] is unused
