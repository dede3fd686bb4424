"""LeNet-5 (LeCun et al. 1998) as the source documents modify it.

All of them replace the original's scaled tangent by ReLU, its trainable sub-sampling by 2x2 max
pooling, its partial connection table by full connections and its radial basis functions by a
linear layer or a softmax.
"""

from typing import TYPE_CHECKING, Any

import lazy_loader

from models.pytorch import batch_norm as normalize
from models.pytorch import conv2d, dense

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def lenet5(*, input_shape: tuple[int, int, int], classes: int) -> "keras.Model":
    """The modified LeNet-5: max pooling, ReLU, full connections, softmax.

    Source: S003, question 5, its code; after LeCun et al. 1998. The first convolution is padded so
    that 28x28 images keep their size. 61,706 parameters for 28x28x1 images and 10 classes.

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


def lenet5_batch_norm_dropout(
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    input_batch_norm: bool = False,
    batch_norm: bool = False,
    input_dropout: float = 0.0,
    first_dropout: float = 0.0,
    dropout: float = 0.0,
) -> "keras.Model":
    """LeNet-5 with batch norm and dropout between each layer's sum and its ReLU, ahead of pooling.

    Source: S002, problem 1, its code (PyTorch, see `models.pytorch`). `batch_norm` normalises all four
    hidden layers, `input_batch_norm` the image. Rates of dropout: `input_dropout` on the image,
    `first_dropout` after the first convolution, `dropout` after the other three hidden layers.
    Parameters for 32x32x1 images and 10 classes: 61,706; 62,158 trainable and 62,610 in all with
    `batch_norm`; 62,160 and 62,614 with both.

    Inputs are float32 images (batch, height, width, channels); outputs are logits (batch, classes).
    """
    layers = keras.layers

    def hidden(x: Any, rate: float, name: str) -> Any:
        x = normalize(x, name=f"{name}_batch_norm") if batch_norm else x
        x = layers.Dropout(rate, name=f"{name}_dropout")(x) if rate else x
        return layers.ReLU(name=f"{name}_relu")(x)

    inputs = keras.Input(input_shape)
    x = normalize(inputs, name="input_batch_norm") if input_batch_norm else inputs
    x = layers.Dropout(input_dropout, name="input_dropout")(x) if input_dropout else x
    x = hidden(conv2d(x, 6, 5, name="c1"), first_dropout, "c1")
    x = layers.MaxPooling2D(2, name="s2")(x)
    x = hidden(conv2d(x, 16, 5, name="c3"), dropout, "c3")
    x = layers.MaxPooling2D(2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = hidden(dense(x, 120, name="c5"), dropout, "c5")
    x = hidden(dense(x, 84, name="f6"), dropout, "f6")
    return keras.Model(inputs, dense(x, classes, name="output"), name="lenet5_batch_norm_dropout")


def lenet5_regularized(
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    batch_norm: bool = False,
    dropout: float = 0.0,
    weight_decay: float = 0.0,
) -> "keras.Model":
    """LeNet-5 for 28x28 images with a regulariser: batch norm, dropout or weight decay.

    Source: S004, practical part (PyTorch, see `models.pytorch`). `batch_norm` stands between sum and
    ReLU of all four hidden layers; `dropout` after the two hidden full connections; `weight_decay` is
    PyTorch's, on weights and biases of every layer. Parameters for 28x28x1 images and 10 classes:
    61,706; 62,158 trainable and 62,610 in all with `batch_norm`.

    Inputs are float32 images (batch, height, width, channels); outputs are logits (batch, classes).
    """
    layers = keras.layers

    def hidden(x: Any, name: str) -> Any:
        x = normalize(x, name=f"{name}_batch_norm") if batch_norm else x
        return layers.ReLU(name=f"{name}_relu")(x)

    def drop(x: Any, name: str) -> Any:
        return layers.Dropout(dropout, name=f"{name}_dropout")(x) if dropout else x

    inputs = keras.Input(input_shape)
    x = hidden(conv2d(inputs, 6, 5, padding="same", weight_decay=weight_decay, name="c1"), "c1")
    x = layers.MaxPooling2D(2, name="s2")(x)
    x = hidden(conv2d(x, 16, 5, weight_decay=weight_decay, name="c3"), "c3")
    x = layers.MaxPooling2D(2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = drop(hidden(dense(x, 120, weight_decay=weight_decay, name="c5"), "c5"), "c5")
    x = drop(hidden(dense(x, 84, weight_decay=weight_decay, name="f6"), "f6"), "f6")
    outputs = dense(x, classes, weight_decay=weight_decay, name="output")
    return keras.Model(inputs, outputs, name="lenet5_regularized")


def lenet(
    *, input_shape: tuple[int, int, int], classes: int, batch_norm: bool = False, dropout: float = 0.0
) -> "keras.Model":
    """The LeNet of CIFAR-10 courses, with batch norm after each pooling and dropout after the full connections.

    Source: S000 and S001, question 4 (PyTorch, see `models.pytorch`). Convolutions are not padded: for
    32x32x3 images and 10 classes 62,006 parameters; 62,050 trainable and 62,094 in all with `batch_norm`.

    Inputs are float32 images (batch, height, width, channels); outputs are logits (batch, classes).
    """
    layers = keras.layers

    def drop(x: Any, name: str) -> Any:
        return layers.Dropout(dropout, name=name)(x) if dropout else x

    inputs = x = keras.Input(input_shape)
    for number, filters in enumerate((6, 16), 1):
        x = layers.ReLU(name=f"relu{number}")(conv2d(x, filters, 5, name=f"conv{number}"))
        x = layers.MaxPooling2D(2, name=f"pool{number}")(x)
        x = normalize(x, name=f"batch_norm{number}") if batch_norm else x
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate((120, 84), 1):
        x = layers.ReLU(name=f"fc{number}_relu")(dense(x, units, name=f"fc{number}"))
        x = drop(x, f"fc{number}_dropout")
    return keras.Model(inputs, dense(x, classes, name="output"), name="lenet")
