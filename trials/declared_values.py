"""What a value in a declaration must be: each requirement told in words."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from trials.errors import UserError

LONGEST_NAME = 100
RESERVED_NAMES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}


def require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)


def file_name(kind: str, name: str, signs: str) -> None:
    """Names become those of files and folders on any system, and cells that no spreadsheet takes for formulas."""
    listed = " and ".join([", ".join(f"'{sign}'" for sign in signs[:-1]), f"'{signs[-1]}'"])
    require(
        bool(re.fullmatch(rf"\w[\w{re.escape(signs)}]{{0,{LONGEST_NAME - 1}}}", name)),
        f"{kind}'s name is made of at most {LONGEST_NAME} letters, digits, {listed}; the first is a letter, a digit or "
        f"'_'. Received: {name!r:.120}.",
    )
    reserved = name.partition(".")[0].upper() in RESERVED_NAMES or name.endswith(".")
    require(not reserved, f"{kind}'s name must not be one that Windows reserves, nor end with '.'. Received: {name!r}.")


def positive(name: str, value: Any) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    require(whole and value >= 1, f"{name} must be a whole number of at least 1. Received: {value!r}.")


def fraction(name: str, value: Any) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    require(number and 0 < value < 1, f"{name} must lie between 0 and 1. Received: {value!r}.")


def plain_values(name: str, value: Any) -> None:
    """Declarations are compared and recorded, so they must be plain and equal to themselves."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise UserError(
            f"{name} must be made of plain values: text, finite numbers, true, false, none, lists, mappings. "
            f"Received: {value!r:.120}."
        ) from None


def identifier(name: str, value: Any) -> None:
    named = isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("class_name"), str))
    require(named, f"{name} must be a Keras name or {{'class_name': ..., 'config': ...}}. Received: {value!r:.120}.")
    plain_values(name, value)


def numbers(value: Any, above_zero: bool = False) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(
        isinstance(part, (int, float))
        and not isinstance(part, bool)
        and math.isfinite(part)
        and (part > 0 or not above_zero)
        for part in parts
    )
