"""Trials that take place at the same time, each in a lane of one session: in step, an epoch of all at once."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from typing import Protocol as Interface

import numpy as np

from trials.engines.results import TrialResult
from trials.engines.trial import OnEpoch, Training, training
from trials.experiment import Configuration
from trials.splits import LaneParts

Values = Sequence[np.ndarray]
"Of a model's variables, in the model's order."


def program(configuration: Configuration) -> Hashable:
    """Equal for configurations that lanes of one program can train: all but a constant learning rate is the same."""
    protocol = configuration.protocol
    if isinstance(protocol.learning_rate, float | int):  # a state of the optimizer
        protocol = replace(protocol, learning_rate=1.0)
    return (
        configuration.variant.builder,
        repr(sorted(configuration.options.items())),
        repr((protocol, configuration.data)),
    )


@dataclass
class Start:
    """What a lane is to train, and the values of its fresh model."""

    configuration: Configuration
    values: Values
    parts: LaneParts


class Lanes(Interface):
    """Models under training side by side. An engine provides this; what follows does the rest."""

    parameters: int
    model: Any
    "The Keras model that all lanes share."

    def room(self, wanted: int, seed: int, parts: LaneParts) -> int:
        """How many lanes there are, of so many wanted: as the device has memory. `seed` is one to be trained.

        Raises UnsupportedError where lanes cannot train the model.
        """

    def fresh(self, seed: int, parts: LaneParts, ahead: Sequence[int] = ()) -> Values:
        """The values of this seed's fresh model; `ahead` seeds come next."""

    def start(self, starts: Sequence[Start]) -> None:
        """Takes what each lane starts with. All have the same parts, unless every trial draws its own."""

    def train_epoch(self, orders: np.ndarray, live: np.ndarray) -> np.ndarray:
        """An epoch of every lane in its order, int32 (lanes, samples); those not live, bool (lanes,), stay as they are.

        Returns the mean losses that were minimised: float (lanes,).
        """

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Of every lane, whether each sample is right, and its loss: bool and float (lanes, n), in inference mode."""

    def weights(self) -> list[np.ndarray]:
        """The current values of the model's variables, each stacked along the lanes."""

    def restore(self, values: Mapping[int, Values]) -> None:
        """Puts such values of some lanes back."""


def has_lanes(session: Any) -> bool:
    """Whether a session is `Lanes`, and not one seed's alone."""
    return hasattr(session, "room")


@dataclass
class Lane:
    """One seed's share of them, as the course of a trial sees it."""

    lanes: Lanes
    number: int
    best: Values = field(default=())
    "What is to be restored, with that of all others, when the last course has come to its end."

    @property
    def parameters(self) -> int:
        return self.lanes.parameters

    @property
    def model(self) -> Any:
        """The shared model with this lane's values, until another lane asks for it."""
        for variable, value in zip(self.lanes.model.variables, self.weights(), strict=True):
            variable.assign(value)
        return self.lanes.model

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        right, losses = self.lanes.evaluate(part)
        return right[self.number], losses[self.number]

    def weights(self) -> list[np.ndarray]:
        return [values[self.number].copy() for values in self.lanes.weights()]

    def restore(self, weights: Values) -> None:
        self.best = weights


def put_back(stacked: Values, values: Mapping[int, Values]) -> list[np.ndarray]:
    """A copy of values stacked along the lanes, with some lanes' own in their places."""
    copies = [column.copy() for column in stacked]
    for lane, each in values.items():
        for column, value in zip(copies, each, strict=True):
            column[lane] = value
    return copies


def run_together(
    lanes: Lanes, trials: Sequence[tuple[int, int]], starts: Sequence[Start], on_epoch: OnEpoch
) -> list[tuple[TrialResult, Lane]]:
    """Trains (trial, seed) pairs in step and measures them."""
    if not starts:
        return []
    lanes.start(starts)
    trained = [(TrialResult(trial, seed, "ok"), Lane(lanes, at)) for at, (trial, seed) in enumerate(trials)]
    pairs = zip(trained, starts, strict=True)
    courses = [training(lane, it.configuration.protocol, it.parts, result, on_epoch) for (result, lane), it in pairs]
    _train_in_step(lanes, courses)
    lanes.restore({lane.number: lane.best for _, lane in trained if lane.best})
    for course in courses:
        next(course, None)
    return trained


def _train_in_step(lanes: Lanes, courses: Sequence[Training]) -> None:
    """Epoch after epoch of all, until the last has come to its end."""
    orders = [next(course) for course in courses]
    while any(order is not None for order in orders):
        live = [order is not None for order in orders]
        some = next(order for order in orders if order is not None)
        losses = lanes.train_epoch(np.stack([some if order is None else order for order in orders]), np.array(live))
        for at, course in enumerate(courses):
            if live[at]:
                orders[at] = course.send(float(losses[at]))
