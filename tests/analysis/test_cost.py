"""What each kind of layer costs, worked out by hand, and layers of which nothing can be known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import cost, describe, graph, table


def row(keras, layer, *shapes):
    """The row of one layer on inputs of these shapes, and the number of parameters that Keras counts."""
    inputs = [keras.Input(shape) for shape in shapes]
    layer(inputs[0] if len(inputs) == 1 else inputs)
    model = keras.Model(inputs, layer.output)
    (found,) = (row for row in describe.rows(model) if row.layer == layer.name)
    assert found.weights + found.biases == model.count_params()
    return found


# Kind, its arguments, input, then: weights, biases, multiply-adds, connections to biases.
PRODUCTS = [
    ("Dense", {"units": 5}, (7,), 35, 5, 35, 5),
    ("Dense", {"units": 5, "use_bias": False}, (7,), 35, 0, 35, 0),
    ("Dense", {"units": 5}, (4, 6, 7), 35, 5, 35 * 24, 5 * 24),  # at each of 4x6 places
    ("Conv1D", {"filters": 5, "kernel_size": 3}, (10, 2), 30, 5, 30 * 8, 5 * 8),
    ("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal"}, (10, 2), 30, 5, 30 * 10, 5 * 10),
    ("Conv2D", {"filters": 6, "kernel_size": 5}, (28, 28, 1), 150, 6, 150 * 576, 6 * 576),
    ("Conv2D", {"filters": 6, "kernel_size": 5, "padding": "same"}, (28, 28, 1), 150, 6, 150 * 784, 6 * 784),
    ("Conv2D", {"filters": 6, "kernel_size": (3, 1), "strides": 2}, (9, 9, 2), 36, 6, 36 * 4 * 5, 6 * 20),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2}, (9, 9, 2), 108, 6, 108 * 25, 6 * 25),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2}, (9, 9, 4), 108, 6, 108 * 49, 6 * 49),
    ("DepthwiseConv2D", {"kernel_size": 3}, (9, 9, 4), 36, 4, 36 * 49, 4 * 49),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, (9, 9, 4), 72, 8, 72 * 49, 8 * 49),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3}, (9, 9, 4), 36 + 20, 5, 56 * 49, 5 * 49),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}, (9, 4), 24 + 40, 5, 64 * 7, 5 * 7),
    # Each of 4x4 input places meets all 9 x 2 x 3 weights; the output has 9x9 places.
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 3, "strides": 2}, (4, 4, 2), 54, 3, 54 * 16, 3 * 81),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2, "padding": "same"}, (4, 2), 12, 3, 12 * 4, 3 * 4),
    ("DepthwiseConv1D", {"kernel_size": 3, "strides": 2, "use_bias": False}, (9, 4), 12, 0, 12 * 4, 0),
    ("Conv3D", {"filters": 2, "kernel_size": (1, 2, 3)}, (4, 4, 4, 2), 24, 2, 24 * 4 * 3 * 2, 2 * 24),
]


@pytest.mark.parametrize(("kind", "options", "shape", "weights", "biases", "multiply_adds", "to_biases"), PRODUCTS)
def test_layers_with_weights(kind, options, shape, weights, biases, multiply_adds, to_biases, keras):
    found = row(keras, getattr(keras.layers, kind)(**options), shape)
    assert (found.weights, found.biases) == (weights, biases)
    assert (found.cost.multiply_adds, found.cost.connections, found.cost.biases) == (
        multiply_adds,
        multiply_adds,
        to_biases,
    )


def test_channels_may_come_first(keras):
    layer = keras.layers.Conv2D(6, 3, data_format="channels_first", groups=2)
    shape = layer.compute_output_shape((None, 4, 8, 9))[1:]
    found = cost.of_call(graph.Call(layer, "conv", ((4, 8, 9),), (shape,), None))
    assert found.multiply_adds == (6 * 7) * 6 * 9 * 2  # places, maps, taps, channels of a group


@pytest.mark.parametrize(
    ("kind", "options", "shape", "connections"),
    [
        ("MaxPooling2D", {"pool_size": 2}, (28, 28, 6), 4_704),  # LeNet-5's S2: 14 x 14 x 6 units of 4 inputs
        ("AveragePooling2D", {"pool_size": 3, "strides": 2}, (9, 9, 2), 4 * 4 * 2 * 9),
        ("MaxPooling1D", {"pool_size": 3}, (9, 2), 18),
        ("GlobalAveragePooling2D", {}, (4, 5, 6), 120),
        ("GlobalMaxPooling1D", {}, (4, 5), 20),
    ],
)
def test_a_pooling_unit_is_connected_to_the_inputs_of_its_window(kind, options, shape, connections, keras):
    found = row(keras, getattr(keras.layers, kind)(**options), shape)
    assert (found.cost.multiply_adds, found.cost.connections, found.cost.pools) == (0, connections, True)


SIZES, NO_BIAS, ONES = st.integers(1, 3), st.just(False), st.just("ones")
KERNEL = {"kernel_size": SIZES, "use_bias": NO_BIAS, "kernel_initializer": ONES}
FILTERS = {**KERNEL, "filters": st.sampled_from([2, 4]), "groups": st.integers(1, 2)}
OF_ONES = [
    ("Conv", {**FILTERS, "strides": SIZES}),
    ("Conv", {**FILTERS, "dilation_rate": st.integers(1, 2)}),  # Keras refuses stride and dilation together
    ("DepthwiseConv", {"kernel_size": SIZES, "use_bias": NO_BIAS, "depthwise_initializer": ONES, "strides": SIZES}),
    ("ConvTranspose", {**KERNEL, "filters": SIZES, "strides": SIZES}),
    ("AveragePooling", {"pool_size": SIZES, "strides": SIZES}),
]


@settings(max_examples=40, deadline=None)
@given(
    drawn=st.one_of([st.tuples(st.just(kind), st.fixed_dictionaries(options)) for kind, options in OF_ONES]),
    space=st.lists(st.integers(5, 8), min_size=1, max_size=2),
)
def test_of_ones_every_connection_adds_one(drawn, space, keras):
    """Without padding, a layer whose weights and inputs are all ones gives the number of its connections, in sum."""
    (kind, options), shape = drawn, (*space, 4)
    name = f"Conv{len(space)}DTranspose" if kind == "ConvTranspose" else f"{kind}{len(space)}D"
    layer = getattr(keras.layers, name)(**options)
    found = row(keras, layer, shape).cost
    window = options.get("pool_size", 1) ** len(space)  # by which an average is less than its sum
    total = round(float(np.asarray(layer(np.ones((1, *shape), "float32"))).sum() * window))
    assert (found.connections, found.multiply_adds) == (total, 0 if found.pools else total)


@pytest.mark.parametrize(
    ("kind", "options", "weights", "biases", "fixed", "values"),
    [
        ("BatchNormalization", {}, 9, 3, 6, 60),  # gamma, moving mean and variance; beta; the moving two
        ("LayerNormalization", {}, 3, 3, 0, 60),
        ("GroupNormalization", {"groups": 3}, 3, 3, 0, 60),
        ("RMSNormalization", {}, 3, 0, 0, 60),
        ("UnitNormalization", {}, 0, 0, 0, 60),
        ("Normalization", {}, 7, 0, 7, 60),  # mean and variance of each channel, and how many were seen
        ("Activation", {"activation": "tanh"}, 0, 0, 0, 60),
        ("LeakyReLU", {}, 0, 0, 0, 60),
        ("Softmax", {}, 0, 0, 0, 60),
        ("SpatialDropout2D", {"rate": 0.5}, 0, 0, 0, 0),
        ("ReLU", {}, 0, 0, 0, 60),
        ("PReLU", {"shared_axes": [1, 2]}, 3, 0, 0, 60),
        ("ZeroPadding2D", {"padding": 1}, 0, 0, 0, 6 * 7 * 3),
        ("Cropping2D", {"cropping": 1}, 0, 0, 0, 2 * 3 * 3),
        ("UpSampling2D", {"size": 2}, 0, 0, 0, 240),
        ("Flatten", {}, 0, 0, 0, 0),  # the same values, in another shape
        ("Reshape", {"target_shape": (20, 3)}, 0, 0, 0, 0),
        ("Dropout", {"rate": 0.5}, 0, 0, 0, 0),  # hands its input on, but for training
    ],
)
def test_layers_that_multiply_nothing(kind, options, weights, biases, fixed, values, keras):
    found = row(keras, getattr(keras.layers, kind)(**options), (4, 5, 3))
    assert (found.weights, found.biases, found.fixed, found.values) == (weights, biases, fixed, values)
    assert (found.cost.multiply_adds, found.cost.connections) == (0, 0)


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Maximum"])
def test_merging_writes_one_output(kind, keras):
    assert row(keras, getattr(keras.layers, kind)(), (4, 5, 3), (4, 5, 3)).values == 60


def test_concatenation_writes_all_its_inputs(keras):
    assert row(keras, keras.layers.Concatenate(), (4, 5, 3), (4, 5, 2)).values == 100


def test_dropout_writes_in_training(keras):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    assert [row.values for row in describe.rows(model)] == [8, 0, 2]
    assert [row.values for row in describe.rows(model, training=True)] == [8, 8, 2]


def test_a_frozen_layer_is_not_trained(keras):
    layer = keras.layers.Dense(5, trainable=False)
    assert row(keras, layer, (7,)).fixed == 40


# --- what cannot be counted is said ----------------------------------------------------------------


def unknown_layers(keras):
    class Scaled(keras.layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight(name="scale", shape=(input_shape[-1],))

        def call(self, x):
            return x * self.scale

    class Twice(keras.layers.Dense):
        def call(self, x):
            return super().call(super().call(x))

    return [Scaled(name="unknown"), Twice(6, name="unknown"), keras.layers.LSTM(6, name="unknown")]


@pytest.mark.parametrize("number", range(3))
def test_a_layer_of_unknown_cost_is_named_and_its_parameters_count(number, keras):
    layer = unknown_layers(keras)[number]
    x = inputs = keras.Input((4, 6))
    model = keras.Model(inputs, keras.layers.Dense(2, name="known")(layer(x)))
    found = describe.rows(model)
    assert [row.cost is None for row in found] == [False, True, False]
    total = describe.totals(found)
    assert total.parameters == model.count_params()
    assert total.uncounted == ("unknown",)
    said = table.summary(found)
    assert "The totals are without 1 layer that could not be counted: unknown" in said
    assert f"\nMultiply-adds  >={total.multiply_adds:,} a sample\n" in said
    assert "\nMemory         >=" in said
    assert table.table(found).splitlines()[-1].split()[-4] == f">={total.multiply_adds:,}"
    (line,) = (line for line in table.table(found).splitlines() if line.startswith("unknown"))
    assert line.split()[-1] == "unknown"  # the receptive field too
    assert line.count("unknown") == 5


def test_a_length_that_is_not_known_leaves_the_cost_unknown(keras):
    inputs = keras.Input((None, None, 3))
    found = describe.rows(keras.Model(inputs, keras.layers.Conv2D(4, 3, name="conv")(inputs)))
    assert [(row.weights, row.cost, row.values) for row in found][1] == (108, None, None)
    assert describe.field(found[1].reach) == "3"


def test_a_subclass_that_changes_nothing_that_is_computed_is_known(keras):
    class Named(keras.layers.Dense):
        def __init__(self, units, **more):
            super().__init__(units, **more)
            self.remark = "mine"

        def get_config(self):
            return {**super().get_config()}

    assert row(keras, Named(5), (7,)).cost.multiply_adds == 35


def test_a_layer_may_say_its_own_cost(keras):
    class Halved(keras.layers.Layer):
        def call(self, x):
            return x[:, ::2, ::2, :]

        def cost(self, input_shape, output_shape):
            return {"multiply_adds": 11, "connections": 12, "biases": 13, "window": (1, 2, "valid")}

    found = row(keras, Halved(), (8, 8, 2))
    assert found.cost == cost.Cost(multiply_adds=11, connections=12, biases=13)
    assert (describe.field(found.reach), describe.stride(found.reach)) == ("1", "2")
