"""Builders and experiments in users' own files: loaded by path, sent as text, known by their hash."""

import ast
import hashlib
import inspect
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trials.environment import import_keras, quiet_import
from trials.errors import UserError, first_line
from trials.experiment import Experiment


def load_source(module: str, path: Path, text: str) -> types.ModuleType:
    """Runs a user's file as a module of this name, so that its functions can be sent by name."""
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.append(folder)
    loaded = types.ModuleType(module)
    loaded.__file__ = str(path)
    loaded.__dict__["__loaded_text__"] = text
    sys.modules[module] = loaded
    if re.search(r"^\s*(import|from)\s+(keras|tensorflow)\b", text, re.MULTILINE):
        import_keras()
    with quiet_import():  # a helper of the file may import Keras
        exec(compile(text, str(path), "exec"), loaded.__dict__)
    return loaded


def load_file(path: Path) -> tuple[types.ModuleType, str]:
    """A user's file as a module, and its text. Raises UserError where it cannot be read or run."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UserError(f"The file {path} cannot be read: {error}.") from error
    module = f"user_file_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    try:
        return load_source(module, path, text), text
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code == 143:  # SIGTERM meanwhile
            raise
        raise UserError(
            f"The file {path} failed while it was loaded: {first_line(error)}{_where(error, path)}."
        ) from error


def _where(error: BaseException, path: Path) -> str:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        line = 0  # its message names the line
    return f" (line {line})" if line else ""


def source_hash(function: Callable[..., Any]) -> str:
    """sha256 of the code in a function's file: a builder's identity in a results folder.

    Comments and layout do not count, nor do the file's own experiments: asking for more trials
    must not make a stranger of the builder beside it.
    """
    module = sys.modules.get(function.__module__)
    text = getattr(module, "__loaded_text__", None)  # what was run, whatever the file says by now
    if text is None:
        text = _file_text(function)
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if not _is_experiment(node, module)]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _file_text(function: Callable[..., Any]) -> str:
    try:
        path = inspect.getsourcefile(function)
    except TypeError:
        path = None
    if path is None:
        raise UserError(f"The builder {function!r} comes from no file: its results could not be told apart later.")
    return Path(path).read_text(encoding="utf-8")


def _is_experiment(node: ast.stmt, module: types.ModuleType | None) -> bool:
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]  # A = ..., A: Experiment = ...
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return bool(names) and all(isinstance(getattr(module, name, None), Experiment) for name in names)
