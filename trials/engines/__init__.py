"""Engines turn (configuration, seeds) into trial results; this page chooses one."""

import contextlib
import gc
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trials import backend
from trials.datasets import Samples
from trials.engines.drawing import Drawing, kernels_kept
from trials.engines.lanes import Lane, Lanes, Start, has_lanes, program, run_together
from trials.engines.model import blueprint, check_model, fresh_model, load_weights_file, weights_file
from trials.engines.results import MOST_SEEDS, Figures, TrialResult, Unit
from trials.engines.trial import OnEpoch, figures, run_trial
from trials.errors import UnsupportedError, UserError, first_line
from trials.experiment import Configuration
from trials.splits import LaneParts, Parts, check_classes, drawn, split

ENGINES = {
    "graph": "an epoch is one TensorFlow graph call, traced once for all seeds (default)",
    "vmap": "all seeds at the same time in one compiled program, Keras on JAX: made for a GPU",
    "fit": "Keras's own fit, trial by trial: slow, the oracle for the others",
}


def graph_session(
    configuration: Configuration, classes: int, parts: Parts, seeds: Sequence[int], former: Any = None
) -> Any:
    """The graph engine's session for these seeds: lanes of a small dense network, or one seed of any other.

    `former` is a graph traced for the lanes of another configuration, which may serve this one.
    """
    from trials.engines.graph import GraphSession
    from trials.engines.rows import as_row
    from trials.engines.side_by_side import SideBySide

    drawing = Drawing(configuration, classes, resembles=former is not None)
    drawing.begin(seeds[0], parts["train"][0].shape[1:], seeds[1:])
    row = as_row(drawing.template, configuration, parts)
    if row is None:
        return GraphSession(configuration, classes, drawing)
    return SideBySide(configuration, row, drawing, former)


def _session(engine: str, unit: Unit, classes: int) -> Any:
    if engine == "graph":
        from trials.engines.graph import GraphSession

        return GraphSession(unit.configuration, classes)
    if engine == "vmap":
        from trials.engines.vmap import VmapSession

        return VmapSession(unit.configuration, classes)
    from trials.engines.fit import FitSession

    return FitSession(unit.configuration, classes)


class Trainer:
    """Trains units on one dataset, keeping the last configuration's traced session.

    Executors hold one in each process. A configuration that the fast engine cannot honour goes to
    `fit` where the engine was chosen automatically, and its results say so.
    """

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self._held: tuple[Unit, str, Any] | None = None
        self._fallbacks: dict[int, str] = {}
        self._parts: tuple[Any, Parts] | None = None
        self._apart: dict[int, str] = {}
        "Configurations whose seeds cannot be trained together, as it turned out, and why."
        self._ready: dict[tuple[int, int], TrialResult] = {}
        "Results by configuration and trial that were trained together with an earlier one and not yet asked for."

    def run(self, unit: Unit, on_epoch: OnEpoch = lambda: None, later: Sequence[Unit] = ()) -> Iterator[TrialResult]:
        """Yields one result a seed, in the order of the unit's seeds.

        `later` are units that follow: an engine may train them now, together with this one.
        """
        for place, (trial, _) in enumerate(unit.seeds):
            if (unit.index, trial) not in self._ready:
                rest = replace(unit, seeds=unit.seeds[place : place + MOST_SEEDS])
                self._forget_all_but((rest, *later))
                self._ready |= {(index, found.trial): found for index, found in self._run_next(rest, later, on_epoch)}
            yield self._ready.pop((unit.index, trial))

    def _forget_all_but(self, units: Sequence[Unit]) -> None:
        """Results that nobody will ask for, as of seeds that another worker has taken over."""
        if self._ready:
            wanted = {(each.index, trial) for each in units for trial, _ in each.seeds}
            self._ready = {key: result for key, result in self._ready.items() if key in wanted}

    def check(self, unit: Unit) -> Unit:
        """The unit as it will be trained: by `fit` where one traced model could not serve all seeds.

        Raises UserError where no seed could train it, or where the engine asked for cannot.
        """
        seed = unit.seeds[0][1]
        x, y = self._split(unit, seed)["train"]
        if not unit.configuration.data.resampled:  # a split of a trial's own may lack one by chance
            check_classes(y, self.samples.classes, unit.configuration.label)
        with kernels_kept():  # what is drawn is not looked at, nor trained
            model = fresh_model(unit.configuration, x.shape[1:], self.samples.classes, seed)
        drawing = _blueprint(model)
        check_model(model, unit.configuration, x[:2], y[:2], self.samples.classes)
        reason = "the model asks for run_eagerly" if model.run_eagerly else ""
        with contextlib.suppress(UserError):  # a seed that fails does so in its own turn
            with kernels_kept():
                other = fresh_model(unit.configuration, x.shape[1:], self.samples.classes, seed + 1)
            if _blueprint(other) != drawing:
                reason = "its builder draws more than weights from the seed"
        if not reason and backend.engine_of(unit.engine) == "vmap":
            reason = self._not_over_lanes(unit, seed)
        if not reason or unit.engine == "fit":
            return unit
        if unit.engine != "auto":
            raise UserError(
                f"The {unit.engine} engine cannot train {unit.configuration.label}: {reason}.\n"
                "Use --engine auto or fit."
            )
        return replace(unit, engine="fit", reason=reason)

    def _not_over_lanes(self, unit: Unit, seed: int) -> str:
        """Why lanes cannot train it; empty where they can."""
        try:
            _session("vmap", unit, self.samples.classes).trace(seed, self._lane_parts(unit, seed))
        except UnsupportedError as error:
            return str(error).rstrip(".")
        return ""

    def evaluate(self, unit: Unit, weights: bytes) -> Figures:
        """The test figures of kept weights, measured as the trial that left them measured its own."""
        seed = unit.seeds[0][1]
        session = self._session_of(unit, unit.engine)
        if not has_lanes(session):
            session.start(seed, self._split(unit, seed), ())
            load_weights_file(session.model, weights)
            return figures(session, "test")
        parts = self._lane_parts(unit, seed)
        session.room(unit.lanes, seed, parts)
        session.start([Start(unit.configuration, session.fresh(seed, parts), parts)])
        lane = Lane(session, 0)
        load_weights_file(lane.model, weights)
        session.restore({0: [np.array(variable.numpy()) for variable in session.model.variables]})
        return figures(lane, "test")

    def _run_next(self, unit: Unit, later: Sequence[Unit], on_epoch: OnEpoch) -> list[tuple[int, TrialResult]]:
        """The first of the unit's seeds, with those that were trained together with it: by configuration."""
        started = time.perf_counter()
        engine = "fit" if unit.index in self._fallbacks else backend.engine_of(unit.engine)
        reason = self._fallbacks.get(unit.index, unit.reason)
        try:
            results = self._train(unit, engine, later, on_epoch)
        except UnsupportedError as error:
            if unit.engine == "auto":
                self._fallbacks[unit.index] = str(error)
                return self._run_next(unit, (), on_epoch)
            results = [(unit.index, _failed(unit, f"the {engine} engine cannot train this: {error}"))]
        except Exception as error:
            own = isinstance(error, UserError)  # of the first seed, which has no network or no split
            if engine == "vmap" and not own and unit.index not in self._apart:
                self._apart[unit.index] = first_line(error)
                return self._run_next(unit, (), on_epoch)
            results = [(unit.index, _failed(unit, first_line(error)))]
        seconds = (time.perf_counter() - started) / len(results)
        fallback = {"fallback": reason} if reason else {}
        notes = {**fallback, **({"apart": self._apart[unit.index]} if unit.index in self._apart else {})}
        return [
            (index, replace(each, engine=engine, notes={**each.notes, **notes}, seconds=seconds))
            for index, each in results
        ]

    def _train(
        self, unit: Unit, engine: str, later: Sequence[Unit], on_epoch: OnEpoch
    ) -> list[tuple[int, TrialResult]]:
        if engine == "vmap":
            return self._train_lanes(unit, later, on_epoch)
        session = self._session_of(unit, engine)
        if has_lanes(session):
            starts = self._starts(unit, session)
            try:
                trained = run_together(session, unit.seeds[: len(starts)], starts, on_epoch)
                return [(unit.index, _with_weights(unit, result, lane)) for result, lane in trained]
            except Exception as error:  # of the graph that all share, or for want of memory
                self._apart[unit.index] = first_line(error)
                self._held = None
                session = self._session_of(unit, engine)
        return [(unit.index, self._train_one(unit, session, on_epoch))]

    def _train_one(self, unit: Unit, session: Any, on_epoch: OnEpoch) -> TrialResult:
        (trial, seed), *_ = unit.seeds
        parts, ahead = self._split(unit, seed), _numbers(unit.seeds[1:])
        result = run_trial(session, trial, seed, ahead, unit.configuration.protocol, parts, on_epoch)
        return _with_weights(unit, result, session)

    def _starts(self, unit: Unit, session: Lanes) -> list[Start]:
        """What lanes of the first seeds start with, up to one that has no network or no split: it fails in its turn."""
        seeds = _numbers(unit.seeds)
        starts: list[Start] = []
        for place in range(session.room(len(seeds), seeds[0], self._split(unit, seeds[0]))):
            try:
                parts = self._split(unit, seeds[place])
                values = session.fresh(seeds[place], parts, seeds[place + 1 :])
            except Exception:
                if not starts:
                    raise
                break
            starts.append(Start(unit.configuration, values, parts))
        return starts

    def _train_lanes(self, unit: Unit, later: Sequence[Unit], on_epoch: OnEpoch) -> list[tuple[int, TrialResult]]:
        if unit.index in self._apart:
            unit, later = replace(unit, seeds=unit.seeds[:1], lanes=1), ()
        units = [unit, *(other for other in later if _together(unit, other) and other.index not in self._apart)]
        wanted = [(each, trial, seed) for each in units for trial, seed in each.seeds]
        session = self._session_of(unit, "vmap")
        first = self._lane_parts(unit, wanted[0][2])
        lanes = session.room(unit.lanes or len(wanted), wanted[0][2], first)
        results, sound = [], []
        for each, trial, seed in wanted[:lanes]:
            try:
                parts = self._lane_parts(each, seed)
                sound.append((each, (trial, seed), Start(each.configuration, session.fresh(seed, parts), parts)))
            except UserError as error:  # this seed's own
                results.append((each.index, TrialResult(trial, seed, "failed", error=first_line(error))))
        trained = run_together(session, [pair for _, pair, _ in sound], [start for *_, start in sound], on_epoch)
        for (each, *_), (result, lane) in zip(sound, trained, strict=True):
            results.append((each.index, _with_weights(each, replace(result, notes={"lanes": lanes}), lane)))
        return results

    def _session_of(self, unit: Unit, engine: str) -> Any:
        if self._held is None or not _serves(*self._held[:2], unit, engine):
            former = getattr(self._held[2], "stacked", None) if self._held else None
            self._held = None
            gc.collect()  # a traced model is a cycle of references: a megabyte that would wait for its turn
            self._held = (unit, engine, self._new_session(unit, engine, former))
        return self._held[2]

    def _new_session(self, unit: Unit, engine: str, former: Any) -> Any:
        if engine == "graph" and unit.index not in self._apart:
            seeds = _numbers(unit.seeds)
            return graph_session(unit.configuration, self.samples.classes, self._split(unit, seeds[0]), seeds, former)
        return _session(engine, unit, self.samples.classes)

    def _lane_parts(self, unit: Unit, seed: int) -> LaneParts:
        data = unit.configuration.data
        if data.resampled and backend.engine_of(unit.engine) == "vmap":
            return drawn(self.samples, data, seed)
        return self._split(unit, seed)

    def _split(self, unit: Unit, seed: int) -> Parts:
        data = unit.configuration.data
        key = (data, seed if data.resampled else None)
        if self._parts is None or self._parts[0] != key:
            self._parts = None  # before the next ones are made: they may be large
            self._parts = (key, split(self.samples, data, seed))
        return self._parts[1]


def _serves(held: Unit, with_engine: str, unit: Unit, engine: str) -> bool:
    return with_engine == engine and (_together(held, unit) if engine == "vmap" else held.index == unit.index)


def _together(one: Unit, other: Unit) -> bool:
    """Whether the programs made for the one serve the other."""
    same = one.engine == other.engine and one.lanes == other.lanes
    return same and program(one.configuration) == program(other.configuration)


def _with_weights(unit: Unit, result: TrialResult, session: Any) -> TrialResult:
    if not unit.keep_weights or result.status != "ok":
        return result
    content = weights_file(session.model)
    return replace(result, weights=content, weights_sha256=hashlib.sha256(content).hexdigest())


def _numbers(seeds: Sequence[tuple[int, int]]) -> list[int]:
    return [seed for _, seed in seeds]


def _failed(unit: Unit, error: str) -> TrialResult:
    trial, seed = unit.seeds[0]
    return TrialResult(trial, seed, "failed", error=error)


def _blueprint(model: Any) -> str:
    try:
        return blueprint(model)
    except Exception as error:  # a subclass may not know its own configuration
        return f"{type(model).__name__} {first_line(error)}"
