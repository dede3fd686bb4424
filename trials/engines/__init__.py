"""Engines turn (configuration, seeds) into trial results; this page chooses one."""

import contextlib
import gc
import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from trials.datasets import Samples
from trials.engines.drawing import kernels_kept
from trials.engines.model import blueprint, check_model, fresh_model, load_weights_file, weights_file
from trials.engines.results import MOST_SEEDS, Figures, TrialResult, Unit
from trials.engines.trial import OnEpoch, figures, run_trial
from trials.errors import UnsupportedError, UserError, first_line
from trials.splits import Parts, check_classes, split

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

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self._held: tuple[int, str, Any] | None = None
        self._fallbacks: dict[int, str] = {}
        self._parts: tuple[Any, Parts] | None = None

    def run(self, unit: Unit, on_epoch: OnEpoch = lambda: None) -> Iterator[TrialResult]:
        """Yields one result a seed, in the order of the unit's seeds."""
        for index in range(len(unit.seeds)):
            yield self._run_one(unit, index, on_epoch)

    def check(self, unit: Unit) -> Unit:
        """The unit as it will be trained: by `fit` where one traced model could not serve all seeds.

        Raises UserError where no seed could train it, or where the engine asked for cannot.
        """
        seed = unit.seeds[0][1]
        x, y = self._split(unit, seed)["train"]
        if not unit.configuration.data.resampled:  # a split of a trial's own may lack one by chance
            check_classes(y, self.samples.classes, unit.configuration.label)
        model = fresh_model(unit.configuration, x.shape[1:], self.samples.classes, seed)
        drawing = _blueprint(model)
        check_model(model, unit.configuration, x[:2], y[:2], self.samples.classes)
        reason = "the model asks for run_eagerly" if model.run_eagerly else ""
        with contextlib.suppress(UserError):  # a seed that fails does so in its own turn
            with kernels_kept():
                other = fresh_model(unit.configuration, x.shape[1:], self.samples.classes, seed + 1)
            if _blueprint(other) != drawing:
                reason = "its builder draws more than weights from the seed"
        if not reason or unit.engine == "fit":
            return unit
        if unit.engine == "graph":
            raise UserError(
                f"The graph engine cannot train {unit.configuration.label}: {reason}.\nUse --engine auto or fit."
            )
        return replace(unit, engine="fit", reason=reason)

    def evaluate(self, unit: Unit, weights: bytes) -> Figures:
        """The test figures of kept weights, measured as the trial that left them measured its own."""
        seed = unit.seeds[0][1]
        parts = self._split(unit, seed)
        session = self._session_of(unit, unit.engine)
        session.start(seed, parts, ())
        load_weights_file(session.model, weights)
        return figures(session, "test")

    def _run_one(self, unit: Unit, index: int, on_epoch: OnEpoch) -> TrialResult:
        (trial, seed), *later = unit.seeds[index : index + MOST_SEEDS]
        started = time.perf_counter()
        automatic = unit.engine == "auto"
        engine = "fit" if unit.index in self._fallbacks else "graph" if automatic else unit.engine
        try:
            parts = self._split(unit, seed)
            session = self._session_of(unit, engine)
            result = run_trial(
                session, trial, seed, [number for _, number in later], unit.configuration.protocol, parts, on_epoch
            )
            if unit.keep_weights and result.status == "ok":
                result.weights = weights_file(session.model)
                result.weights_sha256 = hashlib.sha256(result.weights).hexdigest()
        except UnsupportedError as error:
            if automatic:
                self._fallbacks[unit.index] = str(error)
                return self._run_one(unit, index, on_epoch)
            result = TrialResult(trial, seed, "failed", error=f"the {engine} engine cannot train this: {error}")
        except Exception as error:  # the split may fail for one seed alone
            result = TrialResult(trial, seed, "failed", error=first_line(error))
        reason = self._fallbacks.get(unit.index, unit.reason)
        notes = {"fallback": reason} if reason else {}
        return replace(result, engine=engine, notes=notes, seconds=time.perf_counter() - started)

    def _session_of(self, unit: Unit, engine: str) -> Any:
        if self._held is None or self._held[:2] != (unit.index, engine):
            self._held = None
            gc.collect()  # a traced model is a cycle of references: a megabyte that would wait for its turn
            self._held = (unit.index, engine, _session(engine, unit, self.samples.classes))
        return self._held[2]

    def _split(self, unit: Unit, seed: int) -> Parts:
        data = unit.configuration.data
        key = (data, seed if data.resampled else None)
        if self._parts is None or self._parts[0] != key:
            self._parts = None  # before the next ones are made: they may be large
            self._parts = (key, split(self.samples, data, seed))
        return self._parts[1]


def _blueprint(model: Any) -> str:
    try:
        return blueprint(model)
    except Exception as error:  # a subclass may not know its own configuration
        return f"{type(model).__name__} {first_line(error)}"
