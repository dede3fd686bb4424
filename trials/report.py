"""What a run says at its end: the table, published figures beside measured ones, and where the files are."""

import os
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from trials import comparisons, published, statistics
from trials.errors import UserError
from trials.experiment import Experiment
from trials.journal import Record, Row
from trials.splits import counts
from trials.store import Folder, Table
from trials.tables import grouped, write_tables

MOST_COMPARISONS = 20
"Lines that a terminal shows of comparisons.csv."


@dataclass(frozen=True)
class Report:
    """What is said of a results folder: on a terminal, and in a sentence."""

    text: str
    conclusion: str


def write(folder: Folder, declared: Experiment, extent: tuple[int, int] | None) -> Report:
    """Derives every table of a results folder from its journal.

    `extent` is the number of samples and of those in a fixed test set, None where the data cannot be had any more.
    """
    test_size = None if extent is None else counts(declared.data, *extent)["test"]
    records = folder.ordered(declared)
    groups = grouped(records)
    configurations = [comparisons.measured(group, declared.data.test_fraction) for group in groups]
    compared = comparisons.comparison_rows(configurations)
    conclusion = " ".join([comparisons.conclusion(configurations, compared), *_flattery(configurations, groups)])
    figures = published.rows_of(declared, records, folder.header["data"])
    further: dict[str, Table] = {
        "comparisons.csv": (comparisons.COLUMNS, compared),
        "published.csv": (published.COLUMNS, figures),
    }
    summary = write_tables(folder, declared, test_size, further)
    source = f" ({declared.source})" if declared.source else ""
    blocks = [
        f"{declared.name}{source}: test accuracy (a fraction) over n trials",
        summary_table(summary, folder.header["swept"]),
        comparisons_table(compared, MOST_COMPARISONS),
        textwrap.fill(conclusion, 100),
        published.text_of(figures),
    ]
    return Report("\n\n".join(block for block in blocks if block), conclusion)


def _flattery(configurations: Sequence[comparisons.Measured], groups: Sequence[Sequence[Record]]) -> Iterable[str]:
    """What picking the best of several test accuracies adds, where no validation split could have chosen."""
    if any(group[0].key["data"]["validation_fraction"] is not None for group in groups):
        return
    known = [each.accuracies for each in configurations if each.accuracies]
    seeds = sorted(set.intersection(*map(set, known))) if known else []
    bias = statistics.selection_bias(np.array([[each[seed] for seed in seeds] for each in known], ndmin=2))
    if bias is not None:
        points = f"{100 * bias:.2f}"
        yield (
            "There is no validation split to choose on: the best row of this test table is flattered, "
            f"by {'less than 0.01' if points == '0.00' else f'about {points}'} points for the luck of the trials alone."
        )


def write_pages(folder: Path, question: str, conclusion: str) -> str:
    """Writes a results folder's figures and page and the index above it, from its tables; returns where they are.

    Raises UserError where they cannot be written.
    """
    from trials import page

    try:
        made, index = page.write(folder, question, conclusion), page.write_index(folder.parent)
    except OSError as error:
        raise UserError(
            f"The page in {folder} cannot be written: {error.strerror or error} "
            f"({error.filename2 or error.filename}). The tables are there.\n"
            f"Later: python run_trials.py --report {folder}"
        ) from error
    return f"Page: {made}  (all pages: {index})" if index else f"Page: {made}"


def tables(folder: Path) -> str:
    """Where the tables are, those to read first first."""
    first = ["summary.csv", "comparisons.csv", "trials.csv", "epochs.csv", "published.csv"]
    found = sorted(path.name for path in folder.glob("*.csv"))
    names = [name for name in first if name in found] + [name for name in found if name not in first]
    return f"Tables: {folder}{os.sep}  ({', '.join(names)})"


def summary_table(summary: Sequence[Row], swept: Sequence[str]) -> str:
    """The end of a run for people: one line a configuration, test accuracy with its spread."""
    several = len({row["variant"] for row in summary}) > 1 or not swept
    failed = any(row["failed"] for row in summary)
    headers = [
        *(["variant"] if several else []),
        *swept,
        "n",
        *(["failed"] if failed else []),
        "mean",
        "std",
        "95 % interval",
        "min",
        "max",
    ]
    lines = []
    for row in summary:
        lines.append(
            [
                *([row["variant"]] if several else []),
                *(row.get(name, "") for name in swept),
                row["n"],
                *([row["failed"]] if failed else []),
                _figure(row["test_accuracy_mean"]),
                _figure(row["test_accuracy_std"]),
                _interval(row["test_accuracy_ci95_low"], row["test_accuracy_ci95_high"], _figure),
                _figure(row["test_accuracy_min"]),
                _figure(row["test_accuracy_max"]),
            ]
        )
    return tabulate(
        lines, headers, disable_numparse=True, colalign=["left" if h == "variant" else "right" for h in headers]
    )


def comparisons_table(rows: Sequence[Row], most: int | None = None) -> str:
    """Comparisons for people, differences in percentage points, with what is noted of them; empty without any.

    Of more than `most` those that show a difference come first.
    """
    if not rows:
        return ""
    if most is not None and len(rows) > most:
        rows = sorted(rows, key=lambda row: row["verdict"] not in comparisons.BETTER.values())
    lines = [
        [
            row["first"],
            row["second"],
            row["n"],
            _points(row["difference_mean"]),
            _interval(row["difference_ci95_low"], row["difference_ci95_high"], _points),
            _figure(row["p_holm"]),
            row["verdict"],
        ]
        for row in rows[:most]
    ]
    headers = ["first", "second", "pairs", "second - first, points", "95 % interval", "p (Holm)", "verdict"]
    aligned = ["left", "left", "right", "right", "right", "right", "left"]
    table = tabulate(lines, headers, disable_numparse=True, colalign=aligned)
    more = [f"... and {len(rows) - len(lines)} more in comparisons.csv"] if len(rows) > len(lines) else []
    return "\n".join([table, *more, *_remarks(rows)])


def _remarks(rows: Sequence[Row]) -> Iterable[str]:
    """How a table of comparisons is to be read, and its notes, each once."""
    if len(rows) > 1:
        yield "Each interval is of one difference alone; p is adjusted for the number of comparisons (Holm)."
    notes = dict.fromkeys(row["note"] for row in rows if row["note"])
    for note in notes:
        of = [row for row in rows if row["note"] == note]
        which = f"{of[0]['first']} and {of[0]['second']}" if len(of) == 1 else f"{len(of)} of {len(rows)}"
        yield f"{which}: {note}."


def failures(records: Sequence[Record]) -> list[str]:
    """One line for each way in which trials failed."""
    ways: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.result.status != "ok":
            ways.setdefault((record.result.status, record.result.error), []).append(record)
    return [f"{len(found)} {status}: {error} (first: {_name(found[0])})" for (status, error), found in ways.items()]


def _name(record: Record) -> str:
    values = "".join(f" {name}={value}" for name, value in record.key["values"].items())
    return f"{record.key['variant']}{values}, trial {record.result.trial}, seed {record.result.seed}"


def _figure(value: Any) -> str:
    return "" if value is None else f"{value:.4f}"


def _points(difference: float | None) -> str:
    return "" if difference is None else f"{round(100 * difference, 2) + 0.0:+.2f}"  # no minus before 0.00


def _interval(low: float | None, high: float | None, show: Callable[[Any], str]) -> str:
    return "" if low is None or high is None else f"{show(low)} to {show(high)}"
