import pytest

from benchmarks import growth

ROW = {
    "trials": 100,
    "units": "",
    "workers": 2,
    "seconds": 7.0,
    "milliseconds_a_trial": 70.0,
    "busy_seconds": 8.0,
    "driver_megabytes": 90,
    "worker_megabytes": 600,
    "nothing_missing_seconds": 0.2,
}


def test_rows_are_told_without_what_only_the_file_holds():
    lines = growth.text([ROW, {**ROW, "units": "1000"}]).splitlines()
    assert lines[-2:] == [
        "| 100 | 10 to 100 | 2 | 7.0 | 70.0 | 90 | 600 | 0.2 |",
        "| 100 | 1000 | 2 | 7.0 | 70.0 | 90 | 600 | 0.2 |",
    ]
    assert len({line.count("|") for line in lines[2:]}) == 1


@pytest.mark.slow
def test_a_run_is_watched_and_found_complete_when_it_runs_again():
    row = next(growth.measure(10))
    assert row.keys() == ROW.keys()
    assert (row["trials"], row["workers"]) == (10, 1)
    assert row["busy_seconds"] < row["seconds"]
    assert row["nothing_missing_seconds"] < row["seconds"]
    assert 30 < row["driver_megabytes"] < row["worker_megabytes"] < 5000


def test_a_run_that_fails_is_no_row(tmp_path):
    with pytest.raises(RuntimeError, match=r"exit code 2.*--no-such-option"):
        growth._watched([growth.sys.executable, "run_trials.py", "--no-such-option"])
