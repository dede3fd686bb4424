"""Trained again, recorded trials give the same figures to the last bit, through the real command line."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from tests.conftest import SELECTING
from trials import journal as journal_lines
from trials import recorded
from trials.engines.results import Epoch, TrialResult
from trials.store import Folder
from trials.verify import _conclusion, _figures, _told

TRIALS = ((4, 1), (4, 2), (8, 1), (8, 2))


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and time of its last change."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def reseal(folder: Path, change) -> None:
    """Changes the journal's entries as somebody would who then seals them anew."""
    journal = folder / "journal.jsonl"
    entries = [journal_lines.checked(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    for entry in entries:
        change(entry)
    journal.write_text("".join(map(journal_lines._sealed, entries)), encoding="utf-8")


def test_an_untouched_folder_passes_and_stays_untouched(copy, command):
    before = snapshot(copy)
    done = command("--verify", copy, "--trials", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    expected = [
        rf"mlp units={units}, trial {trial}, seed {trial - 1}: all \d+ figures are the same\."
        for units, trial in TRIALS
    ]
    for line, pattern in zip(done.stdout.splitlines(), expected, strict=False):
        assert re.fullmatch(pattern, line)
    assert re.search(r"\nAll \d+ recorded figures of 4 trials are the same to the last bit.\n$", done.stdout)
    assert snapshot(copy) == before


def test_a_changed_digit_and_another_version_are_found(copy, command):
    def change(entry):
        if entry["record"] == "header":
            entry["header"]["versions"]["tensorflow"] = "2.20.0"
        elif entry["key"]["values"] == {"units": 8} and entry["result"]["trial"] == 1:
            entry["result"]["metrics"]["test_accuracy"] += 1e-15

    reseal(copy, change)
    done = command("--verify", copy)
    assert done.returncode == 1, done.stdout + done.stderr
    first, second, *rest = done.stdout.splitlines()
    assert first.startswith("mlp units=4, trial 1, seed 0: all ")
    assert re.match(
        r"mlp units=8, trial 1, seed 0: 1 of \d+ figures differ, by 1\S*e-15 at most: test_accuracy", second
    )
    assert "Otherwise than when they were trained, which may be why:" in rest
    assert any(re.fullmatch(r"tensorflow was 2\.20\.0, now it is \S+\.", line) for line in rest)
    assert re.fullmatch(r"1 of \d+ recorded figures of 2 trials are not the same\.", rest[-1])


def test_selection_dropout_and_batch_norm_of_a_users_file_come_out_the_same(selecting, command):
    done = command("--verify", "results/selecting")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"noisy, trial 1, seed 0: all \d+ figures are the same", done.stdout)
    (selecting / "selecting.py").write_text(SELECTING.replace("Dropout(0.3)", "Dropout(0.2)"))
    done = command("--verify", "results/selecting")
    assert (done.returncode, done.stdout) == (2, "")
    assert "its file has changed" in done.stderr


def test_a_folder_without_results_is_refused(copy, command):
    done = command("--verify", "nowhere")
    assert done.returncode == 2
    assert "holds no results" in done.stderr
    reseal(copy, lambda entry: entry.get("result", {}).update(status="failed"))
    done = command("--verify", copy)
    assert done.returncode == 2
    assert "nothing to train again" in done.stderr


def test_every_figure_counts_and_what_was_not_measured_does_not():
    result = TrialResult(1, 0, "ok", 1, 1, {"test_loss": 0.5, "validation_loss": None}, 7, curve=[Epoch(1, 0.25)])
    result.batch_norm = {"norm": {"gamma": [1.0, 2.0]}}
    assert _figures(result) == {
        **{"status": "ok", "epochs": 1, "best_epoch": 1, "parameters": 7, "test_loss": 0.5},
        **{"train_loss of epoch 1": 0.25},
        **{"gamma of norm, channel 1": 1.0, "gamma of norm, channel 2": 2.0},
    }


def test_how_figures_differ_is_told_and_by_how_much():
    then, now = {"a": 1.0, "b": 2.0, "c": 0.5, "d": 1.0, "e": 1}, {"a": 1.5, "b": 2.25, "c": 0.5, "d": 2.0}
    assert _told(["a", "b", "d", "e"], then, now) == [
        "4 of 5 figures differ, by 1 at most: a was 1.0, now it is 1.5; b was 2.0, now it is 2.25; "
        "d was 1.0, now it is 2.0; ..."
    ]
    assert _conclusion(5, 1, 1, {}).startswith("Versions, processor and settings are those recorded")


def test_circumstances_are_compared_as_far_as_they_are_recorded(copy):
    """An older record says nothing of a processor's features: they are no difference."""
    folder, path = Folder.existing(copy, lock=False), copy / "run.json"
    found = recorded.other_circumstances(folder, "cpu")
    assert {name for name in found if not name.startswith("git")} == set()
    record = json.loads(path.read_text())
    record["environment variables"]["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    record["machine"] |= {"processor": "another", "features": ["avx", "other"]}
    path.write_text(json.dumps(record))
    found = recorded.other_circumstances(folder, "gpu")
    assert found["device"] == ("cpu", "gpu")
    assert found["environment variables: ONEDNN_MAX_CPU_ISA"] == ("AVX2", "absent")
    assert found["processor"][0] == "another"
    assert found["features"][0] == "other"
    for name in ("threads a trial", "op determinism", "environment variables", "libraries"):
        del record[name]
    del record["machine"]["features"]
    path.write_text(json.dumps(record))
    assert {name.partition(":")[0] for name in recorded.other_circumstances(folder, "cpu")} <= {"git", "processor"}


def test_another_declaration_is_refused_with_what_differs(copy):
    from experiments import EXPERIMENTS
    from trials.errors import UserError

    declared = EXPERIMENTS["iris_hidden_units"]
    record = Folder.existing(copy, lock=False).ordered(declared)[0]
    renamed = dataclasses.replace(record, key={**record.key, "builder": "another"})
    with pytest.raises(UserError, match=r"The builder of mlp units=[48] is not .*: it was another, now it is mlp"):
        recorded.configuration(declared, renamed)
    gone = dataclasses.replace(record, key={**record.key, "variant": "gone"})
    with pytest.raises(UserError, match="no variant 'gone' any more"):
        recorded.configuration(declared, gone)
