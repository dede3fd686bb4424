"""Multilayer perceptrons."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def mlp(*, input_shape: tuple[int, ...], classes: int, units: int = 10) -> "keras.Model":
    """Two hidden ReLU layers of `units` and a softmax over the classes.

    Source: S003, question 4 (Iris), its code. (None, 4) -> units -> units -> classes:
    units**2 + 9 * units + 3 parameters for 4 inputs and 3 classes.

    Inputs are float32 of shape (batch, features), unscaled in the source; outputs are
    probabilities (batch, classes).
    """
    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(units, activation="relu", name="hidden_1")(inputs)
    hidden = keras.layers.Dense(units, activation="relu", name="hidden_2")(hidden)
    outputs = keras.layers.Dense(classes, activation="softmax", name="output")(hidden)
    return keras.Model(inputs, outputs, name="mlp")
