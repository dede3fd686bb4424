"""The zoo's networks as a PyTorch user would write them: same layers, same starting distributions.

Builders of the zoo that start as Keras does are given Glorot's uniform weights and zero biases here; those made
of `models.pytorch` are PyTorch's own and stay so. All return logits.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn


def as_keras_starts(network: nn.Sequential) -> nn.Sequential:
    for layer in network:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network


def mlp(features: int, classes: int, units: int = 10) -> nn.Sequential:
    hidden = [nn.Linear(features, units), nn.ReLU(), nn.Linear(units, units), nn.ReLU()]
    return as_keras_starts(nn.Sequential(*hidden, nn.Linear(units, classes)))


def lenet5(channels: int, classes: int) -> nn.Sequential:
    """For 28x28 images."""
    return as_keras_starts(
        nn.Sequential(
            *(nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
            nn.Linear(84, classes),
        )
    )


def lenet5_batch_norm_dropout(
    channels: int, classes: int, batch_norm: bool = False, first_dropout: float = 0.0, dropout: float = 0.0
) -> nn.Sequential:
    """For 32x32 images."""

    def hidden(layer: nn.Module, norm: nn.Module, rate: float) -> list[nn.Module]:
        return [layer, *([norm] if batch_norm else []), *([nn.Dropout(rate)] if rate else []), nn.ReLU()]

    return nn.Sequential(
        *(*hidden(nn.Conv2d(channels, 6, 5), nn.BatchNorm2d(6), first_dropout), nn.MaxPool2d(2)),
        *(*hidden(nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), dropout), nn.MaxPool2d(2)),
        nn.Flatten(),
        *hidden(nn.Linear(400, 120), nn.BatchNorm1d(120), dropout),
        *hidden(nn.Linear(120, 84), nn.BatchNorm1d(84), dropout),
        nn.Linear(84, classes),
    )


def lenet(channels: int, classes: int) -> nn.Sequential:
    """For 32x32 images."""
    return nn.Sequential(
        *(nn.Conv2d(channels, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, classes),
    )


NETWORKS: Mapping[str, Any] = {network.__name__: network for network in (mlp, lenet5, lenet5_batch_norm_dropout, lenet)}
