import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.convolution import convolve
from analysis.tiny_cnn import forward, weight_gradients
from tests.analysis.finite_differences import finite_differences

INPUTS, WEIGHTS, TARGETS = np.array([0.5, 1.0, -0.5]), np.ones(6), np.array([1.0, 0.0])
APART = np.array([1.0, 1.0, 2.0, 1.0, 1.0, 1.0])  # w3 = 2: nothing cancels

NUMBERS = (
    st.integers(0, 2**32 - 1).map(np.random.default_rng).map(lambda draw: (draw.normal(size=3), draw.normal(size=6)))
)
SHARES = st.floats(0, 1).map(lambda share: np.array([share, 1 - share]))


def test_the_network_of_s003():
    found = forward(INPUTS, WEIGHTS, TARGETS)
    np.testing.assert_array_equal(found.sums, [1.5, 0.5])
    np.testing.assert_array_equal(found.hidden, [1.5, 0.5])
    np.testing.assert_array_equal(found.logits, [2, 2])
    np.testing.assert_allclose(found.probabilities, [0.5, 0.5], rtol=1e-15)
    assert found.loss == pytest.approx(math.log(2), rel=1e-15)


def test_in_s003_the_shared_weights_do_not_change_and_the_others_do():
    gradient = weight_gradients(INPUTS, WEIGHTS, TARGETS)
    np.testing.assert_allclose(gradient, [0, 0, -0.75, -0.25, 0.75, 0.25], rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(0.1 * gradient, [0, 0, -0.075, -0.025, 0.075, 0.025], rtol=1e-15, atol=1e-15)


def test_with_one_weight_apart_the_shared_weights_change():
    found = forward(INPUTS, APART, TARGETS)
    assert found.probabilities[0] == pytest.approx(0.817574, abs=5e-7)
    assert found.loss == pytest.approx(0.201413, abs=5e-7)
    gradient = weight_gradients(INPUTS, APART, TARGETS)
    np.testing.assert_allclose(gradient[:2], [-0.091213, -0.182426], atol=5e-7)


@given(NUMBERS, SHARES, st.floats(-3, 3), st.floats(-3, 3))
def test_equal_columns_of_the_output_weights_leave_the_shared_weights_alone(numbers, targets, first, second):
    inputs, weights = numbers
    weights[2:] = first, second, first, second
    np.testing.assert_allclose(weight_gradients(inputs, weights, targets)[:2], 0, atol=1e-14)


@settings(deadline=None)
@given(NUMBERS, SHARES)
def test_gradients_are_those_of_finite_differences(numbers, targets):
    inputs, weights = numbers
    assume(np.abs(forward(inputs, weights, targets).sums).min() > 1e-3)  # ReLU has no derivative at 0
    expected = finite_differences(lambda w: forward(inputs, w, targets).loss, weights)
    np.testing.assert_allclose(weight_gradients(inputs, weights, targets), expected, rtol=1e-6, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(NUMBERS, SHARES)
def test_the_shared_weights_are_a_convolution(numbers, targets):
    inputs, weights = numbers
    sums = convolve(inputs[:, None], weights[:2].reshape(2, 1, 1))
    np.testing.assert_allclose(forward(inputs, weights, targets).sums, sums[:, 0], rtol=1e-12)


def of_keras(keras, inputs, weights, targets):
    """Loss and gradients of the same network by Keras and TensorFlow."""
    import tensorflow as tf

    w = tf.constant(weights)
    with tf.GradientTape() as tape:
        tape.watch(w)
        hidden = keras.ops.relu(keras.ops.conv(inputs.reshape(1, 3, 1), tf.reshape(w[:2], (2, 1, 1)), padding="valid"))
        logits = tf.reshape(w[2:], (2, 2)) @ tf.reshape(hidden, (2, 1))
        loss = keras.losses.categorical_crossentropy(targets, logits[:, 0], from_logits=True)
    return float(loss), tape.gradient(loss, w)


@settings(max_examples=20, deadline=None)
@given(numbers=NUMBERS, targets=SHARES)
def test_loss_and_gradients_are_keras(numbers, targets, keras):
    loss, gradient = of_keras(keras, *numbers, targets)
    assert forward(*numbers, targets).loss == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(weight_gradients(*numbers, targets), gradient, rtol=1e-8, atol=1e-10)


def test_at_the_edge_of_relu_the_derivative_is_keras(keras):
    inputs = np.array([1.0, -1.0, 3.0])  # p1 = 0
    _, gradient = of_keras(keras, inputs, APART, TARGETS)
    assert forward(inputs, APART, TARGETS).sums[0] == 0
    np.testing.assert_allclose(weight_gradients(inputs, APART, TARGETS), gradient, rtol=1e-12, atol=1e-12)


def test_large_logits_do_not_overflow():
    found = forward(INPUTS, 100 * APART, TARGETS)
    assert found.loss == pytest.approx(0, abs=1e-300)
    assert forward(INPUTS, 100 * APART, TARGETS[::-1]).loss == pytest.approx(15_000)


@pytest.mark.parametrize(
    ("inputs", "weights", "targets", "said"),
    [
        (INPUTS[:2], WEIGHTS, TARGETS, r"Received: \(2,\), \(6,\), \(2,\)"),
        (INPUTS, WEIGHTS, np.array([0.5, 0.4]), "sum to 1.*0.4"),
        (INPUTS, WEIGHTS, np.array([1.5, -0.5]), "negative.*-0.5"),
    ],
)
def test_what_does_not_fit_is_refused(inputs, weights, targets, said):
    with pytest.raises(ValueError, match=said):
        weight_gradients(inputs, weights, targets)
