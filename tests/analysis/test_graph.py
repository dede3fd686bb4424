"""The order of layers, nested models, shared layers and operations between layers."""

import pytest

from analysis import describe, graph
from trials.errors import UserError


def test_nested_models_are_opened_and_see_what_is_before_them(keras):
    layers = keras.layers
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(5, 3, name="conv")], name="inner")
    x = a = keras.Input((16, 16, 4))
    middle = keras.Model(a, inner(layers.MaxPooling2D(2, name="pool")(x)), name="middle")
    inputs = keras.Input((16, 16, 4), name="image")
    model = keras.Model(inputs, layers.ReLU(name="relu")(middle(inputs)))
    found = describe.rows(model)
    assert [row.layer for row in found] == ["image", "middle/pool", "middle/inner/conv", "relu"]
    assert [describe.field(row.reach) for row in found] == ["1", "2", "6", "6"]
    assert describe.totals(found).parameters == model.count_params() == 9 * 4 * 5 + 5


def test_a_shared_layer_works_twice_and_has_its_parameters_once(keras):
    layer = keras.layers.Dense(3, name="shared")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(layer(inputs)))
    found = describe.rows(model)
    assert [(row.layer, row.weights, row.biases, row.cost.multiply_adds) for row in found[1:]] == [
        ("shared", 9, 3, 9),
        ("shared", 0, 0, 9),
    ]


def test_a_shared_model_works_twice_and_has_its_parameters_once(keras):
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)], name="inner")
    a, b = keras.Input((3,)), keras.Input((3,))
    model = keras.Model([a, b], keras.layers.Add()([inner(a), inner(b)]))
    total = describe.totals(describe.rows(model))
    assert (total.parameters, total.multiply_adds, total.inputs) == (12, 18, 6)


def test_operations_between_layers_are_rows(keras):
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, keras.ops.relu(inputs + keras.layers.Conv2D(4, 3, padding="same")(inputs)))
    found = describe.rows(model)
    assert [(row.kind, row.values) for row in found] == [
        ("InputLayer", 256),
        ("Conv2D", 256),
        ("Add", 256),
        ("Relu", 256),
    ]
    assert describe.field(found[-1].reach) == "3"


def test_a_layer_stands_after_all_that_feed_it(keras):
    with keras.StatelessScope(initialize_variables=False):
        model = keras.applications.NASNetMobile(weights=None)
    done = set()
    for call in graph.walk(model):
        node = call.layer._inbound_nodes[-1]
        assert {id(tensor) for tensor in node.input_tensors} <= done
        done |= {id(tensor) for tensor in node.outputs}


def test_a_model_without_a_graph_is_refused(keras):
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UserError, match="'own' has no graph of layers to read"):
        graph.walk(Own(name="own"))


def own_call(keras):
    class Own(keras.Model):
        def call(self, x):
            return super().call(x) @ keras.ops.ones((3, 100))

    inputs = keras.Input((4,))
    return Own(inputs, keras.layers.Dense(3)(inputs), name="own")


def test_a_model_that_does_not_run_its_graph_is_refused(keras):
    with pytest.raises(UserError, match="a `call` of its own"):
        graph.walk(own_call(keras))


def test_inside_another_it_is_a_layer_of_unknown_cost(keras):
    inputs = keras.Input((4,))
    found = describe.rows(keras.Model(inputs, own_call(keras)(inputs)))
    assert [(row.layer, row.cost is None, row.weights + row.biases) for row in found[1:]] == [("own", True, 15)]


def test_a_subclass_that_only_trains_in_its_own_way_is_read(keras):
    class Own(keras.Model):
        def train_step(self, data):
            return {}

    inputs = keras.Input((4,))
    assert len(graph.walk(Own(inputs, keras.layers.Dense(3)(inputs)))) == 2
