"""What passes between driver, executor and engine: the work and the outcome of a trial."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trials.experiment import Configuration

MOST_SEEDS = 1000
"What an engine is told of at a time: it may train them together, or prepare for them."


@dataclass(frozen=True)
class Unit:
    """One configuration and the (trial, seed) pairs it is to be trained from."""

    index: int
    configuration: Configuration
    seeds: tuple[tuple[int, int], ...]
    engine: str
    reason: str = ""
    "Why it is trained by `fit` though the engine was to be chosen."
    keep_weights: bool = False
    lanes: int = 0
    "How many seeds a program that trains them together is made for, though fewer may be missing; 0: these."


@dataclass(frozen=True, slots=True)
class Figures:
    """Accuracy (a fraction, 0 to 1) and mean loss of a model on one split, in inference mode.

    `loss_over_batches`, where asked for, is the plain mean of the batches' mean losses.
    """

    accuracy: float
    loss: float
    loss_over_batches: float | None = None


@dataclass(slots=True)
class Epoch:
    """One epoch of a learning curve; None where the protocol does not record a split.

    `train_loss` is what was minimised: the mean over the epoch's samples while the weights moved,
    regularisation included, as in Keras's history. All other figures are in inference mode.
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None = None
    validation: Figures | None = None
    test: Figures | None = None


@dataclass(slots=True)
class TrialResult:
    """Everything that is kept of one trial."""

    trial: int
    seed: int
    status: str
    "`ok`, `diverged` (a loss became NaN or infinite), `failed` (an error) or `timeout` (it took too long)."
    epochs: int = 0
    best_epoch: int | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    parameters: int | None = None
    error: str = ""
    curve: list[Epoch] = field(default_factory=list)
    engine: str = ""
    seconds: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)
    batch_norm: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    "By layer: gamma, beta, moving_mean and moving_variance, one number a channel, where recorded."
    weights: bytes = b""
    "The file of its reported weights, where they are to be kept."
    weights_sha256: str = ""
