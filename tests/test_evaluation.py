"""Weights that were kept give the figures that were recorded, through the real command line."""

import dataclasses
import re
import shutil

import numpy as np
import pytest

from experiments import EXPERIMENTS
from tests.conftest import KEPT, SELECTING, rows, tables
from trials.errors import UserError
from trials.evaluation import evaluate
from trials.keys import weights_name
from trials.store import Folder


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


def test_weights_of_a_selected_epoch_and_of_resampled_splits_are_those_of_the_row(selecting, command):
    done = command("--evaluate", "results/selecting")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"noisy +2 +2 +0\b", done.stdout)
    assert re.search(r"normal +2 +2 +0\b", done.stdout)


def test_a_trajectorys_figure_is_the_mean_of_its_evaluations_and_its_weights_have_figures_of_their_own(
    command, tmp_path
):
    """Five epochs, looked at every second one: the row is of epochs 2 and 4, the weights are of epoch 5."""
    text = SELECTING.replace(
        'record=("validation", "batch_norm"),', "evaluate_every=2, class_weight={0: 2.0, 1: 1.0, 2: 1.0},"
    )
    (tmp_path / "trajectory.py").write_text(
        text.replace('select="validation_loss",', "").replace("epochs=8", "epochs=5")
    )
    done = command("--experiment", "trajectory.py", "--save-weights", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "selecting"
    curve = [row["test_accuracy"] for row in rows(folder / "epochs.csv")]
    found = [float(row["test_accuracy"]) for row in rows(folder / "trials.csv")]
    assert [cell == "" for cell in curve] == [True, False, True, False, False] * 4  # the last one is of the weights
    assert found == pytest.approx([(float(curve[at + 1]) + float(curve[at + 3])) / 2 for at in range(0, 20, 5)])
    done = command("--evaluate", "results/selecting")
    assert done.returncode == 0, done.stdout + done.stderr


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


def test_damaged_weights_are_named(copy, capsys):
    path = copy / "weights" / "mlp_units=8_trial_1.weights.h5"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        UserError, match=r"^The weights of trial 1 of mlp are missing or damaged in (.*\n)+.*--save-weights"
    ):
        evaluate(Folder.existing(copy, lock=False), EXPERIMENTS["iris_hidden_units"], None, None, "cpu")
    assert capsys.readouterr().out == ""


def test_other_data_than_the_folders_is_refused(copy):
    declared = EXPERIMENTS["iris_hidden_units"]
    other = dataclasses.replace(declared, data=dataclasses.replace(declared.data, scale=2))
    with pytest.raises(UserError, match=r"is not what .* was trained and tested on"):
        evaluate(Folder.existing(copy, lock=False), other, None, None, "cpu")


def test_asking_for_weights_later_trains_what_has_none_and_changes_no_table(copy, command, tmp_path):
    before = tables(copy)
    shutil.rmtree(copy / "weights")
    done = command(*KEPT, "--save-weights")
    assert done.returncode == 0, done.stderr
    assert len(list((copy / "weights").iterdir())) == 4
    assert tables(copy) == before
    again = command(*KEPT, "--save-weights")
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
