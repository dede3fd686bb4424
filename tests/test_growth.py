"""Ten thousand trials in one folder: what a trial costs does not grow with those before it."""

import json
import sys
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stored import EXPERIMENT, HEADER, configuration, record
from trials import journal_end, keys, statistics, store
from trials.journal import _sealed
from trials.keys import configuration_key
from trials.store import Folder

FEW, MANY = 1_000, 10_000


def journal(folder, trials):
    """A journal of so many trials of two configurations, written at once."""
    folder.mkdir()
    entry = json.loads(written(folder / "one"))
    del entry["sha256"]
    lines = [_sealed({"record": "header", "header": {**HEADER, "device": "cpu"}})]
    others = [configuration_key(configuration(units=units)) for units in (10, 20)]
    for trial in range(trials):
        result = entry["result"] | {"trial": trial // 2 + 1, "seed": trial // 2}
        lines.append(_sealed({**entry, "key": others[trial % 2], "result": result}))
    (folder / "journal.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def written(folder):
    """The line of one trial."""
    opened = Folder(folder, HEADER)
    opened.read()
    opened.begin("cpu")
    opened.add(record())
    opened.close()
    return (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()[-1]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {trials: journal(tmp_path_factory.mktemp("growth") / "r", trials) for trials in (FEW, MANY)}


def calls(path, work):
    """How many Python functions are entered while `work` runs on the folder in `path`."""
    folder, count = Folder(path, HEADER), 0

    def counted(frame, event, argument):
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    try:
        work(folder, lambda: sys.setprofile(counted))
    finally:
        sys.setprofile(before)
        folder.close()
    return count


def reading(folder, start):
    start()
    folder.read()
    assert folder.problems == []


def finding(folder, start):
    folder.read()
    start()
    folder.check(EXPERIMENT)
    seeds = [(trial, trial - 1) for trial in range(1, len(folder.records) // 2 + 2)]
    for units in (10, 20):
        assert folder.missing(configuration(units=units), seeds) == (seeds[-1],)


@pytest.mark.parametrize("work", [reading, finding])
def test_ten_times_the_trials_take_ten_times_the_work_and_no_more(work, folders):
    few, many = (calls(folders[trials], work) for trials in (FEW, MANY))
    assert many <= 10.5 * few  # what is quadratic would take a hundred times


def test_each_line_is_parsed_once_and_equal_keys_are_held_once(folders):
    folder = Folder(folders[FEW], HEADER)
    with patch.object(json, "loads", wraps=json.loads) as loads:
        folder._read_journal()
    assert loads.call_count == FEW + 1  # and the header
    assert len({id(record.key) for record in folder.records.values()}) == 2


def test_a_builders_file_is_read_once_whatever_the_number_of_configurations_and_trials(folders):
    folder = Folder(folders[FEW], HEADER)
    folder._read_journal()
    keys.source_of.cache_clear()
    with patch.object(keys, "source_hash", wraps=keys.source_hash) as hashed:
        folder.check(EXPERIMENT)
        folder.missing(configuration(), ((trial, trial - 1) for trial in range(1, FEW)))
    assert hashed.call_count == 1


@pytest.mark.parametrize("trials", [FEW, MANY])
def test_a_trial_is_added_by_writing_its_line_whatever_is_there(trials, folders, monkeypatch):
    """One opening of the journal, one fsync where it is due; nothing is read."""
    folder = Folder(folders[trials], HEADER)
    folder.read()
    folder.begin("cpu")
    size = folder.journal.stat().st_size
    syncs, openings = [], []

    def opening(path, mode="r", **options):
        openings.append((path, mode))
        return open(path, mode, **options)

    monkeypatch.setattr(journal_end.os, "fsync", syncs.append)
    monkeypatch.setattr(journal_end, "SYNC_SECONDS", 0)
    for module in (journal_end, store):
        monkeypatch.setattr(module, "open", opening, raising=False)
    folder.add(record(trials))
    folder.close()
    assert openings == [(folder.journal, "r+")]
    assert len(syncs) == 1
    with open(folder.journal, "rb+") as stream:
        stream.seek(size)
        assert stream.read().count(b"\n") == 1
        stream.truncate(size)


@settings(deadline=None, max_examples=20)
@given(st.integers(10, 60), st.integers(1, 3000))
def test_resamples_are_the_same_however_many_are_drawn_at_a_time(n, at_a_time):
    values = np.random.default_rng(n).integers(0, 30, (2, n)) / 30

    def figures():
        difference = values[0] - values[1]
        return statistics.bca_interval(values[0]), statistics.sign_flip_p(difference), statistics.selection_bias(values)

    with patch.object(statistics, "RESAMPLES", 499):
        whole = figures()
        with patch.object(statistics, "MOST_DRAWN", at_a_time * n):
            assert figures() == whole
