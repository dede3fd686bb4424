"""One trial's life, the same for every engine, whether it trains one seed after another or many at once."""

import time
from collections.abc import Callable, Generator, Sequence
from typing import Any
from typing import Protocol as Interface

import numpy as np

from trials.engines.model import batch_norm_parameters, is_finite
from trials.engines.results import Epoch, Figures, TrialResult
from trials.errors import UnsupportedError, first_line
from trials.experiment import BATCH_LOSS, Protocol
from trials.seeds import batch_order
from trials.splits import LaneParts, Parts

OnEpoch = Callable[[], None]
Training = Generator[np.ndarray | None, float, None]


class Learner(Interface):
    """A model under training, as the course of its trial sees it."""

    @property
    def parameters(self) -> int:
        """The number of its parameters."""

    @property
    def model(self) -> Any:
        """The Keras model with the current weights."""

    def evaluate(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Whether each sample is right, and its loss without regularisation, in inference mode: bool and float (n,)."""

    def weights(self) -> Any:
        """A copy of the current weights, to be handed to `restore`."""

    def restore(self, weights: Any) -> None:
        """Puts such weights back."""


class Session(Learner, Interface):
    """One that is trained alone. An engine provides this; the loop below does the rest."""

    def start(self, seed: int, parts: Parts, ahead: Sequence[int]) -> None:
        """Takes the weights, optimizer state and dropout states that this seed starts with.

        `ahead` are the seeds that follow: a session may prepare for them now.
        """

    def load(self, parts: Parts) -> None:
        """Takes other arrays of the same shapes."""

    def train_epoch(self, order: np.ndarray) -> float:
        """One pass over the training samples in this order; returns the mean loss that was minimised."""


def run_trial(
    session: Session,
    trial: int,
    seed: int,
    ahead: Sequence[int],
    protocol: Protocol,
    parts: Parts,
    on_epoch: OnEpoch,
) -> TrialResult:
    """Trains one trial and measures it; an error becomes the result's `failed`, never an exception."""
    result = TrialResult(trial, seed, "ok")
    started = time.perf_counter()
    try:
        session.start(seed, parts, ahead)
        course = training(session, protocol, parts, result, on_epoch)
        order = next(course)
        while order is not None:
            order = course.send(session.train_epoch(order))
        next(course, None)
    except UnsupportedError:
        raise
    except Exception as error:  # whatever a user's layers do, the other trials go on
        result.status, result.error = "failed", first_line(error)
        result.best_epoch, result.metrics = None, {}
    result.seconds = time.perf_counter() - started
    return result


def training(
    learner: Learner, protocol: Protocol, parts: LaneParts, result: TrialResult, on_epoch: OnEpoch
) -> Training:
    """The course of one trial: yields the order of an epoch, takes its loss; yields None when no epoch follows.

    Then, resumed once more, it measures the weights to be reported. Who drives it trains the learner, and may
    train others at the same time.
    """
    samples = len(parts["train"][1])
    result.parameters = learner.parameters
    best: tuple[float, int, Any] | None = None
    for number in range(1, protocol.epochs + 1):
        loss = yield batch_order(result.seed, number, samples, protocol.shuffle)
        epoch = _measure(learner, protocol, number, loss)
        result.curve.append(epoch)
        result.epochs = number
        on_epoch()
        if not is_finite(loss, epoch.validation.loss if epoch.validation else None):
            result.status, result.error = "diverged", f"the loss became {loss} in epoch {number}"
            yield None
            return
        if protocol.select != "last":
            score = _score(epoch, protocol.select)
            if best is None or score > best[0]:
                best = (score, number, learner.weights())
            elif protocol.patience is not None and number - best[1] >= protocol.patience:
                break
    result.best_epoch = result.epochs if best is None else best[1]
    if best is not None and best[1] != result.epochs:
        learner.restore(best[2])
    yield None
    _report(learner, protocol, parts, result)


def _measure(learner: Learner, protocol: Protocol, number: int, loss: float) -> Epoch:
    epoch = Epoch(number, loss)
    if "train" in protocol.record:
        epoch.train_accuracy = figures(learner, "train").accuracy
    if "validation" in protocol.record or protocol.select != "last":
        epoch.validation = figures(learner, "validation")
    if protocol.evaluates_test(number):
        epoch.test = figures(learner, "test", protocol.batch_size if BATCH_LOSS in protocol.record else None)
    return epoch


def figures(learner: Learner, part: str, batch_size: int | None = None) -> Figures:
    """The current weights measured on one split; with `batch_size` also the mean over its batches' mean losses."""
    right, losses = learner.evaluate(part)
    over_batches = None
    if batch_size is not None:
        starts = np.arange(0, len(losses), batch_size)
        sums = np.add.reduceat(losses, starts, dtype=np.float64)
        over_batches = float(np.mean(sums / np.diff([*starts, len(losses)])))
    return Figures(float(np.mean(right)), float(np.mean(losses, dtype=np.float64)), over_batches)


def _score(epoch: Epoch, select: str) -> float:
    assert epoch.validation is not None
    return epoch.validation.accuracy if select == "validation_accuracy" else -epoch.validation.loss


def _report(learner: Learner, protocol: Protocol, parts: LaneParts, result: TrialResult) -> None:
    """The figures of the selected weights; what the curve already holds is not measured again."""
    selected = result.curve[(result.best_epoch or result.epochs) - 1]
    train_accuracy = selected.train_accuracy
    if train_accuracy is None:
        train_accuracy = figures(learner, "train").accuracy
    validation = selected.validation or (figures(learner, "validation") if "validation" in parts else None)
    test = _trajectory_mean(protocol, result) if protocol.evaluate_every else selected.test or figures(learner, "test")
    result.metrics = {
        "train_accuracy": train_accuracy,
        "train_loss": selected.train_loss,
        "validation_accuracy": validation.accuracy if validation else None,
        "validation_loss": validation.loss if validation else None,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
    }
    if not is_finite(*result.metrics.values()):
        result.status, result.error = "diverged", f"the network's outputs are not finite after epoch {result.epochs}"
        result.best_epoch, result.metrics = None, {}
    elif "batch_norm" in protocol.record:
        result.batch_norm = batch_norm_parameters(learner.model)


def _trajectory_mean(protocol: Protocol, result: TrialResult) -> Figures:
    tests = [epoch.test for epoch in result.curve if epoch.test and epoch.epoch in protocol.trajectory()]
    return Figures(float(np.mean([test.accuracy for test in tests])), float(np.mean([test.loss for test in tests])))
