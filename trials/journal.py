"""The journal's lines: a header or a finished trial each, sealed by a checksum."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from trials.engines.results import Epoch, Figures, TrialResult
from trials.experiment import BATCH_LOSS, METRICS
from trials.keys import Place, place

Row = Mapping[str, Any]
SEAL = ', "sha256": "'
"Ahead of a line's last value: the checksum of the line without it."
HEADER = {"experiment": str, "swept": list, "data": dict, "data checksum": str, "versions": dict}
"What a header must say for its trials to be read without knowing what was asked."
KEY = {**dict.fromkeys(("variant", "builder", "source"), str), **dict.fromkeys(("values", "options"), dict)}
KEY |= dict.fromkeys(("protocol", "data"), dict)
RESULT: dict[str, Any] = {
    **dict.fromkeys(("trial", "seed", "epochs"), int),
    **dict.fromkeys(("best_epoch", "parameters"), int | None),
    **dict.fromkeys(("status", "error", "engine", "weights_sha256"), str),
    **dict.fromkeys(("metrics", "notes", "batch_norm"), dict),
    "seconds": float,
    "weights": bytes,
}
STATUSES = ("ok", "diverged", "failed", "timeout")


@dataclass(frozen=True)
class Record:
    """A finished trial as the journal holds it."""

    key: Mapping[str, Any]
    result: TrialResult
    finished: str
    host: str

    @property
    def place(self) -> Place:
        return place(self.key)


def header_line(header: Mapping[str, Any]) -> str:
    return _sealed({"record": "header", "header": header})


def trial_line(record: Record) -> str:
    """The weights themselves are not in it, only their checksum."""
    result = {each.name: getattr(record.result, each.name) for each in fields(record.result) if each.name != "weights"}
    result["curve"] = [epoch_row(epoch) for epoch in record.result.curve]
    entry = {"key": record.key, "result": result, "finished": record.finished, "host": record.host}
    return _sealed({"record": "trial", **entry})


def _sealed(entry: Mapping[str, Any]) -> str:
    text = json.dumps(entry, sort_keys=True)
    return f'{text[:-1]}{SEAL}{_checksum(text)}"}}\n'


def checked(line: str) -> dict[str, Any] | None:
    """A line's content, or None if it is torn or changed."""
    start, _, seal = line.rstrip("\n").rpartition(SEAL)
    text = start + "}"
    try:
        entry = json.loads(text) if seal == _checksum(text) + '"}' else None
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def header_of(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The header that a line holds; None where it holds none."""
    header = entry.get("header") if entry.get("record") == "header" else None
    return header if isinstance(header, dict) else None


def first_header(journal: Path) -> Mapping[str, Any] | None:
    with open(journal, encoding="utf-8", errors="replace") as lines:
        found = (header_of(checked(line) or {}) for line in lines)
        return next((header for header in found if header is not None), None)


def is_complete(header: Mapping[str, Any]) -> bool:
    """Whether trials can be read with nothing but this header."""
    kinds = all(isinstance(header.get(name), kind) for name, kind in HEADER.items())
    return kinds and all(isinstance(name, str) for name in header["swept"])


def lines_text(numbers: Sequence[int]) -> str:
    """Some line numbers in a few words."""
    named = ", ".join(map(str, numbers[:3]))
    more = f" and {len(numbers) - 3:,} more" if len(numbers) > 3 else ""
    return f"line{'s' if len(numbers) > 1 else ''} {named}{more}"


def record_of(entry: Mapping[str, Any], keys: dict[str, Mapping[str, Any]]) -> Record | None:
    """The trial that a line holds; None where it is not one as this version writes them.

    `keys` holds those read so far, so that equal ones take memory once.
    """
    try:
        key = keys.setdefault(json.dumps(entry["key"], sort_keys=True), entry["key"])
        result = {**entry["result"], "curve": [_epoch(row) for row in entry["result"]["curve"]]}
        record = Record(key, TrialResult(**result), entry["finished"], entry["host"])
        return record if _is_whole(record) else None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _is_whole(record: Record) -> bool:
    """Whether everything is there that tables are made of, each of its kind."""
    key, result = record.key, record.result
    metrics = [(name, result.metrics[name]) for name in (METRICS if result.status == "ok" else result.metrics)]
    curve = [pair for epoch in result.curve for pair in epoch_row(epoch).items() if pair[0] != "epoch"]
    channels = [list(layer.values()) for layer in result.batch_norm.values()]
    return (
        all(isinstance(key[name], kind) for name, kind in KEY.items())
        and all(_is_a(getattr(result, name), kind) for name, kind in RESULT.items())
        and isinstance(record.finished, str)
        and isinstance(record.host, str)
        and _is_a(key["data"]["validation_fraction"], float | None)
        and _is_a(key["data"]["split_seed"], int | None)
        and result.status in STATUSES
        and (result.status != "ok" or 1 <= (result.best_epoch or result.epochs) <= len(result.curve))
        and all(_is_figure(name, value) for name, value in (*metrics, *curve))
        and all(_is_a(epoch.epoch, int) for epoch in result.curve)
        and all(_is_a(value, float) for layer in channels for values in layer for value in values)
        and all(len({len(values) for values in layer}) <= 1 for layer in channels)
    )


def _is_figure(name: str, value: Any) -> bool:
    return value is None or (_is_a(value, float) and (not name.endswith("accuracy") or 0 <= value <= 1))


def _is_a(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def epoch_row(epoch: Epoch) -> dict[str, Any]:
    """One epoch of a learning curve as epochs.csv and the journal hold it."""
    row: dict[str, Any] = {"epoch": epoch.epoch, "train_accuracy": epoch.train_accuracy, "train_loss": epoch.train_loss}
    for name in ("validation", "test"):
        figures: Figures | None = getattr(epoch, name)
        if figures is not None:
            row |= {f"{name}_accuracy": figures.accuracy, f"{name}_loss": figures.loss}
    if epoch.test is not None and epoch.test.loss_over_batches is not None:
        row[BATCH_LOSS] = epoch.test.loss_over_batches
    return row


def _epoch(row: Row) -> Epoch:
    def figures(name: str) -> Figures | None:
        if f"{name}_accuracy" not in row:
            return None
        return Figures(row[f"{name}_accuracy"], row[f"{name}_loss"], row.get(BATCH_LOSS) if name == "test" else None)

    return Epoch(row["epoch"], row["train_loss"], row["train_accuracy"], figures("validation"), figures("test"))
