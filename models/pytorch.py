"""Layers that start, normalise and decay as PyTorch's do: four of the five source documents used it.

PyTorch's `Conv2d` and `Linear` draw weights and biases alike from U(-1/sqrt(fan_in), 1/sqrt(fan_in));
Keras's own defaults are Glorot's bounds and zero biases. Its batch norm keeps 0.9 of a running
average at each step, with epsilon 1e-5; Keras's defaults are 0.99 and 1e-3. One difference stays:
PyTorch's running variance is that of a sample (n - 1), Keras's that of the batch (n).
"""

from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    import keras
else:
    keras = lazy_loader.load("keras")


def conv2d(x: Any, filters: int, size: int, *, name: str, padding: str = "valid", weight_decay: float = 0.0) -> Any:
    """A linear convolution of `x`, (batch, height, width, channels), with `size` x `size` kernels."""
    start = _start(size * size * x.shape[-1], weight_decay)
    return keras.layers.Conv2D(filters, size, padding=padding, **start, name=name)(x)


def dense(x: Any, units: int, *, name: str, weight_decay: float = 0.0) -> Any:
    """A linear full connection of `x`, (batch, features)."""
    return keras.layers.Dense(units, **_start(x.shape[-1], weight_decay), name=name)(x)


def batch_norm(x: Any, *, name: str) -> Any:
    """Batch normalization over all axes of `x` but the last."""
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def _start(fan_in: int, weight_decay: float) -> dict[str, Any]:
    """Initializers and penalties of kernel and bias, each an object of its own: shared ones draw the same numbers."""
    bound = fan_in**-0.5
    return {
        f"{what}_{kind}": value
        for what in ("kernel", "bias")
        for kind, value in (
            ("initializer", keras.initializers.RandomUniform(-bound, bound)),
            ("regularizer", _decay(weight_decay)),
        )
    }


def _decay(weight_decay: float) -> Any:
    """PyTorch adds `weight_decay` * w to the gradient; Keras's L2 adds 2 * l2 * w."""
    return keras.regularizers.L2(weight_decay / 2) if weight_decay else None
