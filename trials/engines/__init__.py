"""Engines turn (configuration, seeds) into trial results; this page chooses one."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from trials import datasets
from trials.engines.model import check_output, compile_model, fresh_model
from trials.engines.results import TrialResult, Unit
from trials.engines.trial import OnEpoch, run_trial
from trials.errors import UnsupportedError, first_line

ENGINES = {
    "graph": "an epoch is one TensorFlow graph call, traced once for all seeds (default)",
    "fit": "Keras's own fit, trial by trial: slow, the oracle for the others",
}


def _session(engine: str, unit: Unit, classes: int) -> Any:
    if engine == "graph":
        from trials.engines.graph import GraphSession

        return GraphSession(unit.configuration, classes)
    from trials.engines.fit import FitSession

    return FitSession(unit.configuration, classes)


class Trainer:
    """Trains units on one dataset, keeping the last configuration's traced session.

    Executors hold one in each process. A configuration that the graph engine cannot honour goes to
    `fit` where the engine was chosen automatically, and its results say so.
    """

    def __init__(self, samples: datasets.Samples) -> None:
        self.samples = samples
        self._held: tuple[int, str, Any] | None = None
        self._fallbacks: dict[int, str] = {}
        self._parts: tuple[Any, datasets.Parts] | None = None

    def run(self, unit: Unit, on_epoch: OnEpoch = lambda: None) -> Iterator[TrialResult]:
        """Yields one result a seed, in the order of the unit's seeds."""
        for index in range(len(unit.seeds)):
            yield self._run_one(unit, index, on_epoch)

    def check(self, unit: Unit) -> None:
        """Builds and compiles the unit's first model. Raises UserError where no seed could train it."""
        seed = unit.seeds[0][1]
        parts = self._split(unit, seed)
        model = fresh_model(unit.configuration, parts["train"][0].shape[1:], self.samples.classes, seed)
        check_output(model, unit.configuration, self.samples.classes, unit.data.labels)
        compile_model(model, unit.configuration)

    def _run_one(self, unit: Unit, index: int, on_epoch: OnEpoch) -> TrialResult:
        (trial, seed), *later = unit.seeds[index:]
        started = time.perf_counter()
        automatic = unit.engine == "auto"
        engine = "fit" if unit.index in self._fallbacks else "graph" if automatic else unit.engine
        try:
            parts = self._split(unit, seed)
            session = self._session_of(unit, engine)
            result = run_trial(
                session, trial, seed, [number for _, number in later], unit.configuration.protocol, parts, on_epoch
            )
        except UnsupportedError as error:
            if automatic:
                self._fallbacks[unit.index] = str(error)
                return self._run_one(unit, index, on_epoch)
            result = TrialResult(trial, seed, "failed", error=f"the {engine} engine cannot train this: {error}")
        except Exception as error:  # the split may fail for one seed alone
            result = TrialResult(trial, seed, "failed", error=first_line(error))
        notes = {"fallback": self._fallbacks[unit.index]} if unit.index in self._fallbacks else {}
        return replace(result, engine=engine, notes=notes, seconds=time.perf_counter() - started)

    def _session_of(self, unit: Unit, engine: str) -> Any:
        if self._held is None or self._held[:2] != (unit.index, engine):
            self._held = (unit.index, engine, _session(engine, unit, self.samples.classes))
        return self._held[2]

    def _split(self, unit: Unit, seed: int) -> datasets.Parts:
        key = (unit.data, seed if unit.data.resampled else None)
        if self._parts is None or self._parts[0] != key:
            self._parts = (key, datasets.split(self.samples, unit.data, seed))
        return self._parts[1]
