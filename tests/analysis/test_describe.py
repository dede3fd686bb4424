"""Tables, totals and memory; the figures of published networks, and what other counters say of them."""

import csv
import io

import pytest

from analysis import describe, table
from models import BUILDERS, FEATURE_MAPS


@pytest.fixture
def application(keras):
    """Networks of keras.applications, without the memory of their weights."""

    def build(name):
        with keras.StatelessScope(initialize_variables=False):
            return getattr(keras.applications, name)(weights=None)

    return build


def small(keras):
    layers = keras.layers
    stack = [layers.Conv2D(4, 3, name="conv"), layers.MaxPooling2D(2, name="pool"), layers.Flatten(name="flat")]
    stack += [layers.BatchNormalization(name="norm"), layers.Dense(2, name="output")]
    return keras.Sequential([keras.Input((8, 8, 1), name="image"), *stack], name="small")


SMALL = """\
layer   kind        output  weights  biases  (fixed)  multiply-adds  connections  activations  bytes  field  stride
------  ----------  ------  -------  ------  -------  -------------  -----------  -----------  -----  -----  ------
image   InputLayer   8x8x1                                                                 64    256      1       1
conv    Conv2D       6x6x4       36       4                   1,296        1,296          144    576      3       1
pool    MaxPool2D    3x3x4                                                   144           36    144      4       2
flat    Flatten         36                                                                              all
norm    BatchNorm       36      108      36     (72)                                       36    144    all
output  Dense            2       72       2                      72           72            2      8    all
------  ----------  ------  -------  ------  -------  -------------  -----------  -----------  -----  -----  ------
total                           216      42     (72)          1,368        1,512          282  1,128
"""


def test_the_table(keras):
    shown = table.table(describe.rows(small(keras)))
    assert [line.rstrip() for line in shown.splitlines()] == SMALL.splitlines()


def test_bytes_are_those_of_the_batch_in_its_type(keras):
    lines = table.table(describe.rows(small(keras)), 10, "bfloat16").splitlines()
    assert lines[3].split()[-5:] == ["1,296", "144", "2,880", "3", "1"]
    assert lines[-1].split()[-2:] == ["282", "5,640"]


def test_bytes_give_way_first(keras, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    (headers, *_) = table.table(describe.rows(small(keras))).splitlines()
    assert "connections  activations  field" in headers


def test_what_the_table_adds_up_to(keras):
    shown = table.summary(describe.rows(small(keras)))
    assert "Parameters     258: 216 weights and 42 biases; 186 are trained\n" in shown
    # 144 + 2 units with a bias; pooling has 36 units of 4 inputs.
    assert "Connections    1,512 (with biases 1,658); without pooling 1,368 (1,514)\n" in shown
    assert "Activations    282 values a sample, 218 without the input\n" in shown
    assert shown.endswith("Memory         2.109 KiB (float32, batch of 1): parameters 1.008 KiB, activations 1.102 KiB")


def test_memory_of_training(keras):
    total = describe.totals(describe.rows(small(keras)))
    assert describe.memory(total, 10, "bfloat16", "adam") == {
        "parameters": 258 * 2,
        "activations": 282 * 10 * 2,
        "gradients": (258 - 72) * 2,
        "adam": 2 * (258 - 72) * 2,
    }
    assert "gradients" not in describe.memory(total)


@pytest.mark.parametrize("name", describe.STATE)
def test_the_state_of_an_optimizer_is_what_keras_keeps(name, keras):
    optimizer = keras.optimizers.SGD(momentum=0.9) if name == "momentum" else keras.optimizers.get(name)
    optimizer.build([keras.Variable([1.0] * 100)])
    state = sum(variable.shape[0] for variable in optimizer.variables if len(variable.shape))
    assert state == 100 * describe.STATE[name]


def test_a_long_name_keeps_its_end_where_the_terminal_is_too_narrow(keras, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    inputs = keras.Input((4,), name="much_too_long_a_name_for_the_layer")
    shown = table.table(describe.rows(keras.Model(inputs, keras.layers.Dense(2, name="output")(inputs))))
    assert max(map(len, shown.splitlines())) == 120
    assert "\n..long_a_name_for_the_layer  InputLayer  " in shown


def test_connections_give_way_as_well(application, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    shown = table.table(describe.rows(application("InceptionV3"))).splitlines()
    assert max(map(len, shown)) <= 120
    assert "connections" not in shown[0]
    assert shown[-1].split() == ["total", "23,833,568", "18,216", "(34,432)", "5,713,216,096", "32,554,387"]


def test_csv_has_plain_numbers(keras, tmp_path):
    networks = {"small": describe.rows(small(keras))}
    describe.write_csv(tmp_path / "small.csv", networks, batch_size=3, dtype="bfloat16")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "small.csv").read_text())))
    assert [row["layer"] for row in rows] == ["image", "conv", "pool", "flat", "norm", "output"]
    assert rows[1] == {
        **{"network": "small", "layer": "conv", "kind": "Conv2D", "output_shape": "6x6x4"},
        **{"parameters": "40", "weights": "36", "biases": "4", "not_trained": "0", "multiply_adds": "1296"},
        **{"connections": "1296", "connections_to_biases": "144", "pools": "False", "activations": "144"},
        **{"activation_bytes": str(144 * 3 * 2), "receptive_field": "3", "stride": "1"},
    }


def test_networks_side_by_side(keras):
    one = describe.rows(small(keras))
    lines = table.comparison({"small": one, "first": one[:2]}).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["small", "258", "1,368", "1.000", "1,512", "282"],
        ["first", "40", "1,296", "1.056", "1,296", "208"],
    ]


def test_a_network_with_a_layer_of_unknown_cost_is_compared_as_a_lower_bound(keras):
    memory = keras.Sequential([keras.Input((5, 3)), keras.layers.LSTM(4), keras.layers.Dense(2)])
    lines = table.comparison({"memory": describe.rows(memory), "small": describe.rows(small(keras))}).splitlines()
    # 15 inputs, 4 and 2 outputs; 4 * (3 + 4 + 1) * 4 + 10 parameters; nothing to say of times.
    assert [line.split() for line in lines[2:]] == [
        ["memory", "138", ">=8", ">=8", ">=21"],
        ["small", "258", "1,368", "1,512", "282"],
    ]


# --- against other counters ----------------------------------------------------------------------

# Parameters as Keras lists them (https://keras.io/api/applications); multiply-adds in units of the last digit.
PUBLISHED = [
    ("VGG16", 138_357_544, 15.47e9, 0.01e9, "torchvision, VGG16_Weights, _ops"),
    ("VGG19", 143_667_240, 19.632e9, 0.001e9, "torchvision, VGG19_Weights, _ops"),
    ("ResNet50", 25_636_712, 3.8e9, 0.1e9, "He et al. 2015, table 1 (torchvision's strides differ)"),
    ("MobileNetV2", 3_538_984, 0.301e9, 0.001e9, "torchvision, MobileNet_V2_Weights, _ops; Sandler et al. 2018: 300M"),
    ("InceptionV3", 23_851_784, 5.713e9, 0.001e9, "torchvision, Inception_V3_Weights, _ops"),
    ("DenseNet121", 8_062_504, 2.834e9, 0.001e9, "torchvision, DenseNet121_Weights, _ops"),
]


@pytest.mark.parametrize(("name", "parameters", "multiply_adds", "unit", "source"), PUBLISHED)
def test_published_counts(name, parameters, multiply_adds, unit, source, application):
    model = application(name)
    total = describe.totals(describe.rows(model))
    assert total.parameters == model.count_params() == parameters
    assert total.fixed == sum(weight.shape.num_elements() for weight in model.non_trainable_weights)
    assert abs(total.multiply_adds - multiply_adds) < unit, source
    assert total.uncounted == ()


def profiled(model):
    """TensorFlow's own count of the floating-point operations of products, by kind of operation."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = tf.function(lambda x: model(x, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:])))
    graph = convert_variables_to_constants_v2(concrete).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    quiet = builder(builder.float_operation()).with_empty_output().build()
    with graph.as_default():
        found = tf.compat.v1.profiler.profile(graph, cmd="op", options=quiet)
    products = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
    waiting, total = list(found.children), 0
    while waiting:
        node = waiting.pop()
        waiting += node.children
        total += node.float_ops if node.name in products else 0
    return total


# What the profiler knows: it counts nothing for grouped, transposed and 3-D convolutions, and for a dilated one
# also what TensorFlow pads.
STACKS = {
    "2-D": (
        (32, 32, 3),
        ("Conv2D", {"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same"}),
        ("BatchNormalization", {}),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}),
        ("SeparableConv2D", {"filters": 12, "kernel_size": 5}),
        ("MaxPooling2D", {"pool_size": 2}),
        ("Dense", {"units": 4}),  # at each place
        ("Flatten", {}),
        ("Dense", {"units": 10}),
    ),
    "1-D": (
        (32, 3),
        ("Conv1D", {"filters": 8, "kernel_size": 3, "padding": "causal"}),
        ("DepthwiseConv1D", {"kernel_size": 3}),
        ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "strides": 2}),
        ("GlobalAveragePooling1D", {}),
        ("Dense", {"units": 10}),
    ),
}


def stack(keras, shape, *kinds):
    layers = [getattr(keras.layers, kind)(**options) for kind, options in kinds]
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize("network", [*STACKS, "lenet5", "inception_reduced", "MobileNetV2"])
def test_the_profiler_of_tensorflow_counts_two_operations_a_multiply_add(network, keras):
    if network in STACKS:
        model = stack(keras, *STACKS[network])
    elif network == "MobileNetV2":
        model = keras.applications.MobileNetV2(weights=None)
    else:
        shape = {"input_shape": (28, 28, 1), "classes": 10} if network == "lenet5" else {}
        model = (BUILDERS | FEATURE_MAPS)[network](**shape)
    assert profiled(model) == 2 * describe.totals(describe.rows(model)).multiply_adds > 0
