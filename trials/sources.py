"""Builders and experiments in users' own files: loaded by path, sent as text, known by their hash."""

import ast
import hashlib
import importlib.abc
import importlib.util
import inspect
import re
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trials.environment import import_keras
from trials.errors import UserError, first_line
from trials.experiment import Experiment
from trials.loading import quiet_import

PROJECT = Path(__file__).resolve().parent.parent


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
    _check_helpers(loaded, path)
    return loaded


def _check_helpers(loaded: types.ModuleType, path: Path) -> None:
    """Raises UserError where a module beside the file is not the one that its import found."""
    for name in _imported(ast.parse(loaded.__dict__["__loaded_text__"])):
        beside = path.parent.joinpath(*name.split("."))
        candidates = [file.resolve() for file in (beside.with_suffix(".py"), beside / "__init__.py") if file.is_file()]
        found = _unloaded(sys.modules[name]).get("__file__") if name in sys.modules else None
        if candidates and found and Path(found).resolve() not in candidates and not _is_installed(Path(found)):
            raise UserError(
                f"{path} imports {name}, and got {found} instead of {candidates[0]}.\n"
                "Rename it, or run experiments whose helpers share a name one at a time."
            )


def load_file(path: Path) -> tuple[types.ModuleType, str]:
    """A user's file as a module, and its text. Raises UserError where it cannot be read or run."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"The file {path} cannot be read: {why}.") from error
    module = f"user_file_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    try:
        return load_source(module, path, text), text
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(
            f"The file {path} failed while it was loaded: {first_line(error)}{_where(error, path)}."
        ) from error


def helpers(sources: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Modules that users' files have imported from beside them, as `sources` has the files; packages are left out."""
    folders = {Path(path).parent.resolve() for path, _ in sources.values()}
    found = {}
    for name, module in list(sys.modules.items()):
        file = _unloaded(module).get("__file__") if isinstance(module, types.ModuleType) else None
        path = Path(file).resolve() if file else PROJECT
        if name != "__main__" and name not in sources and path.parent in folders and path.stem == name:
            found[name] = (str(path), path.read_text(encoding="utf-8"))
    return found


class Sent(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """Has Python import modules from the text that was sent of them, whatever this machine has at their paths."""

    def __init__(self, modules: Mapping[str, tuple[str, str]]) -> None:
        self.modules = modules

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        return importlib.util.spec_from_loader(fullname, self) if fullname in self.modules else None

    def get_filename(self, fullname: str) -> str:
        return self.modules[fullname][0]

    def get_source(self, fullname: str) -> str:
        return self.modules[fullname][1]


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
    """sha256 of the code that makes a builder: its identity in a results folder.

    That is its file and the modules this file imports from its own folder and the folders in it.
    Comments, docstrings and layout do not count, nor do the file's own experiments: asking for more
    trials must not make a stranger of the builder beside it.
    """
    module = sys.modules.get(function.__module__)
    try:
        path = inspect.getsourcefile(function)
    except TypeError:
        path = None
    if module is None or path is None:
        raise UserError(
            f"The builder {function!r} comes from no file: its results could not be told apart later.\n"
            "Define it with def in a file."
        )
    digest = hashlib.sha256()
    for tree in _trees(module, Path(path).parent.resolve()):
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()


def _trees(module: types.ModuleType, folder: Path) -> list[ast.Module]:
    """The code of a module and of all modules under `folder` that it imports, itself or through others."""
    found: dict[str, ast.Module] = {}
    waiting = [module]
    while waiting:
        here = waiting.pop(0)
        found[str(_unloaded(here)["__name__"])] = tree = _code(here)
        for name in _imported(tree, _unloaded(here).get("__package__")):
            other = sys.modules.get(name)
            if other is not None and name not in found and _is_helper(other, folder):
                waiting.append(other)
    return list(found.values())


def _is_helper(module: types.ModuleType, folder: Path) -> bool:
    """Whether a module is part of what stands beside a builder: not of this project, nor of an environment."""
    file = _unloaded(module).get("__file__")
    if not file:
        return False
    path = Path(file).resolve()
    if path.parent == folder:
        return True
    ours = PROJECT.is_relative_to(folder) and path.is_relative_to(PROJECT)
    return path.is_relative_to(folder) and not ours and not _is_installed(path)


def _is_installed(path: Path) -> bool:
    return any(path.resolve().is_relative_to(Path(base).resolve()) for base in (sys.prefix, sys.base_prefix))


def _unloaded(module: types.ModuleType) -> dict[str, Any]:
    """What a module holds so far: asking it by attribute would import one that only waits to be loaded lazily."""
    found: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return found


def _imported(tree: ast.Module, package: str | None = None) -> list[str]:
    """Absolute names of modules that may be meant by a file's import statements, in its order."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (package if node.level else node.module):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package or "") if node.level else relative
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _code(module: types.ModuleType) -> ast.Module:
    text = _unloaded(module).get("__loaded_text__")  # what was run, whatever the file says by now
    if text is None:
        text = Path(str(_unloaded(module)["__file__"])).read_text(encoding="utf-8")
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if not _is_experiment(node, module)]
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree


def _is_experiment(node: ast.stmt, module: types.ModuleType) -> bool:
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]  # A = ..., A: Experiment = ...
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return bool(names) and all(type(_unloaded(module).get(name)) is Experiment for name in names)
