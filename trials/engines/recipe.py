"""How the values of a fresh model follow from its seed: initializers alone take a seventh of the time of a build."""

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trials.engines.model import fresh_model, seed_generators
from trials.engines.watched import watched
from trials.experiment import Configuration
from trials.seeds import Stream, dropout_states, integer

DEFAULT_SEED = (1, int(1e9))
"Between these Keras draws the seed of an initializer that was given none, from Python's generator."


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
        fixed = {place: each for place, each in enumerate(starts) if each.initializer is not None and each.draw is None}
        self._constants = {place: each.value(()) for place, each in fixed.items()}
        for constant in self._constants.values():
            constant.setflags(write=False)  # every seed is handed the same
        self._generators = [place for place, each in enumerate(starts) if each.initializer is None]

    def values(self, seed: int) -> list[np.ndarray]:
        """Those of all variables, in the model's order."""
        draws = _default_seeds(_python(seed), self._draws)
        known = dict(self._constants)
        for place, state in zip(self._generators, dropout_states(seed, len(self._generators)), strict=True):
            known[place] = state.astype(self._starts[place].dtype)
        return [known[place] if place in known else each.value(draws) for place, each in enumerate(self._starts)]


def with_recipe(
    configuration: Configuration, input_shape: tuple[int, ...], classes: int, seed: int
) -> tuple[Any, Recipe | None]:
    """The seed's fresh model, and what its building shows of all seeds: None where that is not enough."""
    with watched() as seen:
        model = fresh_model(configuration, input_shape, classes, seed)
    if seen.touched or not _drew_only(seen.seeds, seed):
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
            draw = seen.seeds.index(own) if own in seen.seeds else None
            starts.append(Start(tuple(variable.shape), variable.dtype, initializer, draw))
        else:
            return model, None
    return model, Recipe(starts, len(seen.seeds))


def _drew_only(seeds: Sequence[int], seed: int) -> bool:
    """Whether nothing was drawn but these default seeds, from any generator that a trial's seed sets."""
    from tensorflow.python.eager import context

    number, python = integer(seed, Stream.WEIGHTS), _python(seed)
    numpy, tensorflow = np.random.RandomState(number).get_state(), random.Random(number)
    return (
        _default_seeds(python, len(seeds)) == seeds
        and python.getstate() == random.getstate()
        and all(map(np.array_equal, numpy, np.random.get_state()))
        and tensorflow.getstate() == context.context()._rng.getstate()
    )


def _python(seed: int) -> random.Random:
    return random.Random(integer(seed, Stream.WEIGHTS))


def _default_seeds(generator: random.Random, count: int) -> list[int]:
    return [generator.randint(*DEFAULT_SEED) for _ in range(count)]
