"""The LeNets layer by layer, as the source documents list them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import models


def built(builder, input_shape, **options):
    return models.BUILDERS[builder](input_shape=input_shape, classes=10, **options)


def outline(model):
    """Name, kind, output shape and parameters of every layer but the input, in order."""
    return [
        (layer.name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params())
        for layer in model.layers[1:]
    ]


def rates(model):
    return {layer.name: layer.rate for layer in model.layers if type(layer).__name__ == "Dropout"}


def test_the_modified_lenet5_of_s003(keras):
    model = built("lenet5", (28, 28, 1))
    assert outline(model) == [
        ("c1", "Conv2D", (28, 28, 6), 156),
        ("s2", "MaxPooling2D", (14, 14, 6), 0),
        ("c3", "Conv2D", (10, 10, 16), 2_416),
        ("s4", "MaxPooling2D", (5, 5, 16), 0),
        ("flatten", "Flatten", (400,), 0),
        ("c5", "Dense", (120,), 48_120),
        ("f6", "Dense", (84,), 10_164),
        ("output", "Dense", (10,), 850),
    ]
    activations = [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]
    assert activations == ["relu"] * 4 + ["softmax"]


S002 = [
    ("input_batch_norm", "BatchNormalization", (32, 32, 1), 4),
    ("input_dropout", "Dropout", (32, 32, 1), 0),
    ("c1", "Conv2D", (28, 28, 6), 156),
    ("c1_batch_norm", "BatchNormalization", (28, 28, 6), 24),
    ("c1_dropout", "Dropout", (28, 28, 6), 0),
    ("c1_relu", "ReLU", (28, 28, 6), 0),
    ("s2", "MaxPooling2D", (14, 14, 6), 0),
    ("c3", "Conv2D", (10, 10, 16), 2_416),
    ("c3_batch_norm", "BatchNormalization", (10, 10, 16), 64),
    ("c3_dropout", "Dropout", (10, 10, 16), 0),
    ("c3_relu", "ReLU", (10, 10, 16), 0),
    ("s4", "MaxPooling2D", (5, 5, 16), 0),
    ("flatten", "Flatten", (400,), 0),
    ("c5", "Dense", (120,), 48_120),
    ("c5_batch_norm", "BatchNormalization", (120,), 480),
    ("c5_dropout", "Dropout", (120,), 0),
    ("c5_relu", "ReLU", (120,), 0),
    ("f6", "Dense", (84,), 10_164),
    ("f6_batch_norm", "BatchNormalization", (84,), 336),
    ("f6_dropout", "Dropout", (84,), 0),
    ("f6_relu", "ReLU", (84,), 0),
    ("output", "Dense", (10,), 850),
]
"Of S002's network, all that any variant of it has."
HIDDEN = ("c1", "c3", "c5", "f6")
AS_CODED = {"first_dropout": 0.2, "dropout": 0.5}
PER_SPECIFICATION = {"input_dropout": 0.2, "first_dropout": 0.5, "dropout": 0.5}
CODED_RATES = {"c1_dropout": 0.2, "c3_dropout": 0.5, "c5_dropout": 0.5, "f6_dropout": 0.5}
SPECIFIED_RATES = {"input_dropout": 0.2, "c1_dropout": 0.5, "c3_dropout": 0.5, "c5_dropout": 0.5, "f6_dropout": 0.5}


@pytest.mark.parametrize(
    ("options", "norms", "dropouts"),
    [
        ({}, (), {}),
        ({"batch_norm": True}, HIDDEN, {}),
        ({"batch_norm": True, "input_batch_norm": True}, ("input", *HIDDEN), {}),
        (AS_CODED, (), CODED_RATES),
        (PER_SPECIFICATION, (), SPECIFIED_RATES),
        ({"batch_norm": True, **AS_CODED}, HIDDEN, CODED_RATES),
        ({"batch_norm": True, **PER_SPECIFICATION}, HIDDEN, SPECIFIED_RATES),
        (
            {"batch_norm": True, "input_batch_norm": True, **PER_SPECIFICATION},
            ("input", *HIDDEN),
            SPECIFIED_RATES,
        ),
    ],
    ids=str,
)
def test_the_lenet5_of_s002_has_sum_then_batch_norm_then_dropout_then_relu_then_pooling(
    options, norms, dropouts, keras
):
    model = built("lenet5_batch_norm_dropout", (32, 32, 1), **options)
    there = {*(f"{name}_batch_norm" for name in norms), *dropouts}
    assert outline(model) == [row for row in S002 if row[0] in there or row[1] not in ("BatchNormalization", "Dropout")]
    assert rates(model) == dropouts


S004 = [
    ("c1", "Conv2D", (28, 28, 6), 156),
    ("c1_batch_norm", "BatchNormalization", (28, 28, 6), 24),
    ("c1_relu", "ReLU", (28, 28, 6), 0),
    ("s2", "MaxPooling2D", (14, 14, 6), 0),
    ("c3", "Conv2D", (10, 10, 16), 2_416),
    ("c3_batch_norm", "BatchNormalization", (10, 10, 16), 64),
    ("c3_relu", "ReLU", (10, 10, 16), 0),
    ("s4", "MaxPooling2D", (5, 5, 16), 0),
    ("flatten", "Flatten", (400,), 0),
    ("c5", "Dense", (120,), 48_120),
    ("c5_batch_norm", "BatchNormalization", (120,), 480),
    ("c5_relu", "ReLU", (120,), 0),
    ("c5_dropout", "Dropout", (120,), 0),
    ("f6", "Dense", (84,), 10_164),
    ("f6_batch_norm", "BatchNormalization", (84,), 336),
    ("f6_relu", "ReLU", (84,), 0),
    ("f6_dropout", "Dropout", (84,), 0),
    ("output", "Dense", (10,), 850),
]


@pytest.mark.parametrize(
    ("options", "optional"),
    [
        ({}, ()),
        ({"weight_decay": 1e-4}, ()),
        ({"dropout": 0.5}, ("Dropout",)),
        ({"batch_norm": True}, ("BatchNormalization",)),
        ({"batch_norm": True, "dropout": 0.5}, ("BatchNormalization", "Dropout")),
    ],
    ids=str,
)
def test_the_regularised_lenet5_of_s004(options, optional, keras):
    model = built("lenet5_regularized", (28, 28, 1), **options)
    assert outline(model) == [
        row for row in S004 if row[1] in optional or row[1] not in ("BatchNormalization", "Dropout")
    ]
    assert rates(model) == ({"c5_dropout": 0.5, "f6_dropout": 0.5} if "dropout" in options else {})


S000 = [
    ("conv1", "Conv2D", (28, 28, 6), 456),
    ("relu1", "ReLU", (28, 28, 6), 0),
    ("pool1", "MaxPooling2D", (14, 14, 6), 0),
    ("batch_norm1", "BatchNormalization", (14, 14, 6), 24),
    ("conv2", "Conv2D", (10, 10, 16), 2_416),
    ("relu2", "ReLU", (10, 10, 16), 0),
    ("pool2", "MaxPooling2D", (5, 5, 16), 0),
    ("batch_norm2", "BatchNormalization", (5, 5, 16), 64),
    ("flatten", "Flatten", (400,), 0),
    ("fc1", "Dense", (120,), 48_120),
    ("fc1_relu", "ReLU", (120,), 0),
    ("fc1_dropout", "Dropout", (120,), 0),
    ("fc2", "Dense", (84,), 10_164),
    ("fc2_relu", "ReLU", (84,), 0),
    ("fc2_dropout", "Dropout", (84,), 0),
    ("output", "Dense", (10,), 850),
]


@pytest.mark.parametrize(
    ("options", "optional"),
    [
        ({}, ()),
        ({"batch_norm": True}, ("BatchNormalization",)),
        ({"batch_norm": True, "dropout": 0.3}, ("BatchNormalization", "Dropout")),
    ],
    ids=str,
)
def test_the_lenet_of_s000_normalises_after_pooling_and_drops_after_relu(options, optional, keras):
    model = built("lenet", (32, 32, 3), **options)
    assert outline(model) == [
        row for row in S000 if row[1] in optional or row[1] not in ("BatchNormalization", "Dropout")
    ]
    assert rates(model) == ({"fc1_dropout": 0.3, "fc2_dropout": 0.3} if "dropout" in options else {})


@pytest.mark.parametrize("builder", ["lenet", "lenet5_batch_norm_dropout", "lenet5_regularized"])
def test_the_networks_of_pytorch_return_logits(builder, keras):
    """Their layers are linear, every ReLU is a layer of its own, and the outputs do not add up to one."""
    model = built(builder, (32, 32, 1))
    assert {layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")} == {"linear"}
    assert [type(layer).__name__ for layer in model.layers].count("ReLU") == 4
    assert abs(float(np.sum(model(np.ones((1, 32, 32, 1), "float32")))) - 1) > 1e-3


@settings(max_examples=25, deadline=None)
@given(arrays(np.float32, (3, 8), elements=st.floats(-1e6, 1e6, width=32)), st.sampled_from([0.2, 0.3, 0.5]))
def test_dropout_ahead_of_relu_is_dropout_after_it(keras, x, rate):
    """A mask is never negative, so that S002's order of the two changes nothing."""
    ahead, after = (keras.layers.Dropout(rate, seed=7) for _ in range(2))
    one, other = np.maximum(ahead(x, training=True), 0), np.asarray(after(np.maximum(x, 0), training=True))
    np.testing.assert_array_equal(one, other)
