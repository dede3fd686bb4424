"""What a PyTorch user would write: tensors in memory, a permutation an epoch, PyTorch's defaults."""

import importlib.util
import sys
from typing import Any

import torch
from torch import nn

from benchmarks.contenders import lanes
from benchmarks.contenders.torch_networks import NETWORKS
from trials.experiment import Configuration, Protocol
from trials.splits import Parts

KERAS_EPSILON = 1e-7
EVALUATION_BATCH = 1000


def load_all_of_torch() -> None:
    """Imports now what the first step of an optimizer would, at the cost of the first trial.

    It looks into every module there is, and would wake those of the zoo that wait to be loaded: TensorFlow in a
    process of PyTorch's, which costs it seconds and can end it.
    """
    for name in [name for name, module in sys.modules.items() if isinstance(module, importlib.util._LazyModule)]:
        del sys.modules[name]
    importlib.import_module("torch._dynamo")


def tensors(parts: Parts) -> Any:
    """Images channels first, labels as class indices."""
    load_all_of_torch()
    found = {}
    for name, (x, y) in parts.items():
        images = x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x
        found[name] = torch.from_numpy(images), torch.from_numpy(y.argmax(-1) if y.ndim > 1 else y).long()
    return found


def optimizer(network: nn.Module, protocol: Protocol, **options: Any) -> torch.optim.Optimizer:
    """The protocol's, at Keras's own rate and epsilon where it names none."""
    rate = protocol.learning_rate
    if protocol.optimizer == "sgd":
        return torch.optim.SGD(network.parameters(), lr=0.01 if rate is None else rate, **options)
    if protocol.optimizer != "adam":
        raise ValueError(f"There is no PyTorch counterpart here of the optimizer {protocol.optimizer!r}.")
    return torch.optim.Adam(network.parameters(), lr=0.001 if rate is None else rate, eps=KERAS_EPSILON, **options)


def trial(configuration: Configuration, parts: Any, classes: int, seed: int, tuned: bool = False) -> float:
    """`tuned`: a fused optimizer, and weights in the order that PyTorch's kernels on a CPU like best."""
    torch.manual_seed(seed)  # PyTorch starts every process from the same seed
    protocol = configuration.protocol
    x, y = parts["train"]
    network = NETWORKS[configuration.variant.builder.__name__](x.shape[1], classes, **configuration.options)
    if tuned and x.ndim == 4:
        network = network.to(memory_format=torch.channels_last)
    step, loss = optimizer(network, protocol, **({"fused": True} if tuned else {})), nn.CrossEntropyLoss()
    network.train()
    for _ in range(protocol.epochs):
        order = torch.randperm(len(x)) if protocol.shuffle else torch.arange(len(x))
        for chosen in order.split(protocol.batch_size):
            step.zero_grad()
            loss(network(x[chosen]), y[chosen]).backward()
            step.step()
    return accuracy(network, *parts["test"])


def accuracy(network: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    network.eval()
    batches = zip(x.split(EVALUATION_BATCH), y.split(EVALUATION_BATCH), strict=True)
    with torch.no_grad():
        right = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in batches)
    return right / len(y)


if __name__ == "__main__":
    lanes.run(trial, tensors)
