"""The perceptron of S004: ReLU everywhere, at the outputs as well."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def mlp_10_50_3(*, input_shape: tuple[int, ...] = (10,), classes: int = 3) -> "keras.Model":
    """Ten inputs, one hidden layer of 50 and three outputs, all ReLU: 703 parameters.

    Source: S004, theory, question 1: Y = ReLU(ReLU(X W_h + b_h) W_o + b_o). It is no case of `mlp`, which
    has two hidden layers and a softmax.

    Inputs are float32 (batch, features); outputs, (batch, classes), are never negative and serve as logits.
    """
    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(50, activation="relu", name="hidden")(inputs)
    outputs = keras.layers.Dense(classes, activation="relu", name="output")(hidden)
    return keras.Model(inputs, outputs, name="mlp_10_50_3")
