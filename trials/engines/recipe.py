"""How the values of a fresh model follow from its seed: initializers alone take a seventh of the time of a build."""

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trials.engines.model import GENERATOR, fresh_model, seed_generators
from trials.environment import import_keras
from trials.experiment import Configuration
from trials.seeds import Stream, dropout_states, integer

DEFAULT_SEED = (1, int(1e9))
"Between these Keras draws the seed of an initializer that was given none, from Python's generator."
ABSENT = object()


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


@dataclass
class _Seen:
    """What a build did with variables, and which default seeds Keras drew for it."""

    initializers: list[tuple[Any, Any]] = field(default_factory=list)
    "Variables, and what gave them their first values."
    seeds: list[int] = field(default_factory=list)
    touched: bool = False
    "Whether it looked at values, or changed some: what it does then may depend on them."


def with_recipe(
    configuration: Configuration, input_shape: tuple[int, ...], classes: int, seed: int
) -> tuple[Any, Recipe | None]:
    """The seed's fresh model, and what its building shows of all seeds: None where that is not enough."""
    with _watched() as seen:
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


@contextmanager
def _watched() -> Iterator[_Seen]:
    """Within: it is seen what Keras does with its variables, and draws for them."""
    import_keras()
    from keras.src.backend import Variable, in_stateless_scope
    from keras.src.random import seed_generator

    seen, initialize, assign, value = _Seen(), Variable._initialize_with_initializer, Variable.assign, Variable.value

    def initialized(variable: Any, initializer: Any) -> None:
        seen.initializers.append((variable, initializer))
        initialize(variable, initializer)

    def read(variable: Any) -> Any:
        seen.touched |= not in_stateless_scope()  # within one are the shapes of a symbolic call worked out
        return value.fget(variable)

    def assigned(variable: Any, given: Any) -> Any:
        seen.touched |= not variable.path.endswith(GENERATOR)  # those a trial sets itself
        return assign(variable, given)

    class Drawing:
        @staticmethod
        def randint(low: int, high: int) -> int:
            seen.seeds.append(random.randint(low, high))
            return seen.seeds[-1]

    with ExitStack() as stack:
        stack.enter_context(replaced(Variable, "_initialize_with_initializer", initialized))
        stack.enter_context(replaced(Variable, "value", property(read)))
        stack.enter_context(replaced(Variable, "assign", assigned))
        stack.enter_context(replaced(seed_generator, "python_random", Drawing))
        yield seen


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Within: the owner's attribute is another one."""
    before = vars(owner).get(name, ABSENT)  # a class may only inherit it
    setattr(owner, name, value)
    try:
        yield
    finally:
        delattr(owner, name)
        if before is not ABSENT:
            setattr(owner, name, before)
