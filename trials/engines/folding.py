"""Convolution and pooling with few channels, laid out so that a CPU's vector units have work.

A LeNet's first convolution has one input channel and six outputs, a small part of a core's vector
width, and the libraries' kernels take as long as if it had sixteen. Here Conv2D -> MaxPooling2D(2)
becomes one convolution whose channels hold neighbouring columns and rows as well (a free reshape),
and pooling goes over channel groups. The arithmetic is the same up to rounding, ties included; the
contract tests hold it to `fit`. LeNet-5, batch 32, one core: a training step takes two thirds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Unit:
    """A Conv2D whose one consumer is a 2x2 max pooling."""

    conv: keras.layers.Conv2D
    pool: keras.layers.MaxPooling2D
    rows_in: int = 1  # this many rows of its input come folded into the channels
    rows_out: int = 1  # this many rows of its output go folded into the channels


def _folded_kernel(kernel: Any, before: Sequence[int], fold: Sequence[int], out: Sequence[int]) -> tf.Tensor:
    """The kernel that, moved on by `out` places (rows, columns), yields all these places' outputs,
    in the order (column in window, row in window, window), from an input with `fold` places in
    its channels, `before` of them zeros ahead of the kernel's first."""
    kh, kw, ci, co = kernel.shape
    (a, b), (rows, cols) = fold, out
    bh, bw = -(-(before[0] + rows + kh - 1) // a), -(-(before[1] + cols + kw - 1) // b)
    e = np.zeros((bh * a, bw * b, cols, 2, rows // 2, kh, kw), "f")
    for r, c, i, j in np.ndindex(rows, cols, kh, kw):
        e[before[0] + r + i, before[1] + c + j, c, r % 2, r // 2, i, j] = 1
    e = e.reshape(bh, a, bw, b, rows * cols, kh * kw).transpose(0, 2, 1, 3, 4, 5).reshape(-1, kh * kw)
    k = tf.matmul(np.ascontiguousarray(e), tf.reshape(kernel, [kh * kw, ci * co]))
    k = tf.transpose(tf.reshape(k, [-1, rows * cols, ci, co]), [0, 2, 1, 3])
    return tf.reshape(k, [bh, bw, a * b * ci, rows * cols * co])


def _conv_pool(unit: Unit, x: tf.Tensor, *_: Any, **__: Any) -> tf.Tensor:
    """max_pool2d(activation(conv2d(x) + bias), 2), which oneDNN does slowly for few channels.

    Two columns of the input (free), or two rows (as the unit before left them), are taken as
    channels; the outputs of one or two rows of windows become channels too.  Pooling then goes
    over channel groups: columns first, then rows, so ties go to the first in row-major order."""
    conv, c = unit.conv, unit.rows_out * unit.conv.filters
    fold = (2, 1) if unit.rows_in == 2 else (1, 2)
    out = (2 * unit.rows_out, fold[1])
    before = [(k - 1) // 2 if conv.padding == "same" else 0 for k in conv.kernel_size]
    lead = [-(-p // f) for p, f in zip(before, fold, strict=True)]  # whole blocks of zeros ahead
    kernel = _folded_kernel(conv.kernel, [n * f - p for n, f, p in zip(lead, fold, before, strict=True)], fold, out)
    have = [n // f for n, f in zip(conv.input.shape[1:3], fold, strict=True)]
    x = tf.reshape(x, [-1, *have, kernel.shape[2]])
    h, w = conv.output.shape[1:3]
    steps, strides = (h // out[0], w // out[1]), (out[0] // fold[0], out[1] // fold[1])
    need = [(n - 1) * s + k for n, s, k in zip(steps, strides, kernel.shape, strict=False)]
    pads = [[p, max(0, m - p - n)] for p, m, n in zip(lead, need, have, strict=True)]
    # oneDNN has no gradients for explicit padding: it must be TensorFlow's SAME or VALID, or a copy
    slack = [max(0, (-(-n // s) - 1) * s + k - n) for n, s, k in zip(have, strides, kernel.shape, strict=False)]
    same = pads == [[n // 2, n - n // 2] for n in slack]
    if not same and np.any(pads):
        x = tf.pad(x, [[0, 0], *pads, [0, 0]])
    y = tf.nn.conv2d(x, kernel, [1, *strides, 1], "SAME" if same else "VALID")
    for group in (2 * c, c):
        y = tf.nn.max_pool2d(tf.reshape(y, [-1, steps[0], w, group]), [1, 2], [1, 2], "VALID")
    if conv.use_bias:  # bias and activation commute with max
        y = tf.nn.bias_add(y, tf.tile(conv.bias.value, [unit.rows_out]))
    return conv.activation(y)


def _pays(conv: keras.layers.Conv2D, linked: bool) -> bool:
    """Where folding was measured to win: large kernels, few channels (benchmarks/log.md)."""
    size, channels = conv.kernel_size, conv.kernel.shape[2]
    few = channels <= 8 and conv.filters <= 16 if linked else channels <= 4 and conv.filters <= 8
    return min(size) >= 5 and few


def _foldable(conv: Any, pool: Any) -> bool:
    """Whether `conv` and its one consumer `pool` are what `_conv_pool` computes."""
    if type(conv) is not keras.layers.Conv2D or type(pool) is not keras.layers.MaxPooling2D:
        return False
    both = [(lay.data_format, lay.activity_regularizer, lay.dtype_policy.name) for lay in (conv, pool)]
    return (
        both == [("channels_last", None, "float32")] * 2
        and tuple(pool.pool_size) == (2, 2) == tuple(pool.strides)
        and tuple(conv.strides) == (1, 1) == tuple(conv.dilation_rate)
        and conv.groups == 1
        and conv.padding in ("same", "valid")
        and conv.activation in (keras.activations.relu, keras.activations.linear)
        and not conv.lora_enabled
        and None not in conv.input.shape[1:]
        and all(n % 2 == 0 for n in conv.output.shape[1:3])
    )


def _plan(model: keras.Model) -> list[Unit]:
    """The units of a functional or sequential model; none of a subclass, whose `call` may be its own."""
    if not type(model).__module__.startswith("keras."):
        return []
    users: dict[int, list[Any]] = {id(t): [None] for t in keras.tree.flatten(model.outputs)}
    for layer in model.layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                users.setdefault(id(tensor), []).append(layer if len(layer._inbound_nodes) == 1 else None)

    def user(layer: Any) -> Any:
        """The one layer that takes `layer`'s output, if that is its one use."""
        found = users.get(id(layer.output), [])
        return found[0] if len(found) == 1 else None

    once = [lay for lay in model.layers if len(lay._inbound_nodes) == 1]
    pairs = {id(lay): (lay, user(lay)) for lay in once if _foldable(lay, user(lay))}
    units: list[Unit] = []
    linked: set[int] = set()  # convolutions whose input comes with two rows folded
    for conv, pool in pairs.values():  # in topological order, as the layers
        rows_in = 2 if id(conv) in linked else 1
        if rows_in == 1 and not (_pays(conv, False) and conv.input.shape[2] % 2 == 0):
            continue
        after = user(pool)
        link = id(after) in pairs and _pays(after, True) and conv.output.shape[1] % 4 == 0
        linked |= {id(after)} if link else set()
        units.append(Unit(conv, pool, rows_in, 2 if link else 1))
    return units


@contextmanager
def folded(model: Any) -> Iterator[list[Unit]]:
    """Within: calls of the model trace in their folded form. Yields what was folded.

    Only `call` of the layers concerned is replaced, and only here: variables, penalties and
    losses stay the model's own.
    """
    units = _plan(model)
    specs = [unit.conv.input_spec for unit in units]
    for unit in units:
        unit.conv.input_spec = None  # the folded input has other sizes
        unit.conv.call = partial(_conv_pool, unit)
        unit.pool.call = lambda x, *_, **__: x
    try:
        yield units
    finally:
        for unit, spec in zip(units, specs, strict=True):
            unit.conv.input_spec = spec
            del unit.conv.__dict__["call"], unit.pool.__dict__["call"]
