"""Runs one experiment: finds what is missing, has it trained, writes every table."""

import datetime
import os
import pickle
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trials import __version__, environment
from trials.errors import UserError, first_line
from trials.experiment import Experiment

TINY_STEPS = 2_000
"Training steps below which a second process costs more than it saves, for a single configuration."


@dataclass(frozen=True)
class Settings:
    """How to run, as opposed to what."""

    results: Path = Path("results")
    data_directory: Path | None = None
    base: Path | None = None
    "The folder of the user's experiment file."
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    "Users' modules by name: path and text, for worker processes."
    seed: int = 0
    engine: str = "auto"
    executor: str = "auto"
    workers: str | int = "auto"
    device: str = "auto"
    fresh: bool = False
    quiet: bool = False
    save_weights: bool = False
    file: str | None = None
    "The user's experiment file."
    command: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """An experiment as its file declares it, as the command line changed it, and what of that is to be trained."""

    declared: Experiment
    changed: Experiment
    asked: Experiment
    "`changed` with the variants and the number of trials that were asked for."
    settings: Settings


def run(plans: Sequence[Plan]) -> int:
    """Trains what is missing of each experiment.

    All data is read and all folders are looked at before the first is trained. Returns the exit
    code: 0, or 1 where trials failed or diverged. Raises UserError for mistakes that show before training.
    """
    drivers: list[_Driver] = []
    try:
        for plan in plans:
            drivers.append(_Driver(plan))
            drivers[-1].prepare()
        return max(driver.run() for driver in drivers)
    finally:
        for driver in drivers:
            driver.close()


def _header(experiment: Experiment, settings: Settings, samples: Any, declaration: Mapping[str, Any]) -> dict[str, Any]:
    """What all trials of a results folder have in common."""
    return {
        "experiment": experiment.name,
        "swept": list(experiment.sweep),
        "first seed": settings.seed,
        "engine": "graph" if settings.engine == "auto" else settings.engine,
        "data": declaration,
        "data checksum": samples.checksum(),
        "versions": environment.versions(),
        "architecture": environment.architecture(),
    }


def _builder(builder: Any) -> dict[str, str]:
    """Which function, and the hash of the code that makes it."""
    from trials.sources import source_hash

    return {"function": f"{builder.__module__}.{builder.__name__}", "source sha256": source_hash(builder)}


def _check_sendable(units: Sequence[Any]) -> None:
    """Raises UserError for functions that worker processes could not find by their name."""
    try:
        pickle.dumps(units)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"A builder or dataset function cannot be sent to worker processes: {first_line(error)}.\n"
            "Define it with def at the top level of the experiment's file."
        ) from error


class _Driver:
    """One experiment's run: listens to the executor and keeps what it reports."""

    def __init__(self, plan: Plan) -> None:
        self.declared, self.experiment, self.settings = plan.declared, plan.asked, plan.settings
        self.changed = plan.changed
        self.folder: Any = None
        self.progress: Any = None
        self.messages: list[str] = []
        self.trained = 0

    def prepare(self) -> None:
        """Reads the data and the results folder, and finds what is missing."""
        from trials import datasets
        from trials.keys import configuration_key
        from trials.store import Folder

        environment.check_device(self.settings.device)
        environment.require_tensorflow()
        data = self.experiment.data
        self.samples = datasets.load(data, self.settings.data_directory, self.settings.base)
        header = _header(self.changed, self.settings, self.samples, datasets.declaration(data))
        self.folder = Folder(self.settings.results / self.experiment.name, header, self.settings.fresh)
        self.folder.read()
        self.folder.check(self.changed)
        self.units = self._units()
        self.keys = {unit.index: configuration_key(unit.configuration) for unit in self.units}
        _check_sendable(self.units)

    def run(self) -> int:
        self.started = time.time()
        self._tell(self.folder.problems)
        missing = sum(len(unit.seeds) for unit in self.units)
        total = len(self.experiment.configurations()) * self.experiment.trials
        if total > missing:
            self._tell([f"{total - missing} of {total} trials are already in {self.folder.path}."])
        if self.units:
            try:
                self._execute()
            finally:
                if self.progress is not None:
                    self.progress.close()
                    self._write_run_record()
        return self._finish()

    def close(self) -> None:
        if self.folder is not None:
            self.folder.close()

    def _units(self) -> list[Any]:
        from trials.engines.results import Unit

        seeds = tuple(self.experiment.seeds(self.settings.seed))
        units = []
        for index, configuration in enumerate(self.experiment.configurations()):
            needed = self.folder.missing(configuration, seeds, self.settings.save_weights)
            if needed:
                units.append(
                    Unit(index, configuration, needed, self.settings.engine, keep_weights=self.settings.save_weights)
                )
        return units

    def _execute(self) -> None:
        from trials.executors import inline, processes

        workers = processes.choose_workers(self.settings.workers, self.units, self.samples)
        if self._inline(workers):
            inline.run(self.units, self.samples, self.settings.device, self)
        else:
            processes.run(self.units, self.samples, self.settings.device, self, workers, self.settings.sources)

    def _inline(self, workers: int) -> bool:
        if self.settings.executor != "auto":
            return self.settings.executor == "inline"
        steps = sum(u.configuration.protocol.steps(len(self.samples.y)) * len(u.seeds) for u in self.units)
        few = len(self.units) == 1 and steps < TINY_STEPS
        return self.settings.workers == "auto" and (workers == 1 or few or self.settings.device == "gpu")

    # what an executor reports

    def on_start(self, device: str) -> None:
        from trials.progress import Progress

        self.folder.begin(device)
        self.earlier = self.folder.earlier_runs()
        self._write_run_record()
        epochs = sum(unit.configuration.protocol.epochs * len(unit.seeds) for unit in self.units)
        self.progress = Progress(sum(len(unit.seeds) for unit in self.units), epochs, self.settings.quiet)

    def on_epochs(self, count: int) -> None:
        self.progress.epochs(count)

    def on_result(self, unit: Any, result: Any) -> None:
        from trials.store import Record

        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.folder.add(Record(self.keys[unit.index], result, now, platform.node()))
        self.trained += 1
        self.progress.trial(unit.configuration.protocol.epochs - result.epochs)
        if "fallback" in result.notes:
            self.on_message(
                f"{unit.configuration.label} is trained with fit: the graph engine cannot ({result.notes['fallback']})."
            )

    def on_message(self, text: str) -> None:
        if text not in self.messages:
            self.messages.append(text)
            self._tell([text])

    def _tell(self, lines: Sequence[str]) -> None:
        for line in lines:
            if self.progress is None:
                print(line, file=sys.stderr)
            else:
                self.progress.write(line)

    # the end

    def _finish(self) -> int:
        """Writes the tables, prints the short of them, and returns the exit code."""
        from trials import report

        folder = self.folder
        text = report.write(folder, self.declared, (len(self.samples.y), self.samples.fixed_test)).text
        failed = report.failures(folder.ordered(self.declared))
        if not self.settings.quiet:
            print(f"{text}\n")
        for line in failed:
            print(line, file=sys.stderr)
        if not self.settings.quiet:
            print(f"Tables: {folder.path}{os.sep}  ({', '.join(report.tables(folder.path))})")
            print(f"Page and figures: python run_trials.py --report {folder.path}")
        return 1 if failed else 0

    def _write_run_record(self) -> None:
        """At the start, so that a killed run has left it, and again at the end."""
        record = {
            "project": __version__,
            "command": shlex.join(self.settings.command),
            "experiment file": self.settings.file and os.path.relpath(self.settings.file, self.folder.path),
            "started": datetime.datetime.fromtimestamp(self.started, datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self.started, 3),
            "trials trained": self.trained,
            **self.folder.header,
            "executor": self.settings.executor,
            "workers": self.settings.workers,
            "builders": {variant.name: _builder(variant.builder) for variant in self.experiment.variants},
            **environment.decisive(),
            "messages": self.messages,
            "earlier runs": self.earlier,
        }
        self.folder.write_json("run.json", record)


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
    last = settings.seed + experiment.trials - 1
    lines += [
        "",
        f"{len(configurations)} configurations x {experiment.trials} trials (seeds {settings.seed} to {last}) "
        f"= {len(configurations) * experiment.trials} trainings",
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
