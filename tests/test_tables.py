"""The tables of a results folder, worked by hand."""

import pytest

from tests.stored import EXPERIMENT, NORMS, configuration, opened, record, reread, rows, written
from trials.engines.results import Epoch, Figures
from trials.experiment import METRICS
from trials.keys import place
from trials.tables import grouped, write_tables


def test_grouped_makes_one_list_a_configuration():
    added = [record(1), record(2), record(1, of=configuration(units=20)), record(1, of=configuration("a"))]
    assert [len(group) for group in grouped(added)] == [2, 1, 1]


def test_tables_worked_by_hand(tmp_path):
    written(tmp_path / "r", record(2, 0.75), record(1, 0.25), record(3, status="diverged", best_epoch=None))
    folder = reread(tmp_path / "r")
    summary = write_tables(folder, EXPERIMENT)
    trials, epochs = rows(folder.path / "trials.csv"), rows(folder.path / "epochs.csv")
    assert [(row["trial"], row["seed"], row["status"], row["best_epoch"], row["error"]) for row in trials] == [
        ("1", "0", "ok", "2", ""),
        ("2", "1", "ok", "2", ""),
        ("3", "2", "diverged", "", "it diverged"),
    ]
    assert {(row["experiment"], row["variant"], row["units"]) for row in trials} == {("widths", "b", "10")}
    assert [row["test_accuracy"] for row in trials] == ["0.25", "0.75", ""]
    assert [[row[name] for name in ("trial", "epoch", *METRICS)] for row in epochs[:2]] == [
        ["1", "1", "", "0.7", "", "", "", ""],
        ["1", "2", "0.9", "0.1", "0.25", "1e-300", "0.25", repr(1 / 3)],
    ]
    (row,) = summary
    assert (row["variant"], row["units"], row["n"], row["failed"]) == ("b", 10, 2, 1)
    assert (row["test_accuracy_mean"], row["test_accuracy_std"]) == pytest.approx((0.5, 0.125**0.5))
    (cells,) = rows(folder.path / "summary.csv")
    assert {name: float(cell) for name, cell in cells.items() if cell and name != "variant"} == {
        name: value for name, value in row.items() if value is not None and name != "variant"
    }


def test_batch_norm_csv_has_a_row_a_channel_counted_from_one(tmp_path):
    written(tmp_path / "r", record(2, batch_norm=NORMS), record(1, batch_norm=NORMS), record(3, status="failed"))
    folder = reread(tmp_path / "r")
    assert folder.records[place(record(1).key), 1].result.batch_norm == NORMS
    write_tables(folder, EXPERIMENT)
    assert (folder.path / "batch_norm.csv").read_text(encoding="utf-8").splitlines() == [
        "variant,units,trial,layer,channel,gamma,beta,moving_mean,moving_variance",
        "b,10,1,norm,1,1.5,0.0,3.0,1e-300",
        "b,10,1,norm,2,0.1,-2.0,4.0,1.0",
        "b,10,1,unscaled,1,,0.25,0.5,0.75",
        "b,10,2,norm,1,1.5,0.0,3.0,1e-300",
        "b,10,2,norm,2,0.1,-2.0,4.0,1.0",
        "b,10,2,unscaled,1,,0.25,0.5,0.75",
    ]


def test_the_loss_over_batches_and_batch_norms_have_a_place_only_where_they_were_recorded(tmp_path):
    curve = [Epoch(1, 0.5, test=Figures(0.25, 0.75, 0.7500000000000001)), Epoch(2, 0.25)]
    written(tmp_path / "plain", record(1))
    written(tmp_path / "recorded", record(1, curve=curve), record(2))
    for name in ("plain", "recorded"):
        write_tables(reread(tmp_path / name), EXPERIMENT)
        assert not (tmp_path / name / "batch_norm.csv").exists()
    assert reread(tmp_path / "recorded").records[place(record(1).key), 1].result.curve == curve
    assert "test_loss_over_batches" not in rows(tmp_path / "plain" / "epochs.csv")[0]
    epochs = rows(tmp_path / "recorded" / "epochs.csv")
    assert list(epochs[0])[-2:] == ["test_loss", "test_loss_over_batches"]
    found = [(row["trial"], row["epoch"], row["test_loss_over_batches"]) for row in epochs]
    assert found == [("1", "1", "0.7500000000000001"), ("1", "2", ""), ("2", "1", ""), ("2", "2", "")]


def test_tables_are_the_same_bytes_whatever_the_order_and_the_duration(tmp_path):
    def tables(path, *added):
        written(path, *added)
        folder = reread(path)
        write_tables(folder, EXPERIMENT)
        return [(path / name).read_bytes() for name in ("trials.csv", "epochs.csv", "summary.csv")]

    first = tables(tmp_path / "a", record(1), record(2, 0.75), record(1, of=configuration(units=20)))
    second = tables(tmp_path / "b", record(1, of=configuration(units=20), seconds=9.0), record(2, 0.75), record(1))
    assert first == second


def test_a_batch_norm_table_that_no_trial_fills_any_more_goes(tmp_path):
    written(tmp_path / "r", record(1))
    (tmp_path / "r" / "batch_norm.csv").write_text("variant\n")
    folder = opened(tmp_path / "r")
    write_tables(folder, EXPERIMENT)
    folder.close()
    assert not (tmp_path / "r" / "batch_norm.csv").exists()
