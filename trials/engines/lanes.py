"""Trials that take place at the same time, each in a lane of one session: in step, an epoch of all at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from typing import Protocol as Interface

import numpy as np

from trials.engines.results import TrialResult
from trials.engines.trial import OnEpoch, Training, training
from trials.experiment import Configuration
from trials.splits import Parts

Start = tuple[Configuration, int]
"What a lane trains, and the seed."


def alike(one: Configuration, other: Configuration) -> bool:
    """Whether lanes of one program can train both: all but a constant learning rate, which is a state, is equal."""

    def program(it: Configuration) -> tuple[Any, ...]:
        constant = isinstance(it.protocol.learning_rate, float | int)
        return (
            it.variant.builder,
            it.options,
            replace(it.protocol, learning_rate=1.0) if constant else it.protocol,
            it.data,
        )

    return program(one) == program(other)


class Lanes(Interface):
    """Models under training side by side. An engine provides this; what follows does the rest."""

    configuration: Configuration
    parameters: int
    model: Any
    "The Keras model that all lanes share."

    def room(self, wanted: int, seed: int, parts: Parts) -> int:
        """How many lanes there are, of so many wanted: as the device has memory. `seed` is one to be trained.

        Raises UnsupportedError where lanes cannot train the model.
        """

    def start(self, starts: Sequence[Start], parts: Sequence[Parts]) -> None:
        """Takes what each lane's fresh model starts with; `parts` are one for each lane, or one for all."""

    def load(self, parts: Sequence[Parts]) -> None:
        """Takes other arrays of the same shapes."""

    def train_epoch(self, orders: np.ndarray, live: np.ndarray) -> np.ndarray:
        """An epoch of every lane in its order, int32 (lanes, samples); those not live, bool (lanes,), stay as they are.

        Returns the mean losses that were minimised: float (lanes,).
        """

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Of every lane, whether each sample is right, and its loss: bool and float (lanes, n), in inference mode."""

    def weights(self) -> list[np.ndarray]:
        """The current values of the model's variables, each stacked along the lanes."""

    def restore(self, lane: int, weights: Sequence[np.ndarray]) -> None:
        """Puts such values of one lane back."""


@dataclass(frozen=True)
class Lane:
    """One seed's share of them, as the course of a trial sees it."""

    lanes: Lanes
    number: int

    @property
    def parameters(self) -> int:
        return self.lanes.parameters

    @property
    def model(self) -> Any:
        """The shared model with this lane's weights, until another lane asks for it."""
        for variable, value in zip(self.lanes.model.variables, self.weights(), strict=True):
            variable.assign(value)
        return self.lanes.model

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        right, losses = self.lanes.evaluate(part)
        return right[self.number], losses[self.number]

    def weights(self) -> list[np.ndarray]:
        return [values[self.number].copy() for values in self.lanes.weights()]

    def restore(self, weights: Sequence[np.ndarray]) -> None:
        self.lanes.restore(self.number, weights)


def run_together(
    lanes: Lanes, trials: Sequence[tuple[int, Start]], parts: Sequence[Parts], on_epoch: OnEpoch
) -> list[tuple[TrialResult, Lane]]:
    """Trains (number of the trial, start) pairs in step and measures them. `parts` are one for each, or one for all."""
    lanes.start([start for _, start in trials], parts)
    trained = [(TrialResult(trial, seed, "ok"), Lane(lanes, at)) for at, (trial, (_, seed)) in enumerate(trials)]
    protocols = [configuration.protocol for _, (configuration, _) in trials]
    pairs = zip(trained, protocols, strict=True)
    _in_step(lanes, [training(lane, protocol, parts[0], result, on_epoch) for (result, lane), protocol in pairs])
    return trained


def _in_step(lanes: Lanes, courses: Sequence[Training]) -> None:
    """Epoch after epoch of all, until the last has come to its end; only then is any measured."""
    orders = [next(course) for course in courses]
    while any(order is not None for order in orders):
        live = [order is not None for order in orders]
        some = next(order for order in orders if order is not None)
        losses = lanes.train_epoch(np.stack([some if order is None else order for order in orders]), np.array(live))
        for at, course in enumerate(courses):
            if live[at]:
                orders[at] = course.send(float(losses[at]))
    for course in courses:
        next(course, None)


class OneOfThree:
    """A lane between two others, as a session that trains one seed: what a lane does can be held to what `fit` does."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self._lane = Lane(lanes, 1)

    @property
    def parameters(self) -> int:
        return self.lanes.parameters

    @property
    def model(self) -> Any:
        return self._lane.model

    def start(self, seed: int, parts: Parts, ahead: Sequence[int]) -> None:
        self.lanes.room(3, seed, parts)
        self.lanes.start([(self.lanes.configuration, number) for number in (seed + 1, seed, seed + 2)], [parts])

    def load(self, parts: Parts) -> None:
        self.lanes.load([parts])

    def train_epoch(self, order: np.ndarray) -> float:
        orders = np.stack([order[::-1], order, np.roll(order, 1)])
        return float(self.lanes.train_epoch(orders, np.ones(3, bool))[1])

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        return self._lane.evaluate(part)

    def weights(self) -> list[np.ndarray]:
        return self._lane.weights()

    def restore(self, weights: Sequence[np.ndarray]) -> None:
        self._lane.restore(weights)
