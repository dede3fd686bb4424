"""The engine of many seeds at the same time, through the command line, in processes of its own."""

import json

import pytest

from tests.conftest import rows, tables

SWEEP = ("--experiment", "iris_hidden_units", "--set", "units=4,8", "--set", "learning_rate=0.01,0.05")
SMALL = (*SWEEP, "--trials", "3", "--epochs", "2")
FOLDER = "results/iris_hidden_units"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run in this process's place: inline, all of it in two programs."""
    from tests.conftest import run_trials

    place = tmp_path_factory.mktemp("vmap")
    done = run_trials(place, *SMALL, "--engine", "vmap", "--executor", "inline", "--save-weights")
    assert done.returncode == 0, done.stderr
    return place


def test_a_sweep_is_trained_and_recorded(trained):
    folder = trained / FOLDER
    assert [row["status"] for row in rows(folder / "trials.csv")] == ["ok"] * 12
    assert {row["engine"] for row in rows(folder / "timings.csv")} == {"vmap"}
    run = json.loads((folder / "run.json").read_text())
    assert (run["engine"], run["device"]) == ("vmap", "cpu")
    assert "jax" in run["versions"]
    assert "tensorflow" not in run["versions"]
    lines = (folder / "journal.jsonl").read_text().splitlines()[1:]
    assert [json.loads(line)["result"]["notes"] for line in lines] == [{"lanes": 6}] * 12  # two rates, three seeds


def test_the_plain_command_is_told_what_continues(trained):
    from tests.conftest import run_trials

    refused = run_trials(trained, *SMALL)
    assert refused.returncode == 2
    assert "engine was vmap, now it is graph.\nContinue them with --engine vmap, or use --fresh" in refused.stderr
    done = run_trials(trained, *SMALL, "--engine", "vmap")
    assert done.returncode == 0, done.stderr
    assert "12 of 12 trials are already in" in done.stderr


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_and_the_backend_can_be_asked_for(trained, command, tmp_path):
    done = command(*SMALL, "--workers", "2", KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    assert "The vmap engine trains, Keras on jax, on the cpu." in done.stderr
    assert tables(tmp_path / FOLDER) == tables(trained / FOLDER)


@pytest.mark.slow
def test_what_was_interrupted_goes_on_to_the_same_bytes(trained, command, tmp_path):
    """The program has as many lanes as before, most of them idle."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    lines = (trained / FOLDER / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text("".join(lines[:6]) + lines[6][:40])
    done = command(*SMALL, "--engine", "vmap", "--executor", "inline")
    assert done.returncode == 0, done.stderr
    assert tables(folder) == tables(trained / FOLDER)


@pytest.mark.slow
def test_trials_and_weights_are_met_again(trained):
    from tests.conftest import run_trials

    for mode, told in (("--verify", "the same to the last bit"), ("--evaluate", "are met exactly")):
        done = run_trials(trained, mode, FOLDER)
        assert done.returncode == 0, done.stdout + done.stderr
        assert told in done.stdout


@pytest.mark.slow
def test_another_backend_is_refused_in_the_same_folder(trained):
    from tests.conftest import run_trials

    before = tables(trained / FOLDER)
    done = run_trials(trained, *SMALL, "--engine", "graph")
    assert done.returncode == 2
    assert "vmap" in done.stderr
    assert tables(trained / FOLDER) == before


@pytest.mark.slow
def test_a_builder_is_checked_on_jax(command):
    done = command("--check", "mlp", KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    assert "trains what fit trains" in done.stdout
