import pytest

from models import mlp


@pytest.mark.parametrize("units", [10, 37])
def test_two_hidden_layers_of_relu_and_a_softmax(units, keras):
    model = mlp(input_shape=(4,), classes=3, units=units)
    found = [(tuple(layer.output.shape[1:]), layer.activation.__name__) for layer in model.layers[1:]]
    assert found == [((units,), "relu"), ((units,), "relu"), ((3,), "softmax")]
    assert [layer.count_params() for layer in model.layers[1:]] == [5 * units, units**2 + units, 3 * units + 3]
