"""Layers start, normalise and decay as PyTorch's do."""

import numpy as np
import pytest
from scipy.stats import kstest

import models
from experiments import EXPERIMENTS

MNIST = {"c1": 0.2, "c3": 0.08165, "c5": 0.05, "f6": 0.09129, "output": 0.10911}
CIFAR = {"conv1": 0.11547, "conv2": 0.08165, "fc1": 0.05, "fc2": 0.09129, "output": 0.10911}
BOUNDS = [
    ("lenet5_batch_norm_dropout", (32, 32, 1), MNIST),
    ("lenet5_regularized", (28, 28, 1), MNIST),
    ("lenet", (32, 32, 3), CIFAR),
]


def built(keras, builder, input_shape, seed=1, **options):
    keras.utils.set_random_seed(seed)
    return models.BUILDERS[builder](input_shape=input_shape, classes=10, **options)


def parts(model):
    """Kernels and biases by layer and kind."""
    return {
        (layer.name, kind): getattr(layer, kind).numpy().ravel()
        for layer in model.layers
        for kind in ("kernel", "bias")
        if hasattr(layer, kind)
    }


@pytest.mark.parametrize(("builder", "shape", "bounds"), BOUNDS, ids=[name for name, *_ in BOUNDS])
def test_kernels_and_biases_are_uniform_within_one_over_the_root_of_fan_in(builder, shape, bounds, keras):
    model = built(keras, builder, shape)
    found = parts(model)
    assert {name for name, _ in found} == set(bounds)
    for (name, kind), drawn in found.items():
        bound = bounds[name]
        assert np.abs(drawn).max() <= bound * 1.0001, (name, kind)
        # The bias of a first convolution holds six numbers: many more are drawn from its own initializer.
        many = np.asarray(getattr(model.get_layer(name), f"{kind}_initializer")((5000,)))
        assert np.abs(many).max() == pytest.approx(bound, rel=0.002), (name, kind)
        assert kstest(many, "uniform", (-bound, 2 * bound)).pvalue > 1e-3, (name, kind)
        assert kstest(drawn, "uniform", (-bound, 2 * bound)).pvalue > 1e-3, (name, kind)


@pytest.mark.parametrize(("builder", "shape", "bounds"), BOUNDS, ids=[name for name, *_ in BOUNDS])
def test_no_two_kernels_or_biases_draw_the_same_numbers(builder, shape, bounds, keras):
    found = parts(built(keras, builder, shape))
    starts = [tuple(np.round(drawn[:6] / bounds[name], 4)) for (name, _), drawn in found.items()]
    assert len(set(starts)) == len(found) == 10


def test_another_seed_gives_other_draws_and_the_same_seed_the_same(keras):
    one, same, other = (parts(built(keras, *BOUNDS[0][:2], seed=seed)) for seed in (1, 1, 2))
    for key, drawn in one.items():
        np.testing.assert_array_equal(drawn, same[key])
        assert not np.any(drawn == other[key])


PYTORCH = [
    (variant.builder, variant.options)
    for name in ("batch_norm_dropout_mnist", "regularizers_fashion_mnist", "lenet_cifar10")
    for variant in EXPERIMENTS[name].variants
    if any("batch_norm" in option for option in variant.options)
]


@pytest.mark.parametrize(("builder", "options"), PYTORCH, ids=lambda value: getattr(value, "__name__", str(value)))
def test_batch_norms_have_pytorchs_momentum_and_epsilon(builder, options, keras):
    model = builder(input_shape=(32, 32, 1), classes=10, **options)
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    assert norms
    assert {(norm.momentum, norm.epsilon, norm.axis, norm.center, norm.scale) for norm in norms} <= {
        (0.9, 1e-5, axis, True, True) for axis in (-1, 1, 3)
    }
    assert all(norm.axis in (-1, len(norm.input.shape) - 1) for norm in norms)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_penaltys_gradient_is_weight_decay_times_the_weight_for_kernels_and_biases_alone(batch_norm, keras):
    import tensorflow as tf

    model = built(keras, "lenet5_regularized", (28, 28, 1), weight_decay=0.01, batch_norm=batch_norm)
    decayed = [held for held in model.trainable_variables if held.path.endswith(("kernel", "bias"))]
    others = [held for held in model.trainable_variables if held.path.endswith(("gamma", "beta"))]
    assert (len(decayed), len(others)) == (10, 8 if batch_norm else 0)
    with tf.GradientTape() as tape:
        penalty = tf.add_n(model.losses)
    gradients = tape.gradient(penalty, [variable.value for variable in [*decayed, *others]])
    for variable, gradient in zip(decayed, gradients, strict=False):
        np.testing.assert_allclose(gradient, 0.01 * variable.numpy(), rtol=1e-5)
    assert gradients[10:] == [None] * len(others)


@pytest.mark.parametrize(("builder", "shape", "bounds"), BOUNDS, ids=[name for name, *_ in BOUNDS])
def test_without_weight_decay_there_is_no_penalty(builder, shape, bounds, keras):
    assert built(keras, builder, shape).losses == []
