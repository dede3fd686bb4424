"""The forms that stay fast over many lanes compute what Keras's own layers compute, gradients included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import on_jax

pytestmark = on_jax


def both(layer, x, weight):
    """Of the layer's own call, and of its form: outputs, and gradients of their weighted sum."""
    import jax
    import keras

    from trials.engines.stacked import stacked

    model = keras.Sequential([keras.Input(x.shape[1:]), layer])
    variables = [variable.value for variable in model.trainable_variables]

    def weighed(variables, x):
        y, _ = model.stateless_call(variables, [], x)
        return (y * weight[: y.size].reshape(y.shape)).sum(), y

    results = []
    for forms in (False, True):
        with stacked(model) if forms else pytest.MonkeyPatch.context():
            (_, y), gradients = jax.value_and_grad(weighed, (0, 1), has_aux=True)(variables, x)
        results.append([np.asarray(y), np.asarray(gradients[1]), *map(np.asarray, gradients[0])])
    assert "call" not in layer.__dict__
    return results


sizes = st.integers(1, 4)


@given(
    image=st.tuples(st.integers(4, 13), st.integers(4, 40), sizes),
    kernel=st.tuples(sizes, sizes),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["same", "valid"]),
    bias=st.booleans(),
    activation=st.sampled_from([None, "relu"]),
)
@settings(max_examples=12, deadline=None)
def test_a_convolution_is_that_of_keras(image, kernel, strides, padding, bias, activation, keras):
    """Images up to 40 wide: both as bands, where kernels are wide enough, and as patches."""
    layer = keras.layers.Conv2D(
        3, kernel, strides, padding, use_bias=bias, activation=activation, bias_initializer="normal"
    )
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(2, *image)).astype("float32")
    own, form = both(layer, x, numbers.normal(size=20_000).astype("float32"))
    for expected, received in zip(own, form, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))


@given(
    image=st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(1, 3)),
    pool=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.sampled_from([None, (2, 1)]),
    padding=st.sampled_from(["same", "valid"]),
    values=st.integers(1, 4),
)
@settings(max_examples=12, deadline=None)
def test_a_pooling_is_that_of_keras_bit_for_bit(image, pool, strides, padding, values, keras):
    """With few different values almost every window has ties: the gradient goes where Keras's goes."""
    x = np.random.default_rng(values).integers(0, values, size=(2, *image)).astype("float32")
    weight = np.random.default_rng(1).normal(size=2_000).astype("float32")
    own, form = both(keras.layers.MaxPooling2D(pool, strides, padding), x, weight)
    for expected, received in zip(own, form, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_a_window_with_nan_yields_nan(keras):
    x = np.zeros((1, 2, 4, 1), "float32")
    x[0, 1, 0] = np.nan
    _, (received, *_) = both(keras.layers.MaxPooling2D(2), x, np.ones(10, "float32"))
    assert np.isnan(received).tolist() == [[[[True], [False]]]]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2}),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2}),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "dtype": "bfloat16"}),
        ("DepthwiseConv2D", {"kernel_size": 3}),
        ("AveragePooling2D", {"pool_size": 2}),
    ],
)
def test_what_has_no_form_keeps_its_own_call(kind, options, keras):
    from trials.engines.stacked import stacked

    layer = getattr(keras.layers, kind)(**options)
    with stacked(keras.Sequential([keras.Input((8, 8, 4)), layer])):
        assert "call" not in layer.__dict__
