"""`--set` on the command line: names and the values they are given."""

import re
from typing import Any

from trials.errors import UserError


def values(text: str) -> tuple[str, tuple[Any, ...]]:
    """`name=v1,v2` or `name=start:stop:step` (stop included) as a name and its values."""
    name, equals, right = text.partition("=")
    if not equals or not name or not right:
        raise UserError(f"--set takes NAME=V1,V2,... or NAME=START:STOP:STEP. Received: '{text}'.")
    if re.fullmatch(r"-?\d{1,18}:-?\d{1,18}(:-?\d{1,18})?", right):
        start, stop, step = (*map(int, right.split(":")), 1)[:3]
        if step == 0 or (stop - start) * step < 0 or abs((stop - start) // step) >= 100_000:
            raise UserError(
                f"--set {text}: from {start} to {stop} in steps of {step} is no range of at most 100,000 values."
            )
        return name, tuple(range(start, stop + (1 if step > 0 else -1), step))
    if ":" in right or "" in right.split(","):
        raise UserError(f"--set takes NAME=V1,V2,... or, in whole numbers, NAME=START:STOP:STEP. Received: '{text}'.")
    return name, tuple(value(part) for part in right.split(","))


def all_values(texts: list[str]) -> dict[str, tuple[Any, ...]]:
    """Every --set by name. Raises UserError for a name that is set twice."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, listed in map(values, texts):
        if name in found:
            raise UserError(f"--set {name} is given twice.\nName all its values in one: --set {name}=V1,V2.")
        found[name] = listed
    return found


def value(text: str) -> Any:
    """A number, true, false, none, or the text itself."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def one_value_each(texts: list[str], mode: str) -> dict[str, Any]:
    options = all_values(texts)
    for name, given in options.items():
        if len(given) > 1:
            raise UserError(f"{mode} takes one value for each option: --set {name}={given[0]}. Received {len(given)}.")
    return {name: given[0] for name, given in options.items()}
