"""The VGG networks (Simonyan, Zisserman 2014): stacks of 3x3 convolutions between max poolings."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def vgg16(*, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000) -> "keras.Model":
    """Thirteen convolutions and three full connections.

    Source: Simonyan and Zisserman 2014, table 1, D; what S002, problem 3.2, lists as VGG19. 138,357,544
    parameters, 138,344,128 without biases. Departure: Keras's starting weights.

    Inputs are float32 images (batch, height, width, channels); outputs are probabilities (batch, classes).
    """
    return _vgg((2, 2, 3, 3, 3), input_shape, classes, "vgg16")


def vgg19(*, input_shape: tuple[int, int, int] = (224, 224, 3), classes: int = 1000) -> "keras.Model":
    """Sixteen convolutions and three full connections.

    Source: S002, problem 3.2; Simonyan and Zisserman 2014, table 1, E. 143,667,240 parameters, 143,652,544
    without biases. Departure: Keras's starting weights.

    Inputs are float32 images (batch, height, width, channels); outputs are probabilities (batch, classes).
    """
    return _vgg((2, 2, 4, 4, 4), input_shape, classes, "vgg19")


def _vgg(depths: tuple[int, ...], input_shape: tuple[int, int, int], classes: int, name: str) -> "keras.Model":
    layers = keras.layers
    inputs = x = keras.Input(input_shape)
    for block, (depth, filters) in enumerate(zip(depths, (64, 128, 256, 512, 512), strict=True), 1):
        for number in range(1, depth + 1):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{block}_{number}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.Flatten(name="flatten")(x)
    for full in ("fc6", "fc7"):
        x = layers.Dense(4096, activation="relu", name=full)(x)
        x = layers.Dropout(0.5, name=f"{full}_dropout")(x)
    outputs = layers.Dense(classes, activation="softmax", name="fc8")(x)
    return keras.Model(inputs, outputs, name=name)
