"""The Inception module (Szegedy et al. 2014), naive and with reductions: feature maps in, feature maps out."""

from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def inception_naive(*, input_shape: tuple[int, int, int] = (32, 32, 256)) -> "keras.Model":
    """1x1, 3x3 and 5x5 convolutions and a 3x3 max pooling side by side, all on the input itself.

    Source: S002, problem 3.4; Szegedy et al. 2014, figure 2a. The numbers of filters follow from the
    document's own products and are those of GoogLeNet's module 3b. 1,115,684,864 multiply-adds.

    Inputs are float32 (batch, height, width, channels); outputs (batch, height, width, 416 + channels).
    """
    inputs = keras.Input(input_shape)
    branches = [
        _conv(inputs, 128, 1, "conv1x1"),
        _conv(inputs, 192, 3, "conv3x3"),
        _conv(inputs, 96, 5, "conv5x5"),
        _pool(inputs),
    ]
    return keras.Model(inputs, keras.layers.Concatenate(name="output")(branches), name="inception_naive")


def inception_reduced(*, input_shape: tuple[int, int, int] = (32, 32, 256)) -> "keras.Model":
    """The same with 1x1 convolutions ahead of the larger ones and after the pooling, to have fewer maps there.

    Source: S002, problem 3.4; Szegedy et al. 2014, figure 2b, module 3b. 397,410,304 multiply-adds.

    Inputs are float32 (batch, height, width, channels); outputs (batch, height, width, 480).
    """
    inputs = keras.Input(input_shape)
    branches = [
        _conv(inputs, 128, 1, "conv1x1"),
        _conv(_conv(inputs, 128, 1, "reduce3x3"), 192, 3, "conv3x3"),
        _conv(_conv(inputs, 32, 1, "reduce5x5"), 96, 5, "conv5x5"),
        _conv(_pool(inputs), 64, 1, "project"),
    ]
    return keras.Model(inputs, keras.layers.Concatenate(name="output")(branches), name="inception_reduced")


def _conv(x: Any, filters: int, size: int, name: str) -> Any:
    return keras.layers.Conv2D(filters, size, padding="same", activation="relu", name=name)(x)


def _pool(x: Any) -> Any:
    return keras.layers.MaxPooling2D(3, strides=1, padding="same", name="pool")(x)
