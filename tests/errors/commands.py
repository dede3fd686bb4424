"""Mistakes on the command line and in users' files, and machines that lack something."""

import os
import sys
from types import SimpleNamespace
from unittest import mock

from tests.errors.case import Case, own, told
from trials import backend, environment, sources
from trials.executors import cluster
from trials.executors.node import load

DEEP = """
def deep():
    import keras
    class Own(keras.Model):
        def call(self, x): return x
    return Own(name="deep")
"""
SHARING = own("experiment()")["own.py"] + "import shared"


class SilentError(Exception):
    """What Ray raises for a node that does not answer."""


SILENT = mock.MagicMock(
    exceptions=SimpleNamespace(RayError=SilentError), get=mock.Mock(side_effect=SilentError("lost"))
)
SILENT.nodes.return_value = [{"NodeID": "n1", "NodeManagerHostname": "host-of-n1"}]
COMMANDS = [
    told("--trails 3", "--trails", "--help"),
    told("--experiment iris_hiden_units", "'iris_hiden_units'", "Did you mean 'iris_hidden_units'?"),
    told("--experiment iris_hidden_units --trials 0", "'0'", "at least 1", "--help"),
    told("--experiment iris_hidden_units --trials -3", "'-3'", "at least 1", "--help"),
    told("--experiment iris_hidden_units --epochs many", "'many'", "at least 1", "--help"),
    told("--experiment iris_hidden_units --workers 0", "'0'", "at least 1", "--help"),
    told("--experiment iris_hidden_units --engine turbo", "'turbo'", "graph", "--help"),
    told("--experiment iris_hidden_units --list", "--list", "not allowed with", "--help"),
    told("--experiment iris_hidden_units --results=", "must name a folder", "''"),
    told("--experiment iris_hidden_units --until 0", "'0'", "above 0, at most 100"),
    told("--experiment iris_hidden_units --until 5 --trials 7", "--trials 7", "--max-trials"),
    told("--experiment iris_hidden_units --max-trials 7", "--max-trials 7", "--until POINTS"),
    told("--experiment iris_hidden_units --trial-timeout 0", "'0'", "above 0"),
    told(
        "--experiment iris_hidden_units --trial-timeout 5 --executor inline",
        "--trial-timeout 5",
        "--executor processes",
    ),
    told("--report a b c", "one folder", "two", "Received: 3 folders"),
    told("--experiment iris_hidden_units --workers 2 --executor inline", "--workers", "--executor inline"),
    told("--experiment iris_hidden_units iris_hidden_units", "'iris_hidden_units'", "twice"),
    told("--experiment iris_hidden_units --data-dir nowhere", "'nowhere'", "--data-dir"),
    told("--experiment iris_hidden_units --device gpu", "--device cpu", patches={"trials.backend.gpu_nodes": list}),
    told("--experiment iris_hidden_units --set unit=3", "'unit'", "'units'", "Allowed: "),
    told("--experiment iris_hidden_units --variants mpl", "'mpl'", "'mlp'"),
    told("--experiment iris_hidden_units --set epochs=2 --epochs 3", "twice", "--epochs", "--set epochs"),
    told("--experiment iris_hidden_units --set units", "'units'", "NAME=V1,V2"),
    told("--experiment iris_hidden_units --set units=1,", "'units=1,'", "NAME=START:STOP:STEP"),
    told("--experiment iris_hidden_units --set units=1:9:0", "units=1:9:0", "100,000"),
    told("--experiment iris_hidden_units --set units=5,5", "'units'", "twice"),
    told("--experiment iris_hidden_units --set batch_size=0", "batch_size", "at least 1", "0"),
    told("--experiment iris_hidden_units --set units=3 --set units=4", "units", "twice", "--set units=V1,V2"),
    told("--trials 3", "--trials", "--experiment NAME"),
    told("--fresh", "--fresh", "--experiment NAME"),
    told("--list --dry-run", "--dry-run", "--experiment NAME"),
    told("--experiment --seed 3", "--seed", "--experiment NAME"),
    told("--experiment iris_hidden_units --dtype float16", "--dtype", "--describe NAME"),
    told("--list zzz*", "'zzz*'", "Allowed: "),
    told("--check lenet6", "'lenet6'", "'lenet'"),
    told("--check conv_block", "'conv_block'", "--describe conv_block"),
    told("--check own.py", "'own.py'", "FILE.py:BUILDER"),
    told("--check own.py:nett", "'nett'", "'net'", files=own("experiment()")),
    told("--check lenet5 --set units=3,4", "units=3", "one value", "Received 2"),
    told("--describe lenet6", "'lenet6'", "'lenet'"),
    told("--describe lenet5 --trials 3", "--trials", "--experiment NAME"),
    told("--describe lenet5 --input-shape 4,x", "--input-shape", "whole number of at least 1"),
    told("--experiment lenet5_mnist --csv x.csv", "--csv", "--describe NAME"),
    told("--describe lenet5 --dtype float15", "'float15'", "'float16'"),
    told("--describe lenet5 --training adman", "'adman'", "'adamax'"),
    told("--describe lenet5 --csv no/t.csv", "'no'", "no folder"),
    told("--describe lenet5 --csv .", "cannot be written", "Is a directory"),
    told("--describe lenet5 --set unit=3", "'unit'", "Allowed: "),
    told(
        "--describe own.py:net",
        "'net'",
        "--input-shape",
        files=own("experiment(variants=(Variant('v', other),))", "def other(*, input_shape, classes): pass"),
    ),
    told(
        "--describe own.py:bare --classes 3",
        "'bare'",
        "no classes",
        "--classes",
        files=own("experiment()", "def bare(): pass"),
    ),
    told("--describe own.py:net", "net", "never built", files=own("experiment()")),
    told("--describe own.py:none", "'none'", "keras.Model", "NoneType", files=own("experiment()", "def none(): pass")),
    told(
        "--describe own.py:deep",
        "'deep'",
        "functional and sequential",
        files=own(
            "experiment()",
            DEEP,
        ),
    ),
    told(
        "--experiment iris_hidden_units --executor inline",
        "not installed",
        "pip install -r",
        patches={
            "importlib.metadata.version": lambda name: (_ for _ in ()).throw(
                backend.importlib.metadata.PackageNotFoundError
            )
        },
    ),
    told(
        "--experiment iris_hidden_units",
        "not installed",
        "pip install -r",
        patches={"importlib.util.find_spec": lambda name: None},
    ),
    Case(
        lambda: environment.prepare_process("gpu"),
        ("--device cpu",),
        patches={"tensorflow.config.list_physical_devices": lambda kind: []},
    ),
    told(
        "--experiment iris_hidden_units",
        "'torch'",
        "tensorflow or jax",
        "Unset",
        environment={"KERAS_BACKEND": "torch"},
    ),
    told(
        "--experiment iris_hidden_units --engine vmap",
        "KERAS_BACKEND=tensorflow",
        "runs on jax",
        "--engine graph",
        environment={"KERAS_BACKEND": "tensorflow"},
    ),
    told(
        "--experiment iris_hidden_units --engine vmap",
        "JAX is not installed",
        "pip install -r requirements-jax.txt",
        patches={"trials.backend._installed": lambda name: name != "jax"},
    ),
    told("--experiment iris_hidden_units --engine vmap --trial-timeout 5", "--trial-timeout 5", "--engine graph"),
    Case(
        environment._on_tensorflow,
        ("computed something", "one thread", "import keras"),
        patches={
            "tensorflow.config.threading.set_intra_op_parallelism_threads": mock.Mock(side_effect=RuntimeError),
            "os.environ": {**os.environ},
        },
    ),
    Case(
        environment._finds_a_gpu,
        ("JAX cannot start a GPU", "no driver", "--device cpu"),
        patches={
            "trials.backend.current": lambda: "jax",
            "jax.devices": mock.Mock(side_effect=RuntimeError("no driver")),
        },
    ),
    told("--experiment iris_hidden_units --executor ray --address 127.0.0.1:1", "127.0.0.1:1", "refused", "ray start"),
    told("--experiment iris_hidden_units --executor ray --address ray://h:1", "'ray://h:1'", "auto or HOST:PORT"),
    told("--experiment iris_hidden_units --address auto", "--address auto", "--executor ray"),
    Case(mock.patch.dict(sys.modules, {"ray": None})(cluster._installed), ("ray", "requirements-ray.txt")),
    told(
        "--experiment iris_hidden_units --executor ray",
        "RAY_ADDRESS must be",
        "'ray://h:1'",
        "auto or HOST:PORT",
        "Unset it",
        environment={"RAY_ADDRESS": "ray://h:1"},
    ),
    Case(lambda: cluster.places([], "gpu", 2**30), ("takes 1 CPU, 1 GPU, 1.0 GiB", "0 nodes", "nothing", "ray start")),
    Case(lambda: cluster.check_versions("n1", {}, {"keras": "3"}), ("n1", "keras none instead of 3", "Install")),
    Case(lambda: cluster.look(SILENT, ["n1"]), ("host-of-n1", "lost", "ray stop")),
    Case(
        lambda: load({"own": ("own.py", "import nothing_such")}, {}, "n1"),
        ("own.py", "n1", "nothing_such", "Install packages"),
    ),
]

FILES = [
    told("--experiment nowhere.py", "nowhere.py", "cannot be read"),
    told("--experiment own.py", "own.py", "ZeroDivisionError", "(line 2)", files={"own.py": "\n1 / 0"}),
    told("--experiment own.py", "EXPERIMENT = Experiment(...)", "Found: 0", files={"own.py": ""}),
    told(
        "--experiment a/one.py b/two.py",
        "two.py imports shared",
        "Rename it",
        files={"a/one.py": SHARING, "a/shared.py": "", "b/two.py": SHARING, "b/shared.py": ""},
    ),
    told(
        "--experiment own.py",
        "comes from no file",
        files=own(
            "experiment(variants=(Variant('v', made['f']),))",
            "made = {}\nexec('def f(*, input_shape, classes): pass', made)",
        ),
    ),
    told(
        "--experiment own.py",
        "<lambda>",
        "def at the top level",
        files=own("experiment(variants=(Variant('v', lambda *, input_shape, classes: 1),))"),
    ),
    Case(lambda: sources.source_hash(len), ("len", "comes from no file")),
]
