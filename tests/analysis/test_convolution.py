import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.convolution import (
    convolution_matrix,
    convolve,
    flipped,
    input_gradient,
    input_gradient_by_convolution,
    lay_out_axis,
)
from tests.analysis.finite_differences import finite_differences

# S001, question 3: two channels of 4, two filters of 3 taps. w3^12 is tap 3 from input channel 1 to output channel 2.
SHAPE = (4, 2)
NAMES = np.array([[[f"w{tap}^{i}{o}" for o in (1, 2)] for i in (1, 2)] for tap in (1, 2, 3)], object)


def rows(text):
    return [
        [0 if name == "0" else name for name in line.replace("|", " ").split()] for line in text.strip().split("\n")
    ]


def test_the_matrix_of_s001_in_its_own_order_of_rows_and_columns():
    found = convolution_matrix(NAMES, SHAPE, channels_first=True)
    assert found.tolist() == rows("""
        w1^11 w2^11 w3^11 0     | w1^21 w2^21 w3^21 0
        0     w1^11 w2^11 w3^11 | 0     w1^21 w2^21 w3^21
        w1^12 w2^12 w3^12 0     | w1^22 w2^22 w3^22 0
        0     w1^12 w2^12 w3^12 | 0     w1^22 w2^22 w3^22
    """)


def test_the_matrix_of_s001_in_keras_order():
    assert convolution_matrix(NAMES, SHAPE).tolist() == rows("""
        w1^11 w1^21 w2^11 w2^21 w3^11 w3^21 0     0
        w1^12 w1^22 w2^12 w2^22 w3^12 w3^22 0     0
        0     0     w1^11 w1^21 w2^11 w2^21 w3^11 w3^21
        0     0     w1^12 w1^22 w2^12 w2^22 w3^12 w3^22
    """)


def test_the_backward_kernels_of_s001_are_flipped_for_both_input_channels():
    # each of the two filters, one an input channel, reads both channels of the output gradient
    by_input_and_output = flipped(NAMES).transpose(2, 1, 0).tolist()
    assert by_input_and_output == [
        [["w3^11", "w2^11", "w1^11"], ["w3^12", "w2^12", "w1^12"]],
        [["w3^21", "w2^21", "w1^21"], ["w3^22", "w2^22", "w1^22"]],  # the source leaves these unflipped
    ]


def test_the_backward_pass_of_s001_is_a_full_convolution_and_not_with_the_sources_kernels():
    draw = np.random.default_rng(0)
    kernel, g = draw.normal(size=(3, 2, 2)), draw.normal(size=(2, 2))
    expected = convolution_matrix(kernel, SHAPE).T @ g.ravel()
    np.testing.assert_allclose(convolve(g, flipped(kernel), padding=[(2, 2)]).ravel(), expected)
    source = flipped(kernel)
    source[:, :, 1] = source[::-1, :, 1]
    wrong = np.abs(convolve(g, source, padding=[(2, 2)]) - expected.reshape(SHAPE)).max(axis=0)
    assert wrong[0] < 1e-12
    assert wrong[1] > 0.1


def test_channel_order_in_two_dimensions():
    draw = np.random.default_rng(0)
    kernel, x = draw.normal(size=(2, 3, 2, 5)), draw.normal(size=(4, 3, 2))
    found = convolution_matrix(kernel, x.shape, padding="same", channels_first=True) @ np.moveaxis(x, -1, 0).ravel()
    np.testing.assert_allclose(found, np.moveaxis(convolve(x, kernel, padding="same"), -1, 0).ravel())


def test_a_strided_dilated_padded_matrix_by_hand():
    # taps a b two apart, steps of 3, one zero ahead: starts at -1 and 2
    found = convolution_matrix(
        np.array(["a", "b"], object).reshape(2, 1, 1), (5, 1), strides=3, padding=[(1, 0)], dilation=2
    )
    assert found.tolist() == [[0, "b", 0, 0, 0], [0, 0, "a", 0, "b"]]


@pytest.mark.parametrize(("size", "before", "after"), [(64, 0, 1), (63, 1, 1)])
def test_same_padding_with_a_stride_puts_the_odd_zero_after(size, before, after):
    axis = lay_out_axis(size, 3, 2, "same")
    assert (axis.before, axis.after, axis.outputs) == (before, after, 32)


def test_a_zero_on_each_side_gives_s001s_block_the_same_shape_as_same_padding_and_other_values():
    image, kernel = np.arange(64.0).reshape(64, 1), np.ones((3, 1, 1))
    same, ones = (convolve(image, kernel, strides=2, padding=padding)[:, 0] for padding in ("same", [(1, 1)]))
    np.testing.assert_array_equal(same, [*(6 * i + 3 for i in range(31)), 62 + 63])
    np.testing.assert_array_equal(ones, [0 + 1, *(6 * i for i in range(1, 32))])


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 5), st.integers(1, 3))
def test_same_padding_gives_the_size_divided_by_the_stride(size, taps, stride, dilation):
    axis = lay_out_axis(size, taps, stride, "same", dilation)
    assert axis.outputs == math.ceil(size / stride)
    assert 0 <= axis.after - axis.before <= 1


CHANNELS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw):
    """Inputs, kernel, gradient of the outputs, and the options, of one possible convolution."""
    rank = draw(st.integers(1, 2))

    def each(low, high):
        return draw(st.tuples(*[st.integers(low, high)] * rank))

    size, taps, strides, dilation, channels = each(1, 6), each(1, 3), each(1, 3), each(1, 2), draw(CHANNELS)
    explicit = st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * rank)
    padding = draw(st.sampled_from(["valid", "same"]) | explicit)
    if padding != "same":
        zeros = [(0, 0)] * rank if padding == "valid" else padding
        assume(all(n + sum(z) > (k - 1) * d for n, z, k, d in zip(size, zeros, taps, dilation, strict=True)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs, kernel = generator.normal(size=(*size, channels[0])), generator.normal(size=(*taps, *channels))
    options = {"strides": strides, "padding": padding, "dilation": dilation}
    return inputs, kernel, generator.normal(size=convolve(inputs, kernel, **options).shape), options


@settings(deadline=None)
@given(convolutions())
def test_the_matrix_is_the_convolution_and_its_transpose_the_flipped_one(drawn):
    inputs, kernel, g, options = drawn
    matrix = convolution_matrix(kernel, inputs.shape, **options)
    np.testing.assert_allclose(matrix @ inputs.ravel(), convolve(inputs, kernel, **options).ravel(), atol=1e-12)
    found = input_gradient(g, kernel, inputs.shape, **options)
    np.testing.assert_array_equal(found.ravel(), matrix.T @ g.ravel())
    np.testing.assert_allclose(
        input_gradient_by_convolution(g, kernel, inputs.shape, **options), found, rtol=1e-12, atol=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(convolutions())
def test_the_backward_pass_is_that_of_finite_differences(drawn):
    inputs, kernel, g, options = drawn
    expected = finite_differences(lambda x: (g * convolve(x, kernel, **options)).sum(), inputs)
    np.testing.assert_allclose(input_gradient(g, kernel, inputs.shape, **options), expected, atol=1e-8)


@settings(max_examples=40, deadline=None)
@given(drawn=convolutions())
def test_forward_and_backward_are_keras(drawn, keras):
    import tensorflow as tf

    inputs, kernel, g, options = drawn
    # TensorFlow refuses stride and dilation together
    assume(max(options["strides"]) == 1 or max(options["dilation"]) == 1)
    explicit = not isinstance(options["padding"], str)
    x = tf.constant(inputs[None])
    with tf.GradientTape() as tape:
        tape.watch(x)
        padded = keras.ops.pad(x, [(0, 0), *options["padding"], (0, 0)]) if explicit else x
        outputs = keras.ops.conv(
            padded,
            kernel,
            strides=options["strides"],
            padding="valid" if explicit else options["padding"],
            dilation_rate=options["dilation"],
            data_format="channels_last",
        )
    np.testing.assert_allclose(convolve(inputs, kernel, **options), outputs[0], rtol=1e-9, atol=1e-9)
    expected = tape.gradient(outputs, x, output_gradients=g[None])[0]
    np.testing.assert_allclose(input_gradient(g, kernel, inputs.shape, **options), expected, rtol=1e-9, atol=1e-9)


def test_the_backward_pass_of_s001_is_keras_transposed_convolution(keras):
    draw = np.random.default_rng(1)
    kernel, g = draw.normal(size=(3, 2, 2)), draw.normal(size=(2, 2))
    # Keras's transposed kernel is (taps, out, in) of the layer that it would be, that is (taps, in, out) of ours
    expected = keras.ops.conv_transpose(g[None], kernel, strides=1, padding="valid", data_format="channels_last")
    np.testing.assert_allclose(input_gradient(g, kernel, SHAPE), expected[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("shape", "options", "said"),
    [
        ((4, 3), {}, r"kernel \(3, 2, 2\), input \(4, 3\)"),
        ((4, 4, 2), {}, r"kernel \(3, 2, 2\), input \(4, 4, 2\)"),
        ((2, 2), {}, "spans 3 and must fit"),
        ((4, 2), {"dilation": 2}, "spans 5 and must fit"),
        ((4, 2), {"strides": 0}, "at least 1.*stride=0"),
        ((4, 2), {"strides": (1, 1)}, "strides must have one entry.*1 spatial"),
        ((4, 2), {"padding": "full"}, "'valid', 'same' or .*'full'"),
        ((4, 2), {"padding": [(-1, 1)]}, r"not negative.*\(-1, 1\)"),
        ((4, 2), {"padding": [1]}, r"\(before, after\).*1"),
    ],
)
def test_what_does_not_fit_is_refused(shape, options, said):
    with pytest.raises(ValueError, match=said):
        convolution_matrix(np.zeros((3, 2, 2)), shape, **options)


@pytest.mark.parametrize("backward", [input_gradient, input_gradient_by_convolution])
def test_a_gradient_of_another_shape_is_refused(backward):
    with pytest.raises(ValueError, match=r"\(2, 2\).*\(4, 1\)"):
        backward(np.zeros((4, 1)), np.zeros((3, 2, 2)), SHAPE)
