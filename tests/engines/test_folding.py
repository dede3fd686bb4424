"""The folded convolution is the plain one: values, gradients, ties, and what it leaves alone."""

import numpy as np
import pytest

LENET = [(6, 5, "same"), (16, 5, "valid")]


def network(keras, shape, convolutions, between=None, pool=2, activation="relu"):
    """Convolutions, each followed by pooling (and `between` before it), down to three outputs."""
    inputs = x = keras.Input(shape)
    for filters, size, padding in convolutions:
        x = keras.layers.Conv2D(filters, size, padding=padding, activation=activation, bias_initializer="normal")(x)
        x = between(x) if between else x
        x = keras.layers.MaxPooling2D(pool)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


def value_and_gradients(model, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        loss = tf.reduce_sum(outputs * tf.reshape(tf.range(tf.size(outputs), dtype=tf.float32), tf.shape(outputs)))
    return [array.numpy() for array in (outputs, *tape.gradient(loss, model.trainable_variables))]


@pytest.mark.parametrize(
    ("shape", "convolutions", "units"),
    [
        ((28, 28, 1), LENET, 2),
        ((32, 32, 3), [(6, 5, "valid"), (16, 5, "valid")], 2),
        ((12, 20, 2), [(4, 7, "same")], 1),
        ((16, 18, 1), [(3, 6, "same")], 1),
        ((28, 28, 1), [(6, 5, "same"), (16, 5, "same")], 2),
    ],
)
def test_folding_changes_nothing_but_rounding(shape, convolutions, units, keras):
    from trials.engines.folding import folded

    keras.utils.set_random_seed(1)
    model = network(keras, shape, convolutions)
    x = np.random.default_rng(0).normal(size=(7, *shape)).astype("float32")
    plain = value_and_gradients(model, x)
    with folded(model) as found:
        assert len(found) == units
        ours = value_and_gradients(model, x)
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


@pytest.mark.parametrize("shape", [(28, 28, 1), (12, 12, 2)])
def test_ties_go_to_the_first_maximum_in_row_major_order(shape, keras):
    """Whole numbers tie often and add without rounding: gradients must be equal to the last bit."""
    from trials.engines.folding import folded

    model = network(keras, shape, [(4, 5, "same")])
    numbers = np.random.default_rng(0)
    model.set_weights([numbers.integers(-1, 2, w.shape).astype("float32") for w in model.get_weights()])
    x = numbers.integers(0, 2, (5, *shape)).astype("float32")
    x[:, :6] = 0  # a background of nothing but ties
    plain = value_and_gradients(model, x)
    with folded(model) as found:
        assert len(found) == 1
        ours = value_and_gradients(model, x)
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_model_is_its_own_again_afterwards(keras):
    from trials.engines.folding import folded

    model = network(keras, (28, 28, 1), LENET)
    before = [(layer.call.__func__, getattr(layer, "input_spec", None)) for layer in model.layers]
    with pytest.raises(RuntimeError), folded(model):
        raise RuntimeError
    assert [(layer.call.__func__, getattr(layer, "input_spec", None)) for layer in model.layers] == before


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("dropout lies between, and its mask has places", {"between": "dropout"}),
        ("the window is not 2x2", {"pool": 3}),
        ("tanh is monotone, but the code knows only relu and linear", {"activation": "tanh"}),
        ("small kernels were measured to gain nothing", {"convolutions": [(6, 3, "same")]}),
        ("many channels were measured to gain nothing", {"convolutions": [(32, 5, "same")]}),
    ],
)
def test_anything_else_is_left_to_keras(why, change, keras):
    from trials.engines.folding import folded

    if "between" in change:
        change = {"between": keras.layers.Dropout(0.5)}
    with folded(network(keras, (28, 28, 1), **{"convolutions": LENET[:1], **change})) as found:
        assert found == []


def test_a_convolution_that_others_read_too_is_left_to_keras(keras):
    from trials.engines.folding import folded

    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(6, 5, padding="same")(inputs)
    y = keras.layers.MaxPooling2D(2)(x)
    model = keras.Model(inputs, [y, x])
    with folded(model) as found:
        assert found == []
