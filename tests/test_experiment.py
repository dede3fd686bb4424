import dataclasses
import functools
import re

import pytest

from trials.errors import UserError
from trials.experiment import DATA_NAMES, Data, Experiment, Protocol, Published, Variant

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


def test_swept_data_fields_reach_the_data_and_not_the_builder():
    asked = experiment(sweep={"split_seed": (None, 7)}, variants=(Variant("small", network),))
    assert [(c.data.split_seed, c.options) for c in asked.configurations()] == [(None, {}), (7, {})]


def test_what_decides_what_is_read_or_tested_on_cannot_be_swept():
    assert set(DATA_NAMES) <= set(experiment().settable())
    for name in ("source", "size", "scale", "test_fraction", "labels"):
        with pytest.raises(UserError, match=f"Unknown option '{name}'"):
            experiment(sweep={name: (1,)})


def test_a_variants_own_protocol_and_data_are_its_configurations_alone():
    own = Variant(
        "own", network, protocol={"shuffle": False, "epochs": 3}, data={"mean": 0.1, "std": 0.3, "split_seed": None}
    )
    first, second = experiment(variants=(own, Variant("plain", plain_network))).configurations()
    assert first.protocol == dataclasses.replace(PROTOCOL, shuffle=False, epochs=3)
    assert first.data == Data("iris", test_fraction=0.2, mean=0.1, std=0.3, split_seed=None)
    assert (second.protocol, second.data) == (PROTOCOL, Data("iris", test_fraction=0.2))
    assert first.options == second.options == {}


def test_a_swept_field_comes_before_the_variants_own_and_that_before_the_experiments():
    own = Variant("own", network, protocol={"batch_size": 5}, data={"stratified": True})
    asked = experiment(variants=(own,), sweep={"batch_size": (6, 7)})
    assert [(c.protocol.batch_size, c.data.stratified) for c in asked.configurations()] == [(6, True), (7, True)]


def test_a_variant_may_be_the_only_one_that_needs_validation_data():
    selected = {"protocol": {"select": "validation_loss"}}
    with pytest.raises(UserError, match="uses a validation split, but its data declares no validation_fraction"):
        experiment(variants=(Variant("small", network), Variant("plain", plain_network, **selected)))
    own = Variant("plain", plain_network, **selected, data={"validation_fraction": 0.1})
    small, plain = experiment(variants=(Variant("small", network), own)).configurations()
    assert (small.data.validation_fraction, plain.data.validation_fraction) == (None, 0.1)


def takes_epochs(input_shape, classes, epochs=1):
    raise AssertionError("a declaration never builds")


def takes_mean(input_shape, classes, mean=1):
    raise AssertionError("a declaration never builds")


@pytest.mark.parametrize(("name", "builder"), [("epochs", takes_epochs), ("mean", takes_mean)])
def test_a_builders_option_cannot_have_the_name_of_a_protocol_or_data_field(name, builder):
    with pytest.raises(UserError, match=f"'{name}' has the name of a protocol or data field"):
        Variant("own", builder)


def test_trial_i_of_every_configuration_has_seed_first_plus_i_minus_1():
    assert list(experiment(trials=3).seeds(5)) == [(1, 5), (2, 6), (3, 7)]
    assert list(experiment(trials=2).seeds(5)) == list(experiment(trials=3).seeds(5))[:2]


@pytest.mark.parametrize(
    ("changes", "epochs"),
    [
        ({}, []),
        ({"record": ("test",)}, list(range(1, 11))),
        ({"record": ("test_loss_over_batches",)}, list(range(1, 11))),
        ({"record": ("train", "validation", "batch_norm")}, []),
        ({"evaluate_every": 5}, [5, 10]),
        ({"evaluate_every": 4}, [4, 8, 10]),  # the last one is of the weights that are kept, and is not averaged
        ({"evaluate_every": 20}, [10]),  # a shortened trajectory is evaluated once, at its end
    ],
)
def test_the_test_set_is_looked_at_only_where_the_protocol_asks(changes, epochs):
    protocol = dataclasses.replace(PROTOCOL, **changes)
    assert [epoch for epoch in range(1, 11) if protocol.evaluates_test(epoch)] == epochs


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
    (lambda: experiment(sweep={"epochs": (1, 2)}), "'epochs' cannot be swept: the tables use that name for something"),
    (lambda: Protocol(1, "mse", optimizer=None), "optimizer must be a Keras name .* Received: None"),
    (lambda: Variant("b", network, {"activation": len}), "plain values.* Received: <built-in"),
    (lambda: Data("iris", size=28), "Data.size must be .* Received: 28"),
    (
        lambda: experiment(protocol=Protocol(1, "mse", record=("validation",))),
        "Experiment 'widths' uses a validation split, but its data declares no validation_fraction",
    ),
    (lambda: experiment(protocol=Protocol(1, "mse", select="validation_loss")), "declares no validation_fraction"),
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
    (lambda: Data("iris", mean=0.5, std=0), "Data.std must be a number above 0, .* Received: 0"),
    (lambda: Data("iris", mean=0.5, std=(1, -1)), r"Data.std must be a number above 0, .* Received: \(1, -1\)"),
    (lambda: Data("iris", mean=float("nan"), std=1), "Data.mean must be a number, .* Received: nan"),
    (lambda: Data("iris", scale=float("inf")), "Data.scale must be a number above 0. Received: inf"),
    (lambda: Data("iris", stratified="maybe"), "Data.stratified must be true or false. Received: 'maybe'"),
    (lambda: Data("iris", split_seed=True), "Data.split_seed must be .* Received: True"),
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
        "evaluate_every reports a trajectory: it needs select='last'. Received: 'validation_loss'",
    ),
    (
        lambda: Variant("a", network, protocol={"shufle": False}),
        "Unknown name in the protocol of variant 'a' 'shufle'. Did you mean 'shuffle'",
    ),
    (
        lambda: Variant("a", network, data={"split_sed": 1}),
        "Unknown name in the data of variant 'a' 'split_sed'. Did you mean 'split_seed'",
    ),
    (
        lambda: Variant("a", network, data={"test_fraction": 0.1}),
        "Unknown name in the data of variant 'a' 'test_fraction'.*\nAllowed: validation_fraction, stratified, ",
    ),
    (
        lambda: experiment(variants=(Variant("a", network, protocol={"batch_size": 0}),)),
        "batch_size must be a whole number of at least 1. Received: 0",
    ),
    (
        lambda: experiment(variants=(Variant("a", network, data={"mean": 0.5}),)),
        "Data.mean and Data.std go together",
    ),
    (lambda: experiment(sweep={"mean": (0.5, 0.6)}), "Data.mean and Data.std go together"),
    (
        lambda: Protocol(1, "mse", record=("batch_norms",)),
        "Unknown name in Protocol.record 'batch_norms'. Did you mean 'batch_norm'",
    ),
    (
        lambda: Protocol(1, "mse", record=("test_loss",)),
        "Unknown name in Protocol.record 'test_loss'.*\nAllowed: train, validation, test, test_loss_over_batches, ",
    ),
    (
        lambda: Published(0.9, 1, "S", metric="test_loss_over_batches"),  # a metric of epochs alone
        "Unknown metric in Published 'test_loss_over_batches'",
    ),
    (lambda: Published(0.9, 0, "S"), "Published.runs must be .* Received: 0"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[message[:50] for _, message in MISTAKES])
def test_a_mistake_is_told_in_at_most_three_lines_with_what_was_received(mistake, message):
    with pytest.raises(UserError) as told:
        mistake()
    assert re.search(message, str(told.value))
    assert len(str(told.value).splitlines()) <= 3


def test_a_published_figure_may_be_of_an_epoch_and_off_by_a_known_factor():
    figure = Published(0.0275, 1, "S", "test_loss_over_batches", where={"variant": "small", "epoch": 1}, factor=0.384)
    assert experiment(published=(figure,)).published == (figure,)
    assert Published(0.9, 1, "S").factor == 1


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
