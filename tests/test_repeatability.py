"""The same question gives the same bytes in all tables, however it is dealt out, in whatever order and steps."""

import pytest

from tests.conftest import run_trials, tables

EXPERIMENT = """
import keras
from keras import layers

from trials.experiment import Data, Experiment, Protocol, Variant


def conv(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.MaxPooling2D(2)(layers.Conv2D(4, 5, padding="same", activation="relu")(inputs))
    return keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(x)))


def dropout(*, input_shape, classes, rate=0.5):
    inputs = keras.Input(input_shape)
    x = layers.Dropout(rate)(layers.Dense(16, activation="relu")(layers.Flatten()(inputs)))
    return keras.Model(inputs, layers.Dense(classes)(x))


def batch_norm(*, input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs)))
    return keras.Model(inputs, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


EXPERIMENT = Experiment(
    name="small",
    question="Does it repeat?",
    data=Data("digits", scale=16, test_fraction=0.3, validation_fraction=0.2, split_seed=None),
    variants=(Variant("conv", conv), Variant("dropout", dropout), Variant("batch_norm", batch_norm)),
    protocol=Protocol(
        epochs=2,
        loss={"class_name": "SparseCategoricalCrossentropy", "config": {"from_logits": True}},
        record=("train", "validation", "test", "batch_norm"),
        select="validation_loss",
    ),
    sweep={"rate": (0.2, 0.5)},
    trials=5,
)
"""
TABLES = {"batch_norm.csv", "comparisons.csv", "epochs.csv", "published.csv", "summary.csv", "trials.csv"}
WAYS = {
    "two workers": [("--workers", "2")],
    "this process": [("--executor", "inline")],
    "two steps": [("--trials", "2", "--workers", "2"), ("--trials", "5", "--executor", "inline")],
    "variants by themselves, the last first": [
        ("--variants", "batch_norm", "--trials", "3", "--executor", "inline"),
        ("--variants", "dropout", "--workers", "2"),
        ("--workers", "2"),
    ],
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The tables of one run in a single worker."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "small.py").write_text(EXPERIMENT)
    done = run_trials(folder, "--experiment", "small.py", "--workers", "1", "--quiet")
    assert done.returncode == 0, done.stderr
    return tables(folder / "results" / "small")


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_table_has_the_same_bytes(way, undisturbed, command, tmp_path):
    (tmp_path / "small.py").write_text(EXPERIMENT)
    for words in WAYS[way]:
        done = command("--experiment", "small.py", "--quiet", *words)
        assert done.returncode == 0, done.stderr
    assert undisturbed.keys() == TABLES
    assert tables(tmp_path / "results" / "small") == undisturbed
