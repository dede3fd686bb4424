"""What a run says at its end: the table, published figures beside measured ones, and where the files are."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from trials import comparisons, statistics
from trials.datasets import declaration
from trials.experiment import Configuration, Experiment, Published
from trials.keys import configuration_place, difference, differences
from trials.splits import counts
from trials.store import Folder, Record, Row, epoch_row
from trials.tables import grouped, write_tables

PUBLISHED_COLUMNS = (
    "source",
    "metric",
    "where",
    "published",
    "runs",
    "measured_mean",
    "prediction95_low",
    "prediction95_high",
    "verdict",
    "note",
)


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
    summary = write_tables(folder, declared, test_size)
    records = folder.ordered(declared)
    groups = grouped(records)
    configurations = [_accuracies(group, declared) for group in groups]
    compared = comparisons.comparison_rows(configurations)
    folder.write_table("comparisons.csv", comparisons.COLUMNS, compared)
    conclusion = " ".join([comparisons.conclusion(configurations, compared), *_flattery(configurations, groups)])
    published = published_rows(declared, records, folder.header["data"])
    folder.write_table("published.csv", PUBLISHED_COLUMNS, published)
    source = f" ({declared.source})" if declared.source else ""
    title = f"{declared.name}{source}: test accuracy (a fraction) over n trials"
    conclusion_text = textwrap.fill(conclusion, 100)
    blocks = [title, summary_table(summary, folder.header["swept"]), conclusion_text, published_text(published)]
    return Report("\n\n".join(block for block in blocks if block), conclusion)


def _accuracies(group: Sequence[Record], declared: Experiment) -> comparisons.Measured:
    """A configuration's test accuracies by seed, and how much of the data its trials' own test sets are."""
    key = group[0].key
    ok = (record.result for record in group if record.result.status == "ok")
    good = {result.seed: accuracy for result in ok if (accuracy := result.metrics["test_accuracy"]) is not None}
    held_out, validation = declared.data.test_fraction, key["data"]["validation_fraction"] or 0
    ratio = held_out / ((1 - held_out) * (1 - validation)) if held_out and key["data"]["split_seed"] is None else 0.0
    return comparisons.Measured(key["variant"], key["values"], good, ratio)


def _flattery(configurations: Sequence[comparisons.Measured], groups: Sequence[Sequence[Record]]) -> Iterable[str]:
    """What picking the best of several test accuracies adds, where no validation split could have chosen."""
    if any(group[0].key["data"]["validation_fraction"] is not None for group in groups):
        return
    known = [each.accuracies for each in configurations if each.accuracies]
    seeds = sorted(set.intersection(*map(set, known))) if known else []
    bias = statistics.selection_bias(np.array([[each[seed] for seed in seeds] for each in known], ndmin=2))
    if bias is not None:
        yield (
            "There is no validation split to choose on: the best row of this test table is flattered, "
            f"by about {100 * bias:.2f} points for the luck of the trials alone."
        )


def tables(folder: Path) -> list[str]:
    """The names of the tables that are there, those to read first first."""
    first = ["summary.csv", "comparisons.csv", "trials.csv", "epochs.csv", "published.csv"]
    found = sorted(path.name for path in folder.glob("*.csv"))
    return [name for name in first if name in found] + [name for name in found if name not in first]


@dataclass(frozen=True)
class _Measured:
    """A declared configuration, its records, and in what these were trained otherwise than declared."""

    configuration: Configuration
    group: Sequence[Record]
    changes: Sequence[str]


def published_rows(declared: Experiment, records: Sequence[Record], data: Mapping[str, Any]) -> list[Row]:
    """Each published figure beside the interval in which the mean of that many new runs would fall.

    `data` is what the folder's header says of the data that all its trials read.
    """
    groups = {group[0].place: group for group in grouped(records)}
    read = _names(difference(dict(data), declaration(declared.data))[0])
    measured = []
    for configuration in declared.configurations():
        group = groups.get(configuration_place(configuration), [])
        changes = [*_changes(configuration, group), *read] if group else []
        measured.append(_Measured(configuration, group, changes))
    return [_published_row(figure, measured) for figure in declared.published]


def _published_row(figure: Published, all_measured: Sequence[_Measured]) -> Row:
    row = {
        "source": figure.source,
        "metric": figure.metric,
        "where": " ".join(f"{name}={value}" for name, value in figure.where.items()),
        "published": figure.value,
        "runs": figure.runs,
        "note": ". ".join(part for part in (figure.unlike, figure.note) if part),
    }
    matching = [each for each in all_measured if _covers(figure, each.configuration)]
    measured = [[value for record in each.group for value in _measured(record, figure)] for each in matching]
    if not measured or not all(measured):
        return {**row, "verdict": "not measured"}
    row["measured_mean"] = sum(sum(values) / len(values) for values in measured) / len(measured)
    interval = statistics.prediction_interval(measured, figure.runs)
    if interval is not None:
        row |= {"measured_mean": interval[0], "prediction95_low": interval[1], "prediction95_high": interval[2]}
    changed = sorted({change for each in matching for change in each.changes})
    if changed:
        return {**row, "verdict": "not comparable", "note": f"changed here: {', '.join(changed)}"}
    if figure.unlike:
        return {**row, "verdict": "not like with like"}
    if interval is None:
        return {**row, "verdict": "no interval from one trial"}
    return {**row, "verdict": "inside" if interval[1] <= figure.value <= interval[2] else "outside"}


def _covers(figure: Published, configuration: Configuration) -> bool:
    point = {"variant": configuration.variant.name, "epoch": figure.where.get("epoch"), **configuration.values}
    return all(point.get(name) == value for name, value in figure.where.items())


def _measured(record: Record, figure: Published) -> list[float]:
    """The record's value for a published figure, as the source computes it; none where it has none."""
    if record.result.status != "ok":
        return []
    values: Mapping[str, Any] = record.result.metrics
    if "epoch" in figure.where:
        curve = [epoch for epoch in record.result.curve if epoch.epoch == figure.where["epoch"]]
        values = epoch_row(curve[0]) if curve else {}
    value = values.get(figure.metric)
    return [] if value is None else [value * figure.factor]


def _changes(declared: Configuration, group: Sequence[Record]) -> list[str]:
    """In what the trained configuration differs from the declared one, as `epochs=1`."""
    found: list[str] = []
    for part, (trained, _) in differences(group[0].key, declared).items():
        found += _names(trained) if isinstance(trained, dict) else [f"the {part}"]
    return found


def _names(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


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
        low, high = row["test_accuracy_ci95_low"], row["test_accuracy_ci95_high"]
        lines.append(
            [
                *([row["variant"]] if several else []),
                *(row.get(name, "") for name in swept),
                row["n"],
                *([row["failed"]] if failed else []),
                _figure(row["test_accuracy_mean"]),
                _figure(row["test_accuracy_std"]),
                "" if low is None else f"{low:.4f} to {high:.4f}",
                _figure(row["test_accuracy_min"]),
                _figure(row["test_accuracy_max"]),
            ]
        )
    return tabulate(
        lines, headers, disable_numparse=True, colalign=["left" if h == "variant" else "right" for h in headers]
    )


def published_text(rows: Sequence[Row]) -> str:
    """Published beside measured: two lines a figure, and of learning curves a table of how many agree."""
    curves = [row for row in rows if "epoch=" in row["where"]]
    blocks = ["\n".join(_published_lines(row) for row in rows if "epoch=" not in row["where"])]
    if curves:
        blocks.append(_curves_text(curves))
    return "\n\n".join(block for block in blocks if block)


def _published_lines(row: Row) -> str:
    what = " ".join(part for part in (row["source"], row["metric"].replace("_", " "), row["where"]) if part)
    text = f"Published ({what}): {row['published']:.4f}"
    if row.get("measured_mean") is not None:
        text += f"; measured: {row['measured_mean']:.4f}"
    if row.get("prediction95_low") is not None:
        text += f", such a figure would fall in {row['prediction95_low']:.4f} to {row['prediction95_high']:.4f}"
    text += f": {row['verdict']}."
    return f"{text}\n  {row['note']}." if row["note"] else text


def _curves_text(rows: Sequence[Row]) -> str:
    """Of published learning curves: how many of their cells fall outside, and how many would by chance."""
    judged = [row for row in rows if row["verdict"] in ("inside", "outside")]
    others = [row for row in rows if row not in judged]
    verdicts = ", ".join(sorted({row["verdict"] for row in others}))
    changed = sorted({row["note"] for row in others if row["verdict"] == "not comparable"})
    told = (
        "; ".join([f"Published learning curves: {len(others)} figures, {verdicts}", *changed]) + "." if others else ""
    )
    if not judged:
        return told
    cells: dict[str, dict[str, list[Row]]] = {}
    for row in judged:
        cells.setdefault(row["where"].rpartition(" epoch=")[0], {}).setdefault(row["metric"], []).append(row)
    metrics = list(dict.fromkeys(row["metric"] for row in judged))
    lines = [[variant, *(_outside(found.get(metric, [])) for metric in metrics)] for variant, found in cells.items()]
    outside = sum(row["verdict"] == "outside" for row in judged)
    text = (
        f"Published learning curves, {len(judged)} cells: {outside} outside the 95 % prediction interval of ours; "
        f"by chance alone {0.05 * len(judged):.3g} would be.\nOutside, by variant and metric:\n"
        + tabulate(lines, ["", *(metric.replace("_", " ") for metric in metrics)], disable_numparse=True)
    )
    return f"{text}\n{told}" if others else text


def _outside(rows: Sequence[Row]) -> str:
    return f"{sum(row['verdict'] == 'outside' for row in rows)} of {len(rows)}" if rows else ""


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
