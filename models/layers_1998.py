"""The layers of LeNet-5 as published (LeCun, Bottou, Bengio, Haffner 1998) that Keras has no longer.

Importing this module imports Keras; `models.lenet5_1998` does so when it builds. Each layer says its
own cost, which `analysis.cost` reads.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import keras
import numpy as np

PACKAGE = "lenet5_1998"


def start(fan_in: int) -> keras.initializers.Initializer:
    """The paper's starting values (appendix A): uniform within 2.4 / the number of a unit's inputs."""
    return keras.initializers.RandomUniform(-2.4 / fan_in, 2.4 / fan_in)


@keras.saving.register_keras_serializable(PACKAGE)
def squash(x: Any) -> Any:
    """A scaled hyperbolic tangent, 1.7159 tanh(2x/3): -1 and 1 map to themselves (appendix A)."""
    return 1.7159 * keras.ops.tanh(x * (2 / 3))


@keras.saving.register_keras_serializable(PACKAGE)
class SubSampling(keras.layers.Layer):
    """The sum over windows that do not overlap, times one trainable coefficient a map, plus one bias a map."""

    def __init__(self, size: int = 2, **more: Any) -> None:
        super().__init__(**more)
        self.size = size

    def build(self, input_shape: Sequence[int]) -> None:
        options = {"shape": (input_shape[-1],), "initializer": start(self.size**2)}
        self.coefficient = self.add_weight(name="coefficient", **options)
        self.bias = self.add_weight(name="bias", **options | {"initializer": start(self.size**2)})

    def call(self, x: Any) -> Any:
        mean = keras.ops.average_pool(x, self.size, strides=self.size, padding="valid")
        return mean * (self.size**2 * self.coefficient) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}

    def cost(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> dict[str, Any]:
        units = prod(output_shape)
        counts = {"multiply_adds": units, "connections": units * self.size**2, "biases": units}
        return {**counts, "pools": True, "window": (self.size, self.size, "valid")}


@keras.saving.register_keras_serializable(PACKAGE)
class PartialConv2D(keras.layers.Layer):
    """A convolution in which each map sees only some of the maps below: `table` lists them, a row a map."""

    def __init__(self, table: Sequence[Sequence[int]], size: int, **more: Any) -> None:
        super().__init__(**more)
        self.table = [list(row) for row in table]
        self.size = size

    def build(self, input_shape: Sequence[int]) -> None:
        pairs = [(below, above) for above, row in enumerate(self.table) for below in row]
        self.placement = np.zeros((len(pairs), input_shape[-1], len(self.table)), "float32")
        for number, (below, above) in enumerate(pairs):
            self.placement[number, below, above] = 1
        fans = np.array([self.size**2 * len(self.table[above]) for _, above in pairs], "float32")
        self.kernel = self.add_weight(name="kernel", shape=(self.size**2, len(pairs)), initializer=_each_start(fans))
        fans = np.array([self.size**2 * len(row) for row in self.table], "float32")
        self.bias = self.add_weight(name="bias", shape=(len(self.table),), initializer=_each_start(fans))

    def call(self, x: Any) -> Any:
        full = keras.ops.tensordot(self.kernel, self.placement, 1)
        full = keras.ops.reshape(full, (self.size, self.size, x.shape[-1], len(self.table)))
        return keras.ops.conv(x, full, padding="valid") + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "table": self.table, "size": self.size}

    def cost(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> dict[str, Any]:
        work = prod(output_shape[:-1]) * self.size**2 * sum(map(len, self.table))
        counts = {"multiply_adds": work, "connections": work, "biases": prod(output_shape)}
        return {**counts, "window": (self.size, 1, "valid")}


def _each_start(fans: np.ndarray) -> Callable[..., Any]:
    """As `start`, where the units of a layer differ in their number of inputs."""

    def draw(shape: Any, dtype: Any = None) -> Any:
        return start(1)(shape, dtype) / fans

    return draw


@keras.saving.register_keras_serializable(PACKAGE)
class RadialBasis(keras.layers.Layer):
    """Minus the mean squared difference to a fixed code of -1 and 1 for each class (equation 7, as logits).

    Departures: the paper's codes are drawings of the characters in 7 x 12 pixels, which are not at hand, and
    `codes` says what stands for them; and the mean, where the paper sums over the units. What the paper minimises
    (equation 8) draws the units all the way to a code. Cross-entropy of a sum over 84 units is content as soon as
    they leave 0 a little, where tanh is next to linear and so is the whole network; of the mean it is not.
    """

    def __init__(self, classes: int, **more: Any) -> None:
        super().__init__(**more)
        if not 1 <= classes <= CODES:
            raise ValueError(f"RadialBasis has codes for 1 to {CODES} classes. Received: classes={classes}.")
        self.classes = classes

    def build(self, input_shape: Sequence[int]) -> None:
        values = codes(self.classes, input_shape[-1])
        options = {"shape": values.shape, "initializer": lambda shape, dtype=None: keras.ops.cast(values, dtype)}
        self.codes = self.add_weight(name="codes", trainable=False, **options)

    def call(self, x: Any) -> Any:
        return -keras.ops.mean(keras.ops.square(x[:, None, :] - self.codes), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}

    def cost(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> dict[str, Any]:
        work = prod(input_shape) * self.classes
        return {"multiply_adds": work, "connections": work, "window": "all"}


CODES = 254


def codes(classes: int, length: int) -> np.ndarray:
    """Fixed codes, (classes, length) of -1 and 1: rows of a Hadamard matrix and their opposites (biorthogonal).

    Class 2k has row k + 1, (-1) to the number of ones that k + 1 and the column have in common in binary;
    class 2k + 1 its opposite. Codes differ in about half of their places, opposites in all, and no place
    is the same for all classes: a unit of F6 there would learn nothing.
    """
    numbers, columns = np.arange(classes)[:, None], np.arange(length)[None, :]
    return 1.0 - 2.0 * ((np.bitwise_count((numbers // 2 + 1) & columns) + numbers) % 2)
