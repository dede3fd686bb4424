"""Rounds of trials through the real command line."""

import csv
import json
import shutil

import pytest

SMALL = ("--experiment", "iris_hidden_units", "--set", "units=4,100", "--epochs", "2", "--until", "14")


def tables(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.csv") if path.name != "timings.csv"}


def counts(folder):
    with open(folder / "summary.csv", encoding="utf-8", newline="") as stream:
        return [row["n"] for row in csv.DictReader(stream)]


@pytest.fixture
def finished(command, tmp_path):
    done = command(*SMALL, "--executor", "inline")
    assert done.returncode == 0, done.stderr
    return done, tmp_path / "results" / "iris_hidden_units"


def test_rounds_end_where_every_interval_is_narrow_and_the_number_is_the_same_however_it_is_reached(
    command, tmp_path, finished
):
    done, folder = finished
    (n, other) = counts(folder)
    assert n == other
    assert 12 <= int(n) < 100  # more than one round, and fewer than are allowed, or this would show nothing
    assert f"{n} trials each, a number chosen so that every 95 % interval" in done.stdout
    assert json.loads((folder / "run.json").read_text())["number of trials"].startswith(f"{n} trials each")
    assert f"{n} trials each, a number chosen" in (folder / "report.html").read_text(encoding="utf-8")
    expected = tables(folder)

    assert command(*SMALL, "--workers", "2", "--results", "others", "--quiet").returncode == 0
    assert tables(tmp_path / "others" / "iris_hidden_units") == expected

    resumed = tmp_path / "resumed" / "iris_hidden_units"
    shutil.copytree(folder, resumed)
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (resumed / "journal.jsonl").write_text("".join(lines[: 1 + 17]), encoding="utf-8")  # within the second round
    assert command(*SMALL, "--executor", "inline", "--results", "resumed", "--quiet").returncode == 0
    assert tables(resumed) == expected


def test_the_most_allowed_is_kept_to_and_told(command, tmp_path):
    done = command(*SMALL, "--max-trials", "6", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    assert counts(tmp_path / "results" / "iris_hidden_units") == ["6", "6"]
    assert "6 trials each, the most allowed (--max-trials), yet not every" in done.stdout
    refused = command(*SMALL[:-1], "0")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 2)
    assert "above 0, at most 100. Received: '0'" in refused.stderr
    planned = command(*SMALL, "--dry-run").stdout
    assert "2 configurations x up to 100 trials" in planned
