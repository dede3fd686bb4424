"""Whatever a network or its protocol brings beside small dense layers in a row, it is trained alone."""

import dataclasses

import numpy as np
import pytest

from models import lenet5
from tests.engines.small_dense import HEAD, PROTOCOL, SMALL, iris, is_side_by_side, layers
from trials import backend, datasets
from trials.experiment import Configuration, Data, Variant

pytestmark = pytest.mark.skipif(backend.current() == "jax", reason="the graph engine is TensorFlow's")


def parallel(*, input_shape, classes):
    import keras

    inputs = keras.Input(input_shape)
    left, right = (keras.layers.Dense(4)(inputs) for _ in range(2))
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Add()([left, right])))


def twice(*, input_shape, classes):
    import keras

    inputs, shared = keras.Input(input_shape), keras.layers.Dense(4)
    return keras.Model(inputs, keras.layers.Dense(classes)(shared(shared(inputs))))


def two_outputs(*, input_shape, classes):
    import keras

    inputs = keras.Input(input_shape)
    hidden = keras.layers.Dense(4)(inputs)
    return keras.Model(inputs, [hidden, keras.layers.Dense(classes)(hidden)])


def own_model(*, input_shape, classes):
    import keras

    class Own(keras.Model):
        """Which may train in any way."""

    inputs = keras.Input(input_shape)
    return Own(inputs, keras.layers.Dense(classes)(inputs))


def own_layer(*, input_shape, classes):
    import keras

    class Dense(keras.layers.Dense):
        """Whatever it does."""

    return keras.Sequential([keras.Input(input_shape), Dense(classes)])


def frozen(*, input_shape, classes):
    import keras

    layers = [keras.Input(input_shape), keras.layers.Dense(4, trainable=False), keras.layers.Dense(classes)]
    return keras.Sequential(layers)


def partly_frozen(*, input_shape, classes):
    model = frozen(input_shape=input_shape, classes=classes)
    model.trainable = True
    model.layers[0].kernel.trainable = False
    return model


def penalised_later(*, input_shape, classes):
    import keras

    model = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes)])
    model.layers[0].kernel.regularizer = keras.regularizers.L2(0.1)
    return model


def of_whole_numbers(*, input_shape, classes):
    import keras

    return keras.Sequential([keras.Input(input_shape, dtype="int32"), keras.layers.Dense(classes)])


def of_another_shape(*, input_shape, classes):
    import keras

    return keras.Sequential([keras.Input((*input_shape, 1)), keras.layers.Flatten(), keras.layers.Dense(classes)])


def nested(*, input_shape, classes):
    import keras

    inner = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(4)])
    return keras.Sequential([keras.Input(input_shape), inner, keras.layers.Dense(classes)])


OTHER_NETWORKS = (
    parallel,
    twice,
    nested,
    frozen,
    partly_frozen,
    penalised_later,
    of_whole_numbers,
    of_another_shape,
    two_outputs,
    own_model,
    own_layer,
)


def approximate_gelu(x):
    """Which Keras calls as it calls the exact one."""
    import keras

    return keras.ops.gelu(x)


approximate_gelu.__name__ = "gelu"


class Smoothed:
    """An activation that is not Keras's."""

    def __call__(self, x):
        return x * 0.5


PENALISED = {
    "kernel_regularizer": "l2",
    "bias_regularizer": "l2",
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "max_norm",
}


@pytest.mark.parametrize(
    "configuration",
    [
        *(iris(builder) for builder in OTHER_NETWORKS),
        *(layers(lambda layers, it=it: layers.Dense(3, **it)) for it in ({k: v} for k, v in PENALISED.items())),
        *(
            layers(lambda layers, a=a: layers.Dense(6, activation=a), HEAD)
            for a in (Smoothed(), abs, approximate_gelu, "glu", "sparsemax")
        ),
        layers(lambda layers: layers.Activation("relu", activity_regularizer="l2"), HEAD),
        layers(lambda layers: layers.ReLU(activity_regularizer="l2"), HEAD),
        layers(lambda layers: layers.Flatten(data_format="channels_first"), HEAD),
        layers(lambda layers: layers.Dense(3, dtype="mixed_float16")),
        layers(lambda layers: layers.Dropout(0.5), HEAD),
        layers(lambda layers: layers.Dense(3), lambda layers: layers.Softmax(axis=0)),
        layers(lambda layers: layers.Dense(6000), HEAD),
        layers(HEAD, optimizer="sgd"),
        layers(HEAD, optimizer={"class_name": "adam", "config": {"clipnorm": 1.0}}),
        layers(HEAD, class_weight={0: 2.0}),
        layers(HEAD, loss="dice"),
        *(
            layers(HEAD, loss={"class_name": "CategoricalCrossentropy", "config": {name: value}})
            for name, value in {"reduction": "sum", "dtype": "float16", "axis": 0}.items()
        ),
        layers(HEAD, loss={"class_name": "SparseCategoricalCrossentropy", "config": {"ignore_class": 0}}),
        layers(lambda layers: layers.Dense(1, activation="sigmoid")),
        layers(lambda layers: layers.Dense(1000), HEAD, batch_size=1000),
        Configuration(Variant("v", lenet5), {}, PROTOCOL, Data("digits", size=(28, 28), test_fraction=0.5)),
    ],
)
def test_whatever_else_a_network_or_its_protocol_brings_is_trained_alone(configuration, keras):
    assert not is_side_by_side(configuration)


def test_a_loss_of_ones_own_class_is_trained_alone(keras):
    @keras.saving.register_keras_serializable("own")
    class Ranked(keras.losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            losses = super().call(y_true, y_pred)
            return losses / keras.ops.sum(losses, axis=0)

    assert not is_side_by_side(layers(HEAD, loss={"class_name": "own>Ranked", "config": {}}))


def test_much_data_is_trained_alone(keras):
    samples = datasets.load(Data("digits", test_fraction=0.2))
    configuration = dataclasses.replace(SMALL["one_hot"], data=Data("digits", test_fraction=0.2, labels="one_hot"))
    assert is_side_by_side(configuration, datasets.load(configuration.data))
    repeated = dataclasses.replace(samples, x=np.repeat(samples.x, 12, axis=0), y=np.repeat(samples.y, 12, axis=0))
    assert not is_side_by_side(configuration, repeated)
    resampled = dataclasses.replace(configuration, data=dataclasses.replace(configuration.data, split_seed=None))
    twice = dataclasses.replace(samples, x=np.repeat(samples.x, 2, axis=0), y=np.repeat(samples.y, 2, axis=0))
    assert is_side_by_side(configuration, twice)
    assert is_side_by_side(resampled, samples)  # 1,797 x (64 pixels + 10 numbers of its label)
    assert not is_side_by_side(resampled, twice)
