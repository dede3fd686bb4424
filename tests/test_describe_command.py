"""--describe through the real command line."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_command_line import HEAVY, SOUND, own


def test_networks_are_described_without_traces(command, tmp_path):
    done = command("--describe", "lenet5,vgg19", COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("lenet5: input 28x28x1, 10 classes (as in experiment lenet5_digits)\n\nlayer ")
    assert "Parameters     61,706: 61,470 weights and 236 biases; all are trained\n" in done.stdout
    assert "Connections    422,824 (with biases 429,342); without pooling 416,520 (423,038)\n" in done.stdout
    assert "\nvgg19: input 224x224x3, 1000 classes (its defaults)\n" in done.stdout
    assert "Parameters     143,667,240: 143,652,544 weights and 14,696 biases; all are trained\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="there is no /proc")
def test_weights_of_a_described_network_take_no_memory():
    # Not ru_maxrss: a child begins with that of its parent.
    code = "import run_trials; run_trials.main(); print(open('/proc/self/status').read())"
    call = f"import sys; sys.argv = ['run_trials.py', '--describe', 'vgg19']; {code}"
    done = subprocess.run(
        [sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    (largest,) = re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert int(largest) < 1_000_000  # of which VGG19's weights would be 561,200


def test_networks_side_by_side_in_one_table_and_one_file(command, tmp_path):
    path = own(tmp_path, SOUND)
    words = ("--describe", f"mlp,{path}:tiny", "--set", "units=6", "--training", "adam", "--batch-size", "8")
    done = command(*words, "--csv", tmp_path / "both.csv")
    assert done.returncode == 0, done.stderr
    assert "mlp: input 4, 3 classes, units=6 (as in experiment iris_hidden_units)" in done.stdout
    assert "tiny: input 4, 3 classes, units=6 (as in experiment own)" in done.stdout
    assert (
        "batch of 8): parameters 372 bytes, activations 608 bytes, gradients 372 bytes, adam 744 bytes" in done.stdout
    )
    assert "network " in done.stdout
    with open(tmp_path / "both.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    # 4-6-6-3 and 4-6-3, both with their input
    assert [row["parameters"] for row in rows] == ["0", "30", "42", "21", "0", "30", "21"]
    assert {row["network"] for row in rows} == {"mlp", f"{path}:tiny"}


def test_a_mistake_is_told_in_a_sentence(command):
    done = command("--describe", "mlp", "--dtype", "float33")
    assert (done.returncode, len(done.stderr.splitlines()) <= 3) == (2, True)
    assert "Unknown data type 'float33'. Did you mean 'float32'?" in done.stderr


def test_importing_the_analysis_imports_nothing_heavy():
    code = "import sys, analysis.describe, trials.outline; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
