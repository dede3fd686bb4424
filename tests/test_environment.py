"""What a process finds once it is prepared, what is recorded of it, and a plain word where there is no GPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, ROOT
from trials import environment
from trials.errors import UserError


@pytest.mark.skipif(
    sys.platform != "linux" or any(Path("/dev").glob("nvidia[0-9]*")), reason="needs Linux without a GPU"
)
def test_a_gpu_that_is_not_there_is_named_at_once():
    with pytest.raises(UserError, match="no GPU"):
        environment.check_device("gpu")
    environment.check_device("auto")


def test_versions_are_those_of_what_is_imported(keras):
    import numpy

    found = environment.versions()
    assert (found["keras"], found["numpy"]) == (keras.__version__, numpy.__version__)


IMPORTED = """
import gc, json, os, sys
from trials.environment import decisive, import_keras
config = import_keras().config
import tensorflow as tf
from tensorflow.python.framework.config import is_op_determinism_enabled
threads = tf.config.threading
found = {
    "loaded": sorted({"pandas", "sklearn", "matplotlib", "jax", "tensorflow.python.keras.layers"} & set(sys.modules)),
    "collects": [gc.isenabled(), gc.get_freeze_count() > 100_000],
    "settings": [config.floatx(), config.epsilon(), config.image_data_format()],
    "threads": [threads.get_intra_op_parallelism_threads(), threads.get_inter_op_parallelism_threads()],
    "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
    "op determinism": is_op_determinism_enabled(),
    "recorded": decisive(),
}
import pandas, sklearn.datasets, matplotlib.figure
print(json.dumps({**found, "later": [int(pandas.DataFrame({"a": [1]}).a.sum()), sklearn.__name__]}))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """What a process finds once it has imported Keras, where a user's keras.json says otherwise."""
    home = tmp_path_factory.mktemp("home")
    (home / "keras.json").write_text('{"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}')
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        cwd=ROOT,
        env={**ENVIRONMENT, "KERAS_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_keras_configuration_file_changes_no_number(imported):
    assert imported["settings"] == ["float32", 1e-7, "channels_last"]


def test_nothing_is_loaded_that_trials_do_without_and_all_can_be_loaded_later(imported):
    assert imported["loaded"] == []
    assert imported["later"] == [1, "sklearn"]


def test_garbage_is_collected_again_once_the_libraries_are_there_but_not_looked_for_in_them(imported):
    assert imported["collects"] == [True, True]


def test_the_recorded_threads_are_those_of_tensorflow(imported):
    assert (imported["threads"], imported["OMP_NUM_THREADS"]) == ([1, 1], "1")
    assert imported["recorded"]["threads a trial"] == 1
    assert imported["recorded"]["op determinism"] == imported["op determinism"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/cpuinfo")
def test_features_are_the_processors_that_select_kernels():
    flags = set(Path("/proc/cpuinfo").read_text().split())
    found = environment.machine()["features"]
    assert set(found) <= flags
    assert {"avx2", "fma", "asimd"} & flags <= set(found)
    assert not {"fpu", "fp", "lm"} & set(found)


def test_libraries_that_decide_numbers_are_recorded():
    import PIL

    assert environment.libraries()["pillow"] == PIL.__version__
    assert "pytest" not in environment.libraries()


def test_the_commit_is_recorded_and_whether_anything_is_not_in_it(tmp_path):
    def git(*words):
        author = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        done = subprocess.run(["git", "-C", tmp_path, *author, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert environment.git_state(tmp_path) == {}
    git("init")
    assert environment.git_state(tmp_path) == {}  # nothing is committed yet
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert environment.git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "file").write_text("2")
    assert environment.git_state(tmp_path) == {"commit": commit, "dirty": True}
    git("checkout", "file")
    (tmp_path / "untracked").touch()
    assert environment.git_state(tmp_path) == {"commit": commit, "dirty": True}
