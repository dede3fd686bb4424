"""Receptive fields and strides, worked out by hand and measured: which inputs move which outputs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import describe, reach


def last(model):
    """Field and stride of a model's last layer."""
    found = describe.rows(model)[-1].reach
    return describe.field(found), describe.stride(found)


def test_three_layers_of_5x5_see_13_pixels(keras):
    """S002, problem 3.3: N filters of F by F see N * (F - 1) + 1."""
    conv = keras.layers.Conv2D
    model = keras.Sequential([keras.Input((32, 32, 3)), conv(4, 5), conv(4, 5), conv(4, 5)])
    assert [describe.field(row.reach) for row in describe.rows(model)] == ["1", "5", "9", "13"]


@pytest.mark.parametrize(
    ("kinds", "field", "stride"),
    [
        ([("Conv2D", (1, 3, 2)), ("Conv2D", (1, 3, 1))], "7", "2"),  # 1 + 2 + 2 * 2
        ([("MaxPooling2D", (2,)), ("Conv2D", (1, 3))], "6", "2"),  # 1 + 1 + 2 * 2
        ([("Conv2D", (1, 3, 1, "valid", None, 2))], "5", "1"),  # 3 taps, every second pixel
        ([("Conv2D", (1, (3, 1), (2, 1)))], "3x1", "2x1"),
        ([("ZeroPadding2D", (3,)), ("Cropping2D", (2,)), ("DepthwiseConv2D", (3,))], "3", "1"),
        ([("AveragePooling2D", (3, 2)), ("SeparableConv2D", (4, 3))], "7", "2"),
        ([("Conv2D", (1, 3)), ("GlobalMaxPooling2D", ())], "all", ""),
        ([("Conv2D", (1, 3)), ("Flatten", ())], "all", ""),
        ([("Conv2D", (1, 3)), ("Dense", (2,)), ("BatchNormalization", ()), ("ReLU", ())], "3", "1"),
        ([("Conv2D", (1, 3)), ("LayerNormalization", ()), ("UnitNormalization", ())], "3", "1"),
        ([("Conv2D", (1, 3)), ("GroupNormalization", (1,))], "all", ""),
        ([("Conv2D", (1, 3)), ("Reshape", (((900, 1),)))], "unknown", "unknown"),
        ([("MaxPooling2D", (2,)), ("UpSampling2D", (2,))], "<=3", "1"),  # truly 2: an upper bound
        ([("MaxPooling2D", (4,)), ("Conv2DTranspose", (1, 2, 2))], "<=6", "2"),  # truly 4
    ],
)
def test_single_paths(kinds, field, stride, keras):
    conv2d = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")
    layers = []
    for name, values in kinds:
        kind = getattr(keras.layers, name)
        options = dict(zip(conv2d, values, strict=False)) if name == "Conv2D" else None
        layers.append(kind(*values) if options is None else kind(**options))
    assert last(keras.Sequential([keras.Input((32, 32, 1)), *layers])) == (field, stride)


@pytest.mark.parametrize(
    ("network", "field"),
    # Araujo, Norris, Sim: Computing receptive fields of convolutional neural networks, Distill 2019, final table.
    [("VGG16", "212"), ("ResNet50", "483"), ("InceptionV3", "1311"), ("MobileNet", "315")],
)
def test_published_receptive_fields(network, field, keras):
    with keras.StatelessScope(initialize_variables=False):
        model = getattr(keras.applications, network)(weights=None)
    seen = [row.reach for row in describe.rows(model)]
    assert describe.field([axes for axes in seen if axes != reach.ALL][-1]) == field


BRANCHES = st.lists(st.lists(st.sampled_from([1, 2, 3, 5]), min_size=1, max_size=2), min_size=1, max_size=2)


@settings(max_examples=12, deadline=None)
@given(BRANCHES, st.sampled_from([1, 2]), st.sampled_from(["same", "valid"]), st.integers(40, 43))
def test_a_field_is_what_moves_an_output_in_the_middle(keras, branches, stride, pooled, length):
    """With all weights 1, an output changes with exactly the inputs it sees; branches meet in a concatenation."""
    ones = {"padding": "same", "kernel_initializer": "ones"}
    inputs = keras.Input((length, 1))
    start = keras.layers.Conv1D(1, 3, strides=stride, **ones)(inputs)
    ends = []
    for sizes in branches:
        x = start
        for size in sizes:
            x = keras.layers.Conv1D(1, size, **ones)(x)
        ends.append(x)
    x = keras.layers.Concatenate()(ends) if len(ends) > 1 else ends[0]
    outputs = keras.layers.AveragePooling1D(2, strides=1, padding=pooled)(x)
    model = keras.Model(inputs, outputs)
    middle = outputs.shape[1] // 2
    answers = np.asarray(model(np.eye(length, dtype="float32")[:, :, None]))[:, middle]
    seen = np.flatnonzero(answers.sum(-1))
    (axis,) = describe.rows(model)[-1].reach
    assert (seen[0], seen[-1]) == (middle * axis.jump + axis.start, middle * axis.jump + axis.end)
