"""The PyTorch networks are the zoo's: as many trained parameters, the same outputs' shape."""

import json
import subprocess
import sys

import pytest

from benchmarks.contenders import versions
from benchmarks.work import WORKS
from tests.conftest import ROOT
from trials import datasets, outline

CASES = {
    f"{name} {configuration.label}": configuration
    for name, work in WORKS.items()
    for configuration in work.trained(1, 1).configurations()[:2]
}
# In a process of its own: TensorFlow and PyTorch in one process were seen to end in a segmentation fault.
COUNT = """
import json, sys, torch
from benchmarks.contenders.torch_networks import NETWORKS
for builder, shape, classes, options in json.load(sys.stdin):
    network = NETWORKS[builder](shape[0], classes, **options)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(json.dumps([parameters, list(network(torch.zeros(2, *shape)).shape)]))
"""


@pytest.fixture(scope="module")
def counted():
    if "torch" not in versions():
        pytest.skip("torch is not installed")
    calls = []
    for configuration in CASES.values():
        shape, classes = datasets.shape(configuration.data)
        channels_first = [shape[-1], *shape[:-1]]
        calls.append((configuration.variant.builder.__name__, channels_first, classes, configuration.options))
    done = subprocess.run(
        [sys.executable, "-c", COUNT], input=json.dumps(calls), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_parameters_and_outputs(case, counted, keras):
    configuration = CASES[case]
    shape, classes = datasets.shape(configuration.data)
    arguments = {"input_shape": shape, "classes": classes, **configuration.options}
    zoo = outline.model(outline.Call(configuration.variant.builder, arguments, ""))
    trained = sum(weight.shape.num_elements() for weight in zoo.trainable_weights)
    assert counted[case] == [trained, [2, classes]]


@pytest.mark.skipif("torch" not in versions(), reason="torch is not installed")
def test_no_other_framework_is_loaded_beside_it():
    code = "import sys; from benchmarks.contenders import torch_processes as t; t.single_threaded({})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('tensorflow' in sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
