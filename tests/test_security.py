"""What a stranger's file, name or folder cannot do: run code, leave its folder, or be more than text."""

import csv
import json
import os
import pickle
import string
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments import EXPERIMENTS
from tests.stored import EXPERIMENT, configuration, opened, record, written
from trials import page
from trials.datasets import load
from trials.engines.model import load_weights_file
from trials.errors import UserError
from trials.evaluation import evaluate
from trials.experiment import Data, Experiment, Protocol, Variant
from trials.keys import weights_name
from trials.page.record import run
from trials.store import Folder
from trials.tables import write_tables
from trials.written import checksum


def network(*, input_shape, classes):
    raise AssertionError("never built")


class Acting:
    """Pickles as a call that makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


# files of data and of results


@pytest.mark.parametrize("name", ["x.npz", "pickle.npz", "npy.npz", "text.csv"])
def test_no_pickle_in_a_users_data_is_ever_opened(tmp_path, name):
    trap = tmp_path / "made by the pickle"
    if name == "x.npz":
        np.savez(tmp_path / name, x=np.array([[Acting(trap)]] * 2, dtype=object), y=np.array([0, 1]))
    elif name == "npy.npz":
        with open(tmp_path / name, "wb") as stream:
            np.save(stream, np.array([Acting(trap)], dtype=object))
    else:
        (tmp_path / name).write_bytes(pickle.dumps(Acting(trap)))
    with pytest.raises(UserError) as told:
        load(Data(name, label="y", test_fraction=0.5), base=tmp_path)
    assert len(str(told.value).splitlines()) <= 3
    assert not trap.exists()


def acting_lambda(keras, trap):
    """A model whose configuration holds code that makes a folder."""

    def act(x):
        __import__("os").mkdir(str(trap))
        return x

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(loss="mse")
    return model, keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Lambda(act)])


@pytest.mark.parametrize("kind", ["archive", "hdf5", "weights of another model", "no weights", "torn", "empty", "text"])
def test_a_weights_file_with_anything_else_in_it_runs_nothing_and_is_told(keras, tmp_path, kind):
    trap = tmp_path / "made by the lambda"
    model, acting = acting_lambda(keras, trap)
    model.save_weights(tmp_path / "sound.weights.h5")
    sound = (tmp_path / "sound.weights.h5").read_bytes()
    trap.rmdir()  # building the model calls the lambda once
    if kind in ("archive", "hdf5"):
        file = tmp_path / ("a.keras" if kind == "archive" else "a.h5")
        acting.save(file)
        content = file.read_bytes()
    elif kind == "weights of another model":
        keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)]).save_weights(tmp_path / "b.weights.h5")
        content = (tmp_path / "b.weights.h5").read_bytes()
    elif kind == "no weights":
        import h5py

        with h5py.File(tmp_path / "c.h5", "w") as file:
            file["layers"] = np.zeros(3)
        content = (tmp_path / "c.h5").read_bytes()
    else:
        content = {"torn": sound[:-100], "empty": b"", "text": b"weights"}[kind]
    with pytest.raises(UserError, match="A kept weights file does not fit its model") as told:
        load_weights_file(model, content)
    assert len(str(told.value).splitlines()) <= 3
    assert not trap.exists()


def test_evaluate_tells_of_a_strangers_weights_that_fit_their_checksum(copy):
    """Whoever made the folder made the journal too, so that the checksum proves nothing."""
    path = copy / "weights" / "mlp_units=8_trial_1.weights.h5"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    from trials.journal import _sealed

    lines = [json.loads(line) for line in (copy / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["sha256"]
        if line["record"] == "trial" and line["key"]["values"] == {"units": 8} and line["result"]["trial"] == 1:
            line["result"]["weights_sha256"] = checksum(path.read_bytes())
    (copy / "journal.jsonl").write_text("".join(map(_sealed, lines)), encoding="utf-8")
    with pytest.raises(UserError, match=r"^A kept weights file does not fit its model: .*$"):
        evaluate(Folder.existing(copy, lock=False), EXPERIMENTS["iris_hidden_units"], None, None, "cpu")


# names


def experiment(name):
    return Experiment(name, "?", Data("iris", test_fraction=0.2), (Variant("v", network),), Protocol(1, "mse"))


BAD_NAMES = [
    *("", ".", "..", ".hidden", "a/b", "a\\b", "/etc", "../a", "a\0b", "a\n", "a b", "a:b", "a*", "$a", "%a"),
    *("-rf", "+1", "=1+1", "@a", "CON", "nul", "aux.txt", "COM1", "lpt9.csv", "a.", "a" * 101),
]


@pytest.mark.parametrize("make", [experiment, lambda name: Variant(name, network)], ids=["experiment", "variant"])
@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_name_that_is_no_file_name_everywhere_is_refused(make, name):
    with pytest.raises(UserError, match="'s name ") as told:
        make(name)
    assert "Received: " in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("name", ["a", "a.b", "1", "_", "none", "lenet5_1998", "console", "Größe", "a" * 100])
def test_sound_names_are_taken(name):
    assert experiment(name).name == Variant(name, network).name == name


@given(st.text(max_size=130))
def test_whatever_name_is_taken_stays_in_its_folder_and_is_no_formula(name):
    try:
        experiment(name)
    except UserError:
        return
    assert (Path("results") / name).parent == Path("results")
    assert name == Path(name).name
    assert name[0] not in "=+-@.\t\r"
    assert name.partition(".")[0].upper() != "NUL"


@given(st.text(string.printable, min_size=1), st.text() | st.integers() | st.lists(st.text(), max_size=2))
def test_a_weights_file_stays_in_its_folder_whatever_was_swept(name, value):
    """The swept value, and a name from a stranger's journal, which nothing has checked."""
    file = weights_name({"variant": name, "values": {"option": value}}, 1)
    assert file == Path(file).name
    assert len(file.encode()) < 255 or not file.isascii()
    assert "\0" not in file


# text


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://a","b")', "\t=1", "a,b", 'a"b', "a\nb"]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_a_swept_text_is_written_to_csv_as_it_is_and_reads_back(tmp_path, text):
    """Not made harmless for spreadsheets: it is the user's own value, and the table must give it back."""
    written(tmp_path / "r", record(of=configuration(units=text)))
    folder = opened(tmp_path / "r")
    write_tables(folder, EXPERIMENT)
    folder.close()
    with open(tmp_path / "r" / "summary.csv", encoding="utf-8", newline="") as stream:
        assert [row["units"] for row in csv.DictReader(stream)] == [text]


RECORDS = ["5", "[]", "null", "{}", "[" * 100_000, '{"earlier runs": 5}', '{"earlier runs": [5, {"command": 1}]}']
WRONG = {
    "data": [],
    "git": "x",
    "machine": 1,
    "versions": [1],
    "messages": {"a": 1},
    "engine": 5,
    "device": [],
    "command": 3,
}


@pytest.mark.parametrize(
    "text", [*RECORDS, json.dumps(WRONG), json.dumps({"messages": [1, None]})], ids=lambda t: t[:30]
)
def test_a_page_is_made_whatever_run_json_holds(tmp_path, text):
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    assert run(tmp_path).get("earlier runs", []) == []
    assert page.write(tmp_path, "?", "").is_file()
