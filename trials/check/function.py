"""Requirements of the function: what can be said of a builder without calling it."""

import inspect
import json
import pickle
from typing import Any

from trials.errors import UserError, first_line
from trials.experiment import FIELDS, Builder
from trials.sources import source_hash


def plain_function(builder: Any) -> str:
    if not inspect.isfunction(builder):
        raise UserError(f"received {builder!r:.80}; define it with def")
    try:
        found = pickle.loads(pickle.dumps(builder))
    except Exception as error:
        raise UserError(
            f"'{builder.__qualname__}' cannot be sent to a worker process ({first_line(error)}); "
            "define it with def at the top level of a file"
        ) from error
    if found is not builder:
        raise UserError(f"'{builder.__qualname__}' is found as another function; give it a name of its own")
    return f"{builder.__module__}.{builder.__name__}" if "user_file_" not in builder.__module__ else builder.__name__


def hashed(builder: Builder) -> str:
    try:
        return f"sha256 {source_hash(builder)[:12]}"
    except (OSError, SyntaxError) as error:
        raise UserError(f"its code cannot be read ({first_line(error)}); define it in a file") from error


def keywords(builder: Builder) -> str:
    for name in ("input_shape", "classes"):
        parameter = inspect.signature(builder).parameters.get(name)
        if parameter is None or parameter.kind not in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            raise UserError(
                f"received {builder.__name__}{inspect.signature(builder)}; "
                f"write def {builder.__name__}(*, input_shape, classes, ...)"
            )
    return ""


def options(builder: Builder) -> str:
    parameters = inspect.signature(builder).parameters.values()
    found = [p for p in parameters if p.name not in ("input_shape", "classes")]
    for option in found:
        if option.kind in (option.VAR_KEYWORD, option.VAR_POSITIONAL, option.POSITIONAL_ONLY):
            raise UserError(f"received {option}, whose names nobody can know; name each option with its default")
        if option.default is option.empty:
            raise UserError(f"'{option.name}' has no default; give it one")
        if option.name in FIELDS:
            raise UserError(f"'{option.name}' is the name of a protocol or data field; rename it")
        try:
            json.dumps(option.default, allow_nan=False)
        except (TypeError, ValueError):
            raise UserError(
                f"'{option.name}' has the default {option.default!r:.80}; "
                "allowed are text, finite numbers, true, false, none, lists, mappings"
            ) from None
    return ", ".join(str(option.replace(annotation=option.empty)) for option in found) or "it has none"
