"""How an error is brought about: a command or a call, and what lies there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

IRIS = ("--experiment", "iris_hidden_units")
INLINE = ("--experiment", "own.py", "--executor", "inline")


@dataclass(frozen=True)
class Case:
    """`words` for the command line, or a call; `named` are what was received, what is allowed, the way out."""

    words: Sequence[str] | Callable[[], Any]
    named: tuple[str, ...]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    arrange: Callable[[Path], Any] = lambda folder: None
    patches: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


PRELUDE = """
import functools
import numpy as np
from trials.experiment import Data, Experiment, Protocol, Published, Variant

def net(*, input_shape, classes, units=4):
    raise AssertionError("never built")

IRIS = Data("iris", test_fraction=0.2)

PLAIN = Protocol(1, "sparse_categorical_crossentropy")

def experiment(data=IRIS, protocol=PLAIN, variants=(Variant("v", net),), **more):
    return Experiment(**{"name": "own", "question": "?", **more}, data=data, variants=variants, protocol=protocol)
"""


def own(expression: str, before: str = "") -> dict[str, str]:
    """A user's file that declares this."""
    return {"own.py": f"{PRELUDE}\n{before}\nEXPERIMENT = {expression}\n"}


def told(words: str, *named: str, **more: Any) -> Case:
    return Case(words.split(), named, **more)
