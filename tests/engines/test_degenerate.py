"""Data and losses at the edge of what can be trained: each ends in a status or an error, never in a wrong average."""

import dataclasses

import numpy as np
import pytest

from trials.datasets import load
from trials.engines import Trainer
from trials.engines.results import Unit
from trials.errors import UserError
from trials.experiment import Data, Experiment, Protocol, Variant
from trials.splits import split

CLASSES, SAMPLES = 3, 41
"33 are trained on, 8 tested."
both_engines = pytest.mark.parametrize("engine", ["graph", "fit"])


def blobs():
    """Three clusters of four features, of which the last is constant."""
    y = np.arange(SAMPLES) % CLASSES
    x = np.random.default_rng(0).normal(size=(SAMPLES, 4)) + y[:, np.newaxis]
    x[:, 3] = 7
    return x.astype("float32"), y


def network(*, input_shape, classes, spoiled=None, factor=1.0, norm=False):
    """`spoiled` says in which mode the outputs are multiplied by `factor`, which may be given as text."""
    import keras

    class Spoil(keras.layers.Layer):
        def call(self, inputs, training=None):
            return inputs * float(factor) if spoiled in ("always", "training" if training else "inference") else inputs

    x = inputs = keras.Input(input_shape)
    x = keras.layers.Dense(5)(x)
    if norm:
        x = keras.layers.BatchNormalization()(x)
    return keras.Model(inputs, Spoil()(keras.layers.Dense(classes)(keras.layers.ReLU()(x))))


LOSS = {"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}}


def trial(engine, protocol=None, data=None, function=blobs, **options):
    """The result of one trial, checked first as every executor does."""
    declared = Data(function, test_fraction=0.2, **{"validation_fraction": 0.2, **(data or {})})
    experiment = Experiment(
        "e",
        "?",
        declared,
        (Variant("v", network, options),),
        Protocol(**{"epochs": 2, "loss": LOSS, **(protocol or {})}),
    )
    trainer = Trainer(load(declared))
    unit = trainer.check(Unit(0, experiment.configurations()[0], ((1, 0),), engine))
    (result,) = trainer.run(unit)
    return result


@both_engines
@pytest.mark.parametrize("factor", ["nan", "inf"])
@pytest.mark.parametrize(
    ("spoiled", "protocol", "epochs"),
    [
        ("always", {}, 1),
        ("training", {}, 1),
        ("inference", {"record": ("validation",)}, 1),
        ("inference", {"select": "validation_accuracy"}, 1),
        ("inference", {}, 2),
        ("inference", {"evaluate_every": 1}, 2),
    ],
    ids=str,
)
def test_a_loss_that_is_not_finite_anywhere_ends_as_diverged_and_reports_nothing(
    keras, engine, factor, spoiled, protocol, epochs
):
    result = trial(engine, protocol, spoiled=spoiled, factor=factor)
    assert (result.status, result.epochs, result.metrics, result.best_epoch) == ("diverged", epochs, {}, None)
    assert f"epoch {epochs}" in result.error


@both_engines
def test_a_constant_feature_is_not_divided_by_its_spread(keras, engine):
    assert trial(engine, data={"mean": "train", "std": "train"}).status == "ok"


@pytest.mark.parametrize(
    ("x", "scaling"),
    [
        ([0, 1.4e-45], {"mean": "train", "std": "train"}),  # a spread that float32 rounds to 0
        ([-3e38, 3e38], {"mean": -3e38, "std": 1.0}),
        ([0, 1], {"mean": 0.0, "std": 1e-60}),
        ([0, 1], {"mean": 0.0, "std": 1e-39}),
    ],
)
def test_data_that_normalising_takes_out_of_float32_is_an_error(keras, x, scaling):
    def extreme():
        return np.resize(np.array(x, np.float32), (40, 1)), np.arange(40) // 2 % 2

    with pytest.raises(UserError, match=r"cannot hold once Data.mean is subtracted and Data.std divides"):
        trial("fit", data=scaling, function=extreme)


@pytest.mark.parametrize("labels", ["index", "one_hot"])
def test_a_class_that_the_training_part_lacks_is_an_error(keras, labels):
    def rare():
        x, y = blobs()
        return (x[y < 2], y[y < 2]), (x, y)

    message = r"holds samples of only 2 of the data's 3 classes \(v\)\.\nSet Data\.stratified or another"
    declared = Data(rare, labels=labels)
    trainer = Trainer(load(declared))
    configuration = Experiment(
        "e", "?", declared, (Variant("v", network),), Protocol(epochs=1, loss=LOSS)
    ).configurations()[0]
    with pytest.raises(UserError, match=message):
        trainer.check(Unit(0, configuration, ((1, 0),), "fit"))


def test_a_class_that_a_trials_own_split_lacks_by_chance_is_none(keras):
    def lacking(place):
        """The only sample of the third class at this place."""
        return lambda: (blobs()[0], np.where(np.arange(SAMPLES) == place, 2, blobs()[1] % 2))

    own = {"split_seed": None, "validation_fraction": None}
    tested = next(
        lacking(place)
        for place in range(SAMPLES)
        if 2
        in split(load(Data(lacking(place), test_fraction=0.2)), Data(blobs, test_fraction=0.2, **own), 0)["test"][1]
    )
    assert trial("fit", {"epochs": 1}, own, tested).status == "ok"


@both_engines
def test_a_batch_larger_than_the_data_is_the_whole_of_it(keras, engine):
    first, second = (trial(engine, {"batch_size": size}) for size in (26, 10_000))
    assert first.status == "ok"
    assert dataclasses.replace(second, seconds=0.0) == dataclasses.replace(first, seconds=0.0)


@both_engines
def test_one_sample_that_is_left_over_trains_a_batch_norm(keras, engine):
    """26 samples in batches of 25."""
    result = trial(engine, {"batch_size": 25, "record": ("batch_norm",)}, norm=True)
    assert (result.status, result.epochs) == ("ok", 2)
    assert all(np.isfinite(values).all() for layer in result.batch_norm.values() for values in layer.values())
