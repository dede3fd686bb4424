import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.batch_norm import (
    gradients,
    hidden_delta,
    moving_average,
    normalize_batch,
    normalize_by_moving,
    output_delta,
    updated,
)
from tests.analysis.finite_differences import finite_differences

# S001, question 2: features as rows there, as columns here.
INPUTS = np.array([[12, 14, 14, 12], [0, 10, 10, 0], [-5, 5, 5, -5]], np.float64).T
BETA = np.array([0.0, -10.0, 10.0])
NORMALIZED = np.array([[-1, 1, 1, -1]] * 3).T
SCALED = np.array([[-1, 1, 1, -1], [-11, -9, -9, -11], [9, 11, 11, 9]]).T

SEEDS = st.integers(0, 2**32 - 1)
EPSILONS = st.floats(1e-6, 1)


def case(seed, batch, features):
    """Inputs that are apart from each other by 0.8 or more, gamma, beta and the gradient of the outputs."""
    draw = np.random.default_rng(seed)
    inputs = draw.permuted(np.tile(np.arange(batch)[:, None], features), axis=0) + draw.uniform(
        0, 0.2, (batch, features)
    )
    return inputs, draw.normal(size=features), draw.normal(size=features), draw.normal(size=(batch, features))


CASES = st.builds(case, SEEDS, st.integers(2, 7), st.integers(1, 4))


# Forward


def test_the_worked_example_of_s001():
    found = normalize_batch(INPUTS, np.ones(3), BETA, epsilon=0)
    np.testing.assert_array_equal(found.mean, [13, 5, 0])
    np.testing.assert_array_equal(found.variance, [1, 25, 25])
    np.testing.assert_array_equal(found.normalized, NORMALIZED)
    np.testing.assert_array_equal(found.outputs, SCALED)


def test_the_worked_example_with_keras_default_epsilon():
    found = normalize_batch(INPUTS, np.ones(3), BETA, epsilon=1e-3)
    np.testing.assert_allclose(np.abs(found.normalized), [[0.99950, 0.99998, 0.99998]] * 4, atol=5e-6)


def test_one_training_step_on_the_worked_example_moves_keras_averages_from_0_and_1():
    found = normalize_batch(INPUTS, np.ones(3), BETA, epsilon=0)
    np.testing.assert_allclose(moving_average(np.zeros(3), found.mean, momentum=0.99), [0.13, 0.05, 0])
    np.testing.assert_allclose(moving_average(np.ones(3), found.variance, momentum=0.99), [1, 1.24, 1.24])


@settings(max_examples=15, deadline=None)
@given(data=CASES, epsilon=EPSILONS, momentum=st.floats(0, 1))
def test_both_modes_and_the_averages_are_keras(data, epsilon, momentum, keras):
    inputs, gamma, beta, _ = data
    layer = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype="float64")
    layer.build(inputs.shape)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    before = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    found = normalize_batch(inputs, gamma, beta, epsilon=epsilon)
    np.testing.assert_allclose(found.outputs, layer(inputs, training=True), rtol=1e-9, atol=1e-9)
    moving = [
        moving_average(old, new, momentum=momentum)
        for old, new in zip(before, (found.mean, found.variance), strict=True)
    ]
    np.testing.assert_allclose(moving, (layer.moving_mean, layer.moving_variance), rtol=1e-9, atol=1e-9)
    inferred = normalize_by_moving(inputs, gamma, beta, *moving, epsilon=epsilon)
    np.testing.assert_allclose(inferred, layer(inputs, training=False), rtol=1e-9, atol=1e-9)


@given(CASES, EPSILONS)
def test_in_inference_an_example_does_not_notice_its_batch(data, epsilon):
    inputs, gamma, beta, other = data
    statistics = inputs.mean(axis=0) + 1, inputs.var(axis=0) + 1
    whole = normalize_by_moving(inputs, gamma, beta, *statistics, epsilon=epsilon)
    alone = [normalize_by_moving(row[None], gamma, beta, *statistics, epsilon=epsilon)[0] for row in inputs]
    np.testing.assert_array_equal(whole, alone)
    np.testing.assert_array_equal(
        whole[0], normalize_by_moving(np.vstack([inputs[:1], other]), gamma, beta, *statistics, epsilon=epsilon)[0]
    )


def test_in_training_a_batch_of_one_gives_beta_whatever_the_example_is():
    found = normalize_batch(np.array([[7.0, -3.0, 0.1]]), np.array([2.0, 3.0, 4.0]), BETA, epsilon=1e-3)
    np.testing.assert_array_equal(found.outputs, [BETA])


# Gradients


def passed_back(keras, inputs, gamma, beta, output_gradient, epsilon):
    """S004's (a) to (f) by TensorFlow: the statistics are nodes of the graph, differentiated like the rest."""
    import tensorflow as tf

    x, gamma, beta = map(tf.constant, (inputs, gamma, beta))
    with tf.GradientTape() as tape:
        tape.watch((x, gamma, beta))
        mean = tf.reduce_mean(x, axis=0)
        variance = tf.reduce_mean((x - mean) ** 2, axis=0)
        normalized = (x - mean) / tf.sqrt(variance + epsilon)
        f = tf.reduce_sum(output_gradient * (gamma * normalized + beta))
    return tape.gradient(f, (gamma, beta, normalized, variance, mean, x))


@settings(max_examples=25, deadline=None)
@given(data=CASES, epsilon=EPSILONS)
def test_all_gradients_are_those_of_automatic_differentiation(data, epsilon, keras):
    inputs, gamma, beta, g = data
    found = gradients(g, inputs, gamma, beta, epsilon=epsilon)
    for one, expected in zip(found, passed_back(keras, inputs, gamma, beta, g, epsilon), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-8, atol=1e-8)


@settings(max_examples=20, deadline=None)
@given(CASES, EPSILONS)
def test_all_gradients_are_those_of_finite_differences(data, epsilon):
    inputs, gamma, beta, g = data
    _, normalized, mean, variance = normalize_batch(inputs, gamma, beta, epsilon=epsilon)

    def f(inputs=inputs, gamma=gamma, beta=beta):
        return (g * normalize_batch(inputs, gamma, beta, epsilon=epsilon).outputs).sum()

    def after(normalized):
        return (g * (gamma * normalized + beta)).sum()

    def between(mean=mean, variance=variance):
        return after((inputs - mean) / np.sqrt(variance + epsilon))

    def through_mean(mean):
        return between(mean, ((inputs - mean) ** 2).mean(axis=0))

    expected = (
        finite_differences(lambda gamma: f(gamma=gamma), gamma),
        finite_differences(lambda beta: f(beta=beta), beta),
        finite_differences(after, normalized),
        finite_differences(lambda variance: between(variance=variance), variance),
        finite_differences(through_mean, mean),
        finite_differences(f, inputs),
    )
    for one, other in zip(gradients(g, inputs, gamma, beta, epsilon=epsilon), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_gradients_worked_by_hand():
    # x = (0, 2): mean 1, variance 1, normalised (-1, 1); epsilon 3, so that the root is 2 and normalised (-1/2, 1/2)
    found = gradients(np.array([[1.0], [3.0]]), np.array([[0.0], [2.0]]), np.array([4.0]), np.array([7.0]), epsilon=3)
    np.testing.assert_allclose(found.gamma, [1.0])  # 1 * -1/2 + 3 * 1/2
    np.testing.assert_allclose(found.beta, [4.0])
    np.testing.assert_allclose(found.normalized, [[4.0], [12.0]])
    np.testing.assert_allclose(found.variance, [-0.5])  # -1/2 * 1/8 * (4 * -1 + 12 * 1)
    np.testing.assert_allclose(found.mean, [-8.0])  # -1/2 * 16
    np.testing.assert_allclose(found.inputs, [[-1.5], [1.5]])  # (2 * 4 - 16 + 1/2 * 4) / (2 * 2), and its opposite


SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 3))
FIGURES = st.floats(-3, 3)


@settings(deadline=None)
@given(st.data(), SHAPES, EPSILONS)
def test_laws_of_the_gradient_for_the_inputs(data, shape, epsilon):
    inputs, g = (data.draw(arrays(np.float64, shape, elements=FIGURES)) for _ in range(2))
    gamma = data.draw(arrays(np.float64, shape[1], elements=FIGURES))
    _, normalized, _, variance = normalize_batch(inputs, gamma, gamma, epsilon=epsilon)
    found = gradients(g, inputs, gamma, gamma, epsilon=epsilon)
    rounding = 1e-10 * (1 + np.abs(found.normalized).sum(axis=0)) / np.sqrt(variance + epsilon)
    assert (np.abs(found.inputs.sum(axis=0)) <= rounding).all()
    along = (normalized * found.inputs).sum(axis=0)
    expected = (found.normalized * normalized).sum(axis=0) * epsilon / (variance + epsilon) ** 1.5
    assert (np.abs(along - expected) <= rounding).all()


@given(CASES, st.floats(0.1, 10), st.floats(-10, 10))
def test_without_epsilon_shift_and_scale_of_the_inputs_are_lost_and_divide_the_gradient(data, factor, shift):
    inputs, gamma, beta, g = data
    plain, moved = (normalize_batch(x, gamma, beta, epsilon=0).outputs for x in (inputs, factor * inputs + shift))
    np.testing.assert_allclose(moved, plain, rtol=1e-9, atol=1e-9)
    found = gradients(g, factor * inputs + shift, gamma, beta, epsilon=0).inputs
    np.testing.assert_allclose(factor * found, gradients(g, inputs, gamma, beta, epsilon=0).inputs, atol=1e-9)


# S003, problem 3


def test_update_of_an_output_unit_by_hand():
    # y = 1/2 twice, d = (1, 1/2), N = 2: delta = (-1/2 * 1/4 / 2, 0) = (-1/16, 0); normalised (-1, 1)
    delta = output_delta(np.array([[0.5], [0.5]]), np.array([[1.0], [0.5]]))
    np.testing.assert_array_equal(delta, [[-1 / 16], [0]])
    gamma, beta = updated(np.array([2.0]), np.array([3.0]), delta, np.array([[-1.0], [1.0]]), learning_rate=0.8)
    np.testing.assert_allclose((gamma, beta), [[2 - 0.8 / 16], [3 + 0.8 / 16]])


def test_delta_of_a_hidden_unit_by_hand():
    # h = 1/2, weights 2 and 4 to two outputs: 1/4 * (2 * 1 + 4 * 3)
    found = hidden_delta(np.array([[0.5]]), np.array([[2.0, 4.0]]), np.array([[1.0, 3.0]]))
    np.testing.assert_array_equal(found, [[3.5]])


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Network:
    """Sums of the hidden layer -> batch norm -> sigmoid -> weights -> (batch norm) -> sigmoid -> S003's loss."""

    def __init__(self, seed, batch, hidden, outputs, output_batch_norm):
        draw = np.random.default_rng(seed)
        self.sums = case(seed, batch, hidden)[0]
        self.weights = draw.normal(size=(hidden, outputs))
        self.targets = draw.uniform(size=(batch, outputs))
        self.hidden = draw.normal(size=(2, hidden))
        self.output = draw.normal(size=(2, outputs))
        self.output_batch_norm = output_batch_norm

    def loss(self, hidden, output):
        h = sigmoid(normalize_batch(self.sums, *hidden, epsilon=0.1).outputs)
        z = h @ self.weights
        y = sigmoid(normalize_batch(z, *output, epsilon=0.1).outputs if self.output_batch_norm else z)
        return ((self.targets - y) ** 2).sum() / 2 / len(y)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 5), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_updates_step_down_the_gradient_of_the_loss(seed, batch, hidden, outputs, output_batch_norm):
    net = Network(seed, batch, hidden, outputs, output_batch_norm)
    inner = normalize_batch(net.sums, *net.hidden, epsilon=0.1)
    h = sigmoid(inner.outputs)
    sums = h @ net.weights
    if output_batch_norm:
        outer = normalize_batch(sums, *net.output, epsilon=0.1)
        delta = output_delta(sigmoid(outer.outputs), net.targets)
        moved = updated(*net.output, delta, outer.normalized, learning_rate=0.5)
        expected = finite_differences(lambda output: net.loss(net.hidden, output), net.output)
        np.testing.assert_allclose(moved, net.output - 0.5 * expected, rtol=1e-7, atol=1e-8)
        passed = gradients(delta, sums, *net.output, epsilon=0.1).inputs
    else:
        passed = output_delta(sigmoid(sums), net.targets)
    moved = updated(*net.hidden, hidden_delta(h, net.weights, passed), inner.normalized, learning_rate=0.5)
    expected = finite_differences(lambda hidden: net.loss(hidden, net.output), net.hidden)
    np.testing.assert_allclose(moved, net.hidden - 0.5 * expected, rtol=1e-7, atol=1e-8)


# Refusals

ONES = np.ones(3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: normalize_batch(INPUTS[0], ONES, ONES, epsilon=0), r"\(batch, features\).*\(3,\)"),
        (lambda: normalize_batch(INPUTS, ONES[:2], ONES, epsilon=0), r"gamma .*\(3,\).*\(2,\)"),
        (lambda: normalize_batch(INPUTS, ONES, ONES, epsilon=-1), "negative.*-1"),
        (lambda: normalize_batch(INPUTS[:1], ONES, ONES, epsilon=0), "must be positive"),
        (lambda: normalize_by_moving(INPUTS, ONES, ONES, ONES[:1], ONES, epsilon=0), "moving mean"),
        (lambda: normalize_by_moving(INPUTS, ONES, ONES, ONES, -ONES, epsilon=0), "must be positive"),
        (lambda: moving_average(ONES, ONES, momentum=1.5), "0 to 1.*1.5"),
        (lambda: gradients(INPUTS[:2], INPUTS, ONES, ONES, epsilon=0), r"\(4, 3\).*\(2, 3\)"),
        (lambda: output_delta(INPUTS, INPUTS[:2]), r"\(4, 3\).*\(2, 3\)"),
        (lambda: hidden_delta(INPUTS, np.ones((2, 1)), np.ones((4, 1))), r"\(4, 3\), \(2, 1\), \(4, 1\)"),
        (lambda: updated(ONES, ONES, INPUTS, INPUTS[:2], learning_rate=1), r"\(4, 3\).*\(2, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
