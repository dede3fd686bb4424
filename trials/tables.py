"""The tables of a results folder, derived from its records."""

from collections.abc import Iterable, Sequence
from typing import Any

from trials import statistics
from trials.experiment import BATCH_LOSS, METRICS, Experiment
from trials.journal import Record, Row, epoch_row
from trials.store import Folder

RESULT_COLUMNS = ("trial", "seed", "status", "epochs", "best_epoch", *METRICS, "parameters", "error")
BINOMIAL = "test_accuracy_binomial_se"
BATCH_NORM_COLUMNS = ("channel", "gamma", "beta", "moving_mean", "moving_variance")
TIMING_COLUMNS = ("trial", "seed", "engine", "epochs", "seconds", "finished", "host")


def write_tables(folder: Folder, experiment: Experiment, test_size: int | None = None) -> list[Row]:
    """Derives trials.csv, epochs.csv, summary.csv, timings.csv and, where recorded, batch_norm.csv.

    `test_size` is the number of test samples, where it is known. Returns the summary's rows.
    """
    records = folder.ordered(experiment)
    swept = tuple(folder.header["swept"])
    which = ("experiment", "variant", *swept)
    folder.write_table(
        "trials.csv", (*which, *RESULT_COLUMNS), (_trial_row(experiment.name, record) for record in records)
    )
    metrics = (*METRICS, BATCH_LOSS) if any(map(_has_batch_loss, records)) else METRICS
    folder.write_table(
        "epochs.csv",
        (*which, "trial", "seed", "epoch", *metrics),
        (row for record in records for row in _epoch_rows(experiment.name, record)),
    )
    if any(record.result.batch_norm for record in records):
        folder.write_table(
            "batch_norm.csv",
            ("variant", *swept, "trial", "layer", *BATCH_NORM_COLUMNS),
            (row for record in records for row in _batch_norm_rows(record)),
        )
    else:
        folder.remove_table("batch_norm.csv")
    folder.write_table(
        "timings.csv", (*which, *TIMING_COLUMNS), (_trial_row(experiment.name, record) for record in records)
    )
    summary = [_summary_row(group, test_size) for group in grouped(records)]
    figures = tuple(f"{metric}_{suffix}" for metric in METRICS for suffix in statistics.SUFFIXES)
    folder.write_table("summary.csv", ("variant", *swept, "n", "failed", *figures, BINOMIAL), summary)
    return summary


def grouped(records: Sequence[Record]) -> list[list[Record]]:
    """Ordered records, one list a configuration."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault(record.place, []).append(record)
    return list(groups.values())


def _summary_row(group: Sequence[Record], test_size: int | None) -> Row:
    good = [record.result.metrics for record in group if record.result.status == "ok"]
    row: dict[str, Any] = {
        "variant": group[0].key["variant"],
        **group[0].key["values"],
        "n": len(good),
        "failed": len(group) - len(good),
    }
    for metric in METRICS:
        values = [value for metrics in good if (value := metrics[metric]) is not None]
        row |= {f"{metric}_{suffix}": value for suffix, value in statistics.summarize(values).items()}
    if test_size and row["test_accuracy_mean"] is not None:
        row[BINOMIAL] = statistics.binomial_standard_error(row["test_accuracy_mean"], test_size)
    return row


def _trial_row(experiment: str, record: Record) -> Row:
    result = record.result
    return {
        "experiment": experiment,
        "variant": record.key["variant"],
        **record.key["values"],
        **{
            name: getattr(result, name)
            for name in ("trial", "seed", "status", "epochs", "best_epoch", "parameters", "error", "engine", "seconds")
        },
        **result.metrics,
        "finished": record.finished,
        "host": record.host,
    }


def _epoch_rows(experiment: str, record: Record) -> Iterable[Row]:
    trial = {**_trial_row(experiment, record), **dict.fromkeys(METRICS)}
    for epoch in record.result.curve:
        yield trial | epoch_row(epoch)


def _has_batch_loss(record: Record) -> bool:
    return any(epoch.test is not None and epoch.test.loss_over_batches is not None for epoch in record.result.curve)


def _batch_norm_rows(record: Record) -> Iterable[Row]:
    """One row a channel; channels count from 1."""
    where = {"variant": record.key["variant"], **record.key["values"], "trial": record.result.trial}
    for layer, parameters in record.result.batch_norm.items():
        for channel, values in enumerate(zip(*parameters.values(), strict=True), 1):
            yield {**where, "layer": layer, "channel": channel, **dict(zip(parameters, values, strict=True))}
