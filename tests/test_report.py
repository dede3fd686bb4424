import csv
import dataclasses

from tests.small_records import SMALL, records
from trials import published, statistics
from trials.datasets import declaration
from trials.experiment import Published
from trials.report import comparisons_table, failures, summary_table, write
from trials.store import Folder
from trials.tables import write_tables

# 10 units: mean 0.5, s = 0.1, n = 3. A new run falls in 0.5 +- 4.302653 * 0.1 * sqrt(4/3) = 0.5 +- 0.496828.
TEN = records(10, 0.4, 0.5, 0.6)


def test_published_csv_has_a_row_a_figure(tmp_path):
    figures = (Published(0.5, 1, "S1", where={"units": 10}), Published(0.5, 2, "S2"))
    folder = Folder(tmp_path, {"swept": ["units"], "data": declaration(SMALL.data)})
    folder.begin("cpu")
    for one in TEN:
        folder.add(one)
    declared = dataclasses.replace(SMALL, published=figures)
    text = write(folder, declared, (150, 0)).text
    found = published.rows_of(declared, TEN, declaration(declared.data))
    folder.close()
    with open(tmp_path / "published.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == published.COLUMNS
    assert [row["verdict"] for row in rows] == ["inside", "not measured"]
    assert [float(rows[0][name]) for name in published.COLUMNS[5:8]] == [
        found[0][name] for name in published.COLUMNS[5:8]
    ]
    assert rows[1]["measured_mean"] == ""
    assert text.startswith("widths: test accuracy (a fraction) over n trials\n\n  units    n    mean")
    assert text.endswith("Published (S2 test accuracy): 0.5000: not measured.")


def summary(tmp_path, *measured):
    folder = Folder(tmp_path, {"swept": ["units"]})
    folder.begin("cpu")
    for one in measured:
        folder.add(one)
    folder.close()
    return write_tables(folder, SMALL)


def test_the_table_of_one_swept_variant(tmp_path):
    # t(2) * 0.1 / sqrt(3) = 0.2484
    assert summary_table(summary(tmp_path, *TEN, *records(20, 0.75)), ["units"]).splitlines() == [
        "  units    n    mean     std     95 % interval     min     max",
        "-------  ---  ------  ------  ----------------  ------  ------",
        "     10    3  0.5000  0.1000  0.2516 to 0.7484  0.4000  0.6000",
        "     20    1  0.7500                            0.7500  0.7500",
    ]


def test_a_variant_without_a_swept_option_has_an_empty_cell():
    figures = dict.fromkeys(f"test_accuracy_{suffix}" for suffix in statistics.SUFFIXES)
    rows = [
        {"variant": "a", "n": 1, "failed": 0, **figures},
        {"variant": "b", "rate": 0.2, "n": 1, "failed": 0, **figures},
    ]
    assert [line.split() for line in summary_table(rows, ["rate"]).splitlines()[2:]] == [["a", "1"], ["b", "0.2", "1"]]


def test_the_table_of_several_variants_names_them_and_counts_what_failed(tmp_path):
    measured = [*TEN, *records(10, 0.5, variant="deep", status="failed")]
    assert summary_table(summary(tmp_path, *measured), ["units"]).splitlines() == [
        "variant      units    n    failed    mean     std     95 % interval     min     max",
        "---------  -------  ---  --------  ------  ------  ----------------  ------  ------",
        "mlp             10    3         0  0.5000  0.1000  0.2516 to 0.7484  0.4000  0.6000",
        "deep            10    0         1",
    ]


def test_failures_are_told_once_for_each_way_with_the_first_trial():
    measured = [
        *TEN,
        *records(20, 0, 0, status="diverged", error="the loss became nan in epoch 1"),
        *records(30, 0, status="failed", error="ValueError: no"),
        *records(40, 0, status="failed", error="ValueError: no"),
    ]
    assert failures(measured) == [
        "2 diverged: the loss became nan in epoch 1 (first: mlp units=20, trial 1, seed 0)",
        "2 failed: ValueError: no (first: mlp units=30, trial 1, seed 0)",
    ]


def test_without_failures_nothing_is_told():
    assert failures(TEN) == []


PAIR = {"first": "mlp units=10", "second": "mlp units=20", "n": 3, "p_holm": 0.25, "verdict": "no difference shown"}
PAIR |= {"difference_mean": 0.3, "difference_ci95_low": -0.01, "difference_ci95_high": 0.61, "note": ""}


def test_comparisons_are_told_in_points_with_their_interval_and_their_notes():
    nothing = dict.fromkeys(("difference_mean", "difference_ci95_low", "difference_ci95_high", "p_holm"))
    rows = [PAIR, {**PAIR, **nothing, "n": 0, "note": "2 trials left out"}, {**PAIR, "difference_mean": -1e-9}]
    head, _, known, unknown, zero, *remarks = comparisons_table(rows).splitlines()
    assert head.split("  ")[-1] == "verdict"
    assert "second - first, points" in head
    assert " ".join(known.split()) == "mlp units=10 mlp units=20 3 +30.00 -1.00 to +61.00 0.2500 no difference shown"
    assert " ".join(unknown.split()) == "mlp units=10 mlp units=20 0 no difference shown"
    assert "+0.00" in zero  # a minus would say something
    assert remarks == [
        "Each interval is of one difference alone; p is adjusted for the number of comparisons (Holm).",
        "mlp units=10 and mlp units=20: 2 trials left out.",
    ]
    assert comparisons_table([{**PAIR, "note": "a note"}] * 2).endswith("(Holm).\n2 of 2: a note.")
    assert comparisons_table([PAIR]).count("\n") == 2


def test_of_many_comparisons_those_that_show_something_come_first():
    shown = {**PAIR, "first": "mlp units=90", "verdict": "second is better"}
    lines = comparisons_table([*[PAIR] * 22, shown], 20).splitlines()
    assert lines[2].startswith("mlp units=90")
    assert (len(lines), lines[22]) == (2 + 20 + 2, "... and 3 more in comparisons.csv")
    assert comparisons_table([]) == ""
