"""Batch-norm layers go by names that do not depend on what a process has built before."""

import pytest

from trials.engines.model import batch_norm_parameters, fresh_model
from trials.errors import UserError
from trials.experiment import Configuration, Data, Protocol, Variant


def block(keras, width, **names):
    x = inputs = keras.Input((width,))
    return keras.Model(inputs, keras.layers.BatchNormalization(name="norm")(x), **names)


def test_batch_norm_layers_are_named_within_the_model_and_none_is_lost(keras):
    class LayerNorm2(keras.layers.BatchNormalization):
        pass

    for _ in range(2):  # the second time Keras's own counters stand elsewhere
        x = inputs = keras.Input((3,))
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.BatchNormalization(name="own")(x)
        x = block(keras, 3)(x)
        x = keras.layers.BatchNormalization()(x)
        x = LayerNorm2()(block(keras, 3)(x))
        found = batch_norm_parameters(keras.Model(inputs, x))
        assert list(found) == [
            "batch_normalization",
            "own",
            "norm",
            "batch_normalization (2)",
            "norm (2)",
            "layer_norm2",
        ]
        assert all(values["moving_variance"] == [1.0, 1.0, 1.0] for values in found.values())


def leaves(input_shape, classes):
    raise SystemExit(3)


def test_a_builder_that_leaves_the_program_has_failed(keras):
    configuration = Configuration(Variant("v", leaves), {}, Protocol(1, "mse"), Data("iris", test_fraction=0.2))
    with pytest.raises(UserError, match="The builder 'leaves' failed for v: SystemExit: 3"):
        fresh_model(configuration, (4,), 3, 0)
