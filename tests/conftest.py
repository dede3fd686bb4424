"""What all tests share: the project on the path, one thread in TensorFlow, real data where it is laid out."""

import csv
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ENVIRONMENT = dict(os.environ)
"As it is now: what prepares this process for TensorFlow must not reach the commands that tests run."
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

needs_data = pytest.mark.skipif("TRIALS_DATA_DIR" not in os.environ, reason="TRIALS_DATA_DIR is not set")

on_jax = pytest.mark.skipif(os.environ.get("KERAS_BACKEND") != "jax", reason="runs with KERAS_BACKEND=jax")


@pytest.fixture(scope="session")
def keras():
    """Keras in this process, with the one thread a trial has everywhere."""
    from trials.environment import import_keras, prepare_process

    prepare_process("cpu")
    return import_keras()


def run_trials(place: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the real command line in this folder."""
    return subprocess.run(
        [sys.executable, str(ROOT / "run_trials.py"), *map(str, words)],
        cwd=place,
        check=False,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real command line in a folder of its own."""
    return functools.partial(run_trials, tmp_path)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def tables(folder: Path) -> dict[str, bytes]:
    """Every table that must come out the same."""
    return {path.name: path.read_bytes() for path in folder.glob("*.csv") if path.name != "timings.csv"}


KEPT = (
    *("--experiment", "iris_hidden_units", "--set", "units=4,8", "--trials", "2", "--epochs", "2"),
    *("--executor", "inline"),
)
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


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose weights were kept; tests work on copies."""
    place = tmp_path_factory.mktemp("kept")
    done = run_trials(place, *KEPT, "--save-weights")
    assert done.returncode == 0, done.stderr
    return place / "results" / "iris_hidden_units"


@pytest.fixture
def copy(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "results" / "iris_hidden_units"))


@pytest.fixture(scope="session")
def selected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user's file was run that selects an epoch, and its weights were kept."""
    place = tmp_path_factory.mktemp("selected")
    (place / "selecting.py").write_text(SELECTING)
    done = run_trials(place, "--experiment", "selecting.py", "--save-weights", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture
def selecting(selected: Path, tmp_path: Path) -> Path:
    """A copy of that, where `command` runs."""
    return Path(shutil.copytree(selected, tmp_path, dirs_exist_ok=True))
