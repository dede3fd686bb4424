"""AlexNet (Krizhevsky, Sutskever, Hinton 2012), ungrouped as S002 counts it, or grouped as published."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def alexnet(
    *, input_shape: tuple[int, int, int] = (227, 227, 3), classes: int = 1000, grouped: bool = False
) -> "keras.Model":
    """Five convolutions, three overlapping max poolings, three full connections.

    Source: S002, problem 3.1; Krizhevsky et al. 2012, section 3. 62,378,344 parameters; 60,965,224 with
    `grouped`, where conv2, conv4 and conv5 see only the half of the maps that lay on their own GPU.
    Departures from the paper: no local response normalisation, which has no parameters; 227 pixels, as its
    224 do not divide; Keras's starting weights.

    Inputs are float32 images (batch, height, width, channels); outputs are probabilities (batch, classes).
    """
    layers = keras.layers
    groups = 2 if grouped else 1
    same = {"padding": "same", "activation": "relu"}
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(96, 11, strides=4, activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    x = layers.Conv2D(256, 5, groups=groups, **same, name="conv2")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool2")(x)
    x = layers.Conv2D(384, 3, **same, name="conv3")(x)
    x = layers.Conv2D(384, 3, groups=groups, **same, name="conv4")(x)
    x = layers.Conv2D(256, 3, groups=groups, **same, name="conv5")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool5")(x)
    x = layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(4096, activation="relu", name=name)(x)
        x = layers.Dropout(0.5, name=f"{name}_dropout")(x)
    outputs = layers.Dense(classes, activation="softmax", name="fc8")(x)
    return keras.Model(inputs, outputs, name="alexnet")
