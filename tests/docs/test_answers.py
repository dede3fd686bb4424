"""docs/answers.md: every question is answered, the code prints what is shown, and no number stands without a source."""

import contextlib
import io
import re
import shlex
import signal

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
QUESTIONS = [
    *(f"S001 Q{question}" for question in ("1a", "1b", "1c", "2a", "2b", "2c", "2d", "3a", "3b", "3c")),
    *(f"S002 P{problem}" for problem in ("1.1", "3.1", "3.2", "3.3", "3.4a", "3.4b", "3.4c", "3.4d")),
    *("S003 Q1", "S003 Q2", "S003 Q3", "S004 T1", "S004 T2", "S004 T3"),
]
"S000 asks S001's questions 1 to 3."
WRONG = {
    "S001 Q1b": {"63"},
    "S001 Q1c": {"50"},
    "S002 P3.1": {"224"},
    "S002 P3.2": {"138M", "24M"},
    "S002 P3.4c": {"301989888", "838860800", "1174405120", "83886080"},
    "S002 P3.4d": {"2.955"},
    "S003 Q1": {"-6"},
    "S003 Q2": {"6", "16"},
}
"What only a document says, and no output."
PARTS = re.split(r"^### ((\S+ \w+(?:\.\w+)?): .+)\n", PAGE, flags=re.M)
TITLES = dict(zip(PARTS[2::3], PARTS[1::3], strict=True))
SECTIONS = {name: re.split(r"^## ", text, flags=re.M)[0] for name, text in zip(PARTS[2::3], PARTS[3::3], strict=True)}
ROWS = re.findall(r"^\| \[([^]]+)\]\(#([^)]+)\) \| (.+) \|$", PAGE, re.M)
PYTHON = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", PAGE, re.M | re.S)
COMMANDS = re.findall(r"^```\npython (run_trials\.py [^\n]*)\n```\n\n```text\n(.*?)^```\n", PAGE, re.M | re.S)
SUM = re.compile(r"([-\d.+*/() ]+) = (-?[\d,.]+)")


def test_every_question_has_a_section_and_a_row_that_leads_to_it():
    assert list(SECTIONS) == QUESTIONS
    assert [row[0] for row in ROWS] == QUESTIONS
    # as GitHub makes anchors of headings
    assert [row[1] for row in ROWS] == [re.sub(r"[^\w -]", "", TITLES[n].lower()).replace(" ", "-") for n in QUESTIONS]


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_section_asks_answers_computes_and_judges(name):
    section = SECTIONS[name]
    assert section.count("**Asked.**") == section.count("**Answer.**") == 1
    assert "```python\n" in section or name == "S002 P1.1"  # two definitions
    assert "**The document**" in section or name in ("S004 T1", "S004 T2")  # nothing to judge


def test_the_code_prints_what_the_page_shows(keras):
    session: dict[str, object] = {}
    assert len(PYTHON) == PAGE.count("```python")
    for code, shown in PYTHON:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, session)
        assert printed.getvalue() == shown, code


@pytest.mark.parametrize(("line", "shown"), COMMANDS, ids=[line.split()[-1] for line, _ in COMMANDS])
def test_the_commands_print_what_the_page_shows(line, shown, keras, capsys, monkeypatch):
    import run_trials

    monkeypatch.setattr("sys.argv", shlex.split(line))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert run_trials.main() == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert set(shown.splitlines()) <= set(capsys.readouterr().out.splitlines())


def test_every_command_is_tested():
    assert len(COMMANDS) == PAGE.count("run_trials.py") == 3


@pytest.mark.parametrize("name", QUESTIONS)
def test_sums_in_the_text_are_right_and_printed(name):
    for span in code_spans(name):
        found = SUM.fullmatch(span)
        assert found or re.search("[A-Za-z]", span), f"neither a name, a formula nor a sum: {span}"
        if found:
            result = plain(found[2])
            assert round(eval(found[1]), len(result.partition(".")[2])) == float(result), span
            assert result.lstrip("-") in unsigned(printed(name)), span


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_number_of_the_text_is_printed_or_a_documents(name):
    text = re.sub(r"\*\*Asked\.\*\*.*?\n\n|`[^`]*`|(et al\.|and \w+)\s+\d{4}", " ", prose(name), flags=re.S)
    assert numbers(text) - printed(name) == WRONG.get(name, set())


@pytest.mark.parametrize(("name", "cells"), [(row[0], row[2]) for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_number_of_the_table_is_printed_in_its_section(name, cells):
    assert numbers(re.sub(r"`[^`]*`", " ", cells)) <= printed(name)


def prose(name):
    return re.sub(r"^```.*?^```\n", "", SECTIONS[name], flags=re.M | re.S)


def code_spans(name):
    return [" ".join(span.split()) for span in re.findall("`([^`]*)`", prose(name))]


def printed(name):
    return numbers(" ".join(re.findall(r"^```text\n(.*?)^```", SECTIONS[name], re.M | re.S)))


def numbers(text):
    """The numbers of a text, without commas; digits of a name, as in w1, are none."""
    apart = re.sub(r"(?<=\d)x(?=\d)", " x ", text)
    return {plain(one) for one in re.findall(r"(?<![\w.^-])[-+]?\d[\d,]*(?:\.\d*)?M?(?!\w)", apart)}


def unsigned(found):
    return {number.lstrip("-") for number in found}


def plain(number):
    """1,234. and +1234 as 1234."""
    return number.replace(",", "").removeprefix("+").rstrip(".")
