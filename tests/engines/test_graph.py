"""What the graph engine does to be fast, and that none of it shows in a result. Held to `fit` in tests/contract."""

import dataclasses

import numpy as np
import pytest

from experiments import EXPERIMENTS
from models import lenet5, mlp
from tests.contract import small_networks
from trials import datasets
from trials.engines.trial import run_trial
from trials.experiment import Configuration, Data, Protocol, Variant
from trials.splits import split

IRIS = EXPERIMENTS["iris_hidden_units"]
SEEDS = ((1, 0), (2, 1))


def results(experiment):
    """The curves and figures of two seeds of each configuration, one after another in its graph."""
    from trials.engines.graph import GraphSession

    samples, found = datasets.load(experiment.data), []
    for configuration in experiment.configurations():
        session, parts = GraphSession(configuration, samples.classes), split(samples, experiment.data, 0)
        for place, (trial, seed) in enumerate(SEEDS):
            ahead = [number for _, number in SEEDS[place + 1 :]]
            each = run_trial(session, trial, seed, ahead, configuration.protocol, parts, lambda: None)
            found.append((each.curve, each.metrics))
    return found


def iris(**sweep):
    return dataclasses.replace(
        IRIS, sweep={"units": (5, 50), **sweep}, protocol=dataclasses.replace(IRIS.protocol, epochs=4)
    )


def whole(*, input_shape, classes):
    import keras

    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes)])


def wide(*, input_shape, classes):
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Dense(400, activation="relu"), keras.layers.Dense(classes)]
    return keras.Sequential([keras.Input(input_shape), *layers])


def own(*, input_shape, classes):
    import keras

    class Dense(keras.layers.Dense):
        """Whatever it does."""

    return keras.Sequential([keras.Input(input_shape), Dense(classes)])


def through_a_generator(*, input_shape, classes):
    import keras

    noisy = keras.layers.Dense(classes)
    noisy.generator = keras.random.SeedGenerator(1)
    return keras.Sequential([keras.Input(input_shape), noisy])


@pytest.mark.parametrize(
    ("builder", "shape", "light"),
    [
        (mlp, (4,), True),
        (whole, (4,), True),
        (small_networks.one_hot, (8, 8, 1), True),
        (wide, (8, 8, 1), False),  # large enough to be worth it
        (small_networks.dropout, (8, 8, 1), False),  # its masks would be others
        (small_networks.batch_norm, (8, 8, 1), False),
        (lenet5, (28, 28, 1), False),
        (own, (4,), False),
        (through_a_generator, (4,), False),
    ],
)
def test_light_networks_are_small_and_draw_nothing(builder, shape, light, keras):
    from trials.engines import graph

    assert graph._is_light(builder(input_shape=shape, classes=10)) is light


@pytest.mark.parametrize(
    "batch_size", [16, 50, 120, 500]
)  # 120 training samples: with and without a smaller last batch
def test_a_light_network_is_trained_to_the_last_bit_as_any_other(batch_size, monkeypatch, keras):
    from trials.engines import graph

    experiment = iris(batch_size=(batch_size,))
    light = results(experiment)
    monkeypatch.setattr(graph, "LIGHT", 0)
    assert results(experiment) == light


def test_a_part_in_one_batch_is_measured_as_in_several(monkeypatch, keras):
    from trials.engines import graph

    once = results(iris())
    monkeypatch.setattr(graph, "EVALUATION_BATCH", 7)
    for (curve, metrics), (other_curve, others) in zip(once, results(iris()), strict=True):
        assert {name for name, value in metrics.items() if value is None} == {"validation_accuracy", "validation_loss"}
        assert metrics == {name: value and pytest.approx(value, rel=1e-6) for name, value in others.items()}
        assert [epoch.train_accuracy for epoch in curve] == [epoch.train_accuracy for epoch in other_curve]


def is_optimised():
    import tensorflow as tf

    return not tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer", False)


def test_what_a_light_network_is_spared_no_other_is(keras):
    from trials.engines.fit import FitSession
    from trials.engines.graph import GraphSession

    data = Data("iris", test_fraction=0.2)
    parts = split(datasets.load(data), data, 0)
    light, noisy = (
        Configuration(Variant("v", builder), {}, Protocol(1, small_networks.LOGITS), data)
        for builder in (whole, small_networks.dropout)
    )
    for kind, configuration in ((FitSession, light), (GraphSession, noisy)):
        GraphSession(light, 3).start(0, parts, ())
        assert not is_optimised()
        session = kind(configuration, 3)
        session.start(0, parts, ())
        GraphSession(light, 3).start(0, parts, ())
        if kind is FitSession:  # which `--check` has take turns with the others
            session.train_epoch(np.arange(len(parts["train"][1])))
        else:
            session.start(1, parts, ())
        assert is_optimised()


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        (lambda x: x, True),
        (lambda x: x[1:], False),  # 16 bytes on
        (lambda x: x[::2], False),
        (np.asfortranarray, False),
    ],
)
def test_inputs_are_not_copied_where_tensorflow_can_take_them_as_they_lie(change, shared, keras):
    from trials.engines.graph import GraphSession

    data = Data("iris", test_fraction=0.2)
    configuration = Configuration(Variant("v", whole), {}, Protocol(1, small_networks.LOGITS), data)
    parts = split(datasets.load(data), data, 0)
    session = GraphSession(configuration, 3)
    session.start(0, parts, ())
    x, y = parts["train"]
    given = change(x)
    session.load({"train": (given, y[: len(given)])})
    held = session.parts["train"][0]
    assert np.array_equal(held.numpy(), given)
    given[0, 0] = 77
    assert bool(held.numpy()[0, 0] == 77) is shared


def test_inputs_that_may_not_be_written_are_copied(keras):
    from trials.engines.graph import GraphSession

    data = Data("iris", test_fraction=0.2)
    configuration = Configuration(Variant("v", whole), {}, Protocol(1, small_networks.LOGITS), data)
    parts = split(datasets.load(data), data, 0)
    x = parts["train"][0]
    x.flags.writeable = False
    session = GraphSession(configuration, 3)
    session.start(0, parts, ())
    before = x.copy()
    x.flags.writeable = True
    x[:] = 77
    assert np.array_equal(session.parts["train"][0].numpy(), before)
