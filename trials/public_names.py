"""TensorFlow's public names, each loaded when it is first used: a third of the time that its import takes.

`tf.nn`, `tf.math` and some hundred modules more hold nothing but imports, of all that TensorFlow offers: TPUs,
converters, recurrent layers of a former Keras. Here such a page is read, and a name on it imported when asked for.
"""

import ast
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

PAGES = "tensorflow._api.v2."
SHADOWED = ("distribute", "lite")
"Pages whose names packages of TensorFlow's own have too: loaded later, these would take the pages' places."

UNWRAPPED = "not isinstance(_sys.modules[__name__], _module_wrapper.TFModuleWrapper)"
"What the pages of `tf.compat.v1` ask at their end, to wrap themselves in a module that offers the same names."


def import_tensorflow() -> None:
    """Imports TensorFlow, if nobody has; the pages that it loads, now or later, are read and not run."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    tensorflow = importlib.import_module("tensorflow")
    pages = {name: vars(tensorflow)[name] for name in SHADOWED}
    for name in SHADOWED:
        importlib.import_module(f"tensorflow.{name}")
    vars(tensorflow).update(pages)


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path, target) if name.startswith(PAGES) else None
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _Page(found.loader)
        return found


class _Page(Loader):
    def __init__(self, loader: SourceFileLoader) -> None:
        self.loader = loader

    def exec_module(self, module: ModuleType) -> None:
        places = _places(self.loader.get_source(module.__name__) or "")
        if places is None:
            self.loader.exec_module(module)
            return

        def look_up(name: str) -> Any:
            if name in places:
                found = _imported(*places[name], into=module.__name__)
                setattr(module, name, found)
                return found
            beside = f"{module.__name__.replace(PAGES, 'tensorflow.')}.{name}"
            if beside in sys.modules:  # of such a package: `import tensorflow.lite.python as x` looks for it here
                return sys.modules[beside]
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)

        vars(module).update(__getattr__=look_up, __dir__=lambda: sorted({*vars(module), *places}))


def _places(source: str) -> Mapping[str, tuple[str, str]] | None:
    """Where each name of a page comes from: its module and its name there. None where the page holds anything else."""
    places: dict[str, tuple[str, str]] = {}
    page = ast.parse(source)
    for line in page.body[ast.get_docstring(page) is not None :]:
        if isinstance(line, ast.ImportFrom) and line.module and not line.level and line.names[0].name != "*":
            places |= {each.asname or each.name: (line.module, each.name) for each in line.names}
        elif isinstance(line, ast.Import):
            if not all((each.asname or "").startswith("_") for each in line.names):
                return None
        elif not isinstance(line, ast.If) or ast.unparse(line.test) != UNWRAPPED:
            return None
    return places


def _imported(module: str, name: str, into: str) -> Any:
    """What `from module import name` would find; `into` is the page that asks, whose own modules are not yet on it."""
    if module == into:
        return importlib.import_module(f"{module}.{name}")
    return getattr(importlib.import_module(module), name)
