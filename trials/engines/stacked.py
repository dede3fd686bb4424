"""Convolution and pooling in forms that stay fast where `vmap` stacks the kernels of many lanes.

A convolution with a kernel a lane becomes a grouped convolution, slow on GPUs and worse on CPUs. Written as a matrix
product it becomes a batched one. The arithmetic is the same up to rounding, ties included. Four lanes of LeNet-5's
convolutions, forward and back on one core: 70 ms as grouped ones, 30 ms as patches, 15 ms as bands
(`python -m benchmarks.stacked`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import jax
import keras
from jax import numpy as jnp

WIDEST = 8
"Kernel widths in an image's width up to which the zeros of a band cost less than copying patches does."
Array = Any


def _padded(x: Array, layer: Any) -> tuple[Array, tuple[int, int]]:
    """The images as the layer's padding extends them with zeros, and how many windows they hold: (rows, columns)."""
    windows = tuple(layer.compute_output_shape(x.shape)[1:3])
    if layer.padding == "valid":
        return x, windows
    wide = zip(windows, layer.strides, layer.kernel_size, x.shape[1:3], strict=True)
    total = [max(0, (count - 1) * stride + length - have) for count, stride, length, have in wide]
    return jnp.pad(x, [(0, 0), *((n // 2, n - n // 2) for n in total), (0, 0)]), windows


def _below(x: Array, size: int, stride: int, count: int) -> Array:
    """Under every window's first row its other rows, side by side: (n, count, ...) with `size` times the last axis."""
    return jnp.concatenate([x[:, i : i + stride * (count - 1) + 1 : stride] for i in range(size)], axis=-1)


def _as_bands(x: Array, kernel: Array, strides: tuple[int, int], windows: tuple[int, int]) -> Array:
    """Whole rows of the image times one matrix, in which the kernel stands once for every column of the output."""
    (size, across, *channels), (rows, columns), width = kernel.shape, windows, x.shape[2]
    starts = [strides[1] * column for column in range(columns)]
    placed = [jnp.pad(kernel, [(0, 0), (start, width - across - start), (0, 0), (0, 0)]) for start in starts]
    matrix = jnp.stack(placed, axis=3).reshape(size * width * channels[0], columns * channels[1])
    lines = _below(x.reshape(*x.shape[:2], -1), size, strides[0], rows)
    return (lines @ matrix).reshape(-1, rows, columns, channels[1])


def _as_patches(x: Array, kernel: Array, strides: tuple[int, int], windows: tuple[int, int]) -> Array:
    """Every window, as one row, times the kernel."""
    beside = _below(x.swapaxes(1, 2), kernel.shape[1], strides[1], windows[1]).swapaxes(1, 2)
    return _below(beside, kernel.shape[0], strides[0], windows[0]) @ kernel.reshape(-1, kernel.shape[-1])


def _conv(layer: Any, x: Array, *_: Any, **__: Any) -> Array:
    """activation(conv2d(x) + bias)."""
    x, windows = _padded(x, layer)
    form = _as_bands if x.shape[2] <= WIDEST * layer.kernel_size[1] else _as_patches
    y = form(x, jnp.asarray(layer.kernel), layer.strides, windows)
    return layer.activation(y + jnp.asarray(layer.bias) if layer.use_bias else y)


def _windows(x: Array, rows: int, columns: int) -> Array:
    """Windows side by side, what is left over at the edges cut off: (n, h, w, c) to (n, h', rows, w', columns, c)."""
    n, h, w, c = x.shape
    cut = x[:, : h // rows * rows, : w // columns * columns]
    return cut.reshape(n, h // rows, rows, w // columns, columns, c)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _largest(x: Array, rows: int, columns: int) -> Array:
    return _windows(x, rows, columns).max((2, 4))


def _forward(x: Array, rows: int, columns: int) -> tuple[Array, Array]:
    return _largest(x, rows, columns), x


def _backward(rows: int, columns: int, x: Array, gradient: Array) -> tuple[Array]:
    """To the first of equal ones in row-major order, as a pooling kernel has it."""
    held = _windows(x, rows, columns)
    first = held.swapaxes(2, 3).reshape(*gradient.shape[:3], rows * columns, -1).argmax(3)
    places = jnp.arange(rows * columns).reshape(1, 1, rows, 1, columns, 1)
    spread = jnp.where(first[:, :, None, :, None] == places, gradient[:, :, None, :, None], 0).reshape(
        x.shape[0], held.shape[1] * rows, held.shape[3] * columns, -1
    )
    rest = [(0, have - given) for have, given in zip(x.shape[1:3], spread.shape[1:3], strict=True)]
    return (jnp.pad(spread, [(0, 0), *rest, (0, 0)]),)


_largest.defvjp(_forward, _backward)


def _max_pool(layer: Any, x: Array, *_: Any, **__: Any) -> Array:
    divides = all(length % size == 0 for length, size in zip(x.shape[1:3], layer.pool_size, strict=True))
    beside = tuple(layer.strides) == tuple(layer.pool_size) and (divides or layer.padding == "valid")
    return _largest(x, *layer.pool_size) if beside else type(layer).call(layer, x)


def _form(layer: Any) -> Any:
    """What stands in for the layer's own `call`; None where that is to stay."""
    if layer.dtype_policy.name not in ("float32", "float64") or getattr(layer, "data_format", "") != "channels_last":
        return None
    if type(layer) is keras.layers.MaxPooling2D:
        return _max_pool
    plain = type(layer) is keras.layers.Conv2D and layer.groups == 1 and tuple(layer.dilation_rate) == (1, 1)
    return _conv if plain and layer.padding in ("same", "valid") and not layer.lora_enabled else None


@contextmanager
def stacked(model: Any) -> Iterator[None]:
    """Within: the model's convolutions and poolings trace in these forms; nothing else of it changes."""
    found = {id(layer): (layer, _form(layer)) for layer in model._flatten_layers()}
    changed = [(layer, form) for layer, form in found.values() if form is not None]
    for layer, form in changed:
        layer.call = partial(form, layer)
    try:
        yield
    finally:
        for layer, _ in changed:
            del layer.__dict__["call"]
