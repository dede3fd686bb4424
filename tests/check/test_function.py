"""What is wrong with a function is told before anything is built."""

import functools

import pytest

from tests.check.small_builders import first_failure
from trials.check import check


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "build = lambda *, input_shape, classes: None\n",
            "worker processes find by its name: '<lambda>' cannot be sent",
        ),
        (
            "def outer():\n    def build(*, input_shape, classes):\n        pass\n    return build\nbuild = outer()\n",
            "find by its name: 'outer.<locals>.build' cannot be sent to a worker process",
        ),
        ("class build(keras.Model):\n    pass\n", "find by its name: received <class"),
        (
            "def build(*, input_shape):\n    pass\n",
            "by keyword: received build(*, input_shape); write def build(*, inp",
        ),
        ("def build(input_shape, /, classes):\n    pass\n", "by keyword: received build(input_shape, /, classes)"),
        ("def build(*, input_shape, classes, units):\n    pass\n", "own: 'units' has no default; give it one"),
        (
            "def build(*, input_shape, classes, epochs=3):\n    pass\n",
            "own: 'epochs' is the name of a protocol or data",
        ),
        ("def build(*, input_shape, classes, layer=layers):\n    pass\n", "own: 'layer' has the default <module"),
        (
            "def build(*, input_shape, classes, **more):\n    pass\n",
            "own: received **more, whose names nobody can know",
        ),
    ],
)
def test_what_is_wrong_with_the_function(builder, text, told):
    assert told in first_failure(builder(text))


def test_a_function_without_a_file_has_no_hash(keras):
    names = {"__name__": "nowhere"}
    exec("def build(*, input_shape, classes): pass", names)
    assert "its code can be hashed: The builder" in "\n".join(map(str, check(names["build"])))


def test_nothing_is_built_with_a_function_that_is_wrong():
    found = list(check(functools.partial(dict)))
    assert [finding.status for finding in found if finding.about == "The model"] == ["skipped"] * 12
