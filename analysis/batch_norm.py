"""What batch norm computes in training and in inference, and all its gradients in closed form.

Arrays are float64 of shape (batch, features): one row an example, as Keras has it. S001's question 2
writes features as rows. S003 and S004 name the normalised input x without its hat; here it is
`normalized`.
"""

from typing import NamedTuple

import numpy as np


class Normalization(NamedTuple):
    """What training mode computes: `outputs` and `normalized` (batch, features), statistics (features,)."""

    outputs: np.ndarray
    normalized: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class Gradients(NamedTuple):
    """Gradients of a scalar, each of the shape of what it is taken with respect to; in the order of S004's (a) to (f).

    That for the mean counts all its effects; those through the variance are zero.
    """

    gamma: np.ndarray
    beta: np.ndarray
    normalized: np.ndarray
    variance: np.ndarray
    mean: np.ndarray
    inputs: np.ndarray


def normalize_batch(inputs: np.ndarray, gamma: np.ndarray, beta: np.ndarray, *, epsilon: float) -> Normalization:
    """Training mode: each feature by the mean and the biased variance of the batch itself.

    Source: Ioffe and Szegedy 2015, algorithm 1; S001, question 2 (which has no epsilon: 0 gives its
    matrices; Keras's default is 1e-3). Takes (batch, features) with any finite values, gamma and beta
    (features,). Raises ValueError for other shapes, for a negative epsilon, and for a feature that is
    constant in the batch where epsilon is 0.
    """
    x = _batch(inputs)
    mean, variance = x.mean(axis=0), x.var(axis=0)
    normalized = (x - mean) / _scale(variance, epsilon)
    return Normalization(_affine(normalized, gamma, beta), normalized, mean, variance)


def normalize_by_moving(
    inputs: np.ndarray,
    gamma: np.ndarray,
    beta: np.ndarray,
    moving_mean: np.ndarray,
    moving_variance: np.ndarray,
    *,
    epsilon: float,
) -> np.ndarray:
    """Inference mode: the affine map that the running averages fix, the same whatever else is in the batch.

    Source: S001, questions 2(c) and 2(d); Ioffe and Szegedy 2015, algorithm 2, with Keras's running
    averages (see `moving_average`) for its mean over batches. Takes (batch, features), everything else
    (features,); returns (batch, features). Raises ValueError as `normalize_batch`.
    """
    x = _batch(inputs)
    variance = _per_feature("moving variance", moving_variance, x)
    normalized = (x - _per_feature("moving mean", moving_mean, x)) / _scale(variance, epsilon)
    return _affine(normalized, gamma, beta)


def moving_average(moving: np.ndarray, batch: np.ndarray, *, momentum: float) -> np.ndarray:
    """A running mean or variance after one more training step, with Keras's meaning of momentum.

    Source: Keras's BatchNormalization: momentum (0 to 1) is the share that stays, PyTorch's is the
    share that is replaced; the variance of the batch is the biased one, PyTorch averages the unbiased.
    Keras starts at mean 0 and variance 1. Takes and returns (features,). Raises ValueError for a
    momentum outside 0 to 1.
    """
    if not 0 <= momentum <= 1:
        raise ValueError(f"momentum must be from 0 to 1. Received: {momentum}")
    return momentum * np.asarray(moving, np.float64) + (1 - momentum) * np.asarray(batch, np.float64)


def gradients(
    output_gradient: np.ndarray, inputs: np.ndarray, gamma: np.ndarray, beta: np.ndarray, *, epsilon: float
) -> Gradients:
    """Everything training mode passes back, from the gradient of a scalar f for the outputs.

    Source: S004, theory question 3 (a) to (f), and S003, problem 3; Ioffe and Szegedy 2015, section 3.
    Takes (batch, features) twice, gamma and beta (features,). The gradient for the inputs sums to 0 over
    the batch; its product with the normalised inputs goes to 0 with epsilon. Raises ValueError as
    `normalize_batch`, or where the two batches differ in shape.
    """
    g, x = _batch(output_gradient), _batch(inputs)
    if g.shape != x.shape:
        raise ValueError(f"The output gradient must have the inputs' shape {x.shape}. Received: {g.shape}")
    _, normalized, mean, variance = normalize_batch(x, gamma, beta, epsilon=epsilon)
    scale = _scale(variance, epsilon)
    dn = np.asarray(gamma, np.float64) * g
    # the mean acts through the variance too, but by -2/m times the sum of (x - mean), which is 0
    return Gradients(
        gamma=(g * normalized).sum(axis=0),
        beta=g.sum(axis=0),
        normalized=dn,
        variance=-0.5 * scale**-3 * (dn * (x - mean)).sum(axis=0),
        mean=-dn.sum(axis=0) / scale,
        inputs=(dn - dn.mean(axis=0) - normalized * (dn * normalized).mean(axis=0)) / scale,
    )


# S003, problem 3: sigmoid units behind batch norm, loss J = 1/N sum over examples and units of (d - y)^2 / 2.
# The source stops at the chain rule's outline and gives no rule; the constant 1/2 and 1/N are its own.


def output_delta(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The gradient of J for what enters the sigmoid of the output units: (y - d) y (1 - y) / N.

    Source: S003, problem 3. Takes the outputs y (0 to 1) and the targets d, both (batch, units);
    returns (batch, units). Raises ValueError where their shapes differ.
    """
    y, d = _batch(outputs), _batch(targets)
    if y.shape != d.shape:
        raise ValueError(f"The targets must have the outputs' shape {y.shape}. Received: {d.shape}")
    return (y - d) * y * (1 - y) / len(y)


def hidden_delta(hidden: np.ndarray, weights: np.ndarray, next_sum_gradient: np.ndarray) -> np.ndarray:
    """The gradient of J for what enters the sigmoid of hidden units: h (1 - h) times what their weights bring back.

    Source: S003, problem 3. Takes h (batch, units; 0 to 1), weights (units, next units), and the
    gradient of J for the weighted sums of the next layer (batch, next units): its delta if that layer
    has no batch norm, else `gradients(delta, sums, ...).inputs`. Returns (batch, units). Raises
    ValueError where the shapes do not fit.
    """
    h, g, w = _batch(hidden), _batch(next_sum_gradient), np.asarray(weights, np.float64)
    if w.shape != (h.shape[1], g.shape[1]) or len(h) != len(g):
        raise ValueError(
            f"Shapes (batch, units), (units, next units), (batch, next units) must fit. "
            f"Received: {h.shape}, {w.shape}, {g.shape}"
        )
    return h * (1 - h) * (g @ w.T)


def updated(
    gamma: np.ndarray, beta: np.ndarray, delta: np.ndarray, normalized: np.ndarray, *, learning_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gamma and beta after one step of gradient descent, from the delta of the units that they feed.

    Source: S003, problem 3: gamma - rate * sum of delta times normalised input, beta - rate * sum of
    delta; the sums run over the batch. Takes (features,) twice, (batch, features) twice; returns
    (features,) twice. Raises ValueError where the shapes do not fit.
    """
    d = _batch(delta)
    if np.shape(normalized) != d.shape:
        raise ValueError(f"The normalised inputs must have delta's shape {d.shape}. Received: {np.shape(normalized)}")
    new_gamma = _per_feature("gamma", gamma, d) - learning_rate * (d * normalized).sum(axis=0)
    return new_gamma, _per_feature("beta", beta, d) - learning_rate * d.sum(axis=0)


def _batch(values: np.ndarray) -> np.ndarray:
    x = np.asarray(values, np.float64)
    if x.ndim != 2 or not x.size:
        raise ValueError(f"A batch must have shape (batch, features), neither of them 0. Received: {x.shape}")
    return x


def _per_feature(name: str, values: np.ndarray, x: np.ndarray) -> np.ndarray:
    found = np.asarray(values, np.float64)
    if found.shape != x.shape[1:]:
        raise ValueError(f"{name} must have shape {x.shape[1:]}, one value a feature. Received: {found.shape}")
    return found


def _affine(normalized: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    return _per_feature("gamma", gamma, normalized) * normalized + _per_feature("beta", beta, normalized)


def _scale(variance: np.ndarray, epsilon: float) -> np.ndarray:
    if epsilon < 0:
        raise ValueError(f"epsilon must not be negative. Received: {epsilon}")
    if (variance + epsilon <= 0).any():
        raise ValueError(f"Variance plus epsilon must be positive. Received: epsilon {epsilon}, variance {variance}")
    return np.sqrt(variance + epsilon)
