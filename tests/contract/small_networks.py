"""Small networks that use what the zoo's do not: each must train the same in every engine."""

import keras
from keras import layers

from trials.experiment import Data, Experiment, Protocol, Variant


def batch_norm(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, use_bias=True)(inputs)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(8, use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(inputs, layers.Dense(classes)(layers.ReLU()(x)))


def dropout(*, input_shape, classes, rate=0.3):
    inputs = keras.Input(input_shape)
    x = layers.Dropout(rate)(layers.Flatten()(inputs))
    x = layers.Dense(16, activation="relu")(x)
    x = layers.GaussianNoise(0.1)(x)
    x = layers.Dropout(rate)(x)
    return keras.Model(inputs, layers.Dense(classes)(x))


def dropout_before_pooling(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(6, 5, padding="same")(inputs)
    x = layers.Dropout(0.2)(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D(2)(x)
    return keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


def weight_decay(*, input_shape, classes):
    penalty = keras.regularizers.L2(0.01)
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, kernel_regularizer=penalty, bias_regularizer=penalty, activation="relu")(inputs)
    x = layers.Dense(8, kernel_regularizer=keras.regularizers.L1(0.001), activation="tanh")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(classes, activity_regularizer="l2")(x))


def residual(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    y = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.AveragePooling2D(2)(x)
    x = layers.Concatenate()([x, layers.MaxPooling2D(2)(y)])
    return keras.Model(inputs, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


def one_hot(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Dense(12, activation="relu")(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def sigmoid(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Dense(12, activation="relu")(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))


def binary_logit(*, input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(1)])


def binary_digits():
    """Digits below five against the others."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x.reshape(-1, 8, 8, 1).astype("float32"), (y < 5).astype("int32")


LOGITS = {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}
BINARY_LOGITS = {"class_name": "BinaryCrossentropy", "config": {"from_logits": True}}
SCHEDULE = {
    "class_name": "ExponentialDecay",
    "config": {"initial_learning_rate": 0.05, "decay_steps": 10, "decay_rate": 0.5},
}
DIGITS = Data("digits", scale=16, test_fraction=0.3, validation_fraction=0.4, stratified=True)
BINARY = Data(binary_digits, scale=16, test_fraction=0.3, validation_fraction=0.3, labels="binary")


def case(builder, loss=LOGITS, data=DIGITS, **protocol):
    """One network under one protocol."""
    name = "_".join([builder.__name__, *protocol.pop("name", "").split()])
    protocol = Protocol(**{"epochs": 3, "record": ("validation",), **protocol}, loss=loss)
    return Experiment(name, "Is it the same?", data, (Variant(builder.__name__, builder),), protocol, trials=1)


EXPERIMENTS = [
    case(batch_norm, record=("train", "test", "test_loss_over_batches", "batch_norm")),
    case(
        batch_norm,
        name="sgd momentum",
        optimizer={"class_name": "SGD", "config": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}},
    ),
    case(batch_norm, name="one left over", batch_size=38),  # of 115 samples
    case(dropout),
    case(dropout_before_pooling),
    case(weight_decay),
    case(
        weight_decay, name="adamw", optimizer={"class_name": "AdamW", "config": {"weight_decay": 0.01, "clipnorm": 1.0}}
    ),
    case(residual, name="schedule", optimizer={"class_name": "SGD", "config": {"learning_rate": SCHEDULE}}),
    case(
        residual,
        name="early stopping",
        epochs=12,
        select="validation_loss",
        patience=1,
        optimizer={"class_name": "Adam", "config": {"learning_rate": 0.05}},
    ),
    case(one_hot, "categorical_crossentropy", Data("digits", scale=16, test_fraction=0.3, labels="one_hot"), record=()),
    case(one_hot, "sparse_categorical_crossentropy", name="class weights", class_weight={0: 5.0, 3: 0.1}),
    case(one_hot, "sparse_categorical_crossentropy", name="in order", shuffle=False, batch_size=64),
    case(one_hot, "sparse_categorical_crossentropy", name="one batch", batch_size=5000),
    case(sigmoid, "binary_crossentropy", BINARY),
    case(sigmoid, "binary_crossentropy", BINARY, name="class weights", class_weight={1: 3.0}),
    case(binary_logit, BINARY_LOGITS, BINARY, select="validation_accuracy"),
]
