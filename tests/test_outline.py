"""A builder's model without its weights, and what it is called with."""

import resource

import pytest

from experiments import EXPERIMENTS
from models import BUILDERS, FEATURE_MAPS, lenet5, mlp
from trials import outline
from trials.errors import UserError


def no_defaults(*, input_shape, classes, units=3):
    import keras

    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes)])


def fixed(*, input_shape=(6,), units=3):
    import keras

    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(units)])


def nothing():
    pass


def enormous(*, input_shape=(100_000,)):
    import keras

    return keras.Sequential([keras.layers.Dense(100_000)])


def computes(*, input_shape=(6,)):
    import keras

    model = keras.Sequential([keras.Input(input_shape), keras.layers.Dense(2)])
    model.layers[0].kernel.assign(2 * model.layers[0].kernel)
    return model


def test_an_experiment_gives_shape_and_classes():
    call = outline.plan(lenet5, list(EXPERIMENTS.values()))
    assert str(call) == "lenet5: input 28x28x1, 10 classes (as in experiment lenet5_digits)"


def test_what_is_asked_comes_first():
    call = outline.plan(mlp, list(EXPERIMENTS.values()), {"units": 7}, (9,), 2)
    assert str(call) == "mlp: input 9, 2 classes, units=7 (as given)"
    call = outline.plan(mlp, list(EXPERIMENTS.values()), {}, (9,))
    assert call.arguments == {"input_shape": (9,), "classes": 3}


def test_a_builders_own_defaults_come_last():
    assert str(outline.plan(fixed)) == "fixed: input 6 (its defaults)"


@pytest.mark.parametrize(
    ("given", "missing"), [({}, "--input-shape H,W,C"), ({"input_shape": (4,)}, "--classes N")], ids=str
)
def test_without_any_the_error_says_what_to_give(given, missing):
    with pytest.raises(UserError, match=missing):
        outline.plan(no_defaults, **given)


def test_a_builder_may_know_its_shape_itself(keras):
    def own(*, units=3):
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(units)])

    def either(*, input_shape=None):
        return own()

    assert [str(outline.plan(builder)) for builder in (own, either)] == ["own (its defaults)", "either (its defaults)"]
    call = outline.plan(own, options={"units": 2})
    assert str(call) == "own: units=2 (its defaults)"
    assert outline.model(call).count_params() == 14
    assert outline.model(outline.plan(either)).count_params() == 21


@pytest.mark.parametrize(("name", "value"), [("input_shape", (4,)), ("classes", 2)], ids=str)
def test_what_a_builder_does_not_take_is_refused(name, value):
    with pytest.raises(UserError, match=f"'nothing' takes no {name}"):
        outline.plan(nothing, **{name: value})


def test_an_unknown_option_is_told_with_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'units'"):
        outline.plan(fixed, options={"unit": 3})


def test_a_model_takes_no_memory_for_its_weights_then_or_later(keras):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = outline.model(outline.plan(enormous))  # 40 GB of weights
    assert model.count_params() == 100_000 * 100_001
    keras.layers.Dense(2)(keras.Input((3,)))  # Keras initialises here what was left without values
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_no_network_of_the_zoo_needs_its_weights_to_be_described(keras, monkeypatch):
    calls, built = [], outline._built
    monkeypatch.setattr(outline, "_built", lambda call: calls.append(call) or built(call))
    plans = [outline.plan(builder, list(EXPERIMENTS.values())) for builder in (BUILDERS | FEATURE_MAPS).values()]
    for plan in plans:
        outline.model(plan)
    assert calls == plans  # none of them a second time, with weights


def test_a_builder_that_computes_with_its_weights_gets_them(keras):
    assert outline.model(outline.plan(computes)).count_params() == 14


def test_a_builder_that_fails_is_told_in_a_sentence(keras):
    with pytest.raises(UserError, match=r"The builder failed for lenet5: input 4x4x1, 10 classes \(as given\): "):
        outline.model(outline.plan(lenet5, input_shape=(4, 4, 1), classes=10))


def test_a_builder_must_return_a_model(keras):
    def wrong(*, input_shape=(3,)):
        return 1

    with pytest.raises(UserError, match=r"must return a keras\.Model\. Received: int"):
        outline.model(outline.plan(wrong))
