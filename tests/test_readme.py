"""The README's examples run, and its figures are those of the reference tables."""

import csv
import re
import shlex

import pytest

from tests.conftest import ROOT
from trials import comparisons, published, statistics, tables
from trials.experiment import BATCH_LOSS

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for _, block in BLOCKS
    for line in block.splitlines()
    if line.startswith("python run_trials.py --experiment")
]
CHECKS = re.findall(r"^python run_trials.py (--check \S+)", README, re.M)
TABLE = re.findall(
    r"^\| `(\w+)`(?: (\w+)(?!\S))?(?: units=(\d+))? \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|",
    README,
    re.M,
)


def reference(experiment, table="summary.csv"):
    with open(ROOT / "results" / "reference" / experiment / table, newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_example_experiment_runs_as_it_stands(command, tmp_path):
    (example,) = (block for language, block in BLOCKS if language == "python" and "EXPERIMENT" in block)
    (tmp_path / "wide_or_deep.py").write_text(example)
    done = command("--experiment", "wide_or_deep.py", "--trials", "2", "--epochs", "1", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "wide" in done.stdout
    assert "deep" in done.stdout


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_are_understood(line, command, tmp_path):
    (example,) = (block for language, block in BLOCKS if language == "python" and "EXPERIMENT" in block)
    (tmp_path / "wide_or_deep.py").write_text(example)
    (tmp_path / "DIR").mkdir()
    done = command(*shlex.split(line)[2:], "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "configurations" in done.stdout


def test_the_check_passes_for_the_example(command, tmp_path):
    (example,) = (block for language, block in BLOCKS if language == "python" and "EXPERIMENT" in block)
    (tmp_path / "wide_or_deep.py").write_text(example)
    (line,) = CHECKS
    done = command(*shlex.split(line))
    assert done.returncode == 0, done.stdout
    assert "experiment wide_or_deep: inputs (4,), 3 classes" in done.stdout


def test_the_results_table_holds_the_reference_figures():
    assert len(TABLE) >= 3
    for experiment, variant, units, n, mean, std, low, high in TABLE:
        rows = [row for row in reference(experiment) if variant in ("", row["variant"])]
        (row,) = (row for row in rows if not units or row["units"] == units)
        names = ("test_accuracy_mean", "test_accuracy_std", "test_accuracy_ci95_low", "test_accuracy_ci95_high")
        assert [f"{float(row[name]):.4f}" for name in names] == [mean, std, low, high]
        assert row["n"] == n


@pytest.mark.parametrize("experiment", ["iris_hidden_units", "lenet5_mnist", "lenet5_mnist_continued"])
def test_the_text_beside_the_table_holds_the_published_comparison(experiment):
    text = " ".join(README.split())
    (row,) = reference(experiment, "published.csv")
    for name in ("published", "measured_mean"):
        assert f" {float(row[name]):.4f}" in text
    low, high = (f"{float(row[f'prediction95_{end}']):.4f}" for end in ("low", "high"))
    assert f"would fall in {low} to {high}" in text


def test_every_column_is_explained():
    text = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    table = text.partition("| in `run.json` |")[0]
    names = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    explained = set(re.findall(r"`(?:<metric>)?(\w+)`", names)) - {"units"}  # which stands for all that is swept
    columns = {*tables.METRICS, *published.COLUMNS, *(f"_{suffix}" for suffix in statistics.SUFFIXES)}
    columns |= {
        *comparisons.COLUMNS,
        tables.BINOMIAL,
        *tables.RESULT_COLUMNS,
        *tables.TIMING_COLUMNS,
        *tables.BATCH_NORM_COLUMNS,
        *("experiment", "variant", "layer", "epoch", "n", "failed", BATCH_LOSS),
    }
    assert explained == columns, explained ^ columns
