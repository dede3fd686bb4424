"""The function of a user's file."""

import textwrap

import pytest

from trials.sources import load_file


@pytest.fixture
def builder(keras, tmp_path):
    """The function `build` of a file with this text."""

    def made(text, name="build"):
        path = tmp_path / "mine.py"
        path.write_text("import keras\nfrom keras import layers\n\n\n" + textwrap.dedent(text), encoding="utf-8")
        return getattr(load_file(path)[0], name)

    return made
