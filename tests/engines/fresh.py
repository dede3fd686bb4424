"""What the drawing of seeds is held against: models built afresh."""

import numpy as np

from trials.engines.model import fresh_model
from trials.experiment import Configuration, Data, Protocol, Variant

SHAPE = (4,)


def of(builder):
    return Configuration(Variant("v", builder), {}, Protocol(1, "mse"), Data("iris", test_fraction=0.2))


def fresh(configuration, seed, shape=SHAPE, classes=3):
    """The values of the variables of this seed's fresh model."""
    return [variable.numpy() for variable in fresh_model(configuration, shape, classes, seed).variables]


def same(values, others):
    return len(values) == len(others) and all(map(np.array_equal, values, others))
