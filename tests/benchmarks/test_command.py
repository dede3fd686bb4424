import csv
import subprocess
import sys

import pytest

from benchmarks import __main__ as command
from benchmarks import table
from benchmarks.work import OURS
from tests.benchmarks.runs import run
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
    for row in (ours, loop):
        assert 0 < float(row["seconds_to_tables_median"]) <= float(row["seconds_median"])
    assert loop["accuracies"] in ("agrees", "differs", "too few trials")  # of so few any may come out
    assert "Keras: build, compile, fit, evaluate each trial" in done.stdout
    with open(tmp_path / "runs.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            assert [len(group.split()) for group in row["accuracies"].split(";")] == [2] * 10
            assert row["samples"] == str(120 * 2 * 10)


def test_what_is_not_named_keeps_its_place_unless_the_machine_is_another(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command.sys, "argv", ["benchmarks", "iris", "--results", str(tmp_path)])
    new = [run(OURS, to_tables=2.0), run("keras_loop", to_tables=6.0)]
    monkeypatch.setattr(command, "timed", lambda asked: (new, 0))
    table.write(tmp_path / "runs.csv", table.run_rows([run(OURS, to_tables=1.0), run(OURS, work="cifar10")]))
    table.write(tmp_path / "peak.csv", [{"size": 256, "operations_per_second": 1e9}])
    assert command.main() == 0
    assert table.read_runs(tmp_path / "runs.csv") == [*new, run(OURS, work="cifar10")]
    said = capsys.readouterr().out
    assert "3.00 (3.00 to 3.00)" in said
    assert "(`cifar10`)" in said
    assert "The peak, 1 billion" in said
    record = tmp_path / "machine.json"
    record.write_text(record.read_text().replace('"machine": {', '"machine": {"other": 1,'))
    (tmp_path / "gpu.csv").touch()
    assert command.main() == 0
    assert "it begins anew" in capsys.readouterr().err
    assert table.read_runs(tmp_path / "runs.csv") == new
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["gpu.csv", "runs.csv", "summary.csv"]
