"""What a build shows of all seeds: nothing, wherever a builder draws more than the seeds of its initializers."""

import random

import numpy as np
import pytest

from models.mlp import mlp
from tests.engines.fresh import SHAPE, fresh, of, same
from trials.engines.drawing import Drawing
from trials.engines.recipe import with_recipe
from trials.errors import UserError


def alike(values, others):
    """In their types too."""
    return same(values, others) and [one.dtype for one in values] == [other.dtype for other in others]


def network(*layers):
    import keras

    return keras.Sequential([keras.Input(SHAPE), *layers])


def test_every_seed_starts_as_its_fresh_model(keras):
    _, recipe = with_recipe(of(mlp), SHAPE, 3, 0)
    for seed in (*range(20), 2**32, *np.random.default_rng(0).integers(2**63, size=20).tolist()):
        assert alike(recipe.values(seed), fresh(of(mlp), seed)), seed


def every_kind(*, input_shape, classes):
    import keras

    shared = keras.initializers.HeNormal()
    return network(
        keras.layers.Dense(5, kernel_initializer=shared, bias_initializer=keras.initializers.RandomNormal(seed=3)),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(5, kernel_initializer="orthogonal", bias_initializer=keras.initializers.Constant(0.5)),
        keras.layers.GaussianNoise(0.1),
        keras.layers.Dense(classes, kernel_initializer=shared, bias_initializer="truncated_normal"),
    )


@pytest.mark.parametrize("seed", [0, 1, 77])
def test_shared_seeded_and_constant_initializers_and_seed_generators(keras, seed):
    model, recipe = with_recipe(of(every_kind), SHAPE, 3, 5)
    assert alike(recipe.values(5), [variable.numpy() for variable in model.variables])
    assert alike(recipe.values(seed), fresh(of(every_kind), seed))


def chooses_in_python(*, input_shape, classes):
    import keras

    return network(keras.layers.Dense(classes, kernel_initializer=random.choice(["he_normal", "glorot_uniform"])))


def chooses_in_numpy(*, input_shape, classes):
    import keras

    kind = "he_normal" if np.random.rand() < 0.5 else "glorot_uniform"
    return network(keras.layers.Dense(classes, kernel_initializer=kind))


def draws_an_integer(*, input_shape, classes):
    import keras

    kind = ["he_normal", "glorot_uniform"][random.randint(a=0, b=1)]
    return network(keras.layers.Dense(classes, kernel_initializer=kind))


def own_initializer(*, input_shape, classes):
    import keras

    def ones(shape, dtype=None):
        return keras.ops.ones(shape, dtype)

    return network(keras.layers.Dense(classes, kernel_initializer=ones))


def initializer_with_a_state(*, input_shape, classes):
    import keras

    kind = keras.initializers.HeNormal(seed=keras.random.SeedGenerator(1))
    return network(keras.layers.Dense(classes, kernel_initializer=kind))


def given_arrays(*, input_shape, classes):
    import keras

    class Scaled(keras.layers.Layer):
        def build(self, shape):
            self.scale = keras.Variable(np.ones(shape[-1], "float32"), name="scale")

        def call(self, x):
            return x * self.scale

    return network(Scaled(), keras.layers.Dense(classes))


def rarely(draw):
    """A builder that seldom does what its first seeds do not."""

    def builder(*, input_shape, classes):
        import keras

        kind = "he_normal" if draw() < 0.1 else "glorot_uniform"
        return network(keras.layers.Dense(classes, kernel_initializer=kind))

    return builder


def uniform_of_tensorflow():
    import tensorflow as tf

    return float(tf.random.uniform(()))


def uniform_of_keras():
    import keras

    return float(keras.random.uniform(()))


def uniform_of_an_own_generator():
    import keras

    return float(keras.random.uniform((), seed=keras.random.SeedGenerator(7)))


def as_keras_draws_seeds():
    return random.randint(1, int(1e9)) / 1e9


def looks_at_its_weights(*, input_shape, classes):
    model = mlp(input_shape=input_shape, classes=classes)
    if np.abs(model.get_weights()[0]).max() < 0.5:
        model.get_layer("hidden_1").kernel.assign(2 * model.get_weights()[0])
    return model


def zeroes_some_weights(*, input_shape, classes):
    model = mlp(input_shape=input_shape, classes=classes)
    model.get_layer("hidden_1").kernel.assign_add(-0.0 * model.get_layer("hidden_2").kernel[:4])
    return model


NO_RECIPE = [
    chooses_in_python,
    chooses_in_numpy,
    draws_an_integer,
    *(pytest.param(rarely(draw), id=draw.__name__) for draw in (uniform_of_tensorflow, uniform_of_keras)),
    *(pytest.param(rarely(draw), id=draw.__name__) for draw in (uniform_of_an_own_generator, as_keras_draws_seeds)),
    looks_at_its_weights,
    zeroes_some_weights,
    own_initializer,
    initializer_with_a_state,
    given_arrays,
]


@pytest.mark.parametrize("builder", NO_RECIPE, ids=lambda builder: builder.__name__)
def test_what_a_build_does_not_show_is_built_each_time(keras, builder):
    model, recipe = with_recipe(of(builder), SHAPE, 3, 0)
    assert recipe is None
    assert alike([variable.numpy() for variable in model.variables], fresh(of(builder), 0))
    drawing = Drawing(of(builder), 3)
    for seed in range(6):
        assert alike(drawing.take(seed, SHAPE, range(seed + 1, 6)), fresh(of(builder), seed))


def negated_later(*, input_shape, classes):
    """As it is built, unless one looks closely: Keras is told to begin with minus zero, which is not drawn."""
    import keras

    class Negated(keras.initializers.Zeros):
        __module__ = "keras.of_a_user"
        asked = 0

        def __call__(self, shape, dtype=None):
            self.asked += 1
            return super().__call__(shape, dtype) * (-1 if self.asked == 1 else 1)

    return network(keras.layers.Dense(classes, bias_initializer=Negated()))


def test_a_recipe_that_does_not_give_what_is_built_is_not_used(keras):
    drawing = Drawing(of(negated_later), 3)
    for seed in range(4):
        values, built = drawing.take(seed, SHAPE, range(seed + 1, 4)), fresh(of(negated_later), seed)
        assert [value.tobytes() for value in values] == [value.tobytes() for value in built]
    assert drawing._recipe is None
    assert drawing._keeps


def test_watching_a_build_leaves_nothing_behind(keras):
    from keras.src.random import seed_generator

    before = dict(vars(keras.Variable)), dict(vars(seed_generator))
    with pytest.raises(UserError, match="failed"):
        with_recipe(of(lambda **_: 1 / 0), SHAPE, 3, 0)
    assert (dict(vars(keras.Variable)), dict(vars(seed_generator))) == before
