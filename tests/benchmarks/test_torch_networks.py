"""The PyTorch networks are the zoo's: as many trained parameters, the same outputs' shape."""

import pytest

from benchmarks.work import WORKS
from trials import datasets, outline

torch = pytest.importorskip("torch")

CASES = [
    pytest.param(configuration, id=f"{name} {configuration.label}")
    for name, work in WORKS.items()
    for configuration in work.trained(1, 1).configurations()[:2]
]


@pytest.fixture(autouse=True)
def _leave_without_keras_threads(keras):
    torch.manual_seed(0)


@pytest.mark.parametrize("configuration", CASES)
def test_parameters_and_outputs(configuration):
    from benchmarks.contenders.torch_networks import NETWORKS

    shape, classes = datasets.shape(configuration.data)
    arguments = {"input_shape": shape, "classes": classes, **configuration.options}
    zoo = outline.model(outline.Call(configuration.variant.builder, arguments, ""))
    network = NETWORKS[configuration.variant.builder.__name__](shape[-1], classes, **configuration.options)
    trained = sum(parameter.numel() for parameter in network.parameters())
    assert trained == sum(weight.shape.num_elements() for weight in zoo.trainable_weights)
    inputs = torch.zeros(2, *((shape[-1], *shape[:2]) if len(shape) == 3 else shape))
    assert network(inputs).shape == (2, classes)
