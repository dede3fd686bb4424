"""Small dense networks on Iris, and whether the graph engine trains them side by side."""

import dataclasses

from models import mlp
from tests.contract import small_networks
from trials import datasets
from trials.engines import graph_session
from trials.engines.lanes import has_lanes
from trials.experiment import Configuration, Data, Protocol, Variant
from trials.splits import split

IRIS = Data("iris", test_fraction=0.2, validation_fraction=0.1, labels="one_hot")
PROTOCOL = Protocol(
    epochs=3, loss="categorical_crossentropy", optimizer="adam", learning_rate=0.05, batch_size=32, record=("train",)
)
SMALL = {e.name: e.configurations()[0] for e in small_networks.EXPERIMENTS}


def iris(builder=mlp, data=None, protocol=None, **options):
    return Configuration(
        Variant("v", builder),
        options,
        dataclasses.replace(PROTOCOL, **(protocol or {})),
        dataclasses.replace(IRIS, **(data or {})),
    )


def is_side_by_side(configuration, samples=None):
    samples = samples or datasets.load(configuration.data)
    return has_lanes(graph_session(configuration, samples.classes, split(samples, configuration.data, 0), (0, 1)))


def layers(*given, **protocol):
    """A configuration whose network are these layers, made anew for each model."""

    def builder(*, input_shape, classes):
        import keras

        return keras.Sequential([keras.Input(input_shape), *(make(keras.layers) for make in given)])

    return iris(builder, protocol=protocol)


HEAD = lambda layers: layers.Dense(3, activation="softmax")  # noqa: E731
