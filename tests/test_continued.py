"""Which results a command continues, and what is said of those that it does not."""

import dataclasses
import json

import pytest

from tests.stored import EXPERIMENT, HEADER, PROTOCOL, another, configuration, network, opened, record, reread, written
from trials import backend
from trials.errors import UserError
from trials.experiment import Protocol, Variant
from trials.keys import configuration_key, place


def asking(configuration):
    """An experiment that asks for this configuration's variant, protocol and data."""
    return dataclasses.replace(
        EXPERIMENT, variants=(configuration.variant,), protocol=configuration.protocol, data=configuration.data
    )


def test_other_variants_and_swept_values_extend_a_folder(tmp_path):
    written(tmp_path / "r", record(1))
    folder = reread(tmp_path / "r")
    for other in (configuration("a"), configuration(units=20)):
        assert folder.missing(other, [(1, 0)]) == ((1, 0),)


OTHERS = [
    (configuration(protocol=Protocol(epochs=3, loss="mse")), "protocol of b units=10 was epochs=2, now it is epochs=3"),
    (
        configuration(protocol=dataclasses.replace(PROTOCOL, learning_rate=0.1)),
        "protocol of b units=10 was learning_rate=None, now it is learning_rate=0.1",
    ),
    (
        dataclasses.replace(configuration(), variant=Variant("b", network, {"activation": "elu"})),
        "options of b units=10 was activation=relu, now it is activation=elu",
    ),
    (
        dataclasses.replace(configuration(), variant=Variant("b", another)),
        "builder of b .* was network, now it is another",
    ),
]


@pytest.mark.parametrize(("other", "message"), OTHERS, ids=[message[:30] for _, message in OTHERS])
def test_another_protocol_or_builder_is_refused_with_the_difference_and_a_way_out(tmp_path, other, message):
    written(tmp_path / "r", record(1))
    with pytest.raises(UserError, match=f"{message}.\nUse --fresh .* or --results DIR.$"):
        reread(tmp_path / "r").check(asking(other))


def test_all_results_of_a_folder_must_be_such_as_one_command_makes_whichever_are_asked_for(tmp_path):
    """Asking for one width after another must not mix two protocols or two ways to prepare the data."""
    written(tmp_path / "r", record(1))
    folder = reread(tmp_path / "r")
    longer = dataclasses.replace(EXPERIMENT, protocol=Protocol(epochs=3, loss="mse"), sweep={"units": (20,)})
    with pytest.raises(UserError, match="protocol of b units=10 was epochs=2, now it is epochs=3"):
        folder.check(longer)
    normalised = dataclasses.replace(EXPERIMENT.data, mean="train", std="train")
    with pytest.raises(UserError, match="data of b units=10 was mean=None, std=None, now it is mean=train, std=train"):
        folder.check(dataclasses.replace(EXPERIMENT, data=normalised, sweep={"units": (20,)}))
    folder.check(dataclasses.replace(EXPERIMENT, sweep={"units": (20,)}))


def test_an_option_given_as_its_default_and_variants_no_longer_declared_are_no_difference(tmp_path):
    given = dataclasses.replace(configuration(), variant=Variant("b", network, {"activation": "relu"}))
    written(tmp_path / "r", record(1), record(1, of=configuration("gone", Protocol(epochs=7, loss="mse"))))
    reread(tmp_path / "r").check(asking(given))


def test_another_text_of_the_builders_file_is_refused(tmp_path):
    added = record(1)
    written(tmp_path / "r", dataclasses.replace(added, key={**added.key, "source": "0" * 64}))
    with pytest.raises(UserError, match=r"source of b units=10 was 000000000000\.\.\., now it is [0-9a-f]{12}\.\.\.\."):
        reread(tmp_path / "r").check(EXPERIMENT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first seed": 5}, "first seed was 0, now it is 5"),
        ({"data": {"source": "iris", "scale": 16}}, "data was scale=None, now it is scale=16"),
        ({"swept": ["units", "epochs"]}, r"swept was \['units'\], now it is \['units', 'epochs'\]"),
        ({"engine": "fit"}, "engine was None, now it is fit"),
    ],
)
def test_another_kind_of_results_is_refused_and_the_journal_stays(tmp_path, change, message):
    journal = written(tmp_path / "r", record(1))
    before = journal.read_bytes()
    with pytest.raises(UserError, match=f"r holds results of another kind: {message}.\nUse --fresh") as told:
        opened(tmp_path / "r", {**HEADER, **change})
    assert len(str(told.value).splitlines()) <= 3
    assert journal.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (("fit", "jax"), ("graph", "tensorflow"), "KERAS_BACKEND=jax python run_trials.py ... --engine fit, or use"),
        (("fit", "jax"), ("fit", "tensorflow"), "KERAS_BACKEND=jax python run_trials.py ... --engine fit, or use"),
        (("graph", "tensorflow"), ("vmap", "jax"), "--engine graph, or use"),
    ],
)
def test_results_of_another_engine_or_backend_say_what_continues_them(tmp_path, monkeypatch, old, new, said):
    monkeypatch.setattr(backend, "GIVEN", None)
    headers = [{**HEADER, "engine": engine, "versions": {name: "1"}} for engine, name in (old, new)]
    written(tmp_path / "r", record(1), header=headers[0])
    with pytest.raises(UserError, match=f"\nContinue them with {said} --fresh"):
        opened(tmp_path / "r", headers[1])


def test_another_version_of_the_same_backend_is_not_continued_by_asking_for_it(tmp_path):
    written(tmp_path / "r", record(1), header={**HEADER, "engine": "graph", "versions": {"tensorflow": "1"}})
    with pytest.raises(UserError, match=r"tensorflow=1, now it is tensorflow=2\.\nUse --fresh"):
        opened(tmp_path / "r", {**HEADER, "engine": "graph", "versions": {"tensorflow": "2"}})


def test_a_key_tells_all_that_decides_the_numbers():
    one = configuration_key(configuration())
    others = [configuration_key(other) for other, _ in OTHERS]
    others += [configuration_key(configuration("a")), configuration_key(configuration(units=20))]
    assert len({json.dumps(key) for key in (one, *others)}) == len(others) + 1
    assert one == configuration_key(configuration())
    assert place(one) == place(others[0])  # so that the difference is noticed, not trained beside


DIVISIONS = {"validation_fraction": 0.1, "stratified": True, "split_seed": None, "mean": 0.5, "std": 2.0}


@pytest.mark.parametrize("name", DIVISIONS)
def test_a_key_tells_how_the_data_is_divided_and_normalised(tmp_path, name):
    plain = configuration()
    normalised = dataclasses.replace(plain, data=dataclasses.replace(plain.data, mean=0.1, std=0.3))
    other = dataclasses.replace(normalised, data=dataclasses.replace(normalised.data, **{name: DIVISIONS[name]}))
    assert configuration_key(other)["data"] == {**configuration_key(normalised)["data"], name: DIVISIONS[name]}
    written(tmp_path / "r", record(1, of=normalised))
    with pytest.raises(UserError, match=f"data of b units=10 was {name}=.*, now it is {name}={DIVISIONS[name]}"):
        reread(tmp_path / "r").check(asking(other))
