"""Seeds drawn many at a time start as their fresh builds do, to the last bit."""

import random

import pytest

from experiments import EXPERIMENTS
from models import mlp
from tests.engines.fresh import fresh, of, same
from trials.engines.drawing import Drawing
from trials.errors import UserError
from trials.seeds import Stream, integer

SEEDS = (5, 0, 3, 7, 1)
SHAPES = {"iris": (4,), "digits": (8, 8, 1), "cifar10": (32, 32, 3)}


def configurations():
    for experiment in EXPERIMENTS.values():
        data = experiment.data
        shape = (*data.size, 1) if data.size else SHAPES.get(data.source, (28, 28, 1))
        for configuration in {each.variant.name: each for each in experiment.configurations()}.values():
            yield pytest.param(configuration, shape, id=f"{experiment.name} {configuration.variant.name}")


@pytest.mark.parametrize(("configuration", "shape"), list(configurations()))
def test_every_seed_is_drawn_as_a_fresh_build_starts(keras, configuration, shape):
    drawing = Drawing(configuration, 10)
    drawn = {seed: drawing.take(seed, shape, SEEDS[place + 1 :]) for place, seed in enumerate(SEEDS)}
    own = configuration.variant.name == "lenet5_1998"  # its initializers are not Keras's
    assert drawing._keeps if own else drawing._recipe  # or the faster way would never be taken
    for seed, values in drawn.items():
        assert same(values, fresh(configuration, seed, shape, 10)), seed


def drawn_with_state(*, input_shape, classes):
    import keras
    import tensorflow as tf

    model = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes)])
    model.layers[0].bias.assign(tf.random.normal((classes,)))  # an operation that holds a state of its own
    return model


def test_a_builder_that_draws_with_a_state_is_built_afresh_each_time(keras):
    drawing, configuration = Drawing(of(drawn_with_state), 3), of(drawn_with_state)
    drawn = {seed: drawing.take(seed, (4,), SEEDS[place + 1 :]) for place, seed in enumerate(SEEDS)}
    assert drawing._keeps is False
    for seed, values in drawn.items():
        assert same(values, fresh(configuration, seed)), seed


CALLS = []


def bears_one_call(*, input_shape, classes):
    CALLS.append(classes)
    if len(CALLS) > 1:
        raise ValueError("not again")
    return drawn_with_state(input_shape=input_shape, classes=classes)


def test_a_second_call_that_fails_costs_the_first_seed_nothing(keras):
    CALLS.clear()
    assert len(Drawing(of(bears_one_call), 3).take(0, (4,), (1, 2))) == 2
    assert len(CALLS) == 2  # the first seed, the same again


def test_a_seed_that_comes_alone_is_built_once(keras):
    CALLS.clear()
    Drawing(of(bears_one_call), 3).take(0, (4,), ())
    assert len(CALLS) == 1


def fails_for_some_seeds(*, input_shape, classes):
    import keras

    if random.random() < 0.4:
        raise ValueError("not this one")
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes)])


def test_a_seed_whose_build_fails_fails_in_its_own_turn(keras):
    drawing, failed = Drawing(of(fails_for_some_seeds), 3), []
    for place, seed in enumerate(SEEDS):
        try:
            drawing.take(seed, (4,), SEEDS[place + 1 :])
        except UserError:
            failed.append(seed)
    assert failed == [seed for seed in SEEDS if random.Random(integer(seed, Stream.WEIGHTS)).random() < 0.4]
    assert 0 < len(failed) < len(SEEDS)


def test_what_resembles_others_but_draws_otherwise_is_built_with_fresh_kernels(keras):
    expected = Drawing(of(drawn_with_state), 3).take(5, (4,), ())
    Drawing(of(drawn_with_state), 3).take(5, (4,), ())  # leaves kernels whose state has moved on
    assert same(Drawing(of(drawn_with_state), 3, resembles=True).take(5, (4,), ()), expected)


def test_what_resembles_others_starts_with_the_values_of_fresh_models(keras):
    drawing = Drawing(of(mlp), 3, resembles=True)
    for place, seed in enumerate(SEEDS):
        assert same(drawing.take(seed, (4,), SEEDS[place + 1 :]), fresh(of(mlp), seed))
