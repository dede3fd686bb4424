"""What did not end well, and how to make the tables again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trials import run_record
from trials.page.grid import Grid
from trials.plots.tables import Row

KINDS = {**dict.fromkeys(("data", "git", "machine", "versions"), dict), "messages": list, "earlier runs": list}


def swept_columns(rows: Sequence[Row]) -> list[str]:
    """The swept hyperparameters, which trials.csv has between variant and trial."""
    columns = list(rows[0]) if rows else []
    return columns[2 : columns.index("trial")] if columns else []


def failures(rows: Sequence[Row]) -> Grid | None:
    """Every trial that is not `ok`, with its reason; None where there is none."""
    labels = ["variant", *swept_columns(rows)]
    head = [*labels, "trial", "seed", "status", "reason"]
    columns = [*labels, "trial", "seed", "status", "error"]
    cells = [[row[name] for name in columns] for row in rows if row["status"] != "ok"]
    return Grid.filled("Trials left out of every average", head, cells, len(labels), "trials.csv") if cells else None


def run(folder: Path) -> dict[str, Any]:
    """run.json, as far as it is what a run writes; empty where there is none that can be read."""
    found = run_record.read(folder)
    earlier = found.get("earlier runs")
    runs = [run for run in earlier if isinstance(run, dict)] if isinstance(earlier, list) else []
    found["earlier runs"] = [run for run in runs if isinstance(run.get("command"), str)]
    return {name: value for name, value in found.items() if isinstance(value, KINDS.get(name, str))}


def facts(record: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, str]:
    """What must be the same for the same numbers, by name: trials, seeds, data, code, versions, machine.

    When and how long it ran, and the machine's name, change nothing and are left out.
    """
    data, git, machine = (record.get(name, {}) for name in ("data", "git", "machine"))
    seeds = sorted({int(row["seed"]) for row in rows})
    dirty = ", with uncommitted changes" if git.get("dirty") else ""
    device = [record.get("engine", ""), record.get("device", ""), record.get("architecture", "")]
    found = {
        "number of trials": record.get("number of trials", ""),
        "seeds": f"{seeds[0]} to {seeds[-1]}: the first trial of every configuration has {seeds[0]}" if seeds else "",
        "data": ", ".join(f"{name} {value}" for name, value in data.items() if value is not None),
        "data checksum (SHA-256)": record.get("data checksum", ""),
        "git commit": f"{git['commit']}{dirty}" if "commit" in git else "",
        "versions": ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items()),
        "engine, device": ", ".join(filter(None, device)),
        "machine": ", ".join(
            str(machine[name]) + (" cores" if name == "cores" else "")
            for name in ("processor", "cores", "platform")
            if machine.get(name)
        ),
        "experiment file": record.get("experiment file") or "",
        "messages": " ".join(map(str, record.get("messages", []))),
    }
    return {name: text for name, text in found.items() if text}


def commands(record: Mapping[str, Any], experiment: str) -> list[str]:
    """The commands of this folder's runs in their order, each once, and the one that makes this page again."""
    runs = [*record.get("earlier runs", []), *([record] if "command" in record else [])]
    report = f"python run_trials.py --report results/{experiment}"
    return [*dict.fromkeys(each["command"] for each in runs), report]
