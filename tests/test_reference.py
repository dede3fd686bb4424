"""The published tables are what their journals say, and their texts say nothing that the tables do not."""

import csv
import re
import shutil

import pytest

from experiments import EXPERIMENTS
from tests.conftest import ROOT
from trials import page, report
from trials.datasets import extent
from trials.store import Folder

REFERENCE = ROOT / "results" / "reference"
FOLDERS = sorted(path.parent for path in REFERENCE.glob("**/journal.jsonl"))
MAIN = [path for path in FOLDERS if path.parent == REFERENCE]
every_folder = pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.relative_to(REFERENCE).as_posix())
every_experiment = pytest.mark.parametrize("path", MAIN, ids=lambda path: path.name)


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def numbers(path):
    """Every number in a folder's tables."""
    for table in path.glob("**/*.csv"):
        for row in rows(table):
            for cell in row.values():
                if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell or ""):
                    yield float(cell)


def test_tables_are_published_of_every_experiment():
    assert {path.name for path in MAIN} == set(EXPERIMENTS)


@every_folder
def test_tables_are_derived_from_the_journal(path, tmp_path):
    copy = tmp_path / path.name
    shutil.copytree(path, copy)
    for table in copy.glob("*.csv"):
        table.unlink()
    folder = Folder.existing(copy)
    declared = EXPERIMENTS[folder.header["experiment"]]
    written = report.write(folder, declared, extent(declared.data))
    folder.close()
    for table in path.glob("*.csv"):
        assert (copy / table.name).read_bytes() == table.read_bytes(), table.name
    if path in MAIN:
        assert written.text in (path / "README.md").read_text(encoding="utf-8")
        made = page.write(copy, declared.question, written.conclusion)
        assert made.read_bytes() == (path / "report.html").read_bytes()


def test_the_index_is_of_the_published_pages(tmp_path):
    for path in MAIN:
        (tmp_path / path.name).mkdir()
        shutil.copy(path / "report.html", tmp_path / path.name)
    assert page.write_index(tmp_path).read_bytes() == (REFERENCE / "index.html").read_bytes()


def test_hyperparameters_were_chosen_on_validation():
    """The best, or as good: within one standard error of the best. The test accuracies are not looked at."""
    declared = EXPERIMENTS["regularizers_fashion_mnist"]
    options = {name: value for variant in declared.variants for name, value in variant.options.items()}
    training = {"learning_rate": declared.protocol.learning_rate, "batch_size": declared.protocol.batch_size}
    for folder, chosen in (
        ("training", training),
        ("dropout", {"dropout": options["dropout"]}),
        ("weight_decay", {"weight_decay": options["weight_decay"]}),
    ):
        table = rows(REFERENCE / "regularizers_fashion_mnist" / "selection" / folder / "summary.csv")
        best = max(table, key=lambda row: float(row["validation_accuracy_mean"]))
        (ours,) = (row for row in table if all(float(row[name]) == value for name, value in chosen.items()))
        behind = float(best["validation_accuracy_mean"]) - float(ours["validation_accuracy_mean"])
        assert behind <= float(best["validation_accuracy_sem"])


@every_experiment
def test_ten_trials_of_every_configuration_ended_well(path):
    declared = EXPERIMENTS[path.name]
    summary = rows(path / "summary.csv")
    assert len(summary) == len(declared.configurations())
    assert {(row["n"], row["failed"]) for row in summary} == {("10", "0")}


@every_experiment
def test_examples_print_what_the_text_says(path, capsys, monkeypatch):
    text = (path / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(path)
    for example, output in re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.DOTALL):
        exec(example, {})
        assert capsys.readouterr().out == output


@every_experiment
def test_pictures_in_the_text_are_there(path):
    text = (path / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    assert [target for target in targets if not (path / target).is_file()] == []


@every_experiment
def test_every_figure_in_the_text_is_in_the_tables(path):
    text = (path / "README.md").read_text(encoding="utf-8")
    prose, blocks = re.sub(r"```.*?```", "", text, flags=re.DOTALL), " ".join(re.findall(r"```.*?```", text, re.DOTALL))
    known = sorted(numbers(path))
    for figure in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", prose):
        digits = len(figure.partition(".")[2])
        rounded = {f"{value:.{digits}f}" for value in known} | {f"{100 * value:.{digits}f}" for value in known}
        assert figure in rounded or figure in blocks, f"{figure} is in no table of {path.name}"
