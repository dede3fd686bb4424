"""The tables of a results folder as text cells, and what the figures select from them."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST_PANELS = 12
INTERVAL = ("test_accuracy_mean", "test_accuracy_ci95_low", "test_accuracy_ci95_high")

Row = Mapping[str, str]
Configuration = tuple[str, ...]
"A variant's name and its swept values, as the cells of a table."


@dataclass(frozen=True)
class Tables:
    """A results folder as text cells; rows of trials that did not end `ok` are left out."""

    experiment: str
    swept: tuple[str, ...]
    summary: Mapping[Configuration, Row]
    trials: Mapping[Configuration, Sequence[Row]]
    epochs: Mapping[Configuration, Sequence[Row]]
    batch_norm: Mapping[Configuration, Sequence[Row]]
    published: Sequence[Row]

    def accuracies(self, published: Iterable[Row]) -> np.ndarray:
        """Every test accuracy that a figure shows: of trials, means, intervals and what was published."""
        trials = [row for rows in self.trials.values() for row in rows]
        means = [numbers(self.summary.values(), column) for column in INTERVAL]
        return np.concatenate([numbers(trials, "test_accuracy"), *means, numbers(published, "published")])

    def sweep_values(self) -> dict[str, float] | None:
        """The swept values as numbers, by cell; None unless one hyperparameter was swept, over several numbers."""
        if len(self.swept) != 1:
            return None
        try:
            values = {cell: float(cell) for _, cell in self.summary}
        except ValueError:
            return None
        return values if len(set(values.values())) > 1 else None

    def variants(self) -> list[str]:
        return list(dict.fromkeys(configuration[0] for configuration in self.summary))

    def label(self, configuration: Configuration) -> str:
        """What tells a configuration from the others: its variant, where there are several, and its swept values."""
        variant = [configuration[0]] if len(self.variants()) > 1 or not self.swept else []
        values = [f"{name} = {value}" for name, value in zip(self.swept, configuration[1:], strict=True)]
        return ", ".join([*variant, *values])

    def readable(self, configurations: Sequence[Configuration]) -> list[Configuration]:
        """At most MOST_PANELS of them: of every variant the same swept values, evenly chosen.

        Variants stand together at each value, to be compared.
        """
        values = list(dict.fromkeys(configuration[1:] for configuration in configurations))
        room = max(1, MOST_PANELS // len(self.variants()))
        chosen = np.linspace(0, len(values) - 1, min(len(values), room)).round().astype(int)
        together = [each for index in chosen for each in configurations if each[1:] == values[index]]
        return together[:MOST_PANELS]

    def headline(self, what: str, chosen: Sequence[Configuration], of: int) -> str:
        """What is shown, over how many trials, and which part of the configurations."""
        counts = [len(self.trials[configuration]) for configuration in chosen]
        low, high = min(counts), max(counts)
        trials = f"{low} trials" if low == high else f"{low} to {high} trials"
        trials = ("1 trial" if high == 1 else trials) + (" each" if len(counts) > 1 else "")
        part = f"; {len(chosen)} of {of} configurations" if len(chosen) < of else ""
        return f"{self.experiment}: {what}, {trials}{part}"

    def covered(self, figure: Row) -> tuple[list[Configuration], str | None]:
        """The measured configurations that a published figure is about, and its epoch if it has one."""
        where = dict(part.partition("=")[::2] for part in figure["where"].split())
        epoch = where.pop("epoch", None)
        points = {each: dict(zip(("variant", *self.swept), each, strict=True)) for each in self.summary}
        return [each for each, point in points.items() if where.items() <= point.items()], epoch

    def published_curve(self, configuration: Configuration, metric: str) -> dict[int, Row]:
        """By epoch, the figures published of this configuration's curve, as far as it was measured."""
        last = max(numbers(self.epochs[configuration], "epoch"))
        found = {}
        for figure in self.published:
            if figure["metric"] == metric:
                configurations, epoch = self.covered(figure)
                if epoch is not None and configurations == [configuration] and int(epoch) <= last:
                    found[int(epoch)] = figure
        return found

    def published_finals(self) -> list[tuple[list[Configuration], Row]]:
        """The published test accuracies that were measured too, each with the configurations it averages."""
        finals = []
        for figure in self.published:
            configurations, epoch = self.covered(figure)
            wanted = figure["metric"] == "test_accuracy" and figure["verdict"] != "not measured"
            if wanted and epoch is None and configurations:
                finals.append((configurations, figure))
        return finals

    def published_points(self) -> dict[Configuration, Row]:
        """Published accuracies of single configurations."""
        return {found[0]: figure for found, figure in self.published_finals() if len(found) == 1}


def read(folder: Path) -> Tables | None:
    """The folder's tables; None where no trial ended `ok`."""
    trials = read_table(folder / "trials.csv")
    summary = read_table(folder / "summary.csv")
    if not summary or not any(row["status"] == "ok" for row in trials):
        return None
    columns = list(summary[0])
    swept = tuple(columns[1 : columns.index("n")])
    good = {(*place(row, swept), row["trial"]) for row in trials if row["status"] == "ok"}

    def grouped(rows: Iterable[Row]) -> dict[Configuration, list[Row]]:
        groups: dict[Configuration, list[Row]] = {}
        for row in rows:
            if (*place(row, swept), row["trial"]) in good:
                groups.setdefault(place(row, swept), []).append(row)
        return groups

    return Tables(
        experiment=trials[0]["experiment"],
        swept=swept,
        summary={place(row, swept): row for row in summary if row["n"] != "0"},
        trials=grouped(trials),
        epochs=grouped(read_table(folder / "epochs.csv")),
        batch_norm=grouped(read_table(folder / "batch_norm.csv")),
        published=read_table(folder / "published.csv"),
    )


def read_table(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows as text; none where there is no such file."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def place(row: Row, swept: Sequence[str]) -> Configuration:
    return (row["variant"], *(row[name] for name in swept))


def numbers(rows: Iterable[Row], column: str) -> np.ndarray:
    """A column as float64, shape (rows,); NaN where the cell is empty or the column missing."""
    return np.array([float(row.get(column) or math.nan) for row in rows], np.float64)


def interval(rows: Sequence[Row]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Mean test accuracies, and how far their 95 % intervals reach below and above them."""
    mean, low, high = (numbers(rows, column) for column in INTERVAL)
    return mean, [mean - low, high - mean]


def comparable(figure: Row) -> str:
    """What must be added to a published figure wherever it is shown."""
    return f" ({figure['verdict']})" if figure["verdict"] in ("not comparable", "not like with like") else ""
