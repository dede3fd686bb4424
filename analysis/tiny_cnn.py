"""S003, problem 1: a convolution of two taps, ReLU, two logits and a softmax, with all gradients by hand.

    p1 = w1 x1 + w2 x2    h1 = ReLU(p1)    z1 = w3 h1 + w4 h2    y = softmax(z)
    p2 = w1 x2 + w2 x3    h2 = ReLU(p2)    z2 = w5 h1 + w6 h2    J = -sum of d log y

The source's numbers: x = (0.5, 1, -0.5), all weights 1, d = (1, 0). It finds that w1 does not change,
which is true, by wrong steps: it takes ReLU's derivative at p > 0 for 0 and leaves the softmax's cross
terms out. What cancels the gradient is w3 = w5 and w4 = w6.
"""

from typing import NamedTuple

import numpy as np


class Activations(NamedTuple):
    """What the network computes: `sums`, `hidden`, `logits` and `probabilities` of shape (2,), and the `loss`."""

    sums: np.ndarray
    hidden: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    loss: float


def forward(inputs: np.ndarray, weights: np.ndarray, targets: np.ndarray) -> Activations:
    """The network from its inputs to its cross-entropy.

    Source: S003, problem 1. Takes x (3,), the weights w1 to w6 (6,) and the targets d (2,; not negative,
    with sum 1). Raises ValueError for other shapes or targets.
    """
    x, w, d = _checked(inputs, weights, targets)
    sums = np.array([x[0:2] @ w[0:2], x[1:3] @ w[0:2]])
    hidden = np.maximum(sums, 0)
    logits = w[2:].reshape(2, 2) @ hidden
    log_probabilities = logits - np.logaddexp(*logits)
    return Activations(sums, hidden, logits, np.exp(log_probabilities), float(-d @ log_probabilities))


def weight_gradients(inputs: np.ndarray, weights: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The gradient of the loss for w1 to w6, shape (6,).

    Source: S003, problem 1, corrected: softmax and cross-entropy together give dJ/dz = y - d. The problem
    defines the change of a weight as +rate times its gradient; descent subtracts it. Arguments and errors
    as `forward`. ReLU's derivative at 0 is taken as 0, as Keras does.
    """
    x, w, d = _checked(inputs, weights, targets)
    sums, hidden, _, probabilities, _ = forward(x, w, d)
    logits = probabilities - d
    through_relu = (w[2:].reshape(2, 2).T @ logits) * (sums > 0)
    shared = [through_relu @ x[0:2], through_relu @ x[1:3]]  # w1 meets x1 and x2, w2 meets x2 and x3
    return np.concatenate([shared, np.outer(logits, hidden).ravel()])


def _checked(inputs: np.ndarray, weights: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, w, d = (np.asarray(values, np.float64) for values in (inputs, weights, targets))
    if (x.shape, w.shape, d.shape) != ((3,), (6,), (2,)):
        raise ValueError(f"x, w, d must have shapes (3,), (6,), (2,). Received: {x.shape}, {w.shape}, {d.shape}")
    if d.min() < 0 or not np.isclose(d.sum(), 1):
        raise ValueError(f"Targets must not be negative and must sum to 1. Received: {targets}")
    return x, w, d
