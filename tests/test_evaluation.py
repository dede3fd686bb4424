"""Weights that were kept give the figures that were recorded, through the real command line."""

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import EXPERIMENTS
from tests.conftest import ROOT
from trials.errors import UserError
from trials.evaluation import evaluate
from trials.keys import weights_name
from trials.store import Folder

INLINE = ("--executor", "inline")
RUN = ("--experiment", "iris_hidden_units", "--set", "units=4,8", "--trials", "2", "--epochs", "2", *INLINE)
SELECTING = """
import keras
from trials.experiment import Data, Experiment, Protocol, Variant


def noisy(*, input_shape, classes):
    x = inputs = keras.Input(input_shape)
    x = keras.layers.BatchNormalization()(keras.layers.Dropout(0.3)(keras.layers.Dense(16)(x)))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))


EXPERIMENT = Experiment(
    name="selecting",
    question="Which epoch?",
    data=Data("iris", test_fraction=0.2, validation_fraction=0.3, mean="train", std="train"),
    variants=(Variant("noisy", noisy), Variant("normal", noisy, data={"split_seed": None})),
    protocol=Protocol(
        epochs=8,
        loss="sparse_categorical_crossentropy",
        learning_rate=0.1,
        record=("validation", "batch_norm"),
        select="validation_loss",
    ),
    trials=2,
)
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A finished run whose weights were kept; tests work on copies."""
    folder = tmp_path_factory.mktemp("kept")
    command = [sys.executable, str(ROOT / "run_trials.py"), *RUN, "--save-weights"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "results" / "iris_hidden_units"


@pytest.fixture
def copy(kept, tmp_path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "results" / "iris_hidden_units"))


def test_every_trial_leaves_weights_that_a_model_of_its_builder_opens(kept, keras):
    names = sorted(path.name for path in (kept / "weights").iterdir())
    assert names == [f"mlp_units={units}_trial_{trial}.weights.h5" for units in (4, 8) for trial in (1, 2)]
    model = EXPERIMENTS["iris_hidden_units"].variants[0].builder(input_shape=(4,), classes=3, units=8)
    before = [np.array(weight) for weight in model.get_weights()]
    model.load_weights(kept / "weights" / names[-1])
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]
    assert all(changed)


def test_evaluation_meets_every_recorded_accuracy(copy, command):
    done = command("--evaluate", copy)
    assert done.returncode == 0, done.stderr
    assert re.search(r"mlp units=4 +2 +2 +0\b", done.stdout)
    assert done.stdout.endswith("All recorded test accuracies are met exactly.\n")


def test_weights_of_a_selected_epoch_and_of_resampled_splits_are_those_of_the_row(command, tmp_path):
    (tmp_path / "selecting.py").write_text(SELECTING)
    assert command("--experiment", "selecting.py", "--save-weights", *INLINE).returncode == 0
    done = command("--evaluate", "results/selecting")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"noisy +2 +2 +0\b", done.stdout)
    assert re.search(r"normal +2 +2 +0\b", done.stdout)


def test_weights_at_the_end_of_a_trajectory_are_compared_with_their_own_figures(command, tmp_path):
    """Three epochs, looked at every second one: the row is of epoch 2, the weights are of epoch 3."""
    text = SELECTING.replace(
        'record=("validation", "batch_norm"),', "evaluate_every=2, class_weight={0: 2.0, 1: 1.0, 2: 1.0},"
    )
    (tmp_path / "trajectory.py").write_text(
        text.replace('select="validation_loss",', "").replace("epochs=8", "epochs=3")
    )
    assert command("--experiment", "trajectory.py", "--save-weights", *INLINE).returncode == 0
    done = command("--evaluate", "results/selecting")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_users_file_that_now_declares_another_experiment_is_told(command, tmp_path):
    (tmp_path / "selecting.py").write_text(SELECTING)
    assert command("--experiment", "selecting.py", "--trials", "1", "--epochs", "1", *INLINE).returncode == 0
    (tmp_path / "selecting.py").write_text(SELECTING.replace('name="selecting"', 'name="renamed"'))
    done = command("--report", "results/selecting")
    assert done.returncode == 2
    assert re.fullmatch(
        r"results/selecting holds .* 'selecting', but .*selecting.py now declares 'renamed'.\nGive it its name back.\n",
        done.stderr,
    )


def test_a_row_that_its_weights_do_not_bear_out_is_found(copy, capsys):
    folder = Folder.existing(copy)
    record = next(iter(folder.records.values()))
    content = folder.weights(record)
    wrong = {**record.result.metrics, "test_accuracy": record.result.metrics["test_accuracy"] + 1 / 30}
    folder.add(dataclasses.replace(record, result=dataclasses.replace(record.result, metrics=wrong, weights=content)))
    assert evaluate(folder, EXPERIMENTS["iris_hidden_units"], None, None, "cpu") == 1
    folder.close()
    out = capsys.readouterr().out
    assert re.search(r"mlp units=4 +2 +1 ", out)
    assert out.endswith("Not all recorded test accuracies are met exactly.\n")


def test_weights_that_were_not_kept_or_are_damaged_are_named(copy, command):
    path = copy / "weights" / "mlp_units=8_trial_1.weights.h5"
    path.write_bytes(path.read_bytes()[:-1])
    done = command("--evaluate", copy)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The weights of trial 1 of mlp are missing or damaged in ")
    assert "--save-weights" in done.stderr


def test_other_data_than_the_folders_is_refused(copy):
    declared = EXPERIMENTS["iris_hidden_units"]
    other = dataclasses.replace(declared, data=dataclasses.replace(declared.data, scale=2))
    with pytest.raises(UserError, match=r"is not what .* was trained and tested on"):
        evaluate(Folder.existing(copy, lock=False), other, None, None, "cpu")


def test_asking_for_weights_later_trains_what_has_none_and_changes_no_table(copy, command, tmp_path):
    tables = {path.name: path.read_bytes() for path in copy.glob("*.csv") if path.name != "timings.csv"}
    shutil.rmtree(copy / "weights")
    done = command(*RUN, "--save-weights")
    assert done.returncode == 0, done.stderr
    assert len(list((copy / "weights").iterdir())) == 4
    assert {path.name: path.read_bytes() for path in copy.glob("*.csv") if path.name != "timings.csv"} == tables
    again = command(*RUN, "--save-weights")
    assert "4 of 4 trials are already in" in again.stderr


def test_weights_files_of_different_configurations_have_different_names():
    def name(**values):
        return weights_name({"variant": "a", "values": values}, 1)

    assert name(units=4) == "a_units=4_trial_1.weights.h5"
    hostile = [
        name(x="a/b"),
        name(x="a-b"),
        name(x="a b"),
        name(x={"class_name": "ExponentialDecay"}),
        name(x="a" * 300),
    ]
    assert len(set(hostile)) == 5
    assert all(re.fullmatch(r"[\w.+=-]{1,140}", each) for each in hostile)
