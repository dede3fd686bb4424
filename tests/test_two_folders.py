"""Two runs in one place, call by call: neither writes into what the other holds."""

import pytest

from tests.stored import HEADER, record
from trials.errors import UserError
from trials.store import Folder


def held(path, fresh=False):
    folder = Folder(path, HEADER, fresh)
    folder.read()
    return folder


def test_a_fresh_start_moves_nothing_that_another_run_has_begun_meanwhile(tmp_path):
    first, second = held(tmp_path / "r"), held(tmp_path / "r", fresh=True)
    first.begin("cpu")
    with pytest.raises(UserError, match="in use by process"):
        second.begin("cpu")
    first.add(record(1))
    first.close()
    third = held(tmp_path / "r", fresh=True)
    third.begin("cpu")
    assert [path.name for path in tmp_path.iterdir()] != ["r"]
    assert len((tmp_path / "r.old-1" / "journal.jsonl").read_text().splitlines()) == 2
    with pytest.raises(UserError, match="in use by process"):
        held(tmp_path / "r")
    third.close()


def test_a_run_whose_folder_was_moved_does_not_write_into_the_one_that_has_its_name_now(tmp_path):
    first = held(tmp_path / "r")
    first.begin("cpu")
    (tmp_path / "r").rename(tmp_path / "moved")
    second = held(tmp_path / "r")
    second.begin("cpu")
    with pytest.raises(UserError, match="another journal has taken its place"):
        first.add(record(1))
    second.add(record(2))
    assert (tmp_path / "r" / "journal.jsonl").read_text().count('"record": "trial"') == 1
    first.close()
    second.close()
