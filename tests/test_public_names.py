"""TensorFlow loaded name by name offers what it offers when it is loaded as a whole."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ENVIRONMENT, ROOT
from trials.public_names import _places

WALK = """
import json, sys
from pathlib import Path
from types import ModuleType
from trials.public_names import import_tensorflow
if sys.argv[1] == "on demand":
    import_tensorflow()
    import tensorflow.lite.python.schema_util, tensorflow.distribute.experimental.rpc  # of packages, not of pages
import tensorflow

found, pages = {}, set()

def walk(page, path):
    for name in sorted(each for each in dir(page) if not each.startswith("_")):
        value = getattr(page, name)
        file = getattr(value, "__file__", None) if isinstance(value, ModuleType) else None
        if "LazyLoader" in type(value).__name__:  # TensorFlow's own, for Keras
            continue
        if file and "_api" in Path(file).parts:
            if file not in pages:
                pages.add(file)
                walk(value, f"{path}.{name}")
        else:
            plain = repr(value) if isinstance(value, int | float | str) else ""
            found[f"{path}.{name}"] = [getattr(value, "__module__", ""), getattr(value, "__name__", ""), plain]

walk(tensorflow, "tf")
print(json.dumps(found, default=str))
"""


def walked(how):
    command = [sys.executable, "-c", WALK, how]
    environment = {**ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_every_name_is_there_and_names_the_same():
    as_a_whole = walked("as a whole")
    assert len(as_a_whole) > 5_000
    assert walked("on demand") == as_a_whole


def test_a_name_that_is_not_there_is_refused_in_pythons_words(keras):
    import tensorflow as tf

    with pytest.raises(AttributeError, match=r"module 'tensorflow\._api\.v2\.math' has no attribute 'cosinus'"):
        _ = tf.math.cosinus
    assert not hasattr(tf.nn, "cosinus")


def test_a_page_names_modules_and_what_they_call_it():
    page = '"""A page."""\n\nimport sys as _sys\n\nfrom a.b import c # line: 1\nfrom a.d import e as f, g\n'
    assert _places(page) == {"c": ("a.b", "c"), "f": ("a.d", "e"), "g": ("a.d", "g")}
    assert _places("from a import b") == {"b": ("a", "b")}


def test_a_layer_of_ones_own_loads_neither_converters_nor_jax():
    """Keras makes it a `tf.compat.v1.placeholder`: of all that is beside it, these took 0.6 s and 180 MB."""
    lines = [
        "import sys",
        "from trials.environment import import_keras",
        "keras = import_keras()",
        "own = type('Own', (keras.layers.Layer,), {'call': lambda self, x: x + 1})",
        "print(keras.Sequential([keras.Input((3,)), own()]).output_shape)",
        "print({'jax', 'tensorflow.lite.python.util'} & {*sys.modules})",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["(None, 3)", "set()"]


@pytest.mark.parametrize(
    "line",
    [
        "x = 1",
        "setattr(module, 'keras', loader)",
        "from . import b",
        "from b import *",
        "import b",
        "import b as c",
        "def f(): pass",
        "if b: c = 1",
    ],
)
def test_a_page_that_does_anything_else_is_run(line):
    assert _places(f"from a import b\n{line}\n") is None
