"""Every error there is, brought about once: at most three lines, with what was received and what to do, no trace."""

import ast
import sys
from pathlib import Path

import pytest

import run_trials
from tests.conftest import ROOT
from tests.errors.case import INLINE, Case, own
from tests.errors.commands import COMMANDS, FILES
from tests.errors.data import DATA, IMAGES
from tests.errors.declarations import DECLARATIONS, TRAINED
from tests.errors.folders import FOLDERS, held_folders
from trials.errors import UserError

DECLARED = [Case([*INLINE, "--dry-run"], named, own(expression)) for expression, named in DECLARATIONS.items()]
ALL = [*COMMANDS, *FILES, *DECLARED, *DATA, *IMAGES, *TRAINED, *FOLDERS]
MAKERS = {"UserError", "unknown", "damaged", "require"}
MAKERS |= {"_unwritable", "_refusal", "file_name", "positive", "fraction", "plain_values", "identifier"}
"What makes an error in the source: the class, and functions that are given parts of its message."
ELSEWHERE = {
    (
        "trials/executors/processes.py",
        "A worker process ended",
    ): "test_a_builder_that_ends_its_process_whenever_it_is_tried_is_told_in_a_sentence",
    (
        "trials/executors/ray.py",
        "end before they can train",
    ): "test_a_node_whose_workers_never_get_ready_is_named_and_no_trial_blamed",
    ("trials/executors/ray.py", "cannot train:"): "test_a_node_that_cannot_read_a_task_is_named",
}
"Errors that need more than one process, and the test that covers each."


def sites():
    """Every place in the source that makes an error: file, first and last line, the text there.

    Those of trials/check are lines of its report, which tests/check covers.
    """
    files = [
        ROOT / "run_trials.py",
        *(p for part in ("trials", "experiments", "analysis") for p in (ROOT / part).rglob("*.py")),
    ]
    for file in sorted(files):
        name = file.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if "trials/check/" not in name else ():
            called = getattr(node, "func", None)
            if getattr(called, "id", getattr(called, "attr", None)) in MAKERS:
                yield name, node.lineno, node.end_lineno, ast.unparse(node)


def on_disk(folder):
    files = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts and path.name != ".lock")
    return {path: path.read_bytes() if path.is_file() else None for path in files}


def outcome(case, folder, capsys):
    """Exit code, and what stderr says; a call counts as a command whose error is told."""
    if callable(case.words):
        with pytest.raises(UserError) as told:
            case.words()
        return 2, f"{told.value}\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run_trials.py", *case.words])
        before = on_disk(folder)
        code = run_trials.main()
        errors = capsys.readouterr().err
        return code, errors if on_disk(
            folder
        ) == before else f"{errors}CHANGED: {on_disk(folder).keys() ^ before.keys()}"


def wrong(case, code, errors):
    """What is wrong with how an error is told."""
    lines = errors.splitlines()
    yield from [f"exit code {code}"] * (code != 2)
    yield from [f"{len(lines)} lines"] * (not 1 <= len(lines) <= 3)
    yield from [f"{max(map(len, lines))} letters"] * (max(map(len, lines), default=0) > 500)
    yield from (f"not in it: {text}" for text in case.named if text not in errors)
    yield from (f"in it: {text}" for text in ("Traceback", "CHANGED") if text in errors)


def test_every_error_of_the_program_is_told_as_it_should_be(tmp_path, monkeypatch, capsys, keras):
    raised, problems = set(), []

    def recording(self, message, made=UserError.__init__):
        made(self, message)
        frame = sys._getframe(1)
        while frame is not None:
            raised.add((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back

    monkeypatch.setattr(UserError, "__init__", recording)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for number, case in enumerate(ALL):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, content in case.files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            case.arrange(folder)
            patch.delenv("TRIALS_DATA_DIR", raising=False)
            patch.setenv("KERAS_BACKEND", "")  # so that what a command chooses is taken back
            patch.delenv("KERAS_BACKEND")
            for name, value in case.patches.items():
                patch.setattr(name, value)
            for name, value in case.environment.items():
                patch.setenv(name, value)
            code, errors = outcome(case, folder, capsys)
        problems += [f"{case.words}: {each}: {errors}" for each in wrong(case, code, errors)]
    while held_folders:
        held_folders.pop().close()
    lines = {
        (Path(file).relative_to(ROOT).as_posix(), line) for file, line in raised if Path(file).is_relative_to(ROOT)
    }
    missing = [
        f"{file}:{first}: {text}"
        for file, first, last, text in sites()
        if not any((file, line) in lines for line in range(first, last + 1))
        and not any(file == other and words in text for other, words in ELSEWHERE)
    ]
    assert "\n".join(problems) == ""
    assert "\n".join(missing) == ""


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("a\nb\nc", "a\nb\nc"),
        ("no column 'a\nb\nc\nd'\nColumns: e", "no column 'a\nb\nColumns: e"),
        ("\x1b[2J\r\t\0\u2028 \x85\udcff", r"\x1b[2J\r\t\x00\u2028 \x85\udcff"),
        ("é 名前 −\n", "é 名前 −"),
        ("", ""),
    ],
)
def test_an_error_has_three_lines_and_moves_no_cursor_whatever_a_name_holds(message, told):
    assert str(UserError(message)) == told


def test_errors_that_are_raised_elsewhere_have_their_test_there():
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    places = {(file, text) for file, _, _, text in sites()}
    for (file, words), test in ELSEWHERE.items():
        assert f"def {test}(" in tests
        assert any(file == other and words in text for other, text in places)
