"""Which backend trains: what was asked for, else what the device likes; and what then holds in the process."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ENVIRONMENT, ROOT
from trials import backend, environment
from trials.errors import UserError


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs and these packages; nothing is asked for in the environment."""

    def with_(gpus=0, packages=("tensorflow", "jax", "jaxlib"), **given):
        for name in ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", *backend.SHARE_VARIABLES):
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(backend, "gpu_nodes", lambda: [f"/dev/nvidia{number + 3}" for number in range(gpus)])
        monkeypatch.setattr(backend, "_installed", lambda package: package in packages)

    return with_


CUDA = ("tensorflow", "jax", "jaxlib", "jax-cuda12-plugin")


@pytest.mark.parametrize(
    ("engine", "device", "given", "expected"),
    [
        ("auto", "auto", {}, "tensorflow"),
        ("auto", "gpu", {"gpus": 1}, "tensorflow"),  # JAX as it is installed here knows no GPU
        ("auto", "auto", {"gpus": 1, "packages": CUDA}, "jax"),
        ("auto", "cpu", {"gpus": 1, "packages": CUDA}, "tensorflow"),
        ("auto", "auto", {"gpus": 1, "packages": CUDA, "CUDA_VISIBLE_DEVICES": "-1"}, "tensorflow"),
        ("auto", "auto", {"gpus": 1, "packages": CUDA, "JAX_PLATFORMS": "cpu"}, "tensorflow"),
        ("auto", "auto", {"KERAS_BACKEND": ""}, "tensorflow"),
        ("graph", "gpu", {"gpus": 1, "packages": CUDA}, "tensorflow"),
        ("fit", "gpu", {"gpus": 1, "packages": CUDA}, "tensorflow"),
        ("vmap", "cpu", {}, "jax"),
        ("auto", "cpu", {"KERAS_BACKEND": "jax"}, "jax"),
        ("fit", "cpu", {"KERAS_BACKEND": "jax"}, "jax"),
        ("auto", "gpu", {"gpus": 1, "packages": CUDA, "KERAS_BACKEND": "tensorflow"}, "tensorflow"),
    ],
)
def test_the_backend_is_the_one_asked_for_or_suits_the_device(engine, device, given, expected, machine):
    machine(**given)
    backend.choose(engine, device)
    assert backend.current() == os.environ["KERAS_BACKEND"] == expected
    assert backend.engine_of("auto") == {"tensorflow": "graph", "jax": "vmap"}[expected]
    assert backend.engine_of("fit") == "fit"


@pytest.mark.parametrize("given", [None, "tensorflow", "jax"])
@pytest.mark.parametrize(
    ("engine", "name"), [("graph", "tensorflow"), ("vmap", "jax"), ("fit", "tensorflow"), ("fit", "jax")]
)
def test_what_is_to_be_asked_for_gets_that_engine_on_that_backend(given, engine, name, machine, monkeypatch):
    machine()
    monkeypatch.setattr(backend, "GIVEN", given)
    *variables, _, asked = backend.asked_by(engine, name).replace("python run_trials.py ... ", "").split()
    for variable, value in (word.split("=") for word in variables or [f"KERAS_BACKEND={given or ''}"]):
        monkeypatch.setenv(variable, value)
    backend.choose(asked, "auto")
    assert (backend.engine_of(asked), backend.current()) == (engine, name)


def test_what_is_to_be_asked_for_is_no_more_than_needed(monkeypatch):
    monkeypatch.setattr(backend, "GIVEN", None)
    assert backend.asked_by("vmap", "jax") == "--engine vmap"
    assert backend.asked_by("fit", "tensorflow") == "--engine fit"
    assert backend.asked_by("fit", "jax") == "KERAS_BACKEND=jax python run_trials.py ... --engine fit"


def test_what_is_not_installed_is_not_taken_up(machine):
    machine(packages=("tensorflow",))
    with pytest.raises(UserError, match="requirements-jax"):
        backend.choose("vmap", "cpu")
    assert backend.current() == "tensorflow"


@pytest.mark.parametrize(
    ("device", "given", "expected"),
    [
        ("gpu", {"gpus": 3}, ["0", "1", "2"]),
        ("gpu", {"gpus": 3, "CUDA_VISIBLE_DEVICES": "2, 0"}, ["2", "0"]),
        ("gpu", {"gpus": 3, "CUDA_VISIBLE_DEVICES": "-1"}, []),
        ("cpu", {"gpus": 3}, []),
        ("auto", {"gpus": 3}, []),  # whether TensorFlow can use them is not known before it is imported
        ("auto", {"gpus": 3, "packages": CUDA, "KERAS_BACKEND": "jax"}, ["0", "1", "2"]),
        ("gpu", {}, []),
    ],
)
def test_workers_share_out_the_gpus_there_are(device, given, expected, machine):
    machine(**given)
    assert backend.gpus(device) == expected


def test_each_worker_sees_one_gpu(machine, monkeypatch, tmp_path):
    from trials.executors import processes

    def stop(device):
        raise RuntimeError(os.environ["CUDA_VISIBLE_DEVICES"])

    machine(gpus=2)
    monkeypatch.setattr(environment, "prepare_process", stop)
    for slot, seen in enumerate(["0", "1", "0"]):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        with pytest.raises(RuntimeError, match=seen):
            processes._prepare(slot, str(tmp_path), {}, "gpu", None, None)


ON_GPU = {"packages": CUDA, "KERAS_BACKEND": "jax"}


@pytest.mark.parametrize(
    ("workers", "given", "expected"),
    [
        ("3", {"gpus": 1, **ON_GPU}, "0.2500"),
        ("3", {"gpus": 2, **ON_GPU}, "0.3750"),  # two on one of them
        ("2", {"gpus": 2, **ON_GPU}, None),
        ("auto", {"gpus": 1, **ON_GPU}, None),  # one a GPU
        ("2", {"gpus": 0, **ON_GPU}, None),
        ("2", {"gpus": 1, "KERAS_BACKEND": "tensorflow"}, None),
        ("2", {"gpus": 1, **ON_GPU, "XLA_CLIENT_MEM_FRACTION": "0.4"}, "0.4"),
        ("2", {"gpus": 1, **ON_GPU, "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.4"}, None),
    ],
)
def test_workers_on_one_gpu_divide_its_memory(workers, given, expected, machine, monkeypatch, tmp_path, capsys):
    import run_trials

    machine(**given)
    words = ["--experiment", "iris_hidden_units", "--dry-run", "--results", str(tmp_path), "--workers", workers]
    monkeypatch.setattr(sys, "argv", ["run_trials.py", *words])
    assert run_trials.main() == 0, capsys.readouterr().err
    assert os.environ.get("XLA_CLIENT_MEM_FRACTION") == expected


@pytest.mark.parametrize("name", backend.SHARE_VARIABLES)
def test_jax_takes_the_share_that_it_is_told(name, monkeypatch):
    from jaxlib import xla_client

    for other in backend.SHARE_VARIABLES:
        monkeypatch.delenv(other, raising=False)
    assert "memory_fraction" not in xla_client.generate_pjrt_gpu_plugin_options()
    monkeypatch.setenv(name, "0.375")
    assert xla_client.generate_pjrt_gpu_plugin_options()["memory_fraction"] == 0.375


IMPORTED = """
import json, os, sys
from trials.environment import prepare_process, versions
device = prepare_process("cpu")
import jax, keras
from trials.engines.model import fresh_model
from experiments import EXPERIMENTS
fresh_model(EXPERIMENTS["iris_hidden_units"].configurations()[0], (4,), 3, 0)
print(json.dumps({
    "device": device,
    "backend": keras.backend.backend(),
    "loaded": sorted({"pandas", "sklearn", "matplotlib", "tensorflow"} & set(sys.modules)),
    "threads": os.environ["NPROC"],
    "precision": jax.config.jax_default_matmul_precision,
    "versions": versions(),
    "settings": [keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()],
}))
"""


FIRST = """
import json, os
import keras
from trials.environment import prepare_process
device = prepare_process("cpu")
import jax
print(json.dumps([os.environ["NPROC"], jax.config.jax_platforms, jax.config.jax_default_matmul_precision]))
"""


def test_a_file_that_imports_keras_first_changes_nothing():
    given = {**ENVIRONMENT, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", FIRST], cwd=ROOT, env=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["1", "cpu", "highest"]


def test_on_jax_tensorflow_is_not_loaded_and_a_trial_has_one_thread(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}')
    given = {**ENVIRONMENT, "KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=ROOT, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    versions = found.pop("versions")
    assert {"jax", "jaxlib", "keras", "numpy"} <= set(versions)
    assert "tensorflow" not in versions
    assert found == {
        "device": "cpu",
        "backend": "jax",
        "loaded": [],
        "threads": "1",
        "precision": "highest",
        "settings": ["float32", 1e-7, "channels_last"],
    }
    assert done.stderr == ""
