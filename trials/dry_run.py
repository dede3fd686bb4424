"""What a run would do, without doing it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trials.experiment import Experiment
from trials.run import Settings


def describe(experiment: Experiment, settings: Settings) -> str:
    """What a run would do, without doing it: configurations, trials, epochs, steps, and known times."""
    from trials.datasets import extent
    from trials.splits import counts

    there = extent(experiment.data, settings.data_directory, settings.base)
    configurations = experiment.configurations()
    sizes = [counts(configuration.data, *there) for configuration in configurations]
    lines = [f"{experiment.name}: {experiment.question}", ""]
    width = max(len(configuration.label) for configuration in configurations)
    lines += [
        f"  {configuration.label:<{width}}  {_particulars(configuration)}".rstrip() for configuration in configurations
    ]
    samples = ", ".join(part for name in sizes[0] if (part := _range([each[name] for each in sizes], name)))
    epochs = sum(c.protocol.epochs for c in configurations) * experiment.trials
    steps = (
        sum(c.protocol.steps(size["train"]) for c, size in zip(configurations, sizes, strict=True)) * experiment.trials
    )
    last, up_to = settings.seed + experiment.trials - 1, "up to " if settings.until else ""
    lines += [
        "",
        f"{len(configurations)} configurations x {up_to}{experiment.trials} trials (seeds {settings.seed} to {last}) "
        f"= {up_to}{len(configurations) * experiment.trials} trainings",
        f"{epochs:,} epochs, {steps:,} steps in all, at most; samples: {samples}",
    ]
    return "\n".join([*lines, *_known_time(settings.results / experiment.name / "timings.csv", epochs)])


def _range(counts: Sequence[int], name: str) -> str:
    """How many samples a split has, over all configurations; empty where none has it."""
    low, high = min(counts), max(counts)
    return "" if not high else f"{low} {name}" if low == high else f"{low} to {high} {name}"


def _particulars(configuration: Any) -> str:
    """What sets a configuration apart beside its swept values: options, and fields of its own."""
    variant = configuration.variant
    fixed = {**variant.options, **variant.protocol, **variant.data}
    return " ".join(f"{name}={value}" for name, value in fixed.items() if name not in configuration.values)


def _known_time(path: Path, epochs: int) -> list[str]:
    """The time an earlier run in this folder took an epoch, scaled; nothing where there was none."""
    import csv

    try:
        with open(path, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        seconds, trained = sum(float(row["seconds"]) for row in rows), sum(int(row["epochs"]) for row in rows)
    except (OSError, KeyError, ValueError):
        return []
    if not trained:
        return []
    total = seconds / trained * epochs
    return [f"about {total:,.1f} s of one core, from {len(rows)} earlier trials in {path}"]
