import dataclasses
import functools
import re

import pytest

from trials.errors import UserError
from trials.experiment import Data, Experiment, Protocol, Published, Variant
from trials.override import override

PROTOCOL = Protocol(epochs=10, loss="mse")


def network(input_shape, classes, units=4, activation="relu"):
    raise AssertionError("a declaration never builds")


def plain_network(input_shape, classes, rate=0.5):
    raise AssertionError("a declaration never builds")


def experiment(**changes):
    declared = {
        "name": "widths",
        "question": "?",
        "data": Data("iris", test_fraction=0.2),
        "variants": (Variant("small", network), Variant("plain", plain_network)),
        "protocol": PROTOCOL,
    }
    return Experiment(**{**declared, **changes})


def test_configurations_come_variant_first_and_the_last_swept_name_fastest():
    asked = experiment(
        variants=(Variant("b", network), Variant("a", network)),
        sweep={"units": (20, 10), "activation": ("tanh", "relu")},
    )
    assert [configuration.label for configuration in asked.configurations()] == [
        "b units=20 activation=tanh",
        "b units=20 activation=relu",
        "b units=10 activation=tanh",
        "b units=10 activation=relu",
        "a units=20 activation=tanh",
        "a units=20 activation=relu",
        "a units=10 activation=tanh",
        "a units=10 activation=relu",
    ]


def test_without_a_sweep_each_variant_is_one_configuration():
    assert [configuration.label for configuration in experiment().configurations()] == ["small", "plain"]


def test_swept_values_reach_the_builders_that_accept_them_over_their_fixed_options():
    asked = experiment(
        variants=(Variant("small", network, {"units": 8, "activation": "elu"}), Variant("plain", plain_network)),
        sweep={"units": (16,)},
    )
    assert [configuration.options for configuration in asked.configurations()] == [
        {"units": 16, "activation": "elu"},
        {},
    ]


def test_swept_protocol_fields_reach_the_protocol_and_not_the_builder():
    asked = experiment(sweep={"batch_size": (1, 2)}, variants=(Variant("small", network),))
    assert [(c.protocol.batch_size, c.options) for c in asked.configurations()] == [(1, {}), (2, {})]


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_a_builders_option_cannot_have_the_name_of_a_protocol_field(name):
    def build(input_shape, classes, epochs=1):
        raise AssertionError

    def other(input_shape, classes, batch_size=1):
        raise AssertionError

    with pytest.raises(UserError, match=f"'{name}' has the name of a protocol or data field"):
        Variant("own", build if name == "epochs" else other)


def test_trial_i_of_every_configuration_has_seed_first_plus_i_minus_1():
    assert list(experiment(trials=3).seeds(5)) == [(1, 5), (2, 6), (3, 7)]
    assert list(experiment(trials=2).seeds(5)) == list(experiment(trials=3).seeds(5))[:2]


@pytest.mark.parametrize(
    ("changes", "epochs"),
    [
        ({}, []),
        ({"record": ("test",)}, list(range(1, 11))),
        ({"evaluate_every": 4}, [4, 8]),
        ({"evaluate_every": 20}, [10]),  # a shortened trajectory is evaluated once, at its end
    ],
)
def test_the_test_set_is_looked_at_only_where_the_protocol_asks(changes, epochs):
    protocol = dataclasses.replace(PROTOCOL, **changes)
    assert [epoch for epoch in range(1, 11) if protocol.evaluates_test(epoch)] == epochs


SWEPT = {"sweep": {"units": (10, 20)}}


def test_override_changes_what_it_is_asked_and_nothing_else():
    declared = experiment(sweep={"units": (10, 20)})
    asked = override(declared, trials=3, epochs=2, variants=("small",), values={"units": (7,), "activation": ("elu",)})
    assert asked == experiment(
        variants=(Variant("small", network, {"activation": "elu"}),),
        protocol=dataclasses.replace(PROTOCOL, epochs=2),
        sweep={"units": (7,)},
        trials=3,
    )


def test_several_values_extend_the_sweep_behind_the_declared_one():
    asked = override(experiment(**SWEPT), values={"learning_rate": (0.1, 0.2)})
    assert dict(asked.sweep) == {"units": (10, 20), "learning_rate": (0.1, 0.2)}
    assert list(asked.sweep) == ["units", "learning_rate"]


def test_a_fixed_option_reaches_only_the_variants_that_take_it():
    small, plain = override(experiment(), values={"units": (8,)}).variants
    assert (small.options, plain.options) == ({"units": 8}, {})


def test_chosen_variants_keep_the_declared_order():
    asked = override(experiment(), variants=("plain", "small"))
    assert [variant.name for variant in asked.variants] == ["small", "plain"]


@pytest.mark.parametrize("names", [("optimizer", "learning_rate"), ("learning_rate", "optimizer")])
def test_learning_rate_and_optimizer_are_both_honoured_in_any_order(names):
    values = {"learning_rate": 0.1, "optimizer": "sgd"}
    expected = dataclasses.replace(PROTOCOL, **values)
    assert override(experiment(), values={name: (values[name],) for name in names}).protocol == expected
    swept = experiment(sweep={name: (values[name],) for name in names})
    assert swept.configurations()[0].protocol == expected


@pytest.mark.parametrize(
    "names",
    [
        ("select", "patience"),
        pytest.param(
            ("patience", "select"),
        ),
    ],
)
def test_options_that_need_each_other_are_taken_in_any_order(names):
    declared = experiment(data=Data("iris", test_fraction=0.2, validation_fraction=0.1))
    values = {"select": ("validation_loss",), "patience": (3,)}
    protocol = override(declared, values={name: values[name] for name in names}).protocol
    assert (protocol.select, protocol.patience) == ("validation_loss", 3)


MISTAKES = [
    (lambda: experiment(name="a/b"), "An experiment's name is made of .* Received: 'a/b'"),
    (lambda: experiment(trials=0), "trials must be a whole number of at least 1. Received: 0"),
    (lambda: experiment(trials=True), "trials must be a whole number of at least 1. Received: True"),
    (lambda: experiment(variants=()), "Experiment 'widths' has no variants"),
    (lambda: experiment(variants=(Variant("a", network),) * 2), "variant names repeat: a, a"),
    (lambda: experiment(sweep={"units": ()}), "Option 'units' has no values"),
    (lambda: experiment(sweep={"units": (1, 2, 1)}), r"Option 'units' has a value twice: \[1\]"),
    (lambda: experiment(sweep={"unit": (1,)}), "Unknown option 'unit'. Did you mean 'units'.*\nAllowed: units, "),
    (lambda: experiment(sweep={"batch_size": (1, 0)}), "batch_size must be a whole number of at least 1. Received: 0"),
    (lambda: experiment(sweep={"epochs": (1, 2)}), "'epochs' cannot be swept: the tables have a column of that name"),
    (lambda: override(experiment(), epochs=2, values={"epochs": (3,)}), "given twice"),
    (lambda: Protocol(1, "mse", optimizer=None), "optimizer must be a Keras name .* Received: None"),
    (lambda: Variant("b", network, {"activation": len}), "plain values.* Received: <built-in"),
    (lambda: Data("iris", size=28), "Data.size must be .* Received: 28"),
    (
        lambda: experiment(protocol=Protocol(1, "mse", record=("validation",))),
        "Experiment 'widths' uses a validation split, but its data declares no validation_fraction",
    ),
    (lambda: experiment(protocol=Protocol(1, "mse", select="validation_loss")), "declares no validation_fraction"),
    (lambda: override(experiment(), trials=0), "trials must be .* Received: 0"),
    (lambda: override(experiment(), epochs=0), "epochs must be .* Received: 0"),
    (
        lambda: override(experiment(), variants=("smal",)),
        "Unknown variant of 'widths' 'smal'. Did you mean 'small'.*\nAllowed: small, plain",
    ),
    (
        lambda: override(experiment(), values={"lerning_rate": (1,)}),
        "Unknown option 'lerning_rate'. Did you mean 'learning_rate'",
    ),
    (lambda: override(experiment(), variants=("plain",), values={"units": (1,)}), "Unknown option 'units'"),
    (lambda: override(experiment(), values={"epochs": ("ten",)}), "epochs must be .* Received: 'ten'"),
    (lambda: override(experiment(), values={"shuffle": (1,)}), "shuffle must be true or false. Received: 1"),
    (lambda: Variant("a b", network), "A variant's name is made of .* Received: 'a b'"),
    (lambda: Variant("a", "network"), "Variant 'a': the builder must be a function. Received: 'network'"),
    (
        lambda: Variant("a", network, {"unitz": 1}),
        "Unknown option of variant 'a' 'unitz'. Did you mean 'units'.*\nAllowed: units, activation",
    ),
    (lambda: Variant("a", network, {"classes": 3}), "Unknown option of variant 'a' 'classes'"),
    (lambda: Data(3), "Data.source must be a name, a file or a function"),
    (lambda: Data("iris", labels="onehot"), "Data.labels must be one of index, one_hot, binary. Received: 'onehot'"),
    (lambda: Data("iris", mean=0.5), "Data.mean and Data.std go together"),
    (lambda: Data("iris", test_fraction=1), "Data.test_fraction must lie between 0 and 1. Received: 1"),
    (lambda: Data("iris", test_fraction=0.0), "Data.test_fraction must lie between 0 and 1. Received: 0.0"),
    (lambda: Data("iris", validation_fraction=float("nan")), "Data.validation_fraction must .* Received: nan"),
    (lambda: Protocol(0, "mse"), "epochs must be a whole number of at least 1. Received: 0"),
    (lambda: Protocol(1.0, "mse"), "epochs must be a whole number of at least 1. Received: 1.0"),
    (lambda: Protocol(1, "mse", batch_size=0), "batch_size must be .* Received: 0"),
    (lambda: Protocol(1, "mse", record=("tests",)), "Unknown name in Protocol.record 'tests'. Did you mean 'test'"),
    (
        lambda: Protocol(1, "mse", select="validation_acuracy"),
        "Unknown Protocol.select 'validation_acuracy'. Did you mean 'validation_accuracy'",
    ),
    (lambda: Protocol(1, "mse", patience=3), "patience needs select='validation_accuracy' or 'validation_loss'"),
    (lambda: Protocol(1, "mse", select="validation_loss", patience=0), "patience must be .* Received: 0"),
    (lambda: Protocol(1, "mse", evaluate_every=0), "evaluate_every must be .* Received: 0"),
    (
        lambda: Protocol(1, "mse", select="validation_loss", evaluate_every=1),
        "evaluate_every reports a trajectory: it cannot be combined with select",
    ),
    (lambda: Published(0.9, 0, "S"), "Published.runs must be .* Received: 0"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[message[:50] for _, message in MISTAKES])
def test_a_mistake_is_told_in_at_most_three_lines_with_what_was_received(mistake, message):
    with pytest.raises(UserError) as told:
        mistake()
    assert re.search(message, str(told.value))
    assert len(str(told.value).splitlines()) <= 3


UNNOTICED = [
    (
        "a swept select that needs validation data",
        lambda: experiment(sweep={"select": ("last", "validation_loss")}),
    ),
    ("a builder without a name, which cannot be told apart later", lambda: Variant("a", functools.partial(network))),
    ("a published metric that no trial has", lambda: Published(0.9, 1, "S", metric="tset_accuracy")),
    (
        "a published figure for a name no configuration has",
        lambda: experiment(published=(Published(0.9, 1, "S", where={"unitz": 3}),)),
    ),
    ("a scale of 0", lambda: Data("iris", scale=0)),
    ("a negative split seed", lambda: Data("iris", split_seed=-1)),
    ("a mean that is text but not 'train'", lambda: Data("iris", mean="training", std="training")),
]


@pytest.mark.parametrize("mistake", [m for _, m in UNNOTICED], ids=[name for name, _ in UNNOTICED])
def test_a_declaration_that_can_only_fail_later_is_refused_on_creation(mistake):
    with pytest.raises(UserError):
        mistake()
