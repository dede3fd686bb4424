"""Published figures beside measured ones: what is compared, the verdict, and how people read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from trials import statistics
from trials.datasets import declaration
from trials.experiment import Configuration, Experiment, Published
from trials.journal import Record, Row, epoch_row
from trials.keys import configuration_place, difference, differences
from trials.tables import grouped

COLUMNS = (
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
class _Measured:
    """A declared configuration, its records, and in what these were trained otherwise than declared."""

    configuration: Configuration
    group: Sequence[Record]
    changes: Sequence[str]


def rows_of(declared: Experiment, records: Sequence[Record], data: Mapping[str, Any]) -> list[Row]:
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


def text_of(rows: Sequence[Row]) -> str:
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
