"""The stacks of convolutions that the source documents count by hand: feature maps in, feature maps out."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def conv_block(*, input_shape: tuple[int, int, int] = (64, 64, 128), bias: bool = False) -> "keras.Model":
    """Two 3x3 convolutions, the first with stride 2, both with a padding of one pixel on each side.

    Source: S001, question 1, whose figure is lost: strides and padding follow from its solution. 1,474,560
    weights, 1,475,328 parameters with `bias`. The padding is a layer of its own, as Keras's "same" adds
    its pixel for stride 2 at the end alone, which gives other values. Activations are not stated: ReLU.

    Inputs are float32 (batch, height, width, channels); outputs (batch, height / 2, width / 2, 512).
    """
    layers = keras.layers
    inputs = keras.Input(input_shape)
    x = layers.ZeroPadding2D(1, name="padding1")(inputs)
    x = layers.Conv2D(256, 3, strides=2, activation="relu", use_bias=bias, name="conv1")(x)
    x = layers.ZeroPadding2D(1, name="padding2")(x)
    x = layers.Conv2D(512, 3, activation="relu", use_bias=bias, name="conv2")(x)
    return keras.Model(inputs, x, name="conv_block")


def strided_cnn(*, input_shape: tuple[int, int, int] = (200, 300, 3)) -> "keras.Model":
    """Three 3x3 convolutions with stride 2 and 100, 200 and 400 maps.

    Source: S004, theory, question 2. 903,400 parameters, 902,700 without biases. Activations are not
    stated: ReLU.

    Inputs are float32 images (batch, height, width, channels); outputs (batch, height / 8, width / 8, 400),
    rounded up.
    """
    inputs = x = keras.Input(input_shape)
    for number, filters in enumerate((100, 200, 400), 1):
        conv = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu", name=f"conv{number}")
        x = conv(x)
    return keras.Model(inputs, x, name="strided_cnn")
