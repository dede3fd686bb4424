"""The way from a configuration to its key and back."""

import dataclasses
import json

import pytest

from trials.experiment import Data, Experiment, Protocol, Variant
from trials.keys import as_trained, at, configuration_key, configuration_place, differences, place
from trials.override import override


def network(input_shape, classes, units=(4, 4), activation="relu"):
    raise AssertionError("a key never builds")


DECLARED = Experiment(
    name="tuples",
    question="?",
    data=Data("iris", test_fraction=0.2, mean=(1.0, 2.0, 3.0, 4.0), std=(1.0, 1.0, 1.0, 1.0)),
    variants=(
        Variant("deep", network),
        Variant("wide", network, {"units": (8,)}, data={"mean": "train", "std": "train"}),
    ),
    protocol=Protocol(epochs=2, loss="mse", class_weight={0: 1.0, 1: 2.0}, record=("train", "test")),
)
CASES = {
    "as declared": {},
    "set": {"epochs": 3, "values": {"activation": ("elu",), "batch_size": (8,)}},
    "swept": {"values": {"learning_rate": (0.1, 0.2), "split_seed": (1, None)}},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_a_recorded_key_gives_back_what_was_trained_tuples_and_numbers_as_names_included(changes):
    for configuration in override(DECLARED, **changes).configurations():
        key = json.loads(json.dumps(configuration_key(configuration)))
        found = as_trained(key, at(key, DECLARED))
        assert (found.options, found.protocol, found.data) == (
            configuration.options,
            configuration.protocol,
            configuration.data,
        )
        assert place(key) == configuration_place(configuration)
        assert differences(key, found) == {}


def test_swept_tuples_are_tuples_again():
    swept = dataclasses.replace(DECLARED, sweep={"units": ((2,), (4, 4))})
    for configuration in swept.configurations():
        assert at(configuration_key(configuration), swept).options["units"] == configuration.options["units"]


def test_lists_of_data_that_nothing_declares_any_more_are_tuples_again():
    key = json.loads(json.dumps(configuration_key(DECLARED.configurations()[0])))
    other = dataclasses.replace(DECLARED, data=dataclasses.replace(DECLARED.data, mean=(0.0, 0.0, 0.0, 0.0)))
    assert as_trained(key, at(key, other)).data.mean == (1.0, 2.0, 3.0, 4.0)
    swept = dataclasses.replace(DECLARED, variants=DECLARED.variants[:1], sweep={"std": ((2.0,), (3.0,))})
    key = json.loads(json.dumps(configuration_key(swept.configurations()[0])))
    assert at(key, dataclasses.replace(swept, sweep={"std": ((3.0,),)})).data.std == (2.0,)


def test_a_variant_that_is_no_longer_declared_has_no_configuration():
    key = configuration_key(DECLARED.configurations()[0])
    assert at({**key, "variant": "gone"}, DECLARED) is None


def test_differences_name_only_what_differs():
    key = configuration_key(DECLARED.configurations()[0])
    (other,) = override(
        DECLARED, variants=("deep",), epochs=3, values={"mean": (None,), "std": (None,)}
    ).configurations()
    assert differences(key, other) == {
        "protocol": ({"epochs": 2}, {"epochs": 3}),
        "data": ({"mean": [1.0, 2.0, 3.0, 4.0], "std": [1.0, 1.0, 1.0, 1.0]}, {"mean": None, "std": None}),
    }
