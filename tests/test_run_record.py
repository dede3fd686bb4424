"""run.json may be anything: what a run needs of it is read, or is not there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trials import run_record

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=8,
)
RUN = {"command": "python run_trials.py", "started": "now", "trials trained": 3, "git": {}, "machine": {}}


def written(folder, text):
    (folder / "run.json").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "[" * 100_000, "\x00"])
def test_what_is_no_record_is_empty(tmp_path, text):
    folder = written(tmp_path, text)
    assert (run_record.read(folder), run_record.earlier_runs(folder), run_record.header(folder)) == ({}, [], None)


def test_a_folder_without_one_has_no_earlier_runs(tmp_path):
    assert (run_record.read(tmp_path), run_record.earlier_runs(tmp_path)) == ({}, [])


def test_each_run_joins_those_before_it(tmp_path):
    folder = written(tmp_path, json.dumps({**RUN, "earlier runs": [{"command": "first"}], "engine": "graph"}))
    assert run_record.earlier_runs(folder) == [{"command": "first"}, RUN]


@given(ANYTHING, ANYTHING)
def test_a_record_of_any_shape_is_read(tmp_path_factory, whole, earlier):
    folder = tmp_path_factory.mktemp("r")
    for content in (whole, {**RUN, "earlier runs": earlier}):
        written(folder, json.dumps(content))
        assert isinstance(run_record.read(folder), dict)
        assert isinstance(run_record.earlier_runs(folder), list)
        run_record.header(folder)
