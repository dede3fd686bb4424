"""Which of Keras's own classes decides what a layer computes: only of these is anything known."""

from typing import Any

HARMLESS = {"get_config", "from_config"}
"What a subclass may define anew and still compute the same, beside double-underscored names."


def kind(layer: Any) -> str | None:
    """The name of the Keras class whose code the layer runs, `Conv2D` say; None where it runs code of its own."""
    own: set[str] = set()
    for place in type(layer).__mro__:
        if place.__module__.startswith("keras."):
            changed = [name for name in own if hasattr(place, name)]
            return None if changed else place.__name__
        own |= {name for name in vars(place) if not name.startswith("__")} - HARMLESS
    return None


NORMALIZATIONS = {
    *("BatchNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization", "UnitNormalization"),
}
DROPOUTS = {
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout"),
    *("GaussianNoise", "StochasticDepth"),
}
"Layers that hand their input on, except in training."
MERGES = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"}
POINTWISE = {
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Rescaling", "Normalization", "LayerScale"),
    *("Relu", "Relu6", "Sigmoid", "Silu", "Gelu", "Tanh", "HardSigmoid", "HardSwish"),  # keras.ops
}
VIEWS = {"Flatten", "Reshape", "Identity", "Squeeze", "ExpandDims", "ActivityRegularization"}
"Layers whose output is their input in another shape: no value is computed or kept."
PADDINGS = {f"{what}{n}D" for what in ("ZeroPadding", "Cropping") for n in (1, 2, 3)}
UPSAMPLINGS = {f"UpSampling{n}D" for n in (1, 2, 3)}
CONVOLUTIONS = {f"Conv{n}D" for n in (1, 2, 3)}
DEPTHWISE = {f"DepthwiseConv{n}D" for n in (1, 2)}
SEPARABLE = {f"SeparableConv{n}D" for n in (1, 2)}
TRANSPOSED = {f"Conv{n}DTranspose" for n in (1, 2, 3)}
POOLINGS = {f"{what}Pooling{n}D" for what in ("Max", "Average") for n in (1, 2, 3)}
GLOBAL_POOLINGS = {f"Global{pooling}" for pooling in POOLINGS}
