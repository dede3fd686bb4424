"""LeNet-5 as published (LeCun, Bottou, Bengio, Haffner 1998), its connections counted in S003, question 2."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    import keras

    import models.layers_1998 as layers_1998  # noqa: PLR0402 -- "from models" would make the whole zoo part of the hash
else:
    keras = lazy_loader.load("keras")
    layers_1998 = lazy_loader.load("models.layers_1998", suppress_warning=True)

THREE = [(n, (n + 1) % 6, (n + 2) % 6) for n in range(6)]
FOUR = [(n, (n + 1) % 6, (n + 2) % 6, (n + 3) % 6) for n in range(6)]
APART = [(0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)]
C3 = [*THREE, *FOUR, *APART, (0, 1, 2, 3, 4, 5)]
"Table I of the paper: the maps of S2 that each of the 16 maps of C3 sees."
FIELD = 32
"The paper's images are this high and wide, with room around the digit for the receptive fields of C3."


def lenet5_1998(*, input_shape: tuple[int, int, int] = (32, 32, 1), classes: int = 10) -> "keras.Model":
    """The original LeNet-5: trainable sub-sampling, partial connections, scaled tanh, radial basis functions.

    Source: LeCun et al. 1998, section II.B and appendix A; S003, question 2. 60,000 trainable parameters,
    and 840 fixed ones, the codes of the output; 340,908 connections. Departures: the codes and the scale of the
    outputs (see `models.layers_1998.RadialBasis`), which are minus the paper's penalties, so that cross-entropy takes
    them as logits; loss and optimizer are the protocol's; C5, a convolution of the size of its input, is a full
    connection.

    Inputs are float32 images (batch, height, width, channels), 0 for the background to 1 for the strokes, which
    become the paper's -0.1 to 1.175; smaller ones, as MNIST's of 28x28, are centred in its field of 32x32. Outputs
    are logits (batch, classes), at most 0.
    """
    layers, old = keras.layers, layers_1998

    def hidden(x: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        return layers.Activation(old.squash, name=f"{name}_squash")(x)

    def start(fan_in: int) -> dict[str, "keras.initializers.Initializer"]:
        return {"kernel_initializer": old.start(fan_in), "bias_initializer": old.start(fan_in)}

    inputs = x = keras.Input(input_shape)
    margins = [(max(FIELD - length, 0) // 2, max(FIELD - length + 1, 0) // 2) for length in input_shape[:2]]
    x = layers.ZeroPadding2D(margins, name="field")(x) if any(map(any, margins)) else x
    x = layers.Rescaling(1.275, -0.1, name="range")(x)
    x = hidden(layers.Conv2D(6, 5, **start(25 * input_shape[-1]), name="c1")(x), "c1")
    x = hidden(old.SubSampling(2, name="s2")(x), "s2")
    x = hidden(old.PartialConv2D(C3, 5, name="c3")(x), "c3")
    x = hidden(old.SubSampling(2, name="s4")(x), "s4")
    x = layers.Flatten(name="flatten")(x)
    x = hidden(layers.Dense(120, **start(x.shape[-1]), name="c5")(x), "c5")
    x = hidden(layers.Dense(84, **start(120), name="f6")(x), "f6")
    return keras.Model(inputs, old.RadialBasis(classes, name="output")(x), name="lenet5_1998")
