import dataclasses
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


OWN_WAYS = experiment(
    variants=(
        Variant("small", network, protocol={"shuffle": False}, data={"mean": 0.1, "std": 0.3, "split_seed": None}),
        Variant("plain", plain_network),
    )
)
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


def test_what_no_chosen_variant_takes_is_not_swept():
    figures = (Published(0.5, 1, "S1", where={"units": 10}), Published(0.6, 1, "S1", where={"variant": "plain"}))
    declared = experiment(sweep={"units": (10, 20), "batch_size": (8, 16)}, published=figures)
    asked = override(declared, variants=("plain",))
    assert (asked.sweep, asked.published) == ({"batch_size": (8, 16)}, figures[1:])
    assert override(declared, variants=("small",)).sweep == declared.sweep


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


@pytest.mark.parametrize(
    "values",
    [
        {"shuffle": (True,)},  # changes the first variant alone
        {"shuffle": (False,)},  # the second
        {"mean": (None,), "std": (None,)},
        {"mean": (0.1,), "std": (0.3,)},
        {"split_seed": (42,)},
        {"stratified": (False,)},  # as it is for both
        {"batch_size": (32,)},
    ],
)
def test_a_field_that_is_set_is_the_same_for_all_variants(values):
    asked = override(OWN_WAYS, values=values)
    for name, (value,) in values.items():
        fields = [getattr(c.protocol, name, getattr(c.data, name, "absent")) for c in asked.configurations()]
        assert fields == [value, value]


def test_what_is_not_set_stays_the_variants_own():
    small, plain = override(OWN_WAYS, values={"shuffle": (True,)}).configurations()
    assert (small.data.mean, small.data.std, small.data.split_seed) == (0.1, 0.3, None)
    assert plain.data == OWN_WAYS.data


def test_a_swept_field_takes_precedence_over_the_variants_own():
    asked = override(OWN_WAYS, values={"shuffle": (True, False), "split_seed": (1, 2)})
    found = [(c.variant.name, c.protocol.shuffle, c.data.split_seed) for c in asked.configurations()]
    assert found == [
        (name, *values) for name in ("small", "plain") for values in itertools.product((True, False), (1, 2))
    ]


FIELD_VALUES = st.one_of(
    st.tuples(st.just("epochs"), st.integers(1, 5)),
    st.tuples(st.just("batch_size"), st.integers(1, 64)),
    st.tuples(st.just("shuffle"), st.booleans()),
    st.tuples(st.just("split_seed"), st.none() | st.integers(0, 3)),
    st.tuples(st.just("stratified"), st.booleans()),
)


@settings(deadline=None)
@given(st.lists(FIELD_VALUES), st.lists(FIELD_VALUES), FIELD_VALUES)
def test_setting_a_field_ends_every_difference_in_it_and_only_in_it(first, second, asked):
    def own(fields):
        fields = dict(fields)
        data = {name: fields.pop(name) for name in ("split_seed", "stratified") if name in fields}
        return {"protocol": fields, "data": data}

    variants = (Variant("small", network, **own(first)), Variant("plain", plain_network, **own(second)))
    declared = experiment(variants=variants)
    name, value = asked
    changed = override(declared, values={name: (value,)})
    for before, after in zip(declared.configurations(), changed.configurations(), strict=True):
        part = "data" if name in ("split_seed", "stratified") else "protocol"
        expected = dataclasses.replace(getattr(before, part), **{name: value})
        other = "protocol" if part == "data" else "data"
        assert (getattr(after, part), getattr(after, other)) == (expected, getattr(before, other))


MISTAKES = [
    (lambda: override(experiment(), epochs=2, values={"epochs": (3,)}), "given twice"),
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
    (lambda: override(OWN_WAYS, values={"mean": (0.5,)}), "Data.mean and Data.std go together"),
]


@pytest.mark.parametrize(("mistake", "message"), MISTAKES, ids=[message[:50] for _, message in MISTAKES])
def test_a_mistake_is_told_in_at_most_three_lines_with_what_was_received(mistake, message):
    with pytest.raises(UserError) as told:
        mistake()
    assert re.search(message, str(told.value))
    assert len(str(told.value).splitlines()) <= 3
