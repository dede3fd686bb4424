"""What a run says at its end: the table, published figures beside measured ones, and where the files are."""

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from trials import statistics
from trials.experiment import Experiment, Published
from trials.store import Folder, Record, Row, grouped, plain

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


def published_rows(declared: Experiment, records: Sequence[Record], deviations: Sequence[str]) -> list[Row]:
    """Each published figure beside the interval in which the mean of that many new runs would fall."""
    return [_published_row(figure, declared, records, deviations) for figure in declared.published]


def _published_row(
    figure: Published, declared: Experiment, records: Sequence[Record], deviations: Sequence[str]
) -> Row:
    groups = _matching(figure, declared, records)
    row = {
        "source": figure.source,
        "metric": figure.metric,
        "where": " ".join(f"{name}={value}" for name, value in figure.where.items()),
        "published": figure.value,
        "runs": figure.runs,
        "note": ". ".join(part for part in (figure.unlike, figure.note) if part),
    }
    if groups is None:
        return {**row, "verdict": "not measured"}
    measured = sum(sum(group) / len(group) for group in groups) / len(groups)
    row["measured_mean"] = measured
    interval = statistics.prediction_interval(groups, figure.runs)
    if interval is not None:
        row |= {"measured_mean": interval[0], "prediction95_low": interval[1], "prediction95_high": interval[2]}
    if deviations:
        return {**row, "verdict": "not comparable", "note": f"changed here: {', '.join(deviations)}"}
    if figure.unlike:
        return {**row, "verdict": "not like with like"}
    if interval is None:
        return {**row, "verdict": "no interval from one trial"}
    return {**row, "verdict": "inside" if interval[1] <= figure.value <= interval[2] else "outside"}


def _matching(figure: Published, declared: Experiment, records: Sequence[Record]) -> list[list[float]] | None:
    """The measured values of every declared configuration that the figure covers, or None if one is missing."""
    measured = {group[0].place: group for group in grouped(records)}
    groups: list[list[float]] = []
    for configuration in declared.configurations():
        point = {"variant": configuration.variant.name, **configuration.values}
        if any(point.get(name) != value for name, value in figure.where.items()):
            continue
        wanted = (configuration.variant.name, plain(dict(configuration.values)))
        found = [group for group in measured.values() if (group[0].key["variant"], group[0].key["values"]) == wanted]
        values = [
            record.result.metrics[figure.metric] for group in found for record in group if record.result.status == "ok"
        ]
        groups.append([value for value in values if value is not None])
        if not groups[-1]:
            return None
    return groups or None


def write_published(folder: Folder, declared: Experiment, deviations: Sequence[str]) -> list[Row]:
    """published.csv; returns its rows."""
    rows = published_rows(declared, folder.ordered(declared), deviations)
    folder.write_table("published.csv", PUBLISHED_COLUMNS, rows)
    return rows


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
                *(row[name] for name in swept),
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


def published_lines(rows: Sequence[Row]) -> list[str]:
    """Published beside measured, two lines a figure."""
    lines = []
    for row in rows:
        what = " ".join(part for part in (row["source"], row["metric"].replace("_", " "), row["where"]) if part)
        text = f"Published ({what}): {row['published']:.4f}"
        if row.get("measured_mean") is not None:
            text += f"; measured: {row['measured_mean']:.4f}"
        if row.get("prediction95_low") is not None:
            text += f", such a figure would fall in {row['prediction95_low']:.4f} to {row['prediction95_high']:.4f}"
        lines.append(f"{text}: {row['verdict']}.")
        if row["note"]:
            lines.append(f"  {row['note']}.")
    return lines


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
