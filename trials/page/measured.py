"""What was measured, as the tables of a page; each is also the text of a figure."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trials.page.grid import Grid, between, number
from trials.plots.batch_norm import layers
from trials.plots.curves import shown_curves
from trials.plots.tables import INTERVAL, Configuration, Row, Tables
from trials.tables import BINOMIAL

METRICS = ("test_accuracy", "train_accuracy", "validation_accuracy", "train_loss", "validation_loss", "test_loss")
SUFFIXES = ("mean", "std", "ci95_low", "ci95_high", "bca95_low", "bca95_high", "median", "min", "max")
MOST_EPOCHS = 21


def grids(tables: Tables) -> dict[str, Any]:
    """Every table of a page about what was measured, by the name its template knows."""
    return {
        "summaries": summaries(tables),
        "binomial": any(row.get(BINOMIAL) for row in tables.summary.values()),
        "trials": trials(tables),
        "accuracy_curves": curves(tables, "accuracy"),
        "loss_curves": curves(tables, "loss"),
        "sweep": sweep(tables),
        "batch_norm": batch_norm(tables),
    }


def extent(tables: Tables) -> str:
    """How much was measured, and the highest mean, in a line."""
    counts = sorted({int(row["n"]) for row in tables.summary.values()})
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    trials = f"{n} trial" if counts == [1] else f"{n} trials"
    several = len(tables.summary) > 1
    what = f"{len(tables.summary)} configurations, {trials} each" if several else trials
    measured = [each for each, row in tables.summary.items() if row["test_accuracy_mean"]]
    if not measured:
        return f"{what}."
    highest = max(measured, key=lambda each: float(tables.summary[each]["test_accuracy_mean"]))
    mean = number(tables.summary[highest]["test_accuracy_mean"])
    if not several:
        return f"{what}; mean test accuracy {mean}."
    return f"{what}; highest mean test accuracy {mean} ({tables.label(highest)})."


def label_head(tables: Tables) -> list[str]:
    """The headings of the cells that tell configurations apart."""
    return [*(["variant"] if len(tables.variants()) > 1 or not tables.swept else []), *tables.swept]


def label_cells(tables: Tables, configuration: Configuration) -> list[str]:
    head = label_head(tables)
    return list(configuration[len(configuration) - len(head) :])


def summaries(tables: Tables) -> dict[str, Grid]:
    """A table a metric that was measured, by its name, a row a configuration; test accuracy first."""
    measured = [metric for metric in METRICS if any(row[f"{metric}_mean"] for row in rows_of(tables))]
    return {metric.replace("_", " ").capitalize(): summary(tables, metric) for metric in measured}


def rows_of(tables: Tables) -> Sequence[dict[str, str]]:
    """The summary's rows, with empty cells for columns that its table lacks."""
    columns = [f"{metric}_{suffix}" for metric in METRICS for suffix in SUFFIXES]
    return [{**dict.fromkeys(columns, ""), BINOMIAL: "", **row} for row in tables.summary.values()]


def summary(tables: Tables, metric: str) -> Grid:
    """One metric over trials; columns that no configuration fills are left out."""
    labels = label_head(tables)
    head = [*labels, "n", "failed", "mean", "std", "binomial s.e.", "95 % t interval", "95 % BCa interval"]
    failed = any(row["failed"] != "0" for row in tables.summary.values())
    rows = []
    for configuration, row in zip(tables.summary, rows_of(tables), strict=True):
        of = {suffix: row[f"{metric}_{suffix}"] for suffix in SUFFIXES}
        rows.append(
            [
                *label_cells(tables, configuration),
                row["n"],
                row["failed"] if failed else "",
                number(of["mean"]),
                number(of["std"]),
                number(row[BINOMIAL]) if metric == "test_accuracy" else "",
                between(of["ci95_low"], of["ci95_high"]),
                between(of["bca95_low"], of["bca95_high"]),
                *(number(of[suffix]) for suffix in ("median", "min", "max")),
            ]
        )
    unit = " (a fraction)" if metric.endswith("accuracy") else ""
    caption = f"{metric.replace('_', ' ').capitalize()}{unit} over n trials"
    return Grid.filled(caption, [*head, "median", "min", "max"], rows, len(labels), "summary.csv")


def trials(tables: Tables) -> Grid:
    """Every trial that ended well."""
    rows = [
        [
            *label_cells(tables, configuration),
            *(row.get(name, "") for name in ("trial", "seed", "epochs", "best_epoch")),
            number(row["test_accuracy"]),
            number(row.get("test_loss")),
        ]
        for configuration, group in tables.trials.items()
        for row in group
    ]
    labels = label_head(tables)
    head = [*labels, "trial", "seed", "epochs", "best epoch", "test accuracy", "test loss"]
    return Grid.filled("Test accuracy (a fraction) of every trial", head, rows, len(labels), "trials.csv")


def curves(tables: Tables, kind: str) -> Grid | None:
    """Accuracy or loss by epoch, of the configurations that the figure shows; None where it shows none."""
    chosen, found, _ = shown_curves(tables, kind)
    if not found:
        return None
    splits = list(dict.fromkeys(split for _, split in found))
    rows = []
    for configuration in chosen:
        by_epoch = {
            split: {int(e): (m, s) for e, m, s in zip(curve.epoch, curve.mean, curve.std, strict=True)}
            for (place, split), curve in found.items()
            if place == configuration
        }
        for epoch in evenly(sorted({epoch for split in by_epoch.values() for epoch in split})):
            cells = [by_epoch.get(split, {}).get(epoch, (math.nan, math.nan)) for split in splits]
            shown = [number(value) if math.isfinite(value) else "" for pair in cells for value in pair]
            rows.append([*label_cells(tables, configuration), str(epoch), *shown])
    labels = [*label_head(tables), "epoch"]
    head = [*labels, *(f"{split} {figure}" for split in splits for figure in ("mean", "std"))]
    unit = " (a fraction)" if kind == "accuracy" else ""
    caption = f"{kind.capitalize()}{unit} by epoch, mean and standard deviation over trials"
    return Grid.filled(caption, head, rows, len(labels), "epochs.csv")


def evenly(epochs: Sequence[int]) -> list[int]:
    """At most MOST_EPOCHS of them, the first and the last included."""
    places = np.linspace(0, len(epochs) - 1, min(len(epochs), MOST_EPOCHS)).round().astype(int)
    return [epochs[place] for place in places]


def sweep(tables: Tables) -> Grid | None:
    """Mean test accuracy and its interval, a row a swept value, a column a variant; None without such a sweep."""
    values = tables.sweep_values()
    if values is None:
        return None
    variants = tables.variants()
    rows = []
    for cell in sorted(values, key=lambda cell: values[cell]):
        found = [tables.summary.get((variant, cell)) for variant in variants]
        rows.append([cell, *("" if row is None else mean_text(row) for row in found)])
    head = variants if len(variants) > 1 else ["mean (95 % t interval)"]
    caption = f"Mean test accuracy (a fraction) with its 95 % t interval, by {tables.swept[0]}"
    return Grid(caption, [tables.swept[0], *head], rows, 1, "summary.csv")


def mean_text(row: Row) -> str:
    mean, low, high = (row[column] for column in INTERVAL)
    return f"{number(mean)} ({between(low, high)})" if low else number(mean)


def batch_norm(tables: Tables) -> Grid | None:
    """Gamma and beta of every layer over the channels of all trials; None where none were recorded."""
    rows = []
    for configuration, group in tables.batch_norm.items():
        found = [layers(group, parameter) for parameter in ("gamma", "beta")]
        for layer in found[0]:
            cells = []
            for values in (parameter[layer] for parameter in found):
                cells += [number(f(values)) if len(values) else "" for f in (np.min, np.median, np.max)]
            rows.append([*label_cells(tables, configuration), layer, *cells])
    if not rows:
        return None
    labels = [*label_head(tables), "layer"]
    head = [*labels, *(f"{name} {figure}" for name in ("gamma", "beta") for figure in ("min", "median", "max"))]
    return Grid.filled("Gamma and beta, channels of all trials pooled", head, rows, len(labels), "batch_norm.csv")
