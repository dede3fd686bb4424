"""Runs one experiment: finds what is missing, has it trained, writes every table."""

import contextlib
import datetime
import itertools
import os
import pickle
import platform
import shlex
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from trials import __version__, again, backend, environment, run_record
from trials.errors import UserError, first_line
from trials.experiment import Experiment
from trials.rounds import ROUND, Known, Until

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
    address: str = "auto"
    "Of the Ray cluster."
    workers: str | int = "auto"
    trial_timeout: float | None = None
    "Seconds after which a trial is ended."
    device: str = "auto"
    fresh: bool = False
    quiet: bool = False
    save_weights: bool = False
    until: Until | None = None
    "How many trials each configuration gets, where their number is not declared."
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
        "engine": backend.engine_of(settings.engine),
        "data": declaration,
        "data checksum": samples.checksum(),
        "versions": environment.versions(),
        "architecture": environment.architecture(),
    }


def _builder(builder: Any) -> dict[str, str]:
    """Which function, and the hash of the code that makes it."""
    from trials.keys import source_of

    return {"function": f"{builder.__module__}.{builder.__name__}", "source sha256": source_of(builder)}


def _check_sendable(configurations: Sequence[Any]) -> None:
    """Raises UserError for functions that worker processes could not find by their name."""
    try:
        pickle.dumps(configurations)
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
        self.number = self.settings.until.unfinished() if self.settings.until is not None else ""
        "Why there are so many trials, where their number was not declared."
        self.trained = 0
        self.machines: Sequence[Mapping[str, Any]] = ()
        "Those of a cluster."

    def prepare(self) -> None:
        """Reads the data and the results folder, and finds what is missing."""
        from trials import datasets
        from trials.keys import configuration_key
        from trials.store import Folder

        if self.settings.executor != "ray":  # whose GPUs are elsewhere
            environment.check_device(self.settings.device)
        data = self.experiment.data
        self.samples = datasets.load(data, self.settings.data_directory, self.settings.base)
        header = _header(self.changed, self.settings, self.samples, datasets.declaration(data))
        self.folder = Folder(self.settings.results / self.experiment.name, header, self.settings.fresh)
        self.folder.read()
        self.folder.check(self.changed)
        self.keys = [configuration_key(configuration) for configuration in self.experiment.configurations()]
        if self.settings.until is not None:
            recorded = (result.trial for results in self._results().values() for result in results)
            self.experiment = replace(self.experiment, trials=self.settings.until.first(max(recorded, default=0)))
        self.units = self._units()
        _check_sendable(self.experiment.configurations())

    def run(self) -> int:
        self.started = time.time()
        self._tell(self.folder.news())
        missing = sum(len(unit.seeds) for unit in self.units)
        total = len(self.experiment.configurations()) * self.experiment.trials
        if total > missing:
            self._tell([f"{total - missing} of {total} trials are already in {self.folder.path}."])
        try:
            rounds = self._rounds()
            first = next(rounds, [])
            if first:
                self._execute(first, rounds)
        finally:
            if self.progress is not None:
                self.progress.close()
                failing = sys.exc_info()[0] is not None  # then that is what is told, whatever run.json meets
                with contextlib.suppress(UserError) if failing else contextlib.nullcontext():
                    self._write_run_record()
                    self.folder.sync()
        if not self.trained and self.number:
            self.folder.amend_run_record("number of trials", self.number)
        return self._finish()

    def close(self) -> None:
        if self.folder is not None:
            self.folder.close()

    def _rounds(self) -> Iterator[list[Any]]:
        """What is to be trained, never nothing; with `until` the results of a round decide on the next."""
        if self.units:
            yield self.units
        until = self.settings.until
        while until is not None:
            known = Known.of(self.experiment.trials, self._results())
            if until.ends(known):
                self.number = until.told(known, any(c.data.resampled for c in self.experiment.configurations()))
                return
            self._tell([f"{known.trials} trials each: {known.widest()}, asked for are {until.points:g} points."])
            self.experiment = replace(self.experiment, trials=until.next(known.trials))
            yield self._units(after=known.trials)

    def _results(self) -> dict[str, list[Any]]:
        """What each configuration's trials gave, by its label."""
        from trials.keys import configuration_place

        results, configurations = self.folder.results(), self.experiment.configurations()
        return {each.label: results.get(configuration_place(each), []) for each in configurations}

    def _units(self, after: int = 0) -> list[Any]:
        """What is missing, of the trials after that one."""
        from trials.engines.results import Unit

        seeds = [pair for pair in self.experiment.seeds(self.settings.seed) if pair[0] > after]
        engine, keep = self.settings.engine, self.settings.save_weights
        lanes = self._lanes(ROUND if self.settings.until is not None else len(seeds))
        units = []
        for index, configuration in enumerate(self.experiment.configurations()):
            needed = self.folder.missing(configuration, seeds, keep)
            if needed:
                units.append(Unit(index, configuration, needed, engine, keep_weights=keep, lanes=lanes[index]))
        return units

    def _lanes(self, trials: int) -> list[int]:
        """By configuration, how many seeds a program is made for: whatever of them is done, so that it is the same."""
        from trials.engines.lanes import program

        configurations = self.experiment.configurations()
        if backend.engine_of(self.settings.engine) != "vmap":
            return [0] * len(configurations)
        programs = [program(configuration) for configuration in configurations]
        sharing = Counter(programs)
        return [trials * sharing[each] for each in programs]

    def _execute(self, first: list[Any], later: Iterator[list[Any]]) -> None:
        from trials.executors import inline, processes, ray

        settings = self.settings
        rounds = itertools.chain([first], later)
        if settings.executor == "ray":
            how = settings.workers, settings.sources, settings.trial_timeout
            ray.run(rounds, self.samples, settings.device, self, settings.address, *how)
            return
        trials = sum(len(unit.seeds) for unit in first)
        if settings.until is not None:  # a resumed round may lack a few trials; those to come will not
            trials = max(trials, ROUND * len(self.keys))
        workers = processes.choose_workers(settings.workers, trials, self.samples, settings.device)
        if self._inline(first, workers):
            inline.run(rounds, self.samples, settings.device, self)
        else:
            limit = settings.trial_timeout
            processes.run(rounds, self.samples, settings.device, self, workers, settings.sources, limit)

    def _inline(self, units: Sequence[Any], workers: int) -> bool:
        if self.settings.executor != "auto":
            return self.settings.executor == "inline"
        if self.settings.trial_timeout is not None:
            return False
        steps = sum(u.configuration.protocol.steps(len(self.samples.y)) * len(u.seeds) for u in units)
        few = len(units) == 1 and steps < TINY_STEPS
        return self.settings.workers == "auto" and (workers == 1 or few)

    # what an executor reports

    def on_start(self, device: str) -> None:
        from trials.progress import Progress

        self.folder.begin(device)
        again.begun.append(self.experiment.name)
        self._tell(self.folder.news())
        engine, on = backend.engine_of(self.settings.engine), backend.current()
        if self.settings.engine == "auto" and (device, on) != ("cpu", backend.DEFAULT):
            self._tell([f"The {engine} engine trains, Keras on {on}, on the {device}."])
        self.earlier = run_record.earlier_runs(self.folder.path)
        self.decisive = environment.decisive()  # of the code that trains, whatever is edited meanwhile
        self._write_run_record()
        self.progress = Progress(self.settings.quiet)

    def on_round(self, units: Sequence[Any]) -> None:
        epochs = sum(unit.configuration.protocol.epochs * len(unit.seeds) for unit in units)
        self.progress.add(sum(len(unit.seeds) for unit in units), epochs)

    def on_epochs(self, count: int) -> None:
        self.progress.epochs(count)
        self.folder.sync_in_time()

    def on_machines(self, machines: Sequence[Mapping[str, Any]]) -> None:
        self.machines = machines

    def on_result(self, unit: Any, result: Any, host: str = "") -> None:
        from trials.journal import Record

        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.folder.add(Record(self.keys[unit.index], result, now, host or platform.node()))
        self.trained += 1
        self.progress.trial(unit.configuration.protocol.epochs - result.epochs)
        if "fallback" in result.notes:
            self.on_message(
                f"{unit.configuration.label} is trained with fit: the {backend.engine_of('auto')} engine cannot "
                f"({result.notes['fallback']})."
            )
        if "apart" in result.notes:
            self.on_message(
                f"Seeds of {unit.configuration.label} are trained one after another: together they failed "
                f"({result.notes['apart']})."
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
        """Writes tables and page, prints the short of them, and returns the exit code."""
        from trials import report

        folder = self.folder
        written = report.write(folder, self.declared, (len(self.samples.y), self.samples.fixed_test))
        self._tell(folder.news())
        failed = report.failures(folder.ordered(self.declared))
        number = f"{textwrap.fill(self.number, 100)}\n\n" if self.number else ""
        self._say(f"{written.text}\n\n{number}".rstrip("\n") + "\n")
        for line in failed:
            print(line, file=sys.stderr)
        self._say(report.tables(folder.path))
        try:
            self._say(report.write_pages(folder.path, self.declared.question, written.conclusion))
        except UserError as error:  # the tables are there, and the next experiment can be trained
            print(error, file=sys.stderr)
            return 1
        return 1 if failed else 0

    def _say(self, text: str) -> None:
        if self.settings.quiet:
            return
        try:
            print(text, flush=True)
        except BrokenPipeError:  # who read it has left; the next experiment is still to be trained
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _write_run_record(self) -> None:
        """At the start, so that a killed run has left it, and again at the end."""
        record = {
            "project": __version__,
            "command": shlex.join(self.settings.command),
            "experiment file": self.settings.file and os.path.relpath(self.settings.file, self.folder.path),
            "started": datetime.datetime.fromtimestamp(self.started, datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self.started, 3),
            "trials trained": self.trained,
            "number of trials": self.number,
            **self.folder.header,
            "executor": self.settings.executor,
            "workers": self.settings.workers,
            "cluster": self.machines,
            "builders": {variant.name: _builder(variant.builder) for variant in self.experiment.variants},
            **self.decisive,
            "messages": self.messages,
            "earlier runs": self.earlier,
        }
        self.folder.write_json(run_record.NAME, record)
