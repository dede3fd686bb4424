"""Damaged journals: what is sound is kept, what is not is told, and nothing else comes out of any bytes."""

import contextlib
import copy
import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stored import EXPERIMENT, HEADER, NORMS, configuration, opened, record, reread, written
from trials import report
from trials.datasets import declaration
from trials.errors import UserError
from trials.journal import _sealed, trial_line
from trials.store import Folder

WHOLE = {**HEADER, "data": declaration(EXPERIMENT.data), "data checksum": "0", "versions": {}}
RECORDS = [record(1), record(2, 0.75, batch_norm=NORMS), record(3, status="failed"), record(1, of=configuration("a"))]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A journal's lines, without their ends."""
    lines = written(tmp_path_factory.mktemp("sound") / "r", *RECORDS, header=WHOLE).read_bytes().split(b"\n")
    assert lines.pop() == b""
    return lines


def read(content, run_json=None):
    """What a folder with this journal holds, and what it tells."""
    with tempfile.TemporaryDirectory() as path:
        (Path(path) / "journal.jsonl").write_bytes(content)
        if run_json is not None:
            (Path(path) / "run.json").write_text(json.dumps(run_json), encoding="utf-8")
        folder = Folder(Path(path), WHOLE)
        try:
            folder.read()
            with contextlib.suppress(UserError):  # a reader is stopped by it; that is all that may happen
                Folder.existing(Path(path), lock=False)
        finally:
            folder.close()
    return list(folder.records.values()), folder.problems


@st.composite
def damages(draw):
    """A function that damages bytes: changed, inserted, doubled, taken out, cut off."""
    kind = draw(st.sampled_from(["change", "insert", "double", "take out", "cut off"]))
    at, length = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(1, 400))
    new = draw(
        st.binary(min_size=1, max_size=8) | st.sampled_from([b"\n", b"\r", b"\0" * 5000, b"\xff\xfe", b"[" * 3000])
    )

    def damage(content):
        place = int(at * len(content))
        before, there, after = content[:place], content[place : place + length], content[place + length :]
        return {
            "change": before + new + content[place + len(new) :],
            "insert": before + new + content[place:],
            "double": before + there + there + after,
            "take out": before + after,
            "cut off": before,
        }[kind]

    return damage


@settings(deadline=None, max_examples=400)
@given(st.lists(damages(), min_size=1, max_size=3), st.booleans())
def test_of_a_damaged_journal_all_untouched_lines_are_kept_and_nothing_else_is_believed(sound, damage, has_run_json):
    content = b"\n".join([*sound, b""])
    for each in damage:
        content = each(content)
    left = content.split(b"\n")
    untouched = [one for one, line in zip(RECORDS, sound[1:], strict=True) if line in left]
    try:
        found, problems = read(content, WHOLE if has_run_json else None)
    except UserError as error:
        assert not has_run_json
        assert sound[0] not in left
        assert len(str(error).splitlines()) <= 3
        return
    assert [one for one in found if one not in RECORDS] == []
    assert [one for one in untouched if one not in found] == []
    assert len(problems) <= 2
    assert len(untouched) == len(RECORDS) or len(found) == len(RECORDS) or problems or content in b"\n".join(sound)


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=300), st.booleans())
def test_a_journal_of_any_bytes_is_read_or_refused_in_a_sentence(sound, content, after_a_header):
    assert read(sound[0] + b"\n" + content if after_a_header else content)[0] == []


def paths(value, path=()):
    """Every place in a JSON value."""
    if path:
        yield path
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths(value[name], (*path, name))


LINE = json.loads(trial_line(RECORDS[1]))
del LINE["sha256"]
OTHERS = [None, True, -1, 0, 10**400, 1e300, math.nan, math.inf, "", "x", "\ud800\0", [], [[]], {}, {"a": {"b": []}}]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(list(paths(LINE))), st.sampled_from([*OTHERS, "take out", "add"]))
def test_a_sound_line_of_another_version_is_left_out_or_makes_tables(sound, path, other):
    """Its checksum is right, but a part is missing, is of another kind, or is unknown here."""
    entry = copy.deepcopy(LINE)
    *above, last = path
    within = entry
    for name in above:
        within = within[name]
    if other == "take out":
        del within[last]
    elif other == "add":
        entry["result"][str(last)] = entry["key"][str(last)] = None
    else:
        within[last] = other
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "journal.jsonl").write_bytes(b"\n".join([*sound[:2], sound[4], _sealed(entry).encode()]))
        found = opened(Path(folder), WHOLE)
        assert [one for one in (RECORDS[0], RECORDS[3]) if one not in found.records.values()] == []
        assert (len(found.records), len(found.problems)) in ((3, 0), (2, 1))
        with contextlib.suppress(UserError):  # a difference, told in a sentence
            found.check(EXPERIMENT)
        report.write(found, EXPERIMENT, (150, 0))
        report.failures(found.ordered(EXPERIMENT))
        found.close()


def test_thousand_damaged_lines_are_told_in_one(tmp_path):
    journal = written(tmp_path / "r", record(1))
    journal.write_bytes(journal.read_bytes() + b"x\n" * 1000)
    assert reread(tmp_path / "r").problems == [
        f"{journal}, lines 3, 4, 5 and 997 more: damaged or unfinished, left out; "
        "a trial that no other line holds runs again."
    ]


HOSTILE = {
    "deep": b"[" * 200_000,
    "deep and closed": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "long": b"x" * 20_000_000,
    "many digits": b"9" * 10_000,
    "no utf-8": b"\xff\xc3\x28\xed\xa0\x80",
    "nul": b"\0" * 4096,
    "infinite": b'{"sha256": NaN, "record": -Infinity}',
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_costs_nothing_but_itself(sound, line):
    found, problems = read(b"\n".join([*sound[:3], line, *sound[3:], b""]))
    assert found == RECORDS
    assert len(problems) == 1
    assert "line 4: damaged" in problems[0]


def test_a_line_that_stands_twice_counts_once(sound):
    found, problems = read(b"\n".join([*sound, *sound[1:], sound[0], b""]))
    assert (found, problems) == (RECORDS, [])


def test_journals_of_two_runs_in_one_file_are_refused(tmp_path, sound):
    other = written(tmp_path / "r", record(5), header={**WHOLE, "first seed": 7}).read_bytes()
    for content in (b"\n".join([*sound, other]), other + b"\n".join(sound)):
        with pytest.raises(
            UserError, match=r"holds results of another kind: first seed was 7, now it is 0\.\nUse --fre"
        ):
            read(content)


# the first line


def test_a_lost_first_line_is_found_in_run_json(tmp_path, sound):
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "journal.jsonl").write_bytes(b"\n".join([b"x" + sound[0], *sound[1:], b""]))
    (folder / "run.json").write_text(json.dumps({"command": "c", **WHOLE, "device": "cpu"}), encoding="utf-8")
    assert list(Folder.existing(folder, lock=False).records.values()) == RECORDS
    with pytest.raises(UserError, match="first seed was 0, now it is 1"):
        opened(folder, {**WHOLE, "first seed": 1})
    going_on = opened(folder, WHOLE)
    with pytest.raises(UserError, match="device was cpu, now it is gpu"):
        going_on.begin("gpu")
    going_on.begin("cpu")
    going_on.close()
    (folder / "run.json").unlink()
    assert list(opened(folder, WHOLE).records.values()) == RECORDS


@pytest.mark.parametrize("run_json", ["", "[]", "{}", "[" * 100_000, '{"swept": "units"}'], ids=lambda text: text[:9])
def test_a_first_line_that_is_nowhere_is_told_with_a_way_out(tmp_path, sound, run_json):
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join([*sound[1:], b""]))
    (tmp_path / "run.json").write_text(run_json, encoding="utf-8")
    for attempt in (lambda: opened(tmp_path, WHOLE), lambda: Folder.existing(tmp_path, lock=False)):
        with pytest.raises(UserError, match=r"has lost its first line(.|\n)*--fresh"):
            attempt()


def test_a_journal_that_was_begun_anew_after_a_torn_first_line_is_read(tmp_path, sound):
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join([sound[0][:20], *sound, b""]))
    folder = Folder.existing(tmp_path, lock=False)
    assert list(folder.records.values()) == RECORDS
    assert [problem.partition(": ")[0] for problem in folder.problems] == [f"{folder.journal}, line 1"]


@pytest.mark.parametrize("name", ["experiment", "swept", "data", "versions"])
def test_a_sound_header_of_another_version_is_told(tmp_path, name):
    for header in ({**WHOLE, name: 5}, {other: value for other, value in WHOLE.items() if other != name}):
        (tmp_path / "journal.jsonl").write_text(_sealed({"record": "header", "header": header}), encoding="utf-8")
        with pytest.raises(UserError, match="can be read: another version has written it"):
            Folder.existing(tmp_path, lock=False)
