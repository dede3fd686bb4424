"""Every promise names a test that is there, and every test of a fault is named."""

import re

from tests import test_datasets, test_journal, test_set_values, test_written
from tests.conftest import ROOT
from tests.errors import test_errors, test_parser
from tests.faults import test_killed

TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def named():
    """The tests that the page names: file, and function or nothing."""
    file = ""
    for path, function in re.findall(r"`([\w/]+\.py)?(?:::(test_\w+))?`", TEXT):
        file = path or file
        if path or function:
            yield file, function


def test_every_test_that_is_named_is_there():
    found = list(named())
    assert len(found) > 40
    for file, function in found:
        path = ROOT / "tests" / file
        assert path.is_file(), file
        assert not function or f"def {function}(" in path.read_text(encoding="utf-8"), function


def test_every_test_of_a_fault_is_named():
    functions = {function for _, function in named()}
    for path in (ROOT / "tests" / "faults").glob("test_*.py"):
        for function in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert function in functions, f"{path.name}::{function}"


def tried(test):
    """How many examples a property is tried with."""
    return test._hypothesis_internal_use_settings.max_examples


def row(start):
    return next(line.split("|")[2].strip() for line in TEXT.splitlines() if line.startswith(f"| {start}"))


def test_what_was_tried_is_what_the_tests_try():
    marks = test_killed.test_killed_again_and_again_while_trials_run.pytestmark
    (points,) = [mark.args[1] for mark in marks if mark.args]
    (_, inline), (_, workers) = points
    assert row("`kill -9` of a run").startswith(f"{inline + workers + 10 + 1}: {inline} and {workers} while")
    for start, tests in {
        "sequences of kills": [
            test_written.test_runs_killed_at_any_step_leave_nothing_that_looks_edited_and_hide_no_edit
        ],
        "journals with random damage": [
            test_journal.test_of_a_damaged_journal_all_untouched_lines_are_kept_and_nothing_else_is_believed,
            test_journal.test_a_journal_of_any_bytes_is_read_or_refused_in_a_sentence,
            test_journal.test_a_sound_line_of_another_version_is_left_out_or_makes_tables,
        ],
        "command lines": [
            test_parser.test_the_parser_lets_nothing_but_a_user_error_out,
            test_set_values.test_any_text_is_read_or_refused_in_a_sentence,
        ],
        "CSV files": [
            test_datasets.test_any_csv_file_is_loaded_or_refused_in_a_sentence,
            test_datasets.test_any_npz_file_is_loaded_or_refused_in_a_sentence,
        ],
    }.items():
        assert row(start) == "; ".join(str(tried(test)) for test in tests), start
    assert row("errors").startswith(
        f"{len(test_errors.ALL)} cases bring about all {len(list(test_errors.sites()))} places"
    )
