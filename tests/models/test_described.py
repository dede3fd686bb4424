"""The networks that the source documents count by hand: every figure, from the built models."""

import numpy as np
import pytest

from analysis import describe
from models import BUILDERS, FEATURE_MAPS
from trials import outline

# The rows that do work: name, output, activations, weights, parameters, multiply-adds.
ALEXNET = [
    ("conv1", "55x55x96", 290_400, 34_848, 34_944, 105_415_200),
    ("pool1", "27x27x96", 69_984, 0, 0, 0),
    ("conv2", "27x27x256", 186_624, 614_400, 614_656, 447_897_600),
    ("pool2", "13x13x256", 43_264, 0, 0, 0),
    ("conv3", "13x13x384", 64_896, 884_736, 885_120, 149_520_384),
    ("conv4", "13x13x384", 64_896, 1_327_104, 1_327_488, 224_280_576),
    ("conv5", "13x13x256", 43_264, 884_736, 884_992, 149_520_384),
    ("pool5", "6x6x256", 9_216, 0, 0, 0),
    ("fc6", "4096", 4_096, 37_748_736, 37_752_832, 37_748_736),
    ("fc7", "4096", 4_096, 16_777_216, 16_781_312, 16_777_216),
    ("fc8", "1000", 1_000, 4_096_000, 4_097_000, 4_096_000),
]


def vgg19():
    """S002, problem 3.2, with the three layers that the document leaves out."""
    work = {1: (1_728, 36_864), 2: (73_728, 147_456), 3: (294_912, 589_824), 4: (1_179_648, 2_359_296)}
    work[5] = (2_359_296, 2_359_296)
    rows = []
    for block, depth, side, maps in (
        (1, 2, 224, 64),
        (2, 2, 112, 128),
        (3, 4, 56, 256),
        (4, 4, 28, 512),
        (5, 4, 14, 512),
    ):
        for number in range(1, depth + 1):
            weights = work[block][number > 1]
            values = side * side * maps
            conv = (f"conv{block}_{number}", f"{side}x{side}x{maps}", values)
            rows.append((*conv, weights, weights + maps, weights * side * side))
        rows.append((f"pool{block}", f"{side // 2}x{side // 2}x{maps}", values // 4, 0, 0, 0))
    rows.append(("fc6", "4096", 4_096, 102_760_448, 102_764_544, 102_760_448))
    return [*rows, *ALEXNET[-2:]]


LENET5 = [
    ("c1", "28x28x6", 4_704, 150, 156, 117_600),
    ("s2", "14x14x6", 1_176, 0, 0, 0),
    ("c3", "10x10x16", 1_600, 2_400, 2_416, 240_000),
    ("s4", "5x5x16", 400, 0, 0, 0),
    ("c5", "120", 120, 48_000, 48_120, 48_000),
    ("f6", "84", 84, 10_080, 10_164, 10_080),
    ("output", "10", 10, 840, 850, 840),
]
CONV_BLOCK = [  # 64x64x128 becomes 32x32x256 (half the values), then 32x32x512 (as many as at first)
    ("padding1", "66x66x128", 557_568, 0, 0, 0),
    ("conv1", "32x32x256", 262_144, 294_912, 294_912, 301_989_888),
    ("padding2", "34x34x256", 295_936, 0, 0, 0),
    ("conv2", "32x32x512", 524_288, 1_179_648, 1_179_648, 1_207_959_552),
]
STRIDED = [
    ("conv1", "100x150x100", 1_500_000, 2_700, 2_800, 40_500_000),
    ("conv2", "50x75x200", 750_000, 180_000, 180_200, 675_000_000),
    ("conv3", "25x38x400", 380_000, 720_000, 720_400, 684_000_000),
]
NAIVE = [
    ("conv1x1", "32x32x128", 131_072, 32_768, 32_896, 33_554_432),
    ("conv3x3", "32x32x192", 196_608, 442_368, 442_560, 452_984_832),
    ("conv5x5", "32x32x96", 98_304, 614_400, 614_496, 629_145_600),
    ("pool", "32x32x256", 262_144, 0, 0, 0),
    ("output", "32x32x672", 688_128, 0, 0, 0),
]
REDUCED = [
    ("conv1x1", "32x32x128", 131_072, 32_768, 32_896, 33_554_432),
    ("reduce3x3", "32x32x128", 131_072, 32_768, 32_896, 33_554_432),
    ("reduce5x5", "32x32x32", 32_768, 8_192, 8_224, 8_388_608),
    ("project", "32x32x64", 65_536, 16_384, 16_448, 16_777_216),
    ("conv3x3", "32x32x192", 196_608, 221_184, 221_376, 226_492_416),
    ("conv5x5", "32x32x96", 98_304, 76_800, 76_896, 78_643_200),
    ("pool", "32x32x256", 262_144, 0, 0, 0),
    ("output", "32x32x480", 491_520, 0, 0, 0),
]
PERCEPTRON = [("hidden", "50", 50, 500, 550, 500), ("output", "3", 3, 150, 153, 150)]
ONES = ("conv1x1", "reduce3x3", "reduce5x5", "project")
TABLES = {
    "alexnet": ALEXNET,
    "vgg19": vgg19(),
    "lenet5": LENET5,
    "conv_block": CONV_BLOCK,
    "strided_cnn": STRIDED,
    "inception_naive": NAIVE,
    "inception_reduced": REDUCED,
    "mlp_10_50_3": PERCEPTRON,
}


@pytest.fixture
def described(keras):
    """The rows of a builder's model, built without memory for its weights."""

    def describe_it(name, **options):
        shape = {"input_shape": (28, 28, 1), "classes": 10} if name == "lenet5" else {}
        return describe.rows(outline.model(outline.plan((BUILDERS | FEATURE_MAPS)[name], options=options, **shape)))

    return describe_it


@pytest.mark.parametrize("name", TABLES)
def test_every_layer_costs_what_was_worked_out(name, described):
    silent = {"InputLayer", "Flatten", "Dropout"}
    found = [
        (
            row.layer,
            "x".join(map(str, row.outputs[0])),
            row.values,
            row.weights,
            row.weights + row.biases,
            row.cost.multiply_adds,
        )
        for row in described(name)
        if row.kind not in silent
    ]
    assert sorted(found) == sorted(TABLES[name])


def test_alexnet(described):
    total = describe.totals(described("alexnet"))
    assert (total.parameters, total.weights, total.multiply_adds) == (62_378_344, 62_367_776, 1_135_256_096)


def test_alexnet_in_two_groups(described):
    found = {row.layer: row.weights + row.biases for row in described("alexnet", grouped=True)}
    assert [found[f"conv{number}"] for number in range(1, 6)] == [34_944, 307_456, 885_120, 663_936, 442_624]
    assert sum(found.values()) == 60_965_224


def test_vgg19(described):
    total = describe.totals(described("vgg19"))
    assert (total.weights, total.parameters, total.multiply_adds) == (143_652_544, 143_667_240, 19_632_062_464)
    assert (total.values, total.values - total.inputs) == (16_542_184, 16_391_656)
    bytes_of_values = describe.memory(total)["activations"]
    assert (round(bytes_of_values / 1e6, 2), round(bytes_of_values / 2**20, 2)) == (66.17, 63.10)


def test_vgg16_is_what_the_document_lists_as_vgg19(described):
    total = describe.totals(described("vgg16"))
    assert (total.weights, total.parameters, total.values) == (138_344_128, 138_357_544, 15_237_608)


@pytest.mark.parametrize(("network", "keras_name"), [("vgg16", "VGG16"), ("vgg19", "VGG19")])
def test_the_vgg_networks_are_those_of_keras(network, keras_name, described, keras):
    with keras.StatelessScope(initialize_variables=False):
        peer = getattr(keras.applications, keras_name)(weights=None)
    facts = [
        [
            (row.kind, row.outputs, row.weights, row.biases, row.cost, row.reach)
            for row in found
            if row.kind != "Dropout"
        ]
        for found in (described(network), describe.rows(peer))
    ]
    assert facts[0] == facts[1]


def test_lenet5_connections_and_weights(described):
    """S003, question 2, with full connections in C3."""
    total = describe.totals(described("lenet5"))
    assert (total.weights, total.parameters) == (61_470, 61_706)
    with_biases = total.connections + total.to_biases
    assert (total.connections, with_biases) == (422_824, 429_342)
    assert (total.connections - total.pooling, with_biases - total.pooling) == (416_520, 423_038)
    found = {row.layer: row.cost.connections + row.cost.biases for row in described("lenet5") if row.cost.connections}
    assert list(found.values()) == [122_304, 4_704, 241_600, 1_600, 48_120, 10_164, 850]


def test_inception_with_reductions_multiplies_2_807_times_less(described):
    naive, reduced = (describe.totals(described(f"inception_{name}")) for name in ("naive", "reduced"))
    assert (naive.multiply_adds, reduced.multiply_adds) == (1_115_684_864, 397_410_304)
    assert round(naive.multiply_adds / reduced.multiply_adds, 3) == 2.807
    assert round(100 * (1 - reduced.multiply_adds / naive.multiply_adds), 2) == 64.38
    assert (naive.weights, naive.parameters) == (1_089_536, 1_089_952)
    assert (reduced.weights, reduced.parameters) == (388_096, 388_736)
    ones = [row.cost.multiply_adds for row in described("inception_reduced") if row.layer in ONES]
    assert sum(ones) == 92_274_688


def test_the_block_of_s001(described):
    total = describe.totals(described("conv_block"))
    assert (total.parameters, total.multiply_adds) == (1_474_560, 1_509_949_440)
    assert describe.totals(described("conv_block", bias=True)).parameters == 1_475_328
    values = {row.layer: row.values for row in described("conv_block")}
    assert 2 * values["conv1"] == values["conv2"] == total.inputs == 524_288  # 2 MiB in float32


def test_the_padding_of_s001_is_not_kerass_same(keras):
    """Which pads a stride of 2 at the end alone: the same shape, other values."""
    model = FEATURE_MAPS["conv_block"](input_shape=(8, 8, 2))
    kernel = model.get_layer("conv1").kernel
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 2)).astype("float32")
    inner = keras.Model(model.inputs[0], model.get_layer("conv1").output)
    same = np.maximum(keras.ops.conv(x, kernel, strides=2, padding="same"), 0)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    mine = np.maximum(keras.ops.conv(padded, kernel, strides=2, padding="valid"), 0)
    found = np.array(inner(x))
    assert found.shape == same.shape
    np.testing.assert_allclose(found, mine, atol=1e-5)
    assert not np.allclose(found, same, atol=1e-2)


def test_the_cnn_and_the_perceptron_of_s004(described):
    total = describe.totals(described("strided_cnn"))
    assert (total.parameters, total.weights, total.multiply_adds) == (903_400, 902_700, 1_399_500_000)
    assert describe.totals(described("mlp_10_50_3")).parameters == 703


def test_the_perceptron_of_s004_is_relu_throughout(keras):
    model = BUILDERS["mlp_10_50_3"]()
    assert [layer.activation.__name__ for layer in model.layers[1:]] == ["relu", "relu"]


# Section 4 of the project's facts: networks of the experiments, with their shapes.
COUNTED = [
    ("lenet", (32, 32, 3), {}, 62_006, 0),
    ("lenet", (32, 32, 3), {"batch_norm": True, "dropout": 0.3}, 62_094, 44),
    ("lenet5_batch_norm_dropout", (32, 32, 1), {"batch_norm": True}, 62_610, 452),
    ("lenet5_batch_norm_dropout", (32, 32, 1), {"batch_norm": True, "input_batch_norm": True}, 62_614, 454),
    ("lenet5_batch_norm_dropout", (32, 32, 1), {"first_dropout": 0.2, "dropout": 0.5}, 61_706, 0),
    ("lenet5_regularized", (28, 28, 1), {"weight_decay": 1e-4}, 61_706, 0),
    ("lenet5_regularized", (28, 28, 1), {"batch_norm": True}, 62_610, 452),
]
IRIS = {10: 193, 20: 583, 30: 1173, 40: 1963, 50: 2953, 60: 4143, 70: 5533, 80: 7123, 90: 8913, 100: 10903}


@pytest.mark.parametrize(("name", "shape", "options", "parameters", "fixed"), COUNTED, ids=str)
def test_the_networks_of_the_experiments(name, shape, options, parameters, fixed, keras):
    found = describe.rows(outline.model(outline.plan(BUILDERS[name], (), options, shape, 10)))
    total = describe.totals(found)
    assert (total.parameters, total.fixed, total.uncounted) == (parameters, fixed, ())


def test_batch_norm_after_the_convolutions_alone(keras):
    """Section 4 counts this LeNet-5 too: gamma and beta of 6 and 16 maps, and as many running statistics."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            *(layers.Conv2D(6, 5, padding="same"), layers.BatchNormalization(), layers.MaxPooling2D()),
            *(layers.Conv2D(16, 5), layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten()),
            *(layers.Dense(120), layers.Dense(84), layers.Dense(10)),
        ]
    )
    total = describe.totals(describe.rows(model))
    assert (total.parameters - total.fixed, total.parameters) == (61_750, 61_794)


@pytest.mark.parametrize("units", IRIS)
def test_the_perceptrons_of_iris(units, keras):
    found = describe.rows(outline.model(outline.plan(BUILDERS["mlp"], (), {"units": units}, (4,), 3)))
    parameters = [row.weights + row.biases for row in found[1:]]
    assert parameters == [5 * units, units * units + units, 3 * units + 3]
    assert sum(parameters) == IRIS[units]
