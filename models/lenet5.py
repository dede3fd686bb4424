"""LeNet-5 (LeCun et al. 1998) as the source documents modify it."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def lenet5(*, input_shape: tuple[int, int, int], classes: int) -> "keras.Model":
    """The modified LeNet-5: max pooling, ReLU, full connections, softmax.

    Source: S003, question 5, its code; after LeCun et al. 1998. Departures from 1998: the first
    convolution is padded so that 28x28 images keep their size, pooling takes the maximum and has
    no weights, the second convolution sees all six maps, ReLU replaces the scaled tangent, and a
    softmax layer the radial basis functions. 61,706 parameters for 28x28x1 images and 10 classes.

    Inputs are float32 images (batch, height, width, channels) in 0 to 1; outputs are
    probabilities (batch, classes).
    """
    layers = keras.layers
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(6, 5, padding="same", activation="relu", name="c1")(inputs)
    x = layers.MaxPooling2D(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation="relu", name="c3")(x)
    x = layers.MaxPooling2D(2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation="relu", name="c5")(x)
    x = layers.Dense(84, activation="relu", name="f6")(x)
    outputs = layers.Dense(classes, activation="softmax", name="output")(x)
    return keras.Model(inputs, outputs, name="lenet5")
