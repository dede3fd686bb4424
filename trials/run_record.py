"""run.json as it is read back: what a folder's last run said of itself, and of the runs before it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trials.journal import is_complete

NAME = "run.json"


def read(folder: Path) -> dict[str, Any]:
    """What run.json holds; empty where there is none that can be read."""
    try:
        found = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def earlier_runs(folder: Path) -> list[Any]:
    """What is kept of the runs before the next one."""
    record = read(folder)
    if not record:
        return []
    before = record.get("earlier runs")
    last = {name: record.get(name) for name in ("command", "started", "trials trained", "git", "machine")}
    return [*(before if isinstance(before, list) else []), last]


def header(folder: Path) -> Mapping[str, Any] | None:
    """The journal's header as run.json repeats it; None where it does not."""
    record = read(folder)
    return record if is_complete(record) else None
