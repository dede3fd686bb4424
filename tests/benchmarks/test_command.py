import csv
import subprocess
import sys

import pytest

from tests.conftest import ENVIRONMENT, ROOT


@pytest.mark.slow
def test_two_contenders_train_the_same_and_the_tables_say_so(tmp_path):
    words = ["iris", *("--repetitions", "1"), *("--trials", "2"), *("--epochs", "1")]
    words += ["--contenders", "graph_workers,keras_loop", "--results", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "summary.csv", newline="") as stream:
        ours, loop = csv.DictReader(stream)
    assert (ours["contender"], loop["contender"]) == ("graph_workers", "keras_loop")
    assert float(loop["ratio_median"]) > 0
    assert loop["accuracies"] in ("agrees", "differs")  # of so few trials either may come out
    assert "Keras: build, compile, fit, evaluate each trial" in done.stdout
    with open(tmp_path / "runs.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            assert [len(group.split()) for group in row["accuracies"].split(";")] == [2] * 10
            assert row["samples"] == str(120 * 2 * 10)
