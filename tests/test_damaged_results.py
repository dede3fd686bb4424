"""Damaged results through the real command line: told, kept aside, and the tables of an undisturbed run again."""

import shutil

import pytest

from tests.conftest import run_trials

RUN = (
    "--experiment",
    "iris_hidden_units",
    "--set",
    "units=4",
    "--trials",
    "3",
    "--epochs",
    "1",
    "--executor",
    "inline",
)
DERIVED = ("trials.csv", "epochs.csv", "summary.csv", "comparisons.csv", "published.csv")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run_trials(folder, *RUN, "--quiet").returncode == 0
    return folder / "results" / "iris_hidden_units"


@pytest.fixture
def folder(undisturbed, tmp_path):
    return shutil.copytree(undisturbed, tmp_path / "results" / "iris_hidden_units")


def tables(folder):
    return {name: (folder / name).read_bytes() for name in DERIVED}


def test_a_damaged_and_a_doubled_line_end_in_the_tables_of_an_undisturbed_run(folder, undisturbed, command):
    journal = folder / "journal.jsonl"
    header, first, second, third = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([header, first, second.replace(b'"status": "ok"', b'"status": "oK"'), third, third]))
    told = f"{journal.relative_to(folder.parents[1])}, line 3: damaged or unfinished, left out; a trial that no other"
    reported = command("--report", "results/iris_hidden_units")
    assert (reported.returncode, reported.stderr.count(told)) == (0, 1)
    assert len((folder / "trials.csv").read_text().splitlines()) == 3  # what is sound is there, once
    again = command(*RUN)
    assert again.returncode == 0, again.stderr
    assert told in again.stderr
    assert "2 of 3 trials are already in" in again.stderr
    assert tables(folder) == tables(undisturbed)
    assert journal.read_bytes().startswith(b"".join([header, first]) + b"{")  # nothing is taken out of it
    assert command("--report", "results/iris_hidden_units").stderr.count(told) == 1
    assert tables(folder) == tables(undisturbed)


@pytest.mark.parametrize("words", [RUN, ("--report", "results/iris_hidden_units")], ids=["run", "report"])
def test_a_table_edited_by_hand_is_kept_and_told(words, folder, undisturbed, command):
    edited = (folder / "summary.csv").read_bytes().replace(b"mlp", b"ours")
    (folder / "summary.csv").write_bytes(edited)
    (folder / "summary.csv.edited-1").write_bytes(b"an earlier one")
    done = command(*words)
    assert done.returncode == 0, done.stderr
    told = "results/iris_hidden_units/summary.csv was not as it had been written: it is kept as summary.csv.edited-2.\n"
    assert done.stderr.count(told) == 1
    assert (folder / "summary.csv.edited-2").read_bytes() == edited
    assert (folder / "summary.csv.edited-1").read_bytes() == b"an earlier one"
    assert tables(folder) == tables(undisturbed)
    assert "edited" not in done.stdout


def test_a_lost_first_line_costs_no_trial(folder, undisturbed, command):
    journal = folder / "journal.jsonl"
    journal.write_bytes(b"\xff" + journal.read_bytes())
    for words in (("--report", "results/iris_hidden_units"), RUN):
        done = command(*words)
        assert done.returncode == 0, done.stderr
        assert "line 1: damaged" in done.stderr
    assert "3 of 3 trials are already in" in done.stderr
    assert tables(folder) == tables(undisturbed)


def test_fresh_says_where_the_old_results_are(folder, command, tmp_path):
    done = command(*RUN, "--fresh", "--quiet")
    assert (done.returncode, done.stderr) == (0, "The old results are now in results/iris_hidden_units.old-1.\n")
