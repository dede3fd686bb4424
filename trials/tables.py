"""The tables of a results folder, derived from its records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trials import statistics
from trials.experiment import BATCH_LOSS, METRICS, Experiment
from trials.journal import Record, Row, epoch_row
from trials.store import Folder, Table

RESULT_COLUMNS = ("trial", "seed", "status", "epochs", "best_epoch", *METRICS, "parameters", "error")
BINOMIAL = "test_accuracy_binomial_se"
BATCH_NORM_COLUMNS = ("channel", "gamma", "beta", "moving_mean", "moving_variance")
TIMING_COLUMNS = ("trial", "seed", "engine", "epochs", "seconds", "finished", "host")


def write_tables(
    folder: Folder, experiment: Experiment, test_size: int | None = None, further: Mapping[str, Table] | None = None
) -> list[Row]:
    """Derives trials.csv, epochs.csv, summary.csv, timings.csv and, where recorded, batch_norm.csv.

    `test_size` is the number of test samples, where it is known, `further` what is written with them. Returns the
    summary's rows.
    """
    records, swept = folder.ordered(experiment), tuple(folder.header["swept"])
    summary = [_summary_row(group, test_size) for group in grouped(records)]
    figures = tuple(f"{metric}_{suffix}" for metric in METRICS for suffix in statistics.SUFFIXES)
    of_summary = ("variant", *swept, "n", "failed", *figures, BINOMIAL), summary
    of_trials = _of_trials(experiment.name, records, swept)
    folder.write_tables({**of_trials, "summary.csv": of_summary, **(further or {})})
    return summary


def _of_trials(experiment: str, records: Sequence[Record], swept: Sequence[str]) -> dict[str, Table | None]:
    which = ("experiment", "variant", *swept)
    metrics = (*METRICS, BATCH_LOSS) if any(map(_has_batch_loss, records)) else METRICS
    trials = [_trial_row(experiment, record) for record in records]
    epochs = (row for trial, record in zip(trials, records, strict=True) for row in _epoch_rows(trial, record))
    batch_norm = [row for record in records for row in _batch_norm_rows(record)]
    of_channels = ("variant", *swept, "trial", "layer", *BATCH_NORM_COLUMNS), batch_norm
    return {
        "trials.csv": ((*which, *RESULT_COLUMNS), trials),
        "epochs.csv": ((*which, "trial", "seed", "epoch", *metrics), epochs),
        "batch_norm.csv": of_channels if batch_norm else None,
        "timings.csv": ((*which, *TIMING_COLUMNS), trials),
    }


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


def _epoch_rows(trial: Row, record: Record) -> Iterable[Row]:
    trial = {**trial, **dict.fromkeys(METRICS)}
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
