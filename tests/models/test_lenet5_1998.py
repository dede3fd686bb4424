"""LeNet-5 as published: its counts, its layers by hand, its codes."""

import subprocess
import sys

import numpy as np
import pytest

from analysis import describe, table
from models import lenet5_1998
from models.lenet5_1998 import C3
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def layers(keras):
    from models import layers_1998

    return layers_1998


@pytest.mark.parametrize("side", [32, 28])
def test_weights_and_connections_of_the_paper(side, keras):
    """LeCun et al. 1998, section II.B; S003, question 2."""
    found = describe.rows(lenet5_1998(input_shape=(side, side, 1)))
    counts = {
        row.layer: (row.weights + row.biases, row.cost.connections + row.cost.biases)
        for row in found
        if row.cost.connections
    }
    assert counts == {
        "c1": (156, 122_304),
        "s2": (12, 5_880),
        "c3": (1_516, 151_600),
        "s4": (32, 2_000),
        "c5": (48_120, 48_120),
        "f6": (10_164, 10_164),
        "output": (840, 840),
    }
    total = describe.totals(found)
    assert (total.parameters - total.fixed, total.fixed) == (60_000, 840)
    assert total.connections + total.to_biases == 340_908
    # Sub-sampling has biases too: 340,908 - 5,880 - 2,000 are left without it.
    assert "without pooling 326,520 (333,028)" in table.summary(found)
    # Without any bias; and without the 6 + 16 coefficients of sub-sampling.
    assert (total.connections, total.weights) == (332_824, 60_592)
    assert total.weights - (6 + 16) == 60_570


def test_the_table_of_c3():
    assert [len(row) for row in C3] == [3] * 6 + [4] * 9 + [6]
    assert len({frozenset(row) for row in C3}) == 16
    assert [sum(n in row for row in C3) for n in range(6)] == [10] * 6  # table I: ten crosses in each row


def test_every_layer_up_to_f6_ends_in_the_scaled_tanh(layers, keras):
    names = [layer.name for layer in lenet5_1998().layers if isinstance(layer, keras.layers.Activation)]
    assert names == [f"{name}_squash" for name in ("c1", "s2", "c3", "s4", "c5", "f6")]
    assert np.array(layers.squash(np.array([-1.0, 0.0, 1.0]))) == pytest.approx([-1, 0, 1], abs=1e-4)


def field(model):
    """What C1 sees."""
    import keras

    return keras.Model(model.inputs[0], model.get_layer("c1").input)


def test_a_smaller_image_is_centred_in_the_papers_field_and_range(keras):
    x = np.random.default_rng(0).uniform(0.2, 1, (2, 28, 27, 1)).astype("float32")
    x[0, 0, 0], x[0, -1, -1] = 0, 1
    found = np.array(field(lenet5_1998(input_shape=(28, 27, 1)))(x))
    assert found.shape == (2, 32, 32, 1)
    np.testing.assert_allclose(found[:, 2:30, 2:29], 1.275 * x - 0.1, rtol=1e-6, atol=1e-6)
    assert found[0, [2, 29], [2, 28], 0] == pytest.approx([-0.1, 1.175])
    found[:, 2:30, 2:29] = -0.1
    np.testing.assert_allclose(found, -0.1, rtol=1e-6)


@pytest.mark.parametrize("side", [32, 36])
def test_an_image_as_large_as_the_field_is_not_padded(side, keras):
    model = lenet5_1998(input_shape=(side, side, 1))
    assert "field" not in [layer.name for layer in model.layers]
    np.testing.assert_allclose(np.array(field(model)(np.ones((1, side, side, 1)))), 1.175, rtol=1e-6)


def test_sub_sampling_by_hand(layers, keras):
    layer = layers.SubSampling(2)
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    layer.build(x.shape)
    layer.set_weights([np.array([0.5]), np.array([1.0])])
    # Sums of the four windows: 0+1+4+5, 2+3+6+7, 8+9+12+13, 10+11+14+15.
    np.testing.assert_allclose(np.array(layer(x)).ravel(), [6, 10, 22, 26])


def test_a_partial_convolution_sees_only_its_maps(layers, keras):
    """Against one ordinary convolution a map, over the maps that the table lists, in their order."""
    table = [(0, 2), (1,), (2, 0, 1)]
    layer = layers.PartialConv2D(table, 3)
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 3)).astype("float32")
    found = np.array(layer(x))
    kernel, bias = layer.get_weights()
    start = 0
    for place, below in enumerate(table):
        own = kernel[:, start : start + len(below)].reshape(3, 3, len(below), 1)
        expected = np.array(keras.ops.conv(x[..., list(below)], own, padding="valid"))[..., 0] + bias[place]
        np.testing.assert_allclose(found[..., place], expected, rtol=1e-4, atol=1e-5)
        start += len(below)


def test_starting_values_lie_within_2_4_over_the_number_of_inputs(keras):
    keras.utils.set_random_seed(0)
    model = lenet5_1998()
    for name, fan_in in {"c1": 25, "s2": 4, "c5": 400, "f6": 120}.items():
        values = np.concatenate([weight.ravel() for weight in model.get_layer(name).get_weights()])
        assert 0.3 < np.abs(values).max() / (2.4 / fan_in) <= 1
    kernel, bias = model.get_layer("c3").get_weights()
    bounds = np.array([2.4 / (25 * len(row)) for row in C3])
    assert np.all(np.abs(bias) <= bounds)
    share = np.abs(kernel).max(0) / np.repeat(bounds, [len(row) for row in C3])
    assert np.all((share > 0.5) & (share <= 1))


def test_an_output_is_minus_the_mean_squared_difference_to_a_code(layers, keras):
    layer = layers.RadialBasis(3)
    layer(np.zeros((1, 8), "float32"))
    # (-1) to the ones that 1 has in common with 0 to 7, the opposite, and the same of 2.
    expected = [[1, -1] * 4, [-1, 1] * 4, [1, 1, -1, -1] * 2]
    np.testing.assert_array_equal(layer.codes, expected)
    x = np.array([expected[1]], "float32")
    np.testing.assert_array_equal(np.array(layer(x)), [[-4, 0, -2]])  # all and half of the places differ, by 2


def test_the_codes_of_ten_classes_lie_far_apart_and_use_every_place(layers):
    found = layers.codes(10, 84)
    apart = (found[:, None] != found[None]).sum(-1)[np.triu_indices(10, 1)]
    assert apart.min() >= 40
    assert np.all(found.sum(0) == 0)  # half of the classes have 1, half -1


def test_there_are_codes_for_so_many_classes_alone(layers):
    assert len(np.unique(layers.codes(254, 84), axis=0)) == 254
    with pytest.raises(ValueError, match=r"1 to 254 classes\. Received: classes=255"):
        lenet5_1998(classes=255)


def test_its_layers_are_known_to_keras(keras, tmp_path):
    model = lenet5_1998()
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).standard_normal((2, 32, 32, 1)).astype("float32")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), model(x))


def test_the_hash_of_the_builder_covers_its_layers_and_loads_nothing():
    code = (
        "import sys\nfrom pathlib import Path\nfrom models import lenet5_1998\nfrom trials import sources\n"
        "trees = sources._trees(sys.modules['models.lenet5_1998'], Path('models').resolve())\n"
        "print(len(trees), 'keras.src' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2 False\n", "")
