"""How large libraries are loaded: quietly, fast, and of them only what trials use."""

import contextlib
import gc
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import _LazyModule  # type: ignore[attr-defined]

BANNER = re.compile(rb"WARNING: All log messages before absl|[IWEF]\d{4} |To enable the following instructions|\s*$")
UNUSED = ("pandas", "sklearn", "matplotlib")
"Packages that Keras would load and no trial needs."


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Holds stderr back while libraries load, and gives back what is not their banner."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not BANNER.match(line)))


@contextlib.contextmanager
def absent(*packages: str) -> Iterator[None]:
    """Within: these packages cannot be imported, unless they already are.

    Keras, TensorFlow and scikit-learn load what they find, half of their start, for data frames, wrappers and
    converters that no trial has.
    """
    hidden = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


@contextlib.contextmanager
def not_yet_loaded_aside() -> Iterator[None]:
    """Within: what an experiment loads lazily, and has not yet used, is not among the modules.

    matplotlib asks every TensorFlow that it finds there whether a list of numbers is a tensor of its own.
    """
    lazy = {name: module for name, module in sys.modules.items() if type(module) is _LazyModule}
    for name in lazy:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(lazy)


@contextlib.contextmanager
def collecting_nothing() -> Iterator[None]:
    """Within: no garbage is collected. What libraries load stays: no collection looks at it then or later.

    Ten collections are a fifth of TensorFlow's start, and each one after it would take 0.16 s.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
