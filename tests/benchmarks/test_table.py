import csv

import pytest

from benchmarks import table
from benchmarks.work import OURS
from tests.benchmarks.runs import run


def test_a_rate_is_that_of_all_processes():
    assert run("fit", samples=800, busy=8.0).rate == 100
    assert run("fit", samples=1600, busy=16.0, processes=2).rate == 200  # each busy for 8 s


def test_the_ratio_of_a_whole_command_is_of_the_seconds_to_its_tables():
    ours, theirs = run(OURS, seconds=9.0, to_tables=5.0, busy=1.0), run("fit", seconds=21.0, to_tables=20.0, busy=1.0)
    assert table.ratio(ours, theirs) == 4


def test_the_ratio_of_a_rate_is_of_samples_a_second():
    ours, theirs = run(OURS, work="cifar10", busy=4.0), run("keras_loop", work="cifar10", busy=12.0)
    assert table.ratio(ours, theirs) == 3


def test_ratios_are_of_runs_in_the_same_turn():
    runs = [
        run(OURS, 1, to_tables=1.0),
        run("fit", 1, seconds=3.0, to_tables=2.0),
        run(OURS, 2, to_tables=10.0),
        run("fit", 2, seconds=43.0, to_tables=40.0),
    ]
    ours, fit = table.summary_rows(runs)
    assert (fit["ratio_lowest"], fit["ratio_median"], fit["ratio_highest"]) == (2, 3, 4)
    assert ours["ratio_median"] == 1
    assert (fit["seconds_to_tables_median"], fit["seconds_median"]) == (21, 23)


def test_without_this_project_nothing_is_compared():
    (row,) = table.summary_rows([run("fit")])
    assert (row["ratio_median"], row["accuracy_difference"], row["accuracies"]) == (None, None, None)
    assert row["accuracy_mean"] == pytest.approx((0.6 + 0.8) / 2)


def test_accuracies_of_all_repetitions_are_held_together():
    first, second = run("fit", 1, accuracies=((0.1,), (0.2,))), run("fit", 2, accuracies=((0.3,), (0.4,)))
    assert table.pooled([first, second]) == [[0.1, 0.3], [0.2, 0.4]]


def test_the_share_of_the_peak():
    (row,) = table.summary_rows([run(OURS, work="cifar10", samples=800, busy=8.0)], 1e6, {"cifar10": 2500})
    assert row["peak_fraction"] == 0.25  # 100 samples a second x 2,500 operations of 1,000,000


def test_a_disagreement_is_told():
    runs = [run(OURS, accuracies=((0.9, 0.91, 0.92),)), run("fit", accuracies=((0.1, 0.11, 0.12),))]
    assert "0.1100 differs" in table.text(table.summary_rows(runs))


def test_a_whole_command_shows_its_seconds_and_a_rate_its_share_of_the_peak():
    runs = [run(OURS, seconds=9.26, to_tables=5.04), run(OURS, work="cifar10", samples=800, busy=8.0)]
    whole, rate = table.text(table.summary_rows(runs, 1e6, {"cifar10": 2500})).split("\n\nLeNet")
    assert "| seconds to the tables | ratio | test accuracy | to the end |" in whole
    assert whole.endswith("| 5.0 | 1.00 | 0.7000 | 9.3 |")
    assert "| samples a second | ratio | test accuracy | of the peak |" in rate
    assert rate.endswith("| 100 | 1.00 | 0.7000 | 25.0 % |")


def test_runs_of_former_columns_are_known(tmp_path):
    path = tmp_path / "runs.csv"
    assert not table.has_other_columns(path)
    table.write(path, table.run_rows([run("fit")]))
    assert not table.has_other_columns(path)
    path.write_text(path.read_text().replace("seconds_to_tables,", "other,"))
    assert table.has_other_columns(path)


def test_every_run_can_be_read_back(tmp_path):
    table.write(tmp_path / "runs.csv", table.run_rows([run("fit", 2)]))
    with open(tmp_path / "runs.csv", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert row["accuracies"] == "0.5 0.7;0.8 0.8"
    assert (row["contender"], row["repetition"], row["samples_per_second"]) == ("fit", "2", "100.0")


def test_what_was_written_is_read_back(tmp_path):
    runs = [run("fit", 2), run(OURS, work="cifar10", seconds=1.5)]
    table.write(tmp_path / "runs.csv", table.run_rows(runs))
    assert table.read_runs(tmp_path / "runs.csv") == runs
    assert table.read_runs(tmp_path / "none.csv") == []
    rows = [{"trials": 100, "units": "", "seconds": 0.25}, {"trials": 100, "units": "10", "seconds": 1.0}]
    table.write(tmp_path / "growth.csv", rows)
    assert table.read(tmp_path / "growth.csv") == rows


def test_the_limits_are_told():
    apart = {"checks_seconds": 0.25, "page_seconds": 1.5}
    overhead = [
        {"work": work, "overhead": share, "trials": trials, "engine_seconds": 10 * share, **apart}
        for work, trials, shares in (("iris", 100, (0.1, 0.2, 0.6)), ("lenet5_batch_32", 2, (0.01, 0.01)))
        for share in shares
    ]
    told = table.limits({256: 1e9, 512: 3e9}, overhead)
    assert "The peak, 3 billion" in told and "512x512" in told
    assert "tables add 20.0 % (15.0 to 40.0 in half of 3 turns) to 100 trials of `iris_hidden_units`" in told
    assert "`iris_hidden_units` that take 2.0 s" in told
    assert "tables add 1.0 % (1.0 to 1.0 in half of 2 turns) to 2 trials of `lenet5_mnist` that take 0.1 s" in told
    assert "before the first take 0.25 s" in told and "at the end 1.50 s more" in told
