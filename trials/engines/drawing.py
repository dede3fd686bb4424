"""What the fresh model of each seed starts with, for an engine that trains all seeds in one traced model."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import numpy as np

from trials import backend
from trials.engines.model import fresh_model
from trials.engines.recipe import Recipe, with_recipe
from trials.engines.watched import replaced
from trials.errors import UserError
from trials.experiment import Configuration

MOST_AHEAD = 100
"Seeds drawn at a time: they are lost when another worker takes over, and the first result waits for them."
MOST_BYTES = 64 * 2**20


class Drawing:
    """The values that fresh models of many seeds start with; seeds are drawn many at a time.

    `template` is the first model built, shapes and names and all. `resembles` says that it is like others for which
    initializers alone were enough: then it is built with TensorFlow's kernels kept, and once more if they are not.
    """

    def __init__(self, configuration: Configuration, classes: int, resembles: bool = False) -> None:
        self.configuration, self.classes, self.resembles = configuration, classes, resembles
        self.template: Any = None
        self._recipe: Recipe | None = None
        self._keeps = False
        "Whether models come out the same where TensorFlow keeps its kernels."
        self._drawn: dict[int, list[np.ndarray]] = {}

    def take(self, seed: int, input_shape: tuple[int, ...], ahead: Sequence[int]) -> list[np.ndarray]:
        """The values of all variables of this seed's fresh model, in the model's order; `ahead` seeds come next."""
        if self.template is None:
            self.begin(seed, input_shape, ahead)
        if seed not in self._drawn:
            self._draw(seed, input_shape, ahead)
        return self._drawn.pop(seed)

    def begin(self, seed: int, input_shape: tuple[int, ...], ahead: Sequence[int]) -> None:
        """Builds the first model and, where others follow, finds the fastest way to theirs that gives the same."""
        with kernels_kept() if self.resembles else nullcontext():
            template, recipe = with_recipe(self.configuration, input_shape, self.classes, seed)
        if recipe is not None and not _same(recipe.values(seed), _copies(template)):
            recipe = None
        if self.resembles and recipe is None:
            template = fresh_model(self.configuration, input_shape, self.classes, seed)
        self.template, self._drawn[seed] = template, _copies(template)
        with kernels_kept(), suppress(UserError):  # a builder that bears no second call says so in its turn
            if ahead and recipe is not None:
                next_values = self._built(ahead[0], input_shape)
                if _same(recipe.values(ahead[0]), next_values):
                    self._recipe, self._drawn[ahead[0]] = recipe, next_values
            if ahead and self._recipe is None:
                self._keeps = _same(self._built(seed, input_shape), self._drawn[seed])

    def _draw(self, seed: int, input_shape: tuple[int, ...], ahead: Sequence[int]) -> None:
        self._drawn, held = {}, 0
        for number in (seed, *ahead[: MOST_AHEAD - 1]):
            try:
                values = self._drawn[number] = self._values(number, input_shape)
            except Exception:  # a builder's, or for want of memory
                if number == seed:
                    raise
                break  # it fails in its own turn
            held += sum(value.nbytes for value in values)
            if held > MOST_BYTES:
                break

    def _values(self, seed: int, input_shape: tuple[int, ...]) -> list[np.ndarray]:
        if self._recipe is not None:
            return self._recipe.values(seed)
        with kernels_kept() if self._keeps else nullcontext():
            return self._built(seed, input_shape)

    def _built(self, seed: int, input_shape: tuple[int, ...]) -> list[np.ndarray]:
        return _copies(fresh_model(self.configuration, input_shape, self.classes, seed))


def _same(values: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> bool:
    """Whether they are equal to the last bit: a zero may have a sign."""
    return [_content(value) for value in values] == [_content(other) for other in others]


def _content(value: np.ndarray) -> tuple[np.dtype, tuple[int, ...], bytes]:
    return value.dtype, value.shape, value.tobytes()


def _copies(model: Any) -> list[np.ndarray]:
    return [np.array(variable.numpy()) for variable in model.variables]


@contextmanager
def kernels_kept() -> Iterator[None]:
    """Within: seeding TensorFlow does not make it forget its kernels, which is most of what a small model costs.

    It forgets them for the sake of random operations that hold a state of their own; initializers of Keras hold
    none. Where a builder draws with others, a seed that comes again gives other values here.
    """
    if backend.current() != "tensorflow":
        yield
        return
    from tensorflow.python.eager.context import Context

    def seed(context: Any, number: int) -> None:
        context._seed, context._rng = number, random.Random(number)

    with replaced(Context, "_set_global_seed", seed):
        yield
