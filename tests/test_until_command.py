"""Rounds of trials through the real command line."""

import json
import shutil

from tests.conftest import rows, tables

SMALL = ("--experiment", "iris_hidden_units", "--set", "units=4,100", "--epochs", "2", "--until", "14")


def counts(folder):
    return [row["n"] for row in rows(folder / "summary.csv")]


def test_rounds_end_where_every_interval_is_narrow_and_the_number_is_the_same_however_it_is_reached(command, tmp_path):
    done, folder = command(*SMALL, "--executor", "inline"), tmp_path / "results" / "iris_hidden_units"
    assert done.returncode == 0, done.stderr
    (n, other) = counts(folder)
    assert n == other
    assert 12 <= int(n) < 100  # more than one round, and fewer than are allowed, or this would show nothing
    chosen = f"{n} trials of each of mlp units=4, mlp units=100, a number chosen so that every 95 % interval"
    assert chosen in " ".join(done.stdout.split())
    assert f"{int(n) - 6} trials each: the widest is " in done.stderr
    assert json.loads((folder / "run.json").read_text())["number of trials"].startswith(chosen)
    assert chosen in (folder / "report.html").read_text(encoding="utf-8")
    expected = tables(folder)

    resumed = tmp_path / "resumed" / "iris_hidden_units"
    shutil.copytree(folder, resumed)
    lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (resumed / "journal.jsonl").write_text("".join(lines[: 1 + 17]), encoding="utf-8")  # within the second round
    assert command(*SMALL, "--workers", "2", "--results", "resumed", "--quiet").returncode == 0
    assert tables(resumed) == expected
    # Nothing is left to train: the word is new all the same.
    wider = command(*SMALL[:-1], "90", "--results", "resumed", "--quiet")
    assert wider.returncode == 0, wider.stderr
    assert "at most 90 points wide" in json.loads((resumed / "run.json").read_text())["number of trials"]
    assert tables(resumed) == expected


def test_the_most_allowed_is_kept_to_and_told(command, tmp_path):
    done = command(*SMALL, "--max-trials", "6", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    assert counts(tmp_path / "results" / "iris_hidden_units") == ["6", "6"]
    assert "the most that --max-trials allows, yet not every" in " ".join(done.stdout.split())
    planned = command(*SMALL, "--dry-run").stdout
    assert "2 configurations x up to 100 trials" in planned


WIDE = ("--set", "units=4", "--epochs", "1", "--until", "60", "--executor", "inline")
BLOWS = """
import keras
from trials.experiment import Data, Experiment, Protocol, Variant


def tiny(*, input_shape, classes, scale=1.0, units=4):
    inputs = keras.Input(input_shape)
    x = keras.layers.Dense(units)(keras.layers.Rescaling(scale)(inputs))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))


EXPERIMENT = Experiment(
    name="blows",
    question="?",
    data=Data("iris", test_fraction=0.2),
    variants=(Variant("good", tiny), Variant("blows", tiny, {"scale": 1e38})),
    protocol=Protocol(epochs=1, loss="sparse_categorical_crossentropy"),
)
"""


def test_what_never_ends_well_is_named_and_not_waited_for_and_a_page_that_cannot_be_written_stops_nothing(
    command, tmp_path
):
    (tmp_path / "blows.py").write_text(BLOWS)
    (tmp_path / "results" / "index.html").mkdir(parents=True)
    done = command("--experiment", "blows.py", "iris_resplit", *WIDE)
    assert done.returncode == 1
    told = " ".join(done.stdout.split())
    assert "6 trials of each of good, blows, a number chosen so" in told
    assert "Not one trial of blows ended well." in told
    assert "their intervals are too narrow" in told
    assert counts(tmp_path / "results" / "blows") == ["6", "0"]
    assert "The page in results" in done.stderr
    assert (tmp_path / "results" / "iris_resplit" / "summary.csv").is_file()
