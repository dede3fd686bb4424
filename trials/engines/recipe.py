"""How the values of a fresh model follow from its seed: for many seeds, initializers alone take a fifth of a build."""

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trials.engines.model import fresh_model, seed_generators
from trials.environment import import_keras
from trials.experiment import Configuration
from trials.seeds import Stream, dropout_states, integer

DEFAULT_SEED = (1, int(1e9))
"Between these Keras draws the seed of an initializer that was given none, from Python's own generator."


@dataclass(frozen=True)
class Start:
    """What a variable starts with: the same for every seed, or what its initializer makes of one of the drawn seeds.

    The state of a seed generator has no initializer.
    """

    shape: tuple[int, ...]
    dtype: str
    initializer: Any = None
    draw: int | None = None

    def value(self, draws: Sequence[int]) -> np.ndarray:
        initializer = copy.copy(self.initializer)
        if self.draw is not None:
            initializer.seed = draws[self.draw]
        return np.array(initializer(self.shape, dtype=self.dtype))


class Recipe:
    """What every seed's fresh model starts with, if its builder draws no more than the seeds of its initializers."""

    def __init__(self, starts: Sequence[Start], draws: int) -> None:
        self._starts, self._draws = starts, draws
        self._constants = {
            place: each.value(()) for place, each in enumerate(starts) if each.initializer and each.draw is None
        }
        self._generators = [place for place, each in enumerate(starts) if not each.initializer]

    def values(self, seed: int) -> list[np.ndarray]:
        """Those of all variables, in the model's order."""
        draws = _default_seeds(_python(seed), self._draws)
        states = dropout_states(seed, len(self._generators))
        known = self._constants | dict(zip(self._generators, states, strict=True))
        return [
            known[place].astype(each.dtype, copy=False) if place in known else each.value(draws)
            for place, each in enumerate(self._starts)
        ]


@dataclass
class _Seen:
    """What a build asked for: each variable's initializer, and numbers of Python's generator."""

    initializers: list[tuple[Any, Any]] = field(default_factory=list)
    draws: list[tuple[tuple[int, ...], int]] = field(default_factory=list)


def with_recipe(
    configuration: Configuration, input_shape: tuple[int, ...], classes: int, seed: int
) -> tuple[Any, Recipe | None]:
    """The seed's fresh model, and what its building shows of all seeds: None where that is not enough.

    It does not show what a builder does with values once they are drawn: a recipe is to be held against models.
    """
    with _watched() as seen:
        model = fresh_model(configuration, input_shape, classes, seed)
    numbers = [number for _, number in seen.draws]
    if not _drew_only(seen, seed):
        return model, None
    generators = {id(variable) for variable in seed_generators(model)}
    initializers = {id(variable): initializer for variable, initializer in seen.initializers}
    starts = []
    for variable in model.variables:
        initializer = initializers.get(id(variable))
        own = getattr(initializer, "seed", None)
        if id(variable) in generators:
            starts.append(Start(tuple(variable.shape), variable.dtype))
        elif type(initializer).__module__.startswith("keras.") and isinstance(own, int | None):
            draw = numbers.index(own) if own in numbers else None
            starts.append(Start(tuple(variable.shape), variable.dtype, initializer, draw))
        else:
            return model, None
    return model, Recipe(starts, len(numbers))


def _drew_only(seen: _Seen, seed: int) -> bool:
    """Whether the build drew what `seen` tells, all of it default seeds, and nothing else."""
    python, numpy = _python(seed), np.random.RandomState(integer(seed, Stream.WEIGHTS)).get_state()
    default = all(bounds == DEFAULT_SEED for bounds, _ in seen.draws)
    _default_seeds(python, len(seen.draws))
    untouched = all(map(np.array_equal, numpy, np.random.get_state()))
    return default and python.getstate() == random.getstate() and untouched


def _python(seed: int) -> random.Random:
    return random.Random(integer(seed, Stream.WEIGHTS))


def _default_seeds(generator: random.Random, count: int) -> list[int]:
    return [generator.randint(*DEFAULT_SEED) for _ in range(count)]


@contextmanager
def _watched() -> Iterator[_Seen]:
    """Within: what initializes Keras's variables is seen, and what is drawn from Python's generator."""
    seen, kind = _Seen(), import_keras().Variable
    initialize, randint = kind._initialize_with_initializer, random.randint

    def initialized(variable: Any, initializer: Any) -> None:
        seen.initializers.append((variable, initializer))
        initialize(variable, initializer)

    def drawn(*bounds: int) -> int:
        number = randint(*bounds)
        seen.draws.append((bounds, number))
        return number

    kind._initialize_with_initializer, random.randint = initialized, drawn  # type: ignore[assignment]
    try:
        yield seen
    finally:
        kind._initialize_with_initializer, random.randint = initialize, randint
